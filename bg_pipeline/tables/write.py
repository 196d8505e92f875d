"""Write a table, row by row."""

import csv
import io
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from bg_pipeline.core.export import COLUMNS, Row, TableFormat, as_cell
from bg_pipeline.errors import StoreError
from bg_pipeline.tables.parquet import parquet_of

Write = Callable[[Row], object]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def table(format_: TableFormat, file: BinaryIO) -> AbstractContextManager[Write]:
    """
    Open a table; the block gets a function that writes the next row, in ascending order of `core.export.place`.

    Args:
        format_: format of the table.
        file: where its bytes go; it stays open. It is complete only after the block.

    Raises:
        ConfigurationError: the library for this format is not installed.
        StoreError: DuckDB cannot make the table.
    """
    return {TableFormat.CSV: _csv, TableFormat.JSONL: _json_lines, TableFormat.PARQUET: _parquet}[format_](file)


@contextmanager
def written_aside(path: Path) -> Iterator[BinaryIO]:
    """
    Open a file under a temporary name that takes the place of `path` at the end; after an error `path` is as before.

    A pipe or a device is written to directly.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        target = path.resolve()
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            with target.open("wb") as file:
                yield file
            return
        aside = target.with_name(f".bgp-{secrets.token_hex(8)}")
        try:
            with aside.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def _csv(file: BinaryIO) -> Iterator[Write]:
    with _text(file, newline="") as text:
        writer = csv.writer(text)
        # Before the first row, or at the end: after an error, standard output must not look like an empty table.
        header = iter([COLUMNS])
        yield lambda row: writer.writerows([*header, map(as_cell, row)])
        writer.writerows(header)


@contextmanager
def _json_lines(file: BinaryIO) -> Iterator[Write]:
    with _text(file, newline="\n") as text:
        yield lambda row: text.write(_encode({name: value or None for name, value in row._asdict().items()}) + "\n")


@contextmanager
def _parquet(file: BinaryIO) -> Iterator[Write]:
    with parquet_of(file) as lines, _json_lines(lines) as write:
        yield write


@contextmanager
def _text(file: BinaryIO, newline: str) -> Iterator[io.TextIOWrapper]:
    text = io.TextIOWrapper(file, encoding="utf-8", newline=newline)
    try:
        yield text
    finally:
        text.detach()
