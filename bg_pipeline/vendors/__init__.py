"""Who removes backgrounds: one folder for each vendor or engine, which describes itself, and the list of all."""
