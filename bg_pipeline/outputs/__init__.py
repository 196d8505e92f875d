"""Where cutouts and masters go: one file per kind of store."""
