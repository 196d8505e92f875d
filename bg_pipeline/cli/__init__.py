"""The command line: only argument parsing and text output."""
