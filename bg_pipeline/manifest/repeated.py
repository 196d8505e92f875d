"""Base of the classes whose methods are transactions: each is repeated if its connection is lost."""

import time
from collections.abc import Callable, Iterator
from functools import wraps
from inspect import isgeneratorfunction
from itertools import islice
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Executable, Row

from bg_pipeline.core.keys import key_bytes
from bg_pipeline.errors import ConnectionLost
from bg_pipeline.manifest.database import Database
from bg_pipeline.ports.running import Now

P = ParamSpec("P")
T = TypeVar("T")

CHUNK = 5_000
"""Rows fetched at once while streaming."""


class Repeated:
    """
    A port in a database. Its public methods are repeated as a whole (`Database.repeat`): each is one transaction, or
    may be taken again from its start. One that yields uses `_stream`, which goes on after the rows that it has given.
    """

    def __init__(self, database: Database, now: Now = time.time) -> None:
        self._db = database
        self._now = now

    def _stream(self, query: Executable) -> Iterator[Row[Any]]:
        """Yield the rows of a query, which is in the order of its first column. After a lost connection it goes on."""
        rows = self._rows(query)
        last: Any = None

        def read() -> list[Row[Any]]:
            nonlocal rows
            try:
                return list(islice(rows, CHUNK))
            except ConnectionLost:
                rows = (row for row in self._rows(query) if last is None or _position(row) > last)
                raise

        while batch := self._db.repeat(read):
            yield from batch
            last = _position(batch[-1])

    def _rows(self, query: Executable) -> Iterator[Row[Any]]:
        with self._db.read(streams=True) as conn, conn.execution_options(yield_per=CHUNK).execute(query) as result:
            yield from result

    def __init_subclass__(cls) -> None:
        for name, method in list(vars(cls).items()):
            if callable(method) and not name.startswith("_") and not isgeneratorfunction(method):
                setattr(cls, name, _repeated(method))


def repeated(function: Callable[P, T]) -> Callable[P, T]:
    """Repeat a function of a database that is one transaction, like a method of `Repeated`."""

    @wraps(function)
    def step(*args: P.args, **options: P.kwargs) -> T:
        database: Any = args[0]
        result: T = database.repeat(lambda: function(*args, **options))
        return result

    return step


def _position(row: Row[Any]) -> Any:
    return key_bytes(row[0]) if isinstance(row[0], str) else row[0]


def _repeated(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def repeated(self: Repeated, *args: Any, **options: Any) -> Any:
        return self._db.repeat(lambda: method(self, *args, **options))

    return repeated
