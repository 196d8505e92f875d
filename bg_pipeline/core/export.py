"""
The table of the cutouts for other programs: its rows, and the rows that differ from an earlier table.

All values are text that any format can hold, and empty where there is none.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from bg_pipeline.core.keys import encode_partition, key_bytes
from bg_pipeline.core.moments import iso
from bg_pipeline.core.outputs import alone
from bg_pipeline.core.records import MAIN, Entry, Output, State

FOLDER = ".bg-pipeline"
"""Folder of the table in the output store: hidden, so that no listing of cutouts contains it."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""
First characters that a spreadsheet reads as a formula; names come from outside.

From https://owasp.org/www-community/attacks/CSV_Injection (2026-11).
"""

OVERLAP_S = 600.0
"""
Seconds before a requested time that an export includes too.

A write takes its time before it waits for the others, and is visible only after them.
"""

_HERE = "./"
"""Written before a name that would be a formula: as a path it is the same, and no key begins like this."""

_BYTE = re.compile(r"[\udc80-\udcff]|\\(?=x[0-9a-f]{2})")
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")

_DURATION = re.compile(r"(\d{1,9})([smhdw])")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class TableFormat(StrEnum):
    """The formats of a table; each is also the ending of its files."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


REMOVED = "removed"
"""State of an item that has neither a picture nor a cutout any more."""

STATES = (*(state.value for state in State), REMOVED)
"""Every state of a row."""


class Row(NamedTuple):
    """One output of an item, or an item that has none. Names that are not UTF-8 are written as `as_text` does."""

    catalogue: str
    key: str
    collection: str
    """As `--collection` accepts it; `.` is the top folder."""
    state: str
    reason: str
    """Why there is no cutout of the present picture; empty if there is one."""
    output: str
    """Name of the cutout in BG_OUTPUT, whatever the state; empty if there is none."""
    location: str
    """Path or URL of that cutout."""
    rendition: str
    """Name of its table in the settings."""
    sha256: str
    """SHA-256 of the cutout, in hexadecimal."""
    published_at: str
    """Time of the cutout, as `core.moments.iso` writes it."""
    changed_at: str
    """Time of the last change of this row."""


COLUMNS = Row._fields


@dataclass(frozen=True, slots=True)
class Naming:
    """The names of a catalogue in its table."""

    catalogue: str = "default"
    rendition: str = MAIN
    """Name of the first rendition."""
    location_of: Callable[[str], str] = str
    """Returns path or URL of what has this name in the output store."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Rows that a person asks for."""

    states: frozenset[str] = frozenset()
    """Empty for all."""
    collections: frozenset[str] = frozenset()
    """Empty for all."""

    def holds(self, row: Row) -> bool:
        of_state = not self.states or row.state in self.states
        return of_state and (not self.collections or row.collection in self.collections)


def rows_of(entry: Entry, others: Iterable[Output], naming: Naming) -> list[Row]:
    """Return the row of an item's main output, and one of each other output, in the order of `place`."""
    rows = [_row_of(entry, naming, naming.rendition)]
    rows += [_row_of(alone(entry, each), naming, each.rendition) for each in others]
    return sorted(rows, key=place)


def _row_of(entry: Entry, naming: Naming, rendition: str) -> Row:
    shown = entry.published
    output = shown.output_name if shown else ""
    gone = not output and entry.state in {State.DELETED, State.PUBLISHED, State.FORGOTTEN}
    return Row(
        catalogue=naming.catalogue,
        key=as_text(entry.key),
        collection=encode_partition(entry.collection),
        state=REMOVED if gone else entry.state.value,
        reason="" if entry.state is State.PUBLISHED else entry.detail,
        output=as_text(output),
        location=as_text(naming.location_of(output)) if output else "",
        rendition=rendition,
        sha256=shown.output_digest if shown and output else "",
        published_at=iso(entry.published_at) if output and entry.published_at is not None else "",
        changed_at=iso(entry.changed_at),
    )


def difference(before: Row | None, now: Row | None, at: str) -> Row | None:
    """
    Return the row that a reader of an earlier table has to see; None if that table has it already.

    Args:
        before: the row in that table; None if the item is not in it.
        now: the present row; None if the item is not in the manifest any more.
        at: the present time.
    """
    if now is not None:
        return None if now == before else now
    if before is None or before.state == REMOVED:
        return None
    return before._replace(
        state=REMOVED,
        reason="it is no longer in the manifest",
        output="",
        location="",
        sha256="",
        published_at="",
        changed_at=at,
    )


def place(row: Row) -> tuple[bytes, bytes]:
    """Return the position of a row: tables are in ascending order of it."""
    return key_bytes(from_text(row.key)), row.rendition.encode()


def as_text(name: str) -> str:
    r"""
    Return a name as text: `\xff` stands for the byte 255 that is not UTF-8.

    A backslash that would begin such a sequence is itself `\x5c`, so that `from_text` gives each name back.
    """
    if name.isascii() and "\\" not in name:
        return name
    return _BYTE.sub(lambda m: f"\\x{key_bytes(m[0])[0]:02x}", name)


def from_text(text: str) -> str:
    """Return the name that `as_text` wrote."""
    if "\\" not in text:
        return text
    raw = _ESCAPE.sub(lambda m: bytes([int(m[1], 16)]).decode("utf-8", "surrogateescape"), text)
    return key_bytes(raw).decode("utf-8", "surrogateescape")


def as_cell(text: str) -> str:
    """Return a value as a cell that no spreadsheet runs as a formula."""
    return _HERE + text if text.startswith(FORMULA) else text


def from_cell(cell: str) -> str:
    """Return the value that `as_cell` wrote."""
    text = cell.removeprefix(_HERE)
    return text if text.startswith(FORMULA) else cell


def time_of(text: str, now: float) -> float | None:
    """
    Return the epoch second of an ISO 8601 time, UTC if it names no zone, or of a duration before now such as `24h`.

    Returns:
        None if the text is neither.
    """
    if match := _DURATION.fullmatch(text):
        return now - int(match[1]) * _UNITS_S[match[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
