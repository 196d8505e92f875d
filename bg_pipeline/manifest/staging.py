"""Load many rows at once into a temporary table, for statements that then work on all of them together."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.schema import CreateTable


@contextmanager
def staged(conn: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> Iterator[None]:
    """
    Hold rows in a temporary table, values in the order of its columns; empty it afterwards.

    In PostgreSQL, one statement per row would cost a round trip each, and a new table per batch would cost a dozen rows
    of its own catalogue.
    """
    conn.execute(CreateTable(table, if_not_exists=True))
    ready = _converted(table, rows, conn.dialect)
    on_server = conn.dialect.name == "postgresql"
    if on_server:
        raw: Any = conn.connection.driver_connection
        with raw.cursor() as cursor, cursor.copy(f"COPY {table.name} FROM STDIN") as copy:
            for row in ready:
                copy.write_row(row)
    else:
        marks = ", ".join("?" * len(table.c))
        conn.exec_driver_sql(f"INSERT INTO {table.name} VALUES ({marks})", list(ready))  # noqa: S608  no value is in it
    yield
    conn.exec_driver_sql(f"{'TRUNCATE' if on_server else 'DELETE FROM'} {table.name}")


def _converted(table: Table, rows: Iterable[Sequence[Any]], dialect: Dialect) -> Iterator[tuple[Any, ...]]:
    # By column, because value by value takes twice as long.
    converters = (column.type.bind_processor(dialect) for column in table.c)
    columns = zip(*rows, strict=True)
    return zip(*(map(c, values) if c else values for c, values in zip(converters, columns, strict=False)), strict=True)


def analyze(conn: Connection, table: Table) -> None:
    """
    Let SQLite measure a table that was just filled, before it plans a join with it.

    SQLite assumes that an unmeasured table is large. PostgreSQL goes by the size of the file.
    """
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql(f"ANALYZE {table.name}")
