"""Statements of a transaction that go to PostgreSQL together: each journey to a server far away takes its time."""

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from greenlet import greenlet
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Executable, Row

if TYPE_CHECKING:
    from psycopg import Connection


class Asking(greenlet):
    """Executes a query as far as to its answer, and then the rest."""


Query = Executable | tuple[Executable, Mapping[str, Any]]
"""A query, perhaps with its parameters."""


def ask(conn: SqlConnection, *groups: Iterable[Query]) -> list[list[Row[Any]]]:
    """Return the rows of each group of queries; in a pipeline, all are sent before the first is answered."""

    def rows_of(query: Query) -> Sequence[Row[Any]]:
        return (conn.execute(*query) if isinstance(query, tuple) else conn.execute(query)).all()

    queries = [list(group) for group in groups]
    asking = [(Asking(rows_of), query) for query in chain.from_iterable(queries)]
    # One that waits returns nothing yet.
    sent = [(each, each.switch(query)) for each, query in asking]
    answers = iter([each.switch() if each else rows for each, rows in sent])
    return [list(chain.from_iterable(islice(answers, len(group)))) for group in queries]


@contextmanager
def transaction(connection: "Connection[Any]", first: str, *, together: bool) -> Iterator[None]:
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
def _pipeline(connection: "Connection[Any]") -> Iterator[None]:
    try:
        with connection.pipeline():
            _hold_back(connection, True)
            try:
                yield
            finally:
                _hold_back(connection, False)
    finally:
        # A server that ends a session says so before it closes the connection, and what else was sent has no answer.
        if connection.pgconn.pipeline_status:
            connection.close()


@contextmanager
def flushed(connection: "Connection[Any]") -> Iterator[None]:
    """Send what was held back, and hold back what comes next."""
    _hold_back(connection, False)
    yield
    _hold_back(connection, True)


def _hold_back(connection: "Connection[Any]", is_held: bool) -> None:
    """
    Let the system keep what is sent, so that the server takes no lock while the other statements are still made.

    Linux keeps it for 0.2 s at most (`TCP_CORK` in tcp(7)). Others, and sockets of this machine, send each at once.
    """
    option = getattr(socket, "TCP_CORK", None)
    if option is not None and not connection.closed:
        with suppress(OSError), socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, option, is_held)
