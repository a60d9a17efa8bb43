"""How a corpus lies on the disk: one module for each layout, each gives a `RawCorpus`."""
