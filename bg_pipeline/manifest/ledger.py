"""Every attempt to buy, and its result."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Update,
    and_,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    true,
    update,
)

from bg_pipeline.core.claims import LEASE_S, is_live
from bg_pipeline.core.credits import DayCap, Rules, Spent, authorize_purchase, day_of
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.records import Attempt, AttemptState, Totals, Use
from bg_pipeline.core.refusals import refused_lately
from bg_pipeline.errors import AnswerWaiting, BeingBought, ClaimLost, RefusedForNow
from bg_pipeline.manifest.gates import read_gate, write_gate
from bg_pipeline.manifest.repeated import Repeated
from bg_pipeline.manifest.rows import are_live
from bg_pipeline.manifest.schema import attempts, catalogues, claims, items, purchases
from bg_pipeline.ports.purchasing import CutRequest

_CHARGED = (AttemptState.CHARGED, AttemptState.UNUSABLE)

_ATTEMPT = select(attempts, catalogues.c.name.label("catalogue")).join_from(
    attempts, catalogues, catalogues.c.id == attempts.c.catalogue_id, isouter=True
)
"""Query of all columns that `_attempt` needs."""


class SqlLedger(Repeated):
    """`ports.purchasing.Ledger` in a database."""

    def open_attempt(self, request: CutRequest, account: str, rules: Rules) -> int:
        price, now = request.credits_expected, self._now()
        with self._db.write() as conn:
            catalogue = _catalogue_of(conn, request, now)
            _refuse_duplicate(conn, request)
            _refuse_answered(conn, request)
            gate = read_gate(conn, account)
            spent = self._spent_so_far(conn, request, gate, rules, catalogue)
            new_gate, refusal = authorize_purchase(price, gate, spent, request.claim.ask.budget, rules, now)
            if new_gate != gate:
                write_gate(conn, new_gate)
            refusal = refusal or _refused_lately(conn, request, gate, now)
            if refusal is None:
                row = {
                    "account": account,
                    "catalogue_id": catalogue,
                    "item_key": request.item_key,
                    "collection": request.collection,
                    "claim_id": request.claim.id,
                    "run": request.claim.ask.budget.run,
                    "purchase_id": request.purchase_id,
                    "sent_digest": request.sent_digest,
                    "cut_digest": request.cut_digests[0],
                    "use": request.use,
                    "state": AttemptState.INTENT,
                    "credits_expected": price,
                    "started_at": now,
                }
                return int(conn.execute(insert(attempts).values(row).returning(attempts.c.id)).scalar_one())
        # Raised only now: inside the transaction it would roll back the change of the gate.
        raise refusal

    def close_attempt(
        self,
        attempt_id: int,
        state: AttemptState,
        credits_charged: Decimal,
        detail: str = "",
        answer: str = "",
        request_id: str = "",
        kind: str = "",
    ) -> None:
        with self._db.write() as conn:
            closed = closing(attempt_id, state, credits_charged, self._now(), request_id)
            # An attempt with a known end keeps it: a late recovery must not turn a charge into a doubt.
            unsettled = or_(_OPEN, _ANSWERED, attempts.c.state == AttemptState.IN_DOUBT)
            conn.execute(closed.where(unsettled).values(detail=detail, answer=answer, kind=kind))

    def waive(self, purchase_ids: Sequence[str]) -> None:
        c = attempts.c
        with self._db.write() as conn:
            conn.execute(update(attempts).where(c.purchase_id.in_(purchase_ids)).values(waived=True))

    def abandoned(self) -> list[Attempt]:
        live = select(claims.c.id).where(are_live(self._now()))
        claim = attempts.c.claim_id
        return self._attempts(and_(_OPEN, or_(claim.is_(None), claim.not_in(live))))

    def answered(self) -> list[Attempt]:
        return self._attempts(_ANSWERED)

    def attempts(self, purchase_ids: Sequence[str]) -> list[Attempt]:
        return self._attempts(attempts.c.purchase_id.in_(purchase_ids))

    def spent(self, since: float, account: str | None = None) -> Decimal:
        with self._db.read() as conn:
            return _spent(conn, since, account)

    def change_gate(self, account: str, change: Callable[[Gate, Callable[[float], Decimal]], Gate]) -> Gate:
        with self._db.write() as conn:
            gate = read_gate(conn, account)
            new = change(gate, lambda since: _spent(conn, since, account))
            if new != gate:
                write_gate(conn, new)
        return new

    def totals(self, since: float, until: float, account: str | None = None) -> dict[AttemptState, Totals]:
        c = attempts.c
        query = select(
            c.state,
            func.count().label("n"),
            func.sum(c.credits_expected, type_=c.credits_expected.type).label("expected"),
            func.sum(c.credits_charged, type_=c.credits_charged.type).label("charged"),
        ).where(c.started_at >= since, c.started_at < until, _of(account))
        with self._db.read() as conn:
            rows = conn.execute(query.group_by(c.state))
            return {AttemptState(row.state): Totals(row.n, row.expected, row.charged) for row in rows}

    def log(self, since: float, run: str | None = None) -> Iterator[Attempt]:
        query = _ATTEMPT.where(attempts.c.started_at >= since)
        if run is not None:
            query = query.where(attempts.c.run == run)
        yield from map(_attempt, self._stream(query.order_by(attempts.c.id)))

    def _spent_so_far(self, conn: Connection, request: CutRequest, gate: Gate, rules: Rules, catalogue: int) -> Spent:
        """Return only the sums that the decision needs: each costs time, and every purchase waits for this."""
        if not request.credits_expected:
            return Spent(by_day=(Decimal(0),) * len(rules.day_caps))
        charges, doubts = _charges(conn, request.limit_ids or _names(request))
        budget = request.claim.ask.budget
        of_run = and_(attempts.c.run == budget.run, attempts.c.catalogue_id == catalogue)
        return Spent(
            since_balance=_spent(conn, gate.balance_at, gate.account),
            by_run=Decimal(0) if budget.cap is None else _cost(conn, of_run),
            by_day=tuple(_cost(conn, _today(cap, self._now())) for cap in rules.day_caps),
            charges=charges,
            doubts=doubts,
        )

    def _attempts(self, condition: Any) -> list[Attempt]:
        with self._db.read() as conn:
            rows = conn.execute(_ATTEMPT.where(condition).order_by(attempts.c.id))
            return [_attempt(row) for row in rows]


_LONGEST_CALL_S = 86_400.0
"""Longest time an attempt stays open. Queries by end bound the start with it: only the start has an index."""


_OPEN = text("attempts.state = 'intent'")
"""Condition for open attempts, written out so that their partial index is used."""

_ANSWERED = text("attempts.state = 'answered'")
"""Condition for attempts whose paid answer waits in the spool; likewise."""


def _of(account: str | None) -> ColumnElement[bool]:
    return true() if account is None else attempts.c.account == account


def _ended(since: float, account: str | None) -> ColumnElement[bool]:
    c = attempts.c
    return (c.started_at >= since - _LONGEST_CALL_S) & (c.ended_at > since) & _of(account)


def _today(cap: DayCap, now: float) -> ColumnElement[bool]:
    began, ends = day_of(now, cap.timezone)
    c = attempts.c
    return (c.started_at >= began) & (c.started_at < ends) & _of(cap.account or None)


def _in_flight(account: str | None) -> ColumnElement[bool]:
    return and_(_OPEN, _of(account))


def _spent(conn: Connection, since: float, account: str | None) -> Decimal:
    return _cost(conn, _ended(since, account)) + _cost(conn, _in_flight(account))


def _cost(conn: Connection, which: ColumnElement[bool]) -> Decimal:
    """Return the cost; an attempt that is not known to be free counts at its price."""
    c = attempts.c
    unconfirmed = c.state.in_((AttemptState.INTENT, AttemptState.IN_DOUBT))
    cost = case((unconfirmed, c.credits_expected), else_=c.credits_charged)
    return conn.scalar(select(func.sum(cost, type_=c.credits_charged.type)).where(which)) or Decimal(0)


def _charges(conn: Connection, purchase_ids: Sequence[str]) -> tuple[int, int]:
    """Return the attempts for a purchase that were charged, and those that may have been; without waived ones."""
    c = attempts.c
    query = select(
        func.count().filter(c.state.in_(_CHARGED)), func.count().filter(c.state == AttemptState.IN_DOUBT)
    ).where(c.purchase_id.in_(purchase_ids), ~c.waived)
    charged, doubtful = conn.execute(query).one()
    return charged, doubtful


def _names(request: CutRequest) -> Sequence[str]:
    return request.purchase_ids or (request.purchase_id,)


def _catalogue_of(conn: Connection, request: CutRequest, now: float) -> int:
    """
    Return the catalogue of an item whose claim is alive, so that its slot and its attempt are too.

    Raises:
        ClaimLost: another run has the item, or found that its claim had ended.
    """
    c = items.c
    query = select(c.catalogue_id, claims.c.ends_at).join(claims, claims.c.id == c.claim_id)
    row = conn.execute(query.where(c.claim_id == request.claim.id, c.key == request.item_key)).one_or_none()
    if row is None:
        raise ClaimLost(f"this run's claim on {request.item_key!r} is over; nothing is bought for it here")
    if not is_live(row.ends_at, now):  # the heartbeat is late
        conn.execute(update(claims).where(claims.c.id == request.claim.id).values(ends_at=now + LEASE_S))
    return int(row.catalogue_id)


def _refuse_duplicate(conn: Connection, request: CutRequest) -> None:
    """
    Raises:
        BeingBought: the same purchase, or the same bytes under another name, is being bought or was just bought.
    """
    names, sent, cuts = _names(request), request.sent_digest, request.cut_digests
    purchase, attempt = purchases.c, attempts.c
    if _any(conn, purchase.purchase_id.in_(names)):
        raise BeingBought("another worker has just bought the same picture")
    if _any(conn, and_(_OPEN, attempt.purchase_id.in_(names))):
        raise BeingBought("another worker is buying the same picture")
    if not sent:
        return
    if _any(conn, and_(_OPEN, attempt.sent_digest == sent, attempt.cut_digest.in_(cuts))):
        raise BeingBought("another worker is buying the same picture under another name")
    if _any(conn, and_(purchase.sent_digest == sent, purchase.cut_digest.in_(cuts))):
        raise BeingBought("another worker has just bought the same picture under another name")


def _refuse_answered(conn: Connection, request: CutRequest) -> None:
    """
    Raises:
        AnswerWaiting: the answer to this purchase, or to the same bytes under another name, is in the spool.
    """
    c = attempts.c
    same = and_(c.sent_digest == request.sent_digest, c.sent_digest != "", c.cut_digest.in_(request.cut_digests))
    query = _ATTEMPT.where(_ANSWERED, or_(c.purchase_id.in_(_names(request)), same))
    if (row := conn.execute(query.limit(1)).one_or_none()) is not None:
        raise AnswerWaiting("its answer is paid and waits in the spool", _attempt(row))


def _refused_lately(conn: Connection, request: CutRequest, gate: Gate, now: float) -> RefusedForNow | None:
    c = attempts.c
    query = _ATTEMPT.where(c.purchase_id.in_(_names(request)), c.account == gate.account).order_by(c.id)
    return refused_lately([_attempt(row) for row in conn.execute(query)], gate.cleared_at, now)


def _any(conn: Connection, condition: ColumnElement[bool]) -> bool:
    return conn.execute(select(literal(1)).where(condition).limit(1)).first() is not None


def closing(attempt_id: int, state: AttemptState, charged: Decimal, now: float, request_id: str) -> Update:
    return (
        update(attempts)
        .where(attempts.c.id == attempt_id)
        .values(state=state, credits_charged=charged, ended_at=now, request_id=request_id[:200])
    )


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        id=row.id,
        purchase_id=row.purchase_id,
        account=row.account,
        state=AttemptState(row.state),
        credits_expected=row.credits_expected,
        credits_charged=row.credits_charged,
        started_at=row.started_at,
        ended_at=row.ended_at,
        detail=row.detail,
        answer=row.answer,
        request_id=row.request_id,
        item_key=row.item_key or "",
        collection=row.collection,
        run=row.run,
        waived=row.waived,
        sent_digest=row.sent_digest,
        cut_digest=row.cut_digest,
        use=row.use and Use(row.use),
        kind=row.kind,
        catalogue=row.catalogue or "",
    )
