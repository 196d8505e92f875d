"""Statements of a transaction that go to PostgreSQL together: each journey to a server far away takes its time."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain, islice
from typing import Any

from greenlet import getcurrent, greenlet
from psycopg import Connection, Cursor
from psycopg.pq import PipelineStatus
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Executable, Row

# It warns of each error behind another one, which is the one that is raised.
logging.getLogger("psycopg").setLevel(logging.ERROR)


class PipelinedCursor(Cursor[Any]):
    """
    A cursor that, within a pipeline, waits for an answer when that has rows and SQLAlchemy looks at them.

    A statement without rows goes along with the next one that has some, or with the commit, which raise its error. Its
    `rowcount` is not known.
    """

    _has_rows = False

    def execute(self, query: Any, *args: Any, **options: Any) -> "PipelinedCursor":
        text = str(query)
        self._has_rows = " RETURNING " in text or not text.startswith(("UPDATE", "INSERT", "DELETE"))
        super().execute(query, *args, **options)
        return self

    @property
    def description(self) -> Any:
        if self._has_rows and self.pgresult is None:
            current = getcurrent()
            if isinstance(current, _Asking) and current.parent is not None:
                current.parent.switch()
            self._fetch_pipeline()
        return super().description


class _Asking(greenlet):
    """Executes a query as far as to its answer, and then the rest."""


def ask(conn: SqlConnection, *groups: Iterable[Executable]) -> list[list[Row[Any]]]:
    """Return the rows of each group of queries; in a pipeline, all are sent before the first is answered."""
    queries = [list(group) for group in groups]
    asking = [(_Asking(lambda query: conn.execute(query).all()), query) for query in chain.from_iterable(queries)]
    # One that waits returns nothing yet.
    sent = [(each, each.switch(query)) for each, query in asking]
    answers = iter([each.switch() if each else rows for each, rows in sent])
    return [list(chain.from_iterable(islice(answers, len(group)))) for group in queries]


@contextmanager
def transaction(connection: Connection[Any], first: str, *, together: bool) -> Iterator[None]:
    """
    Begin a transaction with a statement.

    Args:
        connection: the driver's, without a transaction.
        first: the first statement.
        together: send the first statement with the next that has rows, and commit at the end, together with the last
            ones that have none.
    """
    if not together:
        # The driver's own BEGIN would be one more journey, under locks that others wait for.
        connection.execute(f"BEGIN; {first}")
        yield
        return
    with _pipeline(connection):
        connection.execute("BEGIN")
        connection.execute(first)
        yield
        connection.execute("COMMIT")


@contextmanager
def pipelined(conn: SqlConnection, *, together: bool) -> Iterator[None]:
    """Send queries that are asked together to PostgreSQL together, outside of a transaction."""
    driver: Any = conn.connection.driver_connection
    with _pipeline(driver) if together and conn.dialect.name == "postgresql" else nullcontext():
        yield


@contextmanager
def _pipeline(connection: Connection[Any]) -> Iterator[None]:
    try:
        with connection.pipeline():
            yield
    finally:
        # A server that ends a session says so before it closes the connection, and what else was sent has no answer.
        if connection.pgconn.pipeline_status != PipelineStatus.OFF:
            connection.close()
