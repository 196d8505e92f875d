"""removebg."""
