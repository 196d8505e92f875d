"""Keeps background-removed cutouts in step with a catalogue of product pictures."""

__version__ = "0.1.0"
