"""rembg."""
