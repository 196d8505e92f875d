"""Rows of a catalogue as values, and the parts that all queries share."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, delete, exists, or_, select

from bg_pipeline.core.claims import is_live
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import MAIN, Entry, Published, Reason, State
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.repeated import Repeated
from bg_pipeline.manifest.schema import claims, items, listings, publications
from bg_pipeline.ports.running import Now

BATCH = 5_000
"""Rows written between two commits: many, because each commit waits for the disk; few, because others wait too."""

PUBLICATION = and_(
    publications.c.catalogue_id == items.c.catalogue_id,
    publications.c.key == items.c.key,
    publications.c.rendition == MAIN,
)
"""Join condition of an item and its main publication."""

ANY_PUBLICATION = and_(publications.c.catalogue_id == items.c.catalogue_id, publications.c.key == items.c.key)
"""Join condition of an item and its publications in all renditions."""

SHOWN = items.outerjoin(publications, PUBLICATION)
"""Items, each with its publication if there is one."""

_SEEN = items.c
_SHOWN = publications.c
ENTRY: Select[Any] = select(
    *(_SEEN.key, _SEEN.collection, _SEEN.content_hash, _SEEN.media_type, _SEEN.state, _SEEN.size_bytes, _SEEN.reason),
    *(_SEEN.detail, _SEEN.purchase_id, _SEEN.stem, _SEEN.absent, _SEEN.problem, _SEEN.absent_since, _SEEN.revision),
    *(_SEEN.changed_at, _SEEN.step, _SEEN.priority),
    *(_SHOWN.purchase_id, _SHOWN.cut_digest, _SHOWN.rendition_digest, _SHOWN.output_name, _SHOWN.output_digest),
    *(_SHOWN.content_hash, _SHOWN.run, _SHOWN.published_at, _SHOWN.trash_name, _SHOWN.trashed_at),
).select_from(SHOWN)
"""Query of all columns that `entry_of` needs, in its order."""


def of_any_output(holds: Callable[[Any], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Return the condition for items of which any publication, by its columns, satisfies another condition."""
    each = publications.alias("each_output").c
    mine = and_(each.catalogue_id == items.c.catalogue_id, each.key == items.c.key)
    return exists().where(mine, holds(each))


class OfCatalogue(Repeated):
    """Base of the classes bound to one catalogue of a database."""

    def __init__(self, database: Database, catalogue_id: int, now: Now = time.time) -> None:
        super().__init__(database, now)
        self._catalogue = catalogue_id

    def _mine(self, table: Table = items) -> ColumnElement[bool]:
        return table.c.catalogue_id == self._catalogue

    def _void_blocks(self, conn: Connection) -> None:
        """Forget the blocks of the last listing, in the transaction that makes a row differ from it."""
        conn.execute(delete(listings).where(self._mine(listings)))

    def _entries(self, query: Select[Any]) -> list[Entry]:
        with self._db.read() as conn:
            return [entry_of(row) for row in conn.execute(query)]


def are_live(now: float) -> ColumnElement[bool]:
    """Return the condition for claims that are alive."""
    alive: ColumnElement[bool] = is_live(claims.c.ends_at, now)
    return alive


def is_free(now: float, item: Any = items.c) -> ColumnElement[bool]:
    """Return the condition that no live claim holds the item."""
    live = select(claims.c.id).where(are_live(now))
    return or_(item.claim_id.is_(None), item.claim_id.not_in(live))


def near_to(keys: Sequence[str]) -> ColumnElement[bool]:
    """
    Return the condition for the range of these keys, for a join with them.

    It is redundant, but keeps PostgreSQL from reading a million items to find a few thousand neighbours.
    """
    return items.c.key.between(min(keys, key=key_bytes), max(keys, key=key_bytes))


def entry_of(row: Sequence[Any]) -> Entry:
    """Return a row of `ENTRY` as an entry."""
    # By position: by name, a million rows take twice as long.
    key, collection, content_hash, media_type, state, size_bytes, reason, detail, purchase_id, stem, *more = row
    absent, problem, absent_since, revision, changed_at, step, priority, shown_purchase, *shown = more
    *shown, published_at, trash_name, trashed_at = shown
    return Entry(
        key=key,
        collection=collection,
        content_hash=content_hash,
        media_type=media_type,
        state=State(state),
        size_bytes=size_bytes,
        reason=Reason(reason) if reason else None,
        detail=detail,
        purchase_id=purchase_id,
        stem=stem or "",
        absent=absent,
        problem=problem,
        published=published_of(shown_purchase, *shown) if shown_purchase else None,
        published_at=published_at,
        absent_since=absent_since,
        trash_name=trash_name or "",
        trashed_at=trashed_at,
        revision=revision,
        changed_at=changed_at,
        step=step,
        priority=priority,
    )


def published_of(
    purchase_id: str, cut: str, rendition: str, output_name: str | None, output_digest: str, content_hash: str, run: str
) -> Published:
    """Return a publication from its columns in this order."""
    return Published(purchase_id, cut, rendition, output_name or "", output_digest, content_hash, run)
