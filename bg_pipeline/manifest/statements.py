"""Statements that SQLite and PostgreSQL write differently."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Executable,
    Integer,
    Select,
    Table,
    any_,
    bindparam,
    column,
    func,
    literal,
    select,
)
from sqlalchemy import values as rows_of
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

_MAX_BOUND = 500
"""Most values in one IN list: SQLite takes more, but gains nothing from it."""

_MAX_IN_ARRAY = 20_000
"""Most values in one array."""


class Statements:
    """What a database is asked and told in words of its own."""

    engine: Engine

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """Return an insert that supports a conflict clause."""
        return _insert(self.engine.dialect.name, table)

    def put(self, conn: Connection, table: Table, key: tuple[str, ...], rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows, all of the same columns; one whose key is there already replaces the values of that row."""
        conn.execute(_upsert(self.engine.dialect.name, table, key, tuple(rows[0])), rows)

    def next_ids(self, table: Table, count: int) -> Select[int]:
        """Find the ids of so many new rows. In SQLite they are free as long as the transaction writes no others."""
        numbers = rows_of(column("number", Integer)).data([(number,) for number in range(1, count + 1)]).cte()
        if self.engine.dialect.name == "postgresql":
            new_id: ColumnElement[int] = func.nextval(func.pg_get_serial_sequence(table.name, "id"))
        else:
            new_id = func.coalesce(select(func.max(table.c.id)).scalar_subquery(), 0) + numbers.c.number
        return select(new_id).select_from(numbers)

    def given(self, of: Column[Any], name: str) -> ColumnElement[bool]:
        """
        Return the condition that a column has one of the values of a parameter.

        It is for a statement that is made once: to make one takes as long as to execute it. `portions` has the values.
        """
        if self.engine.dialect.name == "sqlite":
            return of.in_(bindparam(name, type_=of.type, expanding=True))
        return of == any_(bindparam(name, type_=postgresql.ARRAY(of.type)))

    def portions(self, values: Sequence[T]) -> Iterator[Sequence[T]]:
        """Yield values for `given`, as many as a statement takes."""
        return parts(values, _MAX_BOUND if self.engine.dialect.name == "sqlite" else _MAX_IN_ARRAY)

    def among(self, of: Column[Any], values: Sequence[Any]) -> Iterator[ColumnElement[bool]]:
        """Yield conditions that together match these values of a column; use them one after the other."""
        if self.engine.dialect.name == "sqlite":
            yield from map(of.in_, self.portions(values))
        else:
            # One array is one value: many values in a statement slow down PostgreSQL's driver.
            arrays = postgresql.ARRAY(of.type)
            yield from (of == any_(literal(part, arrays)) for part in self.portions(values))

    def at_least(self, conn: Connection, of: Column[Any], values: Sequence[Any]) -> Iterator[ColumnElement[bool]]:
        """Yield conditions like `among` that may match more: a column with fewer values than these is read whole."""
        rows = select(literal(1)).where(of.is_not(None)).limit(len(values)).subquery()
        if conn.scalar(select(func.count()).select_from(rows)) == len(values):
            yield from self.among(of, values)
        else:
            yield of.is_not(None)


@cache  # its columns take longer to make than the rows to write
def _upsert(dialect: str, table: Table, key: tuple[str, ...], columns: tuple[str, ...]) -> Executable:
    new = _insert(dialect, table)
    values = {name: new.excluded[name] for name in columns if name not in key}
    return new.on_conflict_do_update(index_elements=key, set_=values)


def _insert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def parts(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
