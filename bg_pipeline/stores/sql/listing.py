"""The rows of a query, sorted by the bytes of their keys, whatever the database thinks of order and equality."""

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import NO_PRIORITY, Listed
from bg_pipeline.errors import SourceUnreadable
from bg_pipeline.stores.sql.keys import KeyKind, kind_of, problem_of

NO_KEY = "(no key)"
"""Stands for all rows without a key."""

_TABLE = "CREATE TABLE listing (key BLOB, problem TEXT, version TEXT, size_bytes INTEGER, priority REAL)"
_SORTED = """
    SELECT key, count(*), max(problem), max(version), max(size_bytes), max(priority)
    FROM listing GROUP BY key ORDER BY key
"""
_CACHE_KB = 32_768


class SortedRows:
    """
    Rows of a query on their way to a listing, in a temporary file without a name.

    Keys that several rows have, and rows that cannot be an item, become one row with its `problem` for each key.
    """

    def __init__(self) -> None:
        self.usable = 0
        """Rows that can be an item."""
        self.problem = ""
        """Problem of the first row that cannot be an item."""
        self._kind: KeyKind | None = None
        with _errors():
            # Without a name, SQLite makes a file that it has deleted already, and uses it only if memory is short.
            self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._file.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
            self._file.execute(_TABLE)
            self._file.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def add(self, rows: Iterable[tuple[Any, Any, Any, Any]]) -> None:
        """
        Args:
            rows: key, size in bytes or NULL, version or NULL, and priority or NULL of each.

        Raises:
            SourceUnreadable: there is no room for them.
        """
        with _errors():
            self._file.executemany("INSERT INTO listing VALUES (?, ?, ?, ?, ?)", [self._checked(*row) for row in rows])

    def __iter__(self) -> Iterator[Listed]:
        with _errors():
            for raw, count, problem, version, size_bytes, priority in self._file.execute(_SORTED):
                key = raw.decode("utf-8", "surrogateescape")
                if problem or count > 1:
                    yield Listed(key, "", 0, problem=_counted(count, problem))
                else:
                    yield Listed(key, version, size_bytes, priority=priority)

    def _checked(
        self, key: Any, size_bytes: int | None, version: Any, priority: Any
    ) -> tuple[bytes, str, str, int, float]:
        if key is None or key == "":
            key, problem = NO_KEY, NO_KEY
        else:
            problem = problem_of(key, self._kind)
            self._kind = self._kind or kind_of(key)
        if problem:
            self.problem = self.problem or _counted(1, problem)
        else:
            self.usable += 1
        return key_bytes(str(key)), problem, _fingerprint(version), size_bytes or 0, _priority(priority)


def _counted(count: int, problem: str) -> str:
    if problem == NO_KEY:
        return f"{count} of its rows {'has' if count == 1 else 'have'} no key: NULL or empty text"
    return problem or f"{count} rows have this key, and only one may: which picture is meant is not known"


def _priority(value: Any) -> float:
    """Return a number as it is, also where it is written as text; anything else comes last."""
    try:
        priority = float(value)
    except (TypeError, ValueError, OverflowError):
        return NO_PRIORITY
    return priority if abs(priority) < NO_PRIORITY else NO_PRIORITY


def _fingerprint(version: Any) -> str:
    if version is None:
        return ""
    text = bytes(version).hex() if isinstance(version, bytes | bytearray | memoryview) else str(version)
    return text.encode("utf-8", "backslashreplace").decode()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise SourceUnreadable(
            f"the listing cannot be sorted in {tempfile.gettempdir()}: {error}. Nothing was changed or deleted; make "
            "room there, or set TMPDIR to another folder"
        ) from error
