"""Keeps background-removed cutouts in step with a catalogue of product pictures."""

from importlib.metadata import version

__version__ = version("bg-pipeline")
