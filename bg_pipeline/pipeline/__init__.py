"""Use cases, one per file, written against ports only."""
