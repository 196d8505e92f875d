"""Purchases: the wrappers of a client, the gate, and the buyer of masters."""
