"""Masters that no item uses, and those that were pruned."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, and_, delete, except_, func, insert, literal, select, true, update

from bg_pipeline.core.records import AttemptState
from bg_pipeline.manifest.repeated import Repeated
from bg_pipeline.manifest.rows import BATCH
from bg_pipeline.manifest.schema import attempts, pruned, purchases
from bg_pipeline.manifest.usage import used_pictures

_UNSETTLED = (AttemptState.INTENT, AttemptState.ANSWERED, AttemptState.IN_DOUBT)


class SqlRetention(Repeated):
    """`ports.retention.Retention` in a database."""

    def count(self) -> int:
        with self._db.read() as conn:
            return conn.scalar(select(func.count()).select_from(purchases)) or 0

    def unused(self, before: float | None = None) -> list[str]:
        with self._db.read() as conn:
            return _unused(conn, before)

    def mark_unused(self) -> int:
        c, now = purchases.c, self._now()
        with self._db.read() as conn:
            unused = _unused(conn)
            marked = set(conn.scalars(select(c.purchase_id).where(c.unused_since.is_not(None))))
        for since, names in ((now, set(unused) - marked), (None, marked.difference(unused))):
            for part in self._db.batches(sorted(names), BATCH):
                with self._db.write() as conn:
                    for these in self._db.among(c.purchase_id, part):
                        conn.execute(update(purchases).where(these).values(unused_since=since))
        return len(unused)

    def retire(self, before: float) -> list[str]:
        c, now = purchases.c, self._now()
        with self._db.write() as conn:
            retired = _unused(conn, before)
            for these in self._db.among(pruned.c.purchase_id, retired):
                conn.execute(delete(pruned).where(these))
            for these in self._db.among(c.purchase_id, retired):
                rows = select(c.purchase_id, c.content_hash, literal(now)).where(these)
                conn.execute(insert(pruned).from_select(["purchase_id", "content_hash", "pruned_at"], rows))
                conn.execute(delete(purchases).where(these))
        return retired

    def leftovers(self) -> list[str]:
        c = pruned.c
        with self._db.read() as conn:
            if not conn.execute(select(c.purchase_id).where(~c.removed).limit(1)).all():
                return []
        with self._db.write() as conn:
            return _leftovers(conn)

    def clear(self, purchase_ids: Sequence[str], remove: Callable[[str], bool]) -> list[str]:
        wanted = set(purchase_ids)
        with self._db.write() as conn:
            gone = [name for name in _leftovers(conn) if name in wanted and remove(name)]
            for these in self._db.among(pruned.c.purchase_id, gone):
                conn.execute(update(pruned).where(these).values(removed=True))
        return gone

    def pruned_at(self, purchase_ids: Sequence[str]) -> dict[str, float]:
        c, wanted = pruned.c, set(purchase_ids)
        with self._db.read() as conn:
            return {
                row.purchase_id: row.pruned_at
                for these in self._db.at_least(conn, c.purchase_id, purchase_ids)
                for row in conn.execute(select(c.purchase_id, c.pruned_at).where(these))
                if row.purchase_id in wanted
            }


def _leftovers(conn: Connection) -> list[str]:
    c = pruned.c
    waiting = select(c.content_hash).where(~c.removed)
    unused = except_(waiting, *used_pictures()).subquery()
    used_again = c.content_hash.not_in(select(unused.c.content_hash))
    on_record = c.purchase_id.in_(select(purchases.c.purchase_id))
    conn.execute(delete(pruned).where(~c.removed, used_again | on_record))
    return list(conn.scalars(select(c.purchase_id).where(~c.removed).order_by(c.purchase_id)))


def _unused(conn: Connection, before: float | None = None) -> list[str]:
    c, attempt = purchases.c, attempts.c
    due = true() if before is None else c.unused_since <= before
    known = and_(c.content_hash != "", due)
    # A set operation: both databases do it in one pass, where they would look up each row of a correlated query.
    pictures = except_(select(c.content_hash).where(known), *used_pictures()).subquery()
    unsettled = select(attempt.purchase_id).where(attempt.state.in_(_UNSETTLED))
    query = select(c.purchase_id).where(
        known, c.content_hash.in_(select(pictures.c.content_hash)), c.purchase_id.not_in(unsettled)
    )
    return list(conn.scalars(query.order_by(c.purchase_id)))
