"""Helpers that commands share: the name of a run, an item by its key, and JSON for programs."""

import getpass
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import click

from bg_pipeline.core.credits import MOST_CREDITS
from bg_pipeline.core.night_window import parse_time
from bg_pipeline.core.records import Entry
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.ports.context import Catalogue, RunName
from bg_pipeline.redaction import redacted

_NO_JSON_YET = "bg_pipeline.no_json_yet"
"""Key in click's context: true while a command that was asked for JSON has printed none."""


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def expect_json(ctx: click.Context, *, asked: bool) -> None:
    """Note before a command is parsed if it was asked for JSON: an unknown option ends it without its values."""
    ctx.meta[_NO_JSON_YET] = asked


class Credits(click.ParamType[Decimal]):
    """A number of credits."""

    name = "credits"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            credits_ = Decimal(str(value))
        except ArithmeticError:
            credits_ = Decimal("NaN")
        if not credits_.is_finite() or not 0 <= credits_ <= MOST_CREDITS:
            self.fail(f"{value!r} is not a number of credits from 0 to {MOST_CREDITS:,}", param, ctx)
        return credits_


class TimeOfDay(click.ParamType[time]):
    """A time of day, such as `06:00`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> time:
        try:
            return value if isinstance(value, time) else parse_time(str(value))
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


_COLLECTED: ContextVar[list[Any] | None] = ContextVar("collected_json", default=None)


def print_json(value: Any, code: Exit = Exit.DONE, reason: str = "done") -> None:
    """
    Print the one JSON value of a command, or hand it to `collected_json`.

    Args:
        value: a list, or an object, which gets the exit code as `exit`.
        code: the code with which the command ends.
        reason: why, in a sentence.
    """
    if isinstance(value, dict):
        value = value | {"exit": {"code": code.value, "name": code.name.lower(), "reason": redacted(reason)}}
    if (collected := _COLLECTED.get()) is not None:
        collected.append(value)
        return
    click.get_current_context().meta[_NO_JSON_YET] = False
    click.echo(json.dumps(value))


@contextmanager
def collected_json() -> Iterator[list[Any]]:
    """Yield a list that takes what would be printed as JSON in this block."""
    values: list[Any] = []
    token = _COLLECTED.set(values)
    try:
        yield values
    finally:
        _COLLECTED.reset(token)


def print_end(code: Exit, reason: str) -> None:
    """Print how a command ended that was asked for JSON and has printed none."""
    if click.get_current_context().meta.get(_NO_JSON_YET):
        print_json({}, code, reason)


def run_name(command: str) -> RunName:
    """Make the name of a command-line run, under which it spends and holds leases and claims."""
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    owner = f"{person()}, process {os.getpid()}"
    # In containers that start at the same time, processes have the same number too.
    return RunName(f"command {moment} {secrets.token_hex(4)}", command, owner)


def person() -> str:
    """Return the name of the person who decides."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def require_entry(catalogue: Catalogue, key: str) -> Entry:
    """
    Return the item of this key.

    Raises:
        ConfigurationError: the manifest has none.
    """
    entry = catalogue.items.entry(key)
    if entry is None:
        raise ConfigurationError(f"{key!r} is not in the manifest: write it as `plan` and `failures` show it")
    return entry


def confirm(question: str) -> bool:
    """
    Ask a person.

    Raises:
        click.UsageError: there is no terminal.
    """
    try:
        return click.confirm(question)
    except click.Abort as error:
        if isinstance(error.__context__, EOFError):
            raise click.UsageError("there is no terminal to ask at: --yes does not ask") from None
        raise KeyboardInterrupt from None
