"""Observations of the last scans."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    MetaData,
    String,
    Table,
    case,
    insert,
    literal,
    or_,
    select,
    text,
    true,
    update,
)

from bg_pipeline.core.blocks import KnownBlock
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import Observation, State
from bg_pipeline.manifest import repeated
from bg_pipeline.manifest.rows import BATCH, OfCatalogue, near_to
from bg_pipeline.manifest.schema import items, listings, purchases
from bg_pipeline.manifest.staging import analyze, staged
from bg_pipeline.manifest.types import Key, Prose

_staged = Table(
    "staged_observations",
    MetaData(),
    Column("key", Key),
    Column("collection", Key),
    Column("fingerprint", Prose),
    Column("content_hash", String),
    Column("size_bytes", BigInteger),
    Column("media_type", String),
    Column("priority", Float),
    Column("problem", Prose),
    prefixes=["TEMPORARY"],
)

_moved = Table(
    "staged_places",
    MetaData(),
    Column("key", Key),
    Column("collection", Key),
    Column("priority", Float),
    prefixes=["TEMPORARY"],
)


_UNUSED = text("purchases.unused_since IS NOT NULL")
"""Condition for the few masters that are marked as unused, written out so that their partial index is used."""


class SqlObservations(OfCatalogue):
    """`ports.catalogue.Observations` in a database."""

    def listing(self, first: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, str, bytes, float]]:
        # In plain SQL, because a first night after an update handles a million rows.
        return self._pages(
            "SELECT key, fingerprint, collection, priority FROM items "
            "WHERE catalogue_id = :catalogue AND {range} AND NOT absent",
            first,
            end,
        )

    def blocks(self) -> list[KnownBlock]:
        with self._db.read() as conn:
            rows = conn.scalar(select(listings.c.blocks).where(self._mine(listings))) or ()
        return [KnownBlock(key_bytes(first), *more) for first, *more in rows]

    def set_blocks(self, blocks: Sequence[KnownBlock]) -> None:
        rows = [(each.first.decode("utf-8", "surrogateescape"), *astuple(each)[1:]) for each in blocks]
        with self._db.write() as conn:
            self._void_blocks(conn)
            conn.execute(insert(listings).values(catalogue_id=self._catalogue, blocks=rows))

    def in_question(self) -> Iterator[bytes]:
        # Each by its own index: a forgotten item may be removed at any moment, and be a new one.
        pages = self._pages(
            "SELECT key FROM items WHERE catalogue_id = :catalogue AND {range} AND fingerprint = '' AND NOT absent "
            "UNION SELECT key FROM items WHERE catalogue_id = :catalogue AND {range} AND state = 'forgotten'"
        )
        return (key for (key,) in pages)

    def _pages(self, query: str, first: bytes = b"", end: bytes | None = None) -> Iterator[Any]:
        """Yield the rows of a query in the order of their key, with keys from `first` up to `end`."""
        # By pages, not in one snapshot: a scan may hash for hours, and an open snapshot keeps both databases from
        # cleaning up.
        most = repeated.CHUNK
        values = {"catalogue": self._catalogue, "from": first, "most": most} | ({} if end is None else {"end": end})
        until = "" if end is None else " AND key < :end"
        page = text(query.format(range=f"key >= :from{until}") + " ORDER BY key LIMIT :most")

        def read() -> Sequence[Any]:
            with self._db.read() as conn:
                # Straight from the driver: wrapping each row takes longer than reading it.
                cursor = conn.execute(page, values).cursor
                return cursor.fetchall() if cursor else []

        while True:
            batch = self._db.repeat(read)
            yield from batch
            if len(batch) < most:
                return
            values["from"] = bytes(batch[-1][0]) + b"\0"

    def split_points(self, every: int) -> Sequence[str]:
        numbered = text(
            "SELECT key FROM (SELECT key, row_number() OVER (ORDER BY key) AS n FROM items "
            "WHERE catalogue_id = :catalogue AND NOT absent) AS listed WHERE n % :every = 0 ORDER BY key"
        )
        with self._db.read() as conn:
            keys = conn.scalars(numbered, {"catalogue": self._catalogue, "every": every})
            return [bytes(key).decode("utf-8", "surrogateescape") for key in keys]

    def observe(self, batch: Sequence[Observation]) -> None:
        c = items.c
        constant = {c.catalogue_id: self._catalogue, c.state: State.PENDING, c.changed_at: self._now()}
        row = select(_staged, *(literal(value, column.type) for column, value in constant.items()))
        # `where true`, because SQLite would read the ON of the conflict as that of a join.
        insert = self._db.insert(items).from_select([*_staged.c.keys(), *constant], row.where(true()))
        seen = insert.excluded
        # What could not be read may still have the bytes that were read last.
        bytes_of = {
            name: case((seen.problem != "", c[name]), else_=seen[name])
            for name in ("content_hash", "size_bytes", "media_type")
        }
        # A plan made from other bytes, or without the item, is out of date.
        differs = or_(*(c[name] != value for name, value in bytes_of.items()), c.problem != seen.problem, c.absent)
        remember = insert.on_conflict_do_update(
            index_elements=[c.catalogue_id, c.key],
            set_={
                **{name: seen[name] for name in ("collection", "fingerprint", "priority", "problem")},
                **bytes_of,
                "absent": False,
                "absent_since": None,
                "changed_at": case((c.collection != seen.collection, seen.changed_at), else_=c.changed_at),
                "revision": c.revision + case((differs, 1), else_=0),
            },
        )
        # A master is used from the moment at which its picture is seen, whichever run looks.
        pictures = select(_staged.c.content_hash)
        used = update(purchases).where(_UNUSED, purchases.c.content_hash.in_(pictures)).values(unused_since=None)
        for part in self._db.batches(batch, BATCH):
            rows = (
                (o.key, o.collection, o.fingerprint, o.content_hash, o.size_bytes, o.media_type, o.priority, o.problem)
                for o in part
            )
            # Hashes lost in a power cut are computed again.
            with self._db.write(durable=False) as conn, staged(conn, _staged, rows):
                self._void_blocks(conn)
                conn.execute(remember)
                conn.execute(used)

    def set_places(self, places: Mapping[str, tuple[str, float]]) -> None:
        c = items.c
        move = update(items).where(self._mine(), c.key == _moved.c.key)
        move = move.values(
            collection=_moved.c.collection,
            priority=_moved.c.priority,
            changed_at=case((c.collection != _moved.c.collection, self._now()), else_=c.changed_at),
        )
        rows = [(key, collection, priority) for key, (collection, priority) in places.items()]
        for part in self._db.batches(rows, BATCH):
            with self._db.write() as conn, staged(conn, _moved, part):
                self._void_blocks(conn)
                analyze(conn, _moved)
                conn.execute(move.where(near_to([key for key, _, _ in part])))

    def mark_absent(self, keys: Sequence[str]) -> None:
        gone = {"absent": True, "absent_since": self._now(), "revision": items.c.revision + 1}
        for part in self._db.batches(keys, BATCH):
            with self._db.write() as conn:
                self._void_blocks(conn)
                for these in self._db.among(items.c.key, part):
                    conn.execute(update(items).where(self._mine(), these).values(gone))

    def invalidate_hash(self, key: str) -> None:
        with self._db.write() as conn:
            conn.execute(update(items).where(self._mine(), items.c.key == key).values(fingerprint=""))
