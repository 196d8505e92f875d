"""remove.bg's API 1.0."""
