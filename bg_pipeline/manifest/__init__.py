"""The manifest, the ledger and the run control, as tables in SQLite or PostgreSQL."""
