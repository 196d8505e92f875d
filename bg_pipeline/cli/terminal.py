"""Text for the terminal. Names in a catalogue are chosen by strangers: no character of theirs may control anything."""

import logging
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from bg_pipeline.redaction import redacted


def printable(text: str) -> str:
    """Escape control characters, which terminals obey, and bytes that are not UTF-8."""
    safe = text.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in safe)


def say(line: str, *, err: bool = False) -> None:
    """Print one line."""
    click.echo(printable(line), err=err)


class Terminal(Console):
    """A console for standard output that prints each text as one line, character by character, never as markup."""

    def __init__(self) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, soft_wrap=True)

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(Text(printable(each)) if isinstance(each, str) else each for each in objects), **options)


class LogLine(logging.Formatter):
    """Formats a log record as one line without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(redacted(super().format(record)))
