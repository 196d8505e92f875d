"""A table of items in a database, and a source over it."""

from collections.abc import Callable
from typing import Any

from bg_pipeline.stores.sql.source import Fetch, SqlSource

Database = Callable[..., str]
"""Runs statements and gives the URL of the database; BYTES stands for its type of bytes."""


def source_of(url: str, query: str, fetch_url: Fetch | None = None, **more: Any) -> SqlSource:
    """A source as somebody writes it who knows the database: `key` is a reserved word in MariaDB."""
    return SqlSource(url, query.replace("AS key", "AS `key`") if url.startswith("mysql") else query, fetch_url, **more)


def items(*rows: str) -> list[str]:
    return [
        "CREATE TABLE items (sku TEXT, image BYTES, url TEXT, changed TEXT, number INTEGER)",
        *(f"INSERT INTO items (sku, image, url, changed, number) VALUES ({row})" for row in rows),
    ]
