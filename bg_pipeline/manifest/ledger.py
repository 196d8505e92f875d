"""Masters and attempts: what was bought, and every POST that tried."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from bg_pipeline.core.records import Attempt, AttemptState, Lease, Master
from bg_pipeline.errors import LeaseHeld
from bg_pipeline.manifest.control import check_fence
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.schema import attempts, masters
from bg_pipeline.ports import Now

_CHUNK = 5_000
"""Rows fetched at once while streaming."""

_MAYBE_CHARGED = (AttemptState.CHARGED, AttemptState.UNUSABLE, AttemptState.IN_DOUBT)


class SqlLedger:
    """`ports.Ledger` in a database."""

    def __init__(self, database: Database, now: Now = time.time) -> None:
        self._db = database
        self._now = now

    def bought(self, work_ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        with self._db.read() as conn:
            for start in range(0, len(work_ids), 500):
                part = work_ids[start : start + 500]
                found.update(conn.scalars(select(masters.c.work_id).where(masters.c.work_id.in_(part))))
        return found

    def master(self, work_id: str) -> Master | None:
        with self._db.read() as conn:
            row = conn.execute(select(masters).where(masters.c.work_id == work_id)).one_or_none()
        if row is None:
            return None
        return Master(row.work_id, row.digest, row.width_px, row.height_px, row.suspicion)

    def open_attempt(self, work_id: str, provider: str, credits_expected: Decimal, lease: Lease) -> int:
        row = {
            "work_id": work_id,
            "provider": provider,
            "collection": lease.name,
            "state": AttemptState.INTENT,
            "credits_expected": credits_expected,
            "started_at": self._now(),
        }
        try:
            with self._db.write() as conn:
                check_fence(conn, lease)
                if conn.execute(select(masters.c.work_id).where(masters.c.work_id == work_id)).first():
                    raise LeaseHeld("another run has bought the same picture meanwhile")
                return int(conn.execute(insert(attempts).values(row).returning(attempts.c.id)).scalar_one())
        except IntegrityError as error:
            raise LeaseHeld("another run is buying the same picture at this moment") from error

    def close_attempt(self, attempt_id: int, state: AttemptState, credits_charged: Decimal, detail: str = "") -> None:
        with self._db.write() as conn:
            conn.execute(_closing(attempt_id, state, credits_charged, detail, self._now()))

    def keep_master(self, master: Master, attempt_id: int, credits_charged: Decimal) -> None:
        with self._db.write() as conn:
            conn.execute(delete(masters).where(masters.c.work_id == master.work_id))
            conn.execute(
                insert(masters).values(
                    work_id=master.work_id,
                    digest=master.digest,
                    width_px=master.width_px,
                    height_px=master.height_px,
                    suspicion=master.suspicion,
                    stored_at=self._now(),
                )
            )
            conn.execute(_closing(attempt_id, AttemptState.CHARGED, credits_charged, "", self._now()))

    def forget_master(self, work_id: str) -> None:
        with self._db.write() as conn:
            conn.execute(delete(masters).where(masters.c.work_id == work_id))

    def charges(self, work_id: str) -> int:
        query = select(func.count()).where(attempts.c.work_id == work_id, attempts.c.state.in_(_MAYBE_CHARGED))
        with self._db.read() as conn:
            return conn.execute(query).scalar_one()

    def open_attempts(self, collection: str) -> list[Attempt]:
        return self._attempts((attempts.c.state == AttemptState.INTENT) & (attempts.c.collection == collection))

    def attempts(self, work_id: str) -> list[Attempt]:
        return self._attempts(attempts.c.work_id == work_id)

    def spent_since(self, since: float) -> Decimal:
        total = func.sum(attempts.c.credits_charged, type_=attempts.c.credits_charged.type)
        with self._db.read() as conn:
            return conn.scalar(select(total).where(attempts.c.started_at >= since)) or Decimal(0)

    def masters(self) -> Iterator[Master]:
        with self._db.read() as conn:
            rows = conn.execution_options(yield_per=_CHUNK).execute(select(masters).order_by(masters.c.work_id))
            yield from map(_master, rows)

    def adopt_master(self, master: Master) -> bool:
        with self._db.write() as conn:
            if conn.execute(select(masters.c.work_id).where(masters.c.work_id == master.work_id)).first():
                return False
            conn.execute(insert(masters).values(**asdict(master), stored_at=self._now()))
            return True

    def approve_master(self, work_id: str) -> None:
        with self._db.write() as conn:
            conn.execute(update(masters).where(masters.c.work_id == work_id).values(suspicion=""))

    def _attempts(self, condition: Any) -> list[Attempt]:
        with self._db.read() as conn:
            rows = conn.execute(select(attempts).where(condition).order_by(attempts.c.id))
            return [_attempt(row) for row in rows]


def _closing(attempt_id: int, state: AttemptState, charged: Decimal, detail: str, now: float) -> Any:
    return (
        update(attempts)
        .where(attempts.c.id == attempt_id)
        .values(state=state, credits_charged=charged, detail=detail, ended_at=now)
    )


def _master(row: Row[Any]) -> Master:
    return Master(
        work_id=row.work_id,
        digest=row.digest,
        width_px=row.width_px,
        height_px=row.height_px,
        suspicion=row.suspicion,
        sent_digest=row.sent_digest,
        cut_hash=row.cut_hash,
    )


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        id=row.id,
        work_id=row.work_id,
        provider=row.provider,
        state=AttemptState(row.state),
        credits_expected=row.credits_expected,
        credits_charged=row.credits_charged,
        started_at=row.started_at,
        detail=row.detail,
    )
