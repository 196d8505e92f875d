"""Ways to alert a person."""
