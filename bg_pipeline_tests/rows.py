"""Many rows of a manifest, made by the database itself."""

from sqlalchemy import text

from bg_pipeline.manifest.database import Database

_ITEM = """
INSERT INTO items (catalogue_id, key, collection, state, reason, purchase_id, changed_at, step, priority, delta)
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :count)
SELECT :catalogue, {key}, {collection}, '{state}', 'new', '{state}' || n, 1.0, n % 3, 1e300, 0 FROM numbers
"""


def fill_items(database: Database, catalogue: int, *, pending: int, published: int, collections: int) -> None:
    """
    Add items with a purchase each, to collections called `c000`, `c001` and so on.

    Args:
        database: has no items yet.
        catalogue: its number.
        pending: number of items that wait, in three steps of the order.
        published: number of items that do not.
        collections: number of collections over which both are spread.
    """
    on_server = database.engine.dialect.name == "postgresql"
    as_key = "convert_to({}, 'UTF8')" if on_server else "CAST({} AS BLOB)"
    number = "lpad((n % :spread)::text, 3, '0')" if on_server else "substr('00' || (n % :spread), -3)"
    collection = f"'c' || {number}"
    with database.write() as conn:
        for state, count in {"pending": pending, "published": published}.items():
            if not count:
                continue
            key = f"{collection} || '/{state}' || n || '.jpg'"
            insert = _ITEM.format(key=as_key.format(key), collection=as_key.format(collection), state=state)
            conn.execute(text(insert), {"count": count, "catalogue": catalogue, "spread": collections})
    if on_server:  # as its autovacuum does within a minute; nothing measures the items in SQLite
        with database.write() as conn:
            conn.execute(text("ANALYZE items"))
