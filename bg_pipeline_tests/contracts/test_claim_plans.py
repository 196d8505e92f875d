"""How SQLite and PostgreSQL find the next items to buy among many: by the index of pending items, without sorting."""

import re
from typing import Any

import pytest
from sqlalchemy import Connection, event

from bg_pipeline.core.claims import EVERYTHING, Selection
from bg_pipeline.core.records import NO_PRIORITY
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.queue import SqlWorkQueue
from bg_pipeline_tests.rows import fill_items


def plans_of(database: Database, number: int, selection: Selection) -> list[str]:
    """
    The plans of the queries by which two claims find their items, the second behind a place of the order.

    Each has one for the next purchases, and one for all items that wait for these.
    """
    queue, asked = SqlWorkQueue(database, number), list[tuple[str, Any]]()

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_conn: Connection, _cursor: object, statement: str, parameters: Any, *_more: object) -> None:
        if statement.startswith("SELECT items"):
            asked.append((statement, parameters))

    try:
        with database.read() as conn:
            for after in (None, (1, NO_PRIORITY, "c005/pending5.jpg")):
                queue._find(conn, selection, limit=8, bought=False, after=after)
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    with database.read() as conn:
        raw: Any = conn.connection.driver_connection
        return [_plan(raw, *each) for each in asked]


def _plan(raw: Any, statement: str, parameters: Any) -> str:
    if isinstance(parameters, tuple):
        return "\n".join(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))
    # A statement that is repeated gets a plan for all values of its parameters.
    names: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    generic = re.sub(r"%\((\w+)\)s", numbered, statement)
    return "\n".join(row[0] for row in raw.execute(f"EXPLAIN (GENERIC_PLAN) {generic}"))


@pytest.mark.parametrize(
    ("selection", "index"),
    [
        (EVERYTHING, "items_to_buy"),
        (Selection(frozenset({"c007"})), "items_to_buy_of_collection"),
    ],
)
def test_a_claim_reads_only_what_it_takes(database: Database, selection: Selection, index: str) -> None:
    number = catalogue_id(database)
    fill_items(database, number, pending=6_000, published=6_000, collections=10)
    plans = plans_of(database, number, selection)

    assert len(plans) == 4
    for plan, expected in zip(plans, [index, "items_by_purchase"] * 2, strict=True):
        assert re.search(rf"\b{expected}\b", plan), plan
        assert not re.search(r"\bSort\b|TEMP B-TREE|Seq Scan on items|SCAN items", plan), plan
