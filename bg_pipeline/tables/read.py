"""Read a table that an earlier export wrote."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bg_pipeline.core.export import COLUMNS, Row, from_cell
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.tables.parquet import read_parquet

_NEEDED = ("catalogue", "key", "collection", "state")


def read(path: Path) -> Iterator[Row]:
    """
    Yield the rows of a table in any format, known by its first bytes; an empty file has none.

    Columns that an older version did not write are empty, those that a newer one adds are ignored.

    Raises:
        ConfigurationError: it cannot be read, or is no table of this program.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
        yield from _reader(start)(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise _is_no_table(path, "it is damaged") from error


def _reader(start: bytes) -> Callable[[Path], Iterator[Row]]:
    if not start:
        return lambda _path: iter(())
    if start == b"PAR1":
        return read_parquet
    return _json_lines if start.startswith(b"{") else _csv


def _csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        header = next(lines)
        _require_columns(path, header)
        for line in lines:
            if len(line) != len(header):
                raise _is_no_table(path, f"line {lines.line_num} has {len(line)} of {len(header)} columns")
            yield _row(dict(zip(header, map(from_cell, line), strict=True)))


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            values = json.loads(line)
            _require_columns(path, values if isinstance(values, dict) else ())
            yield _row(values)


def _require_columns(path: Path, names: Any) -> None:
    for name in _NEEDED:
        if name not in names:
            raise _is_no_table(path, f"it has no column {name!r}")


def _row(values: Mapping[str, str | None]) -> Row:
    return Row(*(values.get(name) or "" for name in COLUMNS))


def _is_no_table(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"{path} is no table of `bg-pipeline export`: {why}")
