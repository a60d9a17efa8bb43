"""Everything that knows Moshi and Mimi: checkpoint, streams, words, features."""
