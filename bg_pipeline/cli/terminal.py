"""Text for the terminal. Names in a catalogue are chosen by strangers: no character of theirs may control anything."""

import logging
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bg_pipeline.redaction import redacted
from bg_pipeline.settings.logs import owns_stderr

_LOG = logging.getLogger(__name__)

_WIDEST = 100_000
"""Columns of a table that no terminal shows: enough for any row."""

_MOST_ROWS = 40


def printable(text: str) -> str:
    """Escape control characters, which terminals obey, and bytes that are not UTF-8."""
    safe = text.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in safe)


def say(line: str, *, err: bool = False, level: int = logging.INFO) -> None:
    """Print one line. What goes to standard error is a log record too; `level` is its level."""
    shown = printable(line)
    if err:
        _LOG.log(level, "%s", shown)
    if not (err and owns_stderr()):
        click.echo(shown, err=err)


class Terminal(Console):
    """
    A console for standard output that prints each text as one line, character by character, never as markup.

    In a pipe or a file, tables have all their rows, each on one line.
    """

    def __init__(self) -> None:
        width = None if sys.stdout.isatty() else _WIDEST
        super().__init__(highlight=False, markup=False, emoji=False, soft_wrap=True, width=width)
        self.most_rows = _MOST_ROWS if sys.stdout.isatty() else None
        """Most rows of a table; None for all."""

    def print(self, *objects: Any, **options: Any) -> None:
        if self.most_rows is None and any(isinstance(each, Table) for each in objects):
            with self.capture() as padded:
                super().print(*objects, **options)
            super().print(Text("\n".join(line.rstrip() for line in padded.get().splitlines())))
            return
        super().print(*(Text(printable(each)) if isinstance(each, str) else each for each in objects), **options)


class LogLine(logging.Formatter):
    """Formats a log record as one line without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(redacted(super().format(record)))
