"""The review page: as a file, and served on this machine with decisions."""
