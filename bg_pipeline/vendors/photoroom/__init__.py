"""photoroom."""
