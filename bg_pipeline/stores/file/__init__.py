"""Folders as sources and stores."""
