"""Use cases: one a file, each in terms of ports only."""
