"""Observations of the last scans."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    MetaData,
    String,
    Table,
    case,
    literal,
    or_,
    select,
    text,
    true,
    update,
)

from bg_pipeline.core.records import Observation, State
from bg_pipeline.manifest import repeated
from bg_pipeline.manifest.rows import BATCH, OfCatalogue, near_to
from bg_pipeline.manifest.schema import Key, Prose, items
from bg_pipeline.manifest.staging import analyze, staged

_staged = Table(
    "staged_observations",
    MetaData(),
    Column("key", Key),
    Column("collection", Key),
    Column("fingerprint", Prose),
    Column("content_hash", String),
    Column("size_bytes", BigInteger),
    Column("media_type", String),
    Column("problem", Prose),
    prefixes=["TEMPORARY"],
)

_moved = Table(
    "staged_collections",
    MetaData(),
    Column("key", Key),
    Column("collection", Key),
    prefixes=["TEMPORARY"],
)


class SqlObservations(OfCatalogue):
    """`ports.catalogue.Observations` in a database."""

    def listing(self) -> Iterator[tuple[bytes, str, bytes]]:
        # By pages, not in one snapshot: a scan may hash for hours, and an open snapshot keeps both databases from
        # cleaning up. In plain SQL, because this handles a million rows a night.
        page = text(
            "SELECT key, fingerprint, collection FROM items "
            "WHERE catalogue_id = :catalogue AND key > :after AND NOT absent ORDER BY key LIMIT :most"
        )
        after, most = b"", repeated.CHUNK

        def read() -> Sequence[Any]:
            with self._db.read() as conn:
                # Straight from the driver: wrapping each row takes longer than reading it.
                cursor = conn.execute(page, {"catalogue": self._catalogue, "after": after, "most": most}).cursor
                return cursor.fetchall() if cursor else []

        while True:
            batch = self._db.repeat(read)
            yield from batch
            if len(batch) < most:
                return
            after = batch[-1][0]

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
        differs = or_(c.content_hash != bytes_of["content_hash"], c.problem != seen.problem, c.absent)
        remember = insert.on_conflict_do_update(
            index_elements=[c.catalogue_id, c.key],
            set_={
                **{name: seen[name] for name in ("collection", "fingerprint", "problem")},
                **bytes_of,
                "absent": False,
                "absent_since": None,
                "revision": c.revision + case((differs, 1), else_=0),
            },
        )
        for part in self._db.batches(batch, BATCH):
            rows = (
                (o.key, o.collection, o.fingerprint, o.content_hash, o.size_bytes, o.media_type, o.problem)
                for o in part
            )
            # Hashes lost in a power cut are computed again.
            with self._db.write(durable=False) as conn, staged(conn, _staged, rows):
                conn.execute(remember)

    def set_collections(self, collections: Mapping[str, str]) -> None:
        move = update(items).where(self._mine(), items.c.key == _moved.c.key).values(collection=_moved.c.collection)
        for part in self._db.batches(list(collections.items()), BATCH):
            with self._db.write() as conn, staged(conn, _moved, part):
                analyze(conn, _moved)
                conn.execute(move.where(near_to([key for key, _ in part])))

    def mark_absent(self, keys: Sequence[str]) -> None:
        gone = {"absent": True, "absent_since": self._now(), "revision": items.c.revision + 1}
        for part in self._db.batches(keys, BATCH):
            with self._db.write() as conn:
                for these in self._db.among(items.c.key, part):
                    conn.execute(update(items).where(self._mine(), these).values(gone))

    def invalidate_hash(self, key: str) -> None:
        with self._db.write() as conn:
            conn.execute(update(items).where(self._mine(), items.c.key == key).values(fingerprint=""))
