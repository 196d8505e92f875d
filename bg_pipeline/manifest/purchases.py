"""Masters that were bought and stored."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from bg_pipeline.core.records import AttemptState, Master, Use
from bg_pipeline.manifest.ledger import closing
from bg_pipeline.manifest.repeated import Repeated
from bg_pipeline.manifest.schema import purchases

_FIELDS = tuple(each.name for each in fields(Master))


class SqlPurchases(Repeated):
    """`ports.purchasing.Purchases` in a database."""

    def bought(self, purchase_ids: Sequence[str]) -> set[str]:
        c, wanted = purchases.c, set(purchase_ids)
        with self._db.read() as conn:
            return {
                purchase_id
                for these in self._db.at_least(conn, c.purchase_id, purchase_ids)
                for purchase_id in conn.scalars(select(c.purchase_id).where(these))
                if purchase_id in wanted
            }

    def find(self, purchase_ids: Sequence[str]) -> Master | None:
        with self._db.read() as conn:
            rows = conn.execute(select(purchases).where(purchases.c.purchase_id.in_(purchase_ids)))
            masters = {row.purchase_id: _master(row) for row in rows}
        return next((masters[each] for each in purchase_ids if each in masters), None)

    def get_many(self, purchase_ids: Sequence[str]) -> dict[str, Master]:
        c = purchases.c
        with self._db.read() as conn:
            return {
                row.purchase_id: _master(row)
                for these in self._db.among(c.purchase_id, sorted(set(purchase_ids)))
                for row in conn.execute(select(purchases).where(these))
            }

    def same_payload(self, sent_digest: str, cut_digests: Sequence[str]) -> Master | None:
        c = purchases.c
        query = select(purchases).where(c.sent_digest == sent_digest, c.cut_digest.in_(cut_digests))
        with self._db.read() as conn:
            row = conn.execute(query.limit(1)).one_or_none()
        return None if row is None else _master(row)

    def keep(self, master: Master, attempt_id: int | None, credits_charged: Decimal, request_id: str = "") -> None:
        row = asdict(master) | {"stored_at": self._now(), "unused_since": None}
        stored = self._db.insert(purchases).values(row)
        stored = stored.on_conflict_do_update(index_elements=[purchases.c.purchase_id], set_=row)
        with self._db.write(locks=()) as conn:
            conn.execute(stored)
            if attempt_id is not None:
                conn.execute(closing(attempt_id, AttemptState.CHARGED, credits_charged, self._now(), request_id))

    def forget(self, purchase_id: str) -> None:
        with self._db.write() as conn:
            conn.execute(delete(purchases).where(purchases.c.purchase_id == purchase_id))

    def masters(self) -> Iterator[Master]:
        yield from map(_master, self._stream(select(purchases).order_by(purchases.c.purchase_id)))

    def adopt(self, master: Master) -> bool:
        c = purchases.c
        with self._db.write() as conn:
            if conn.execute(select(c.purchase_id).where(c.purchase_id == master.purchase_id)).first():
                return False
            conn.execute(insert(purchases).values(**asdict(master), stored_at=self._now()))
            return True

    def approve(self, purchase_id: str) -> None:
        with self._db.write() as conn:
            conn.execute(update(purchases).where(purchases.c.purchase_id == purchase_id).values(suspicion=""))


def _master(row: Row[Any]) -> Master:
    return Master(**{name: getattr(row, name) for name in _FIELDS} | {"use": row.use and Use(row.use)})
