"""Masters and attempts: what was bought, and every POST that tried."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    and_,
    case,
    delete,
    func,
    insert,
    select,
    text,
    true,
    update,
)
from sqlalchemy.exc import IntegrityError

from bg_pipeline.core.credits import Rules, Spent, day_began, decide
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.records import Attempt, AttemptState, Master, Totals
from bg_pipeline.errors import LeaseHeld
from bg_pipeline.manifest.control import check_fence, read_gate, write_gate
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.schema import attempts, masters
from bg_pipeline.ports import CutRequest, Now

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
        return None if row is None else _master(row)

    def twin(self, sent_digest: str, cut_hash: str) -> Master | None:
        with self._db.read() as conn:
            row = conn.execute(_twins(sent_digest, cut_hash).limit(1)).one_or_none()
        return None if row is None else _master(row)

    def open_attempt(self, request: CutRequest, provider: str, rules: Rules) -> int:
        work_id, price, now = request.work_id, request.credits_expected, self._now()
        try:
            with self._db.write() as conn:
                check_fence(conn, request.lease)
                if conn.execute(select(masters.c.work_id).where(masters.c.work_id == work_id)).first():
                    raise LeaseHeld("another run has bought the same picture meanwhile")
                if request.sent_digest and conn.execute(_buying(request)).first():
                    raise LeaseHeld("another run is buying the same picture at this moment under another name")
                if request.sent_digest and conn.execute(_twins(request.sent_digest, request.cut_hash)).first():
                    raise LeaseHeld("another run has bought the same picture meanwhile under another name")
                gate = read_gate(conn, provider)
                spent = self._spent_so_far(conn, request, gate, rules)
                moved, refusal = decide(price, gate, spent, request.budget, rules, now)
                if moved != gate:
                    write_gate(conn, moved)
                if refusal is None:
                    row = {
                        "work_id": work_id,
                        "provider": provider,
                        "collection": request.lease.name,
                        "state": AttemptState.INTENT,
                        "credits_expected": price,
                        "started_at": now,
                        "item_key": request.item_key,
                        "run": request.budget.run,
                        "sent_digest": request.sent_digest,
                        "cut_hash": request.cut_hash,
                    }
                    return int(conn.execute(insert(attempts).values(row).returning(attempts.c.id)).scalar_one())
        except IntegrityError as error:
            raise LeaseHeld("another run is buying the same picture at this moment") from error
        # Only now: raised inside, it would have undone what the gate was set to.
        raise refusal

    def close_attempt(
        self,
        attempt_id: int,
        state: AttemptState,
        credits_charged: Decimal,
        detail: str = "",
        answer: str = "",
        request_id: str = "",
    ) -> None:
        with self._db.write() as conn:
            closed = _closing(attempt_id, state, credits_charged, self._now(), request_id)
            conn.execute(closed.values(detail=detail, answer=answer))

    def keep_master(
        self, master: Master, attempt_id: int | None, credits_charged: Decimal, request_id: str = ""
    ) -> None:
        with self._db.write() as conn:
            conn.execute(delete(masters).where(masters.c.work_id == master.work_id))
            conn.execute(insert(masters).values(asdict(master) | {"stored_at": self._now()}))
            if attempt_id is not None:
                conn.execute(_closing(attempt_id, AttemptState.CHARGED, credits_charged, self._now(), request_id))

    def forget_master(self, work_id: str) -> None:
        with self._db.write() as conn:
            conn.execute(delete(masters).where(masters.c.work_id == work_id))

    def charges(self, work_id: str) -> int:
        with self._db.read() as conn:
            return conn.execute(_charges(work_id)).scalar_one()

    def open_attempts(self, lease_name: str | None = None) -> list[Attempt]:
        held = true() if lease_name is None else attempts.c.collection == lease_name
        return self._attempts(and_(text("state = 'intent'"), held))

    def attempts(self, work_id: str) -> list[Attempt]:
        return self._attempts(attempts.c.work_id == work_id)

    def spent(self, since: float, provider: str | None = None) -> Decimal:
        with self._db.read() as conn:
            return _cost(conn, _ended(since, provider)) + _cost(conn, _in_flight(provider))

    def totals(self, since: float, until: float, provider: str | None = None) -> dict[AttemptState, Totals]:
        c = attempts.c
        query = select(
            c.state,
            func.count().label("n"),
            func.sum(c.credits_expected, type_=c.credits_expected.type).label("expected"),
            func.sum(c.credits_charged, type_=c.credits_charged.type).label("charged"),
        ).where(c.started_at >= since, c.started_at < until, _of(provider))
        with self._db.read() as conn:
            rows = conn.execute(query.group_by(c.state))
            return {AttemptState(row.state): Totals(row.n, row.expected, row.charged) for row in rows}

    def log(self, since: float, run: str | None = None) -> Iterator[Attempt]:
        query = select(attempts).where(attempts.c.started_at >= since)
        if run is not None:
            query = query.where(attempts.c.run == run)
        with self._db.read() as conn:
            yield from map(_attempt, conn.execution_options(yield_per=1000).execute(query.order_by(attempts.c.id)))

    def _spent_so_far(self, conn: Connection, request: CutRequest, gate: Gate, rules: Rules) -> Spent:
        """Only what the decision needs: each sum costs time, and this is on the way of every purchase."""
        if not request.credits_expected:
            return Spent()
        today = day_began(self._now(), rules.timezone)
        budget = request.budget
        return Spent(
            since_balance=_cost(conn, _ended(gate.balance_at, gate.provider)) + _cost(conn, _in_flight(gate.provider)),
            by_run=Decimal(0) if budget.cap is None else _cost(conn, attempts.c.run == budget.run),
            today=Decimal(0) if rules.day_cap is None else _cost(conn, attempts.c.started_at >= today),
            charges=conn.execute(_charges(request.work_id)).scalar_one(),
        )

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


_LONGEST_CALL_S = 86_400.0
"""No attempt is open for longer; so what ended after a moment began at most so long before it, and the index helps."""


def _of(provider: str | None) -> ColumnElement[bool]:
    return true() if provider is None else attempts.c.provider == provider


def _ended(since: float, provider: str | None) -> ColumnElement[bool]:
    c = attempts.c
    return (c.started_at >= since - _LONGEST_CALL_S) & (c.ended_at > since) & _of(provider)


def _in_flight(provider: str | None) -> ColumnElement[bool]:
    # Written out, so that the partial index on open attempts serves it.
    return and_(text("state = 'intent'"), _of(provider))


def _cost(conn: Connection, which: ColumnElement[bool]) -> Decimal:
    """What is not known to be free counts at its price."""
    c = attempts.c
    unsettled = c.state.in_((AttemptState.INTENT, AttemptState.IN_DOUBT))
    cost = case((unsettled, c.credits_expected), else_=c.credits_charged)
    return conn.scalar(select(func.sum(cost, type_=c.credits_charged.type)).where(which)) or Decimal(0)


def _charges(work_id: str) -> Select[int]:
    return select(func.count()).where(attempts.c.work_id == work_id, attempts.c.state.in_(_MAYBE_CHARGED))


def _buying(request: CutRequest) -> Select[int]:
    same = (attempts.c.sent_digest == request.sent_digest) & (attempts.c.cut_hash == request.cut_hash)
    return select(attempts.c.id).where(text("state = 'intent'"), same)


def _twins(sent_digest: str, cut_hash: str) -> Select[Any]:
    return select(masters).where(masters.c.sent_digest == sent_digest, masters.c.cut_hash == cut_hash)


def _closing(attempt_id: int, state: AttemptState, charged: Decimal, now: float, request_id: str) -> Update:
    return (
        update(attempts)
        .where(attempts.c.id == attempt_id)
        .values(state=state, credits_charged=charged, ended_at=now, request_id=request_id[:200])
    )


def _master(row: Row[Any]) -> Master:
    return Master(row.work_id, row.digest, row.width_px, row.height_px, row.suspicion, row.sent_digest, row.cut_hash)


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        id=row.id,
        work_id=row.work_id,
        provider=row.provider,
        state=AttemptState(row.state),
        credits_expected=row.credits_expected,
        credits_charged=row.credits_charged,
        started_at=row.started_at,
        ended_at=row.ended_at,
        detail=row.detail,
        answer=row.answer,
        request_id=row.request_id,
        item_key=row.item_key or "",
        lease_name=row.collection,
        run=row.run,
        sent_digest=row.sent_digest,
        cut_hash=row.cut_hash,
    )
