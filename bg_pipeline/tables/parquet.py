"""Parquet, by DuckDB, in little memory."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from bg_pipeline.core.export import COLUMNS, Row
from bg_pipeline.errors import ConfigurationError, StoreError

_TIMES = ("published_at", "changed_at")
_TYPES = {name: "TIMESTAMPTZ" if name in _TIMES else "VARCHAR" for name in COLUMNS}

_OPTIONS = {
    "memory_limit": "96MB",
    "threads": 1,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}

_ROW_GROUP = 20_000
"""Rows that DuckDB holds before it writes them."""

_AT_ONCE = 2_000


def require_duckdb() -> ModuleType:
    """
    Return the library for Parquet.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import duckdb  # noqa: PLC0415  an extra
    except ImportError as error:
        raise ConfigurationError("Parquet needs DuckDB: pip install 'bg-pipeline[duckdb]'") from error
    return duckdb


@contextmanager
def parquet_of(file: BinaryIO) -> Iterator[BinaryIO]:
    """
    Open a file for JSON lines; after the block, write them to `file` as Parquet.

    Raises:
        ConfigurationError: DuckDB is not installed.
        StoreError: DuckDB failed.
    """
    duckdb = require_duckdb()
    with tempfile.TemporaryDirectory(prefix="bgp-export-") as folder:
        lines, made = Path(folder, "rows.jsonl"), Path(folder, "rows.parquet")
        with lines.open("wb") as text:
            yield text
        try:
            with duckdb.connect(config=_OPTIONS | {"temp_directory": folder}) as conn:
                rows = conn.read_json(str(lines), columns=_TYPES, format="newline_delimited")
                rows.write_parquet(str(made), compression="zstd", row_group_size=_ROW_GROUP)
        except duckdb.Error as error:
            raise StoreError(f"DuckDB cannot make the Parquet file: {_first_line(error)}") from error
        with made.open("rb") as parquet:
            shutil.copyfileobj(parquet, file)


def read_parquet(path: Path) -> Iterator[Row]:
    """
    Yield the rows of a table in their order.

    Raises:
        ConfigurationError: it is no such table, or DuckDB is not installed.
    """
    duckdb = require_duckdb()
    try:
        with duckdb.connect(config=_OPTIONS) as conn:
            names = {row[0] for row in conn.execute("DESCRIBE SELECT * FROM read_parquet($1)", [str(path)]).fetchall()}
            columns = ", ".join(_text_of(name) if name in names else "''" for name in COLUMNS)
            result: Any = conn.execute(f"SELECT {columns} FROM read_parquet($1)", [str(path)])  # noqa: S608  our names
            while rows := result.fetchmany(_AT_ONCE):
                yield from (Row(*row) for row in rows)
    except duckdb.Error as error:
        raise ConfigurationError(f"{path} cannot be read: {_first_line(error)}") from error


def _text_of(column: str) -> str:
    if column in _TIMES:
        return f"coalesce(strftime(make_timestamp(epoch_us({column})), '%Y-%m-%dT%H:%M:%SZ'), '')"
    return f"coalesce({column}, '')"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
