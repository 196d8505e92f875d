"""Vendors and engines that remove backgrounds: one folder for each, with its description, and the registry."""
