"""Who removes backgrounds: one file per vendor or engine, and the wrappers round them."""
