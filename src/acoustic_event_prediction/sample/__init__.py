"""A seeded synthetic corpus and a seeded tiny checkpoint, so that everything runs on a CPU.

`__main__` writes both: `corpus` (with `annotations`) from what `conversation` makes of `voices`,
`text` and `sounds`, and `checkpoint` with the codec of `codec`. Nothing else in the package imports
this folder.
"""
