"""Tables of `core.export` in files: CSV, JSON lines and Parquet."""
