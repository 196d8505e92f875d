"""removebg_protocol."""
