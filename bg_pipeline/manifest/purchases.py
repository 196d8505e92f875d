"""Masters that were bought and stored."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from bg_pipeline.core.records import AttemptState, Master, Use
from bg_pipeline.manifest.attempts import CLOSING, end_of
from bg_pipeline.manifest.pipelining import Query
from bg_pipeline.manifest.repeated import Repeated
from bg_pipeline.manifest.schema import purchases
from bg_pipeline.manifest.steps import Step

_FIELDS = tuple(each.name for each in fields(Master))


_ALL = select(purchases)

_Kept = tuple[Master, int | None, Decimal, str]
"""What `Purchases.keep` is given."""

_Payload = tuple[str, Sequence[str]]
"""What `Purchases.same_payload` is given."""


class SqlPurchases(Repeated):
    """`ports.purchasing.Purchases` in a database."""

    @cached_property
    def _get(self) -> Step[Sequence[str], dict[str, Master]]:
        query = _ALL.where(self._db.given(purchases.c.purchase_id, "names"))

        def asks(given: Sequence[Sequence[str]]) -> Iterable[Query]:
            return ((query, {"names": names}) for names in self._db.portions(sorted(set().union(*given))))

        def ends(_: Any, given: Sequence[Sequence[str]], rows: Sequence[Row[Any]]) -> list[dict[str, Master]]:
            masters = {row.purchase_id: _master(row) for row in rows}
            return [{name: masters[name] for name in names if name in masters} for names in given]

        return Step(asks, ends)

    @cached_property
    def _same_payload(self) -> Step[_Payload, Master | None]:
        query = _ALL.where(self._db.given(purchases.c.sent_digest, "sent"))

        def asks(given: Sequence[_Payload]) -> Iterable[Query]:
            return ((query, {"sent": sent}) for sent in self._db.portions(sorted({sent for sent, _ in given})))

        def ends(_: Any, given: Sequence[_Payload], rows: Sequence[Row[Any]]) -> list[Master | None]:
            masters = {(row.sent_digest, row.cut_digest): _master(row) for row in rows}
            return [next((masters[sent, cut] for cut in cuts if (sent, cut) in masters), None) for sent, cuts in given]

        return Step(asks, ends)

    @cached_property
    def _keep(self) -> Step[_Kept, None]:
        def ends(conn: Connection, given: Sequence[_Kept], _: Any) -> list[None]:
            now = self._now()
            rows = [asdict(master) | {"stored_at": now, "unused_since": None} for master, *_ in given]
            self._db.put(conn, purchases, ("purchase_id",), sorted(rows, key=lambda row: row["purchase_id"]))
            charged = [
                end_of(number, AttemptState.CHARGED, now, cost, request)
                for _, number, cost, request in given
                if number is not None
            ]
            if charged:
                conn.execute(CLOSING, charged)
            return [None] * len(given)

        return Step(lambda _: (), ends, writes=True)

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
        masters = self.get_many(purchase_ids)
        return next((masters[each] for each in purchase_ids if each in masters), None)

    def get_many(self, purchase_ids: Sequence[str]) -> dict[str, Master]:
        return self._db.take(self._get, purchase_ids)

    def same_payload(self, sent_digest: str, cut_digests: Sequence[str]) -> Master | None:
        return self._db.take(self._same_payload, (sent_digest, cut_digests))

    def keep(self, master: Master, attempt_id: int | None, credits_charged: Decimal, request_id: str = "") -> None:
        self._db.take(self._keep, (master, attempt_id, credits_charged, request_id))

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
