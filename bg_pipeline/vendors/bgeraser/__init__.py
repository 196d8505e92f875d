"""bgeraser."""
