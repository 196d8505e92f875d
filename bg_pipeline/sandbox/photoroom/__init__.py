"""Photoroom: the Basic and the Plus API, and their account."""
