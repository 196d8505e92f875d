"""Decisions: pure functions from values to values, each answer with its reason."""
