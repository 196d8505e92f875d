"""Decisions: pure functions from values to values. Each answer comes with its reason."""
