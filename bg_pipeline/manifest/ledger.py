"""Every attempt to buy, and its result."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
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
    type_coerce,
    union_all,
    update,
)

from bg_pipeline.core.claims import LEASE_S, is_live
from bg_pipeline.core.credits import DayCap, Rules, Spent, authorize_purchase, day_of
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.records import Attempt, AttemptState, Totals, Use
from bg_pipeline.core.refusals import refused_lately
from bg_pipeline.errors import AnswerWaiting, BeingBought, ClaimLost
from bg_pipeline.manifest.gates import gate_of, money_of, read_gate, write_gate
from bg_pipeline.manifest.repeated import Repeated
from bg_pipeline.manifest.rows import are_live
from bg_pipeline.manifest.schema import attempts, catalogues, claims, gates, items, purchases
from bg_pipeline.ports.purchasing import CutRequest

_CHARGED = (AttemptState.CHARGED, AttemptState.UNUSABLE)

_CREDITS = attempts.c.credits_charged.type

_ATTEMPT = select(attempts, catalogues.c.name.label("catalogue")).join_from(
    attempts, catalogues, catalogues.c.id == attempts.c.catalogue_id, isouter=True
)
"""Query of all columns that `_attempt` needs."""


class SqlLedger(Repeated):
    """`ports.purchasing.Ledger` in a database."""

    def open_attempt(self, request: CutRequest, account: str, rules: Rules) -> int:
        price, now = request.credits_expected, self._now()
        # First the picture, at whichever account; the account is locked for as short as possible.
        with self._db.write(locks=_locks_of(request)) as conn:
            catalogue = _catalogue_of(conn, request, now)
            earlier = _earlier(conn, request)
            _refuse_duplicate(conn, request, earlier)
            self._db.also_lock(conn, _locks_of_money(account, request, rules))
            gate, spent = self._gate_and_spent(conn, request, account, rules, catalogue)
            names = _names(request)
            counted = [each for each in earlier if each.purchase_id in (request.limit_ids or names)]
            charges = sum(each.state in _CHARGED for each in counted if not each.waived)
            doubts = sum(each.state is AttemptState.IN_DOUBT for each in counted if not each.waived)
            spent = replace(spent, charges=charges, doubts=doubts) if price else spent
            new_gate, refusal = authorize_purchase(price, gate, spent, request.claim.ask.budget, rules, now)
            if new_gate != gate:
                write_gate(conn, gate, new_gate)
            tried = [each for each in earlier if each.purchase_id in names and each.account == account]
            refusal = refusal or refused_lately(tried, gate.cleared_at, now)
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
        with self._db.write(locks=()) as conn:
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
            return _sum(conn, since, account)

    def change_gate(self, account: str, change: Callable[[Gate, Callable[[float], Decimal]], Gate]) -> Gate:
        with self._db.write(locks=[money_of(account)]) as conn:
            gate = read_gate(conn, account)
            new = change(gate, lambda since: _sum(conn, since, account))
            if new != gate:
                write_gate(conn, gate, new)
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

    def _gate_and_spent(
        self, conn: Connection, request: CutRequest, account: str, rules: Rules, catalogue: int
    ) -> tuple[Gate, Spent]:
        """Return what the decision needs, by one statement, so that its sums are of one moment."""
        if not request.credits_expected:
            return read_gate(conn, account), Spent(by_day=(Decimal(0),) * len(rules.day_caps))
        budget = request.claim.ask.budget
        of_run = and_(attempts.c.run == budget.run, attempts.c.catalogue_id == catalogue)
        balance_at = func.coalesce(select(gates.c.balance_at).where(gates.c.account == account).scalar_subquery(), 0.0)
        sums = [
            _spent(balance_at, account),
            literal(Decimal(0), _CREDITS) if budget.cap is None else _cost(of_run),
            *(_cost(_today(cap, self._now())) for cap in rules.day_caps),
        ]
        labelled = [each.label(f"sum_{number}") for number, each in enumerate(sums)]
        one_row = select(literal(1)).subquery().outerjoin(gates, gates.c.account == account)
        row = conn.execute(select(*gates.c, *labelled).select_from(one_row)).one()
        since_balance, by_run, *by_day = (each or Decimal(0) for each in row[len(gates.c) :])
        return gate_of(row, account), Spent(since_balance, by_run, tuple(by_day))

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


def _ended(since: Any, account: str | None) -> ColumnElement[bool]:
    c = attempts.c
    return and_(c.started_at >= since - _LONGEST_CALL_S, c.ended_at > since, _of(account))


def _today(cap: DayCap, now: float) -> ColumnElement[bool]:
    began, ends = day_of(now, cap.timezone)
    c = attempts.c
    return (c.started_at >= began) & (c.started_at < ends) & _of(cap.account or None)


def _in_flight(account: str | None) -> ColumnElement[bool]:
    return and_(_OPEN, _of(account))


def _spent(since: Any, account: str | None) -> ColumnElement[Decimal]:
    # In one statement: an attempt that ends between two would be in neither sum.
    return type_coerce(_cost(_ended(since, account)) + _cost(_in_flight(account)), _CREDITS)


def _sum(conn: Connection, since: float, account: str | None) -> Decimal:
    return conn.scalar(select(_spent(since, account))) or Decimal(0)


def _cost(which: ColumnElement[bool]) -> ColumnElement[Decimal]:
    """Return the cost; an attempt that is not known to be free counts at its price."""
    c = attempts.c
    unconfirmed = c.state.in_((AttemptState.INTENT, AttemptState.IN_DOUBT))
    cost = case((unconfirmed, c.credits_expected), else_=c.credits_charged)
    total = select(func.sum(cost, type_=_CREDITS)).where(which).scalar_subquery()
    return func.coalesce(total, literal(Decimal(0), _CREDITS), type_=_CREDITS)


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


def _locks_of(request: CutRequest) -> list[str]:
    """Return the locks for what is bought once at all accounts together: a picture, and the bytes that are sent."""
    sent = [f"sent {request.sent_digest}"] if request.sent_digest else []
    return [f"picture {request.content_hash or request.purchase_id}", *sent]


def _locks_of_money(account: str, request: CutRequest, rules: Rules) -> list[str]:
    """Return the locks for the limits of an account, of a run, and of all accounts together."""
    locks = [money_of(account)]
    if request.claim.ask.budget.cap is not None:
        locks.append(f"cap of run {request.claim.ask.budget.run}")
    if any(not cap.account for cap in rules.day_caps):
        locks.append("cap of a day")
    return locks


def _earlier(conn: Connection, request: CutRequest) -> list[Attempt]:
    """Return the attempts for a purchase, and those that are not settled for the same bytes under another name."""
    c = attempts.c
    same = and_(c.sent_digest == request.sent_digest, c.sent_digest != "", c.cut_digest.in_(request.cut_digests))
    wanted = [c.purchase_id.in_({*_names(request), *request.limit_ids}), and_(_OPEN, same), and_(_ANSWERED, same)]
    # Each by its own index.
    ids = union_all(*(select(c.id).where(each) for each in wanted)).subquery()
    return [_attempt(row) for row in conn.execute(_ATTEMPT.where(c.id.in_(select(ids.c.id))).order_by(c.id))]


def _refuse_duplicate(conn: Connection, request: CutRequest, earlier: Sequence[Attempt]) -> None:
    """
    Raises:
        BeingBought: the same purchase, or the same bytes under another name, is being bought or was just bought.
        AnswerWaiting: the answer to it is in the spool.
    """
    names, sent = _names(request), request.sent_digest
    concerned = [each for each in earlier if each.purchase_id in names or (sent and each.sent_digest == sent)]
    # Attempts were read before purchases: one that ends in between is a purchase by now.
    for each in concerned:
        if each.state is AttemptState.INTENT:
            other = "" if each.purchase_id in names else " under another name"
            raise BeingBought(f"another worker is buying the same picture{other}")
    c = purchases.c
    same = and_(c.sent_digest == sent, c.sent_digest != "", c.cut_digest.in_(request.cut_digests))
    ids = union_all(select(c.purchase_id).where(c.purchase_id.in_(names)), select(c.purchase_id).where(same))
    if (bought := conn.execute(ids.limit(1)).scalar()) is not None:
        other = "" if bought in names else " under another name"
        raise BeingBought(f"another worker has just bought the same picture{other}")
    for each in concerned:
        if each.state is AttemptState.ANSWERED:
            raise AnswerWaiting("its answer is paid and waits in the spool", each)


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
