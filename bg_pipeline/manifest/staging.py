"""Many rows at once into a table of one transaction, for statements that then work on all of them together."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table


@contextmanager
def staged(conn: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> Iterator[None]:
    """
    Have rows in a temporary table, values in the order of its columns; it is gone afterwards.

    One statement a row would cost PostgreSQL a round trip each.
    """
    table.create(conn, checkfirst=False)
    processors = [column.type.bind_processor(conn.dialect) for column in table.c]
    ready = (
        tuple(value if process is None else process(value) for process, value in zip(processors, row, strict=True))
        for row in rows
    )
    if conn.dialect.name == "postgresql":
        raw: Any = conn.connection.driver_connection
        with raw.cursor() as cursor, cursor.copy(f"COPY {table.name} FROM STDIN") as copy:
            for row in ready:
                copy.write_row(row)
    else:
        marks = ", ".join("?" * len(table.c))
        conn.exec_driver_sql(f"INSERT INTO {table.name} VALUES ({marks})", list(ready))  # noqa: S608  no value is in it
    yield
    table.drop(conn, checkfirst=False)


def analyze(conn: Connection, table: Table) -> None:
    """
    Have the database look how large a table is that was filled just now, before it plans a join with it.

    PostgreSQL would look a minute later; SQLite never, and takes a table of which it knows nothing for a large one.
    """
    conn.exec_driver_sql(f"ANALYZE {table.name}")
