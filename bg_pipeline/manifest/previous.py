"""The outputs that runs replaced, and the publications that a person took back."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, or_, select, tuple_, update

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import MAIN, Entry, Published, State
from bg_pipeline.core.revert import Previous, Reverted, RunPublications
from bg_pipeline.errors import ClaimLost
from bg_pipeline.manifest.rows import BATCH, ENTRY, OfCatalogue
from bg_pipeline.manifest.schema import items, previous_outputs, publications, reversions


class SqlPreviousOutputs(OfCatalogue):
    """`ports.previous.PreviousOutputs` in a database."""

    def begin(self, previous: Previous) -> None:
        row = {
            "catalogue_id": self._catalogue,
            "key": previous.key,
            "rendition": previous.rendition,
            "run": previous.run,
        }
        former = previous.published
        values: dict[str, Any] = {
            "purchase_id": former.purchase_id if former else "",
            "cut_digest": former.cut_digest if former else "",
            "rendition_digest": former.rendition_digest if former else "",
            "content_hash": former.content_hash if former else "",
            "output_name": former.output_name if former else None,
            "output_digest": former.output_digest if former else "",
            "published_at": previous.published_at,
            "published_by": former.run if former else "",
            "kept_name": previous.kept_name or None,
            "kept_digest": previous.kept_digest,
            "replaced_at": self._now(),
        }
        with self._db.write() as conn:
            self._db.put(conn, previous_outputs, tuple(row), [row | values])

    def of_item(self, key: str) -> list[Previous]:
        return self._select(previous_outputs.c.key == key)

    def of_run(self, run: str) -> dict[str, list[Previous]]:
        by_key: dict[str, list[Previous]] = {}
        for each in self._select(previous_outputs.c.run == run):
            by_key.setdefault(each.key, []).append(each)
        return by_key

    def published_by(self, run: str) -> list[Entry]:
        old, shown = previous_outputs.c, publications.c
        replaced = select(old.key).where(self._mine(previous_outputs), old.published_by == run)
        mine = or_(shown.run == run, items.c.key.in_(replaced))
        return self._entries(ENTRY.where(self._mine(), mine).order_by(items.c.key))

    def runs(self) -> list[RunPublications]:
        c = publications.c
        columns = c.run, func.count(), func.min(c.published_at), func.max(c.published_at)
        query = select(*columns).where(
            self._mine(publications), c.rendition == MAIN, c.run != "", c.output_name.is_not(None)
        )
        with self._db.read() as conn:
            rows = [RunPublications(*row) for row in conn.execute(query.group_by(c.run))]
        return sorted(rows, key=lambda each: -each.last_at)

    def expired(self, before: float, limit: int) -> list[Previous]:
        c = previous_outputs.c
        kept = c.kept_name.is_not(None)
        needed = select(c.kept_name).where(self._mine(previous_outputs), c.replaced_at > before, kept)
        due = c.replaced_at <= before, or_(~kept, c.kept_name.not_in(needed))
        query = select(previous_outputs).where(self._mine(previous_outputs), *due)
        with self._db.read() as conn:
            return [_previous(row) for row in conn.execute(query.order_by(c.replaced_at, c.key).limit(limit))]

    def drop(self, expired: Sequence[Previous]) -> None:
        old, shown = previous_outputs.c, publications.c
        for part in self._db.batches([(each.key, each.run) for each in expired], BATCH // 10):
            with self._db.write() as conn:
                mine = tuple_(old.key, old.run).in_(part)
                conn.execute(delete(previous_outputs).where(self._mine(previous_outputs), mine))
                named = tuple_(shown.key, shown.run).in_(part)
                conn.execute(update(publications).where(self._mine(publications), named).values(run=""))

    def _select(self, *conditions: ColumnElement[bool]) -> list[Previous]:
        c = previous_outputs.c
        query = select(previous_outputs).where(self._mine(previous_outputs), *conditions)
        with self._db.read() as conn:
            return [_previous(row) for row in conn.execute(query.order_by(c.key, c.replaced_at, c.rendition))]


class SqlReversions(OfCatalogue):
    """`ports.previous.Reversions` in a database."""

    def put_back(self, previous: Sequence[Previous], reverted: Reverted, claim: Claim) -> None:
        c, shown, now, key = items.c, publications.c, self._now(), reverted.key
        former = {each.rendition: each for each in previous}
        mine = update(items).where(self._mine(), c.key == key, c.claim_id == claim.id)
        with self._db.write() as conn:
            if not conn.execute(mine.values(changed_at=now, revision=c.revision + 1)).rowcount:
                raise ClaimLost(f"another run took over {key!r}; revert it again")
            others = shown.rendition.not_in(list(former))
            conn.execute(delete(publications).where(self._mine(publications), shown.key == key, others))
            for rendition, each in former.items():
                assert each.published is not None
                row = {"catalogue_id": self._catalogue, "key": key, "rendition": rendition}
                values = asdict(each.published) | {"published_at": each.published_at}
                self._db.put(conn, publications, tuple(row), [row | values])
                if rendition == MAIN:
                    is_published = mine.where(c.state == State.PUBLISHED)
                    conn.execute(is_published.values(purchase_id=each.published.purchase_id))
            self._record(conn, reverted, now)

    def record(self, reverted: Reverted) -> None:
        with self._db.write() as conn:
            self._record(conn, reverted, self._now())

    def all(self) -> list[Reverted]:
        c = reversions.c
        query = select(reversions).where(self._mine(reversions)).order_by(c.key, c.reverted_at)
        with self._db.read() as conn:
            return [
                Reverted(
                    *(row.key, row.run, row.reverted_by, row.content_hash, row.cut_digest, row.rendition_digest),
                    reverted_at=row.reverted_at,
                )
                for row in conn.execute(query)
            ]

    def lift(self, run: str, keys: Sequence[str]) -> None:
        c = reversions.c
        with self._db.write() as conn:
            for these in self._db.among(c.key, sorted(keys, key=key_bytes)):
                conn.execute(delete(reversions).where(self._mine(reversions), c.run == run, these))

    def _record(self, conn: Connection, reverted: Reverted, now: float) -> None:
        row = {"catalogue_id": self._catalogue, "key": reverted.key, "rendition": MAIN, "run": reverted.run}
        values = {
            "cut_digest": reverted.cut_digest,
            "rendition_digest": reverted.rendition_digest,
            "content_hash": reverted.content_hash,
            "reverted_by": reverted.by,
            "reverted_at": now,
        }
        self._db.put(conn, reversions, tuple(row), [row | values])


def _previous(row: Row[Any]) -> Previous:
    origin = row.purchase_id, row.cut_digest, row.rendition_digest, row.output_name, row.output_digest, row.content_hash
    former = Published(*origin, row.published_by) if row.purchase_id else None
    kept = row.kept_name or "", row.kept_digest
    return Previous(row.key, row.run, former, row.published_at, *kept, row.replaced_at, row.rendition)
