"""What runs beyond the process border, and the one module that crosses it (`launch`)."""
