"""Cutouts of pictures that are gone."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, func, select, true, update

from bg_pipeline.core.deletes import OFF_THE_SHOP
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import MAIN, Entry, State
from bg_pipeline.manifest.rows import ANY_PUBLICATION, ENTRY, PUBLICATION, OfCatalogue, of_any_output
from bg_pipeline.manifest.schema import items, publications


class SqlTrash(OfCatalogue):
    """`ports.catalogue.Trash` in a database."""

    def gone_since(self, moment: float) -> list[Entry]:
        c = items.c
        shown = of_any_output(lambda each: each.output_name.is_not(None))
        gone = ENTRY.where(self._mine(), c.absent, c.absent_since <= moment, shown)
        return self._entries(gone.order_by(c.key))

    def copies(self, purchase_ids: Sequence[str]) -> dict[str, int]:
        shown, counts = publications.c, Counter[str]()
        query = select(shown.purchase_id, func.count()).join_from(publications, items, PUBLICATION)
        here = query.where(self._mine(publications), ~items.c.absent, shown.output_name.is_not(None))
        with self._db.read() as conn:
            for these in self._db.among(shown.purchase_id, sorted(set(purchase_ids))):
                counts.update(dict(tuple(row) for row in conn.execute(here.where(these).group_by(shown.purchase_id))))
        return dict(counts)

    def returned(self) -> list[Entry]:
        c, shown = items.c, publications.c
        back = ENTRY.where(self._mine(), c.state == State.DELETED, ~c.absent, shown.trash_name.is_not(None))
        # Sorted here: to read in key order, SQLite would go through the whole catalogue.
        entries = self._entries(back.where(shown.content_hash == c.content_hash))
        return sorted(entries, key=lambda entry: key_bytes(entry.key))

    def is_published(self, output_name: str, but: str = "") -> bool:
        shown = publications.c
        query = select(shown.key).join_from(publications, items, ANY_PUBLICATION)
        here = query.where(self._mine(publications), shown.output_name == output_name, ~items.c.absent)
        here = here.where(shown.key != but)
        with self._db.read() as conn:
            return conn.execute(here.limit(1)).one_or_none() is not None

    def begin_trash(self, key: str, trash_name: str, rendition: str = MAIN) -> None:
        with self._db.write() as conn:
            self._set(conn, key, rendition, trash_name=trash_name, trashed_at=self._now())

    def unpublish(self, key: str, rendition: str = MAIN) -> None:
        c = items.c
        is_shown = self._mine(), c.key == key, c.state == State.PUBLISHED
        with self._db.write() as conn:
            self._set(conn, key, rendition, output_name=None)
            if rendition == MAIN:
                waits = update(items).where(*is_shown).values(state=State.PENDING, detail=OFF_THE_SHOP, purchase_id="")
                conn.execute(waits)

    def give_back(self, output_name: str, output_digest: str) -> None:
        shown = publications.c
        lost = select(shown.key, shown.rendition).join_from(publications, items, ANY_PUBLICATION)
        lost = lost.where(self._mine(publications), items.c.absent, shown.output_digest == output_digest)
        lost = lost.where(shown.output_name.is_(None), shown.trash_name.is_(None)).order_by(shown.key).limit(1)
        with self._db.write() as conn:
            for row in conn.execute(lost).all():
                self._set(conn, row.key, row.rendition, output_name=output_name)

    def in_trash(self, before: float | None = None) -> list[Entry]:
        trashed = of_any_output(
            lambda each: and_(each.trash_name.is_not(None), true() if before is None else each.trashed_at <= before)
        )
        return self._entries(ENTRY.where(self._mine(), trashed).order_by(items.c.key))

    def end_trash(self, key: str, output_name: str | None = None, rendition: str = MAIN) -> None:
        with self._db.write() as conn:
            if output_name is None:
                self._set(conn, key, rendition, trash_name=None, trashed_at=None)
                return
            self._set(conn, key, rendition, trash_name=None, trashed_at=None, output_name=output_name)
            conn.execute(update(items).where(self._mine(), items.c.key == key).values(absent_since=None))

    def _set(self, conn: Connection, key: str, rendition: str, **values: Any) -> None:
        shown, c = publications.c, items.c
        row = self._mine(publications), shown.key == key, shown.rendition == rendition
        conn.execute(update(publications).where(*row).values(values))
        changed = {"changed_at": self._now(), "revision": c.revision + 1}
        conn.execute(update(items).where(self._mine(), c.key == key).values(changed))
