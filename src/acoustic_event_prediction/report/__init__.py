"""The report of an evaluation: one page that needs no other file and no network."""
