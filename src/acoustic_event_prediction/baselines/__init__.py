"""Features without a language model, for comparison: from the same streams, and as late."""
