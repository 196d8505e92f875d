"""Where pictures come from and where bytes are kept: one folder per kind of store, which describes itself."""
