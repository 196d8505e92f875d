"""Numbered, append-only steps from an empty database to the present tables."""
