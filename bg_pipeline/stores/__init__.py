"""Sources of pictures and stores of bytes: one folder per kind of store, with its description."""
