"""One sync after the other."""
