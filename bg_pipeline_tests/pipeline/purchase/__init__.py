"""Purchases: who is asked, for what, and for how much."""
