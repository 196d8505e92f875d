"""Rows of attempts as values, and their sums."""

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    func,
    literal,
    select,
    text,
    true,
    type_coerce,
    update,
)

from bg_pipeline.core.records import Attempt, AttemptState, Use
from bg_pipeline.manifest.schema import attempts, catalogues

CREDITS = attempts.c.credits_charged.type

ATTEMPT = select(attempts, catalogues.c.name.label("catalogue")).join_from(
    attempts, catalogues, catalogues.c.id == attempts.c.catalogue_id, isouter=True
)
"""Query of all columns that `attempt_of` needs."""

OPEN = text("attempts.state = 'intent'")
"""Condition for open attempts, written out so that their partial index is used."""

ANSWERED = text("attempts.state = 'answered'")
"""Condition for attempts whose paid answer waits in the spool; likewise."""

_LONGEST_CALL_S = 86_400.0
"""Longest time an attempt stays open. Queries by end bound the start with it: only the start has an index."""


def of_account(account: str | None) -> ColumnElement[bool]:
    return true() if account is None else attempts.c.account == account


def _ended(since: Any, account: str | None) -> ColumnElement[bool]:
    c = attempts.c
    return and_(c.started_at >= since - _LONGEST_CALL_S, c.ended_at > since, of_account(account))


def begun_between(start: Any, end: Any, account: str | None) -> ColumnElement[bool]:
    c = attempts.c
    return and_(c.started_at >= start, c.started_at < end, of_account(account))


def _in_flight(account: str | None) -> ColumnElement[bool]:
    return and_(OPEN, of_account(account))


def spent_since(since: Any, account: str | None) -> ColumnElement[Decimal]:
    # In one statement: an attempt that ends between two would be in neither sum.
    return type_coerce(cost(_ended(since, account)) + cost(_in_flight(account)), CREDITS)


def sum_since(conn: Connection, since: float, account: str | None) -> Decimal:
    return conn.scalar(select(spent_since(since, account))) or Decimal(0)


def cost(which: ColumnElement[bool]) -> ColumnElement[Decimal]:
    """Return the cost; an attempt that is not known to be free counts at its price."""
    c = attempts.c
    unconfirmed = c.state.in_((AttemptState.INTENT, AttemptState.IN_DOUBT))
    cost = case((unconfirmed, c.credits_expected), else_=c.credits_charged)
    total = select(func.sum(cost, type_=CREDITS)).where(which).scalar_subquery()
    return func.coalesce(total, literal(Decimal(0), CREDITS), type_=CREDITS)


_ENDS = ("state", "ended_at", "credits_charged", "request_id")

CLOSING = (
    update(attempts)
    .where(attempts.c.id == bindparam("attempt"))
    .values({name: bindparam(f"new_{name}") for name in _ENDS})
)
"""Statement that ends attempts; `end_of` has its values for each."""


def end_of(attempt_id: int, state: AttemptState, now: float, charged: Decimal, request_id: str) -> dict[str, Any]:
    values = (state, now, charged, request_id[:200])
    return {"attempt": attempt_id, **{f"new_{name}": value for name, value in zip(_ENDS, values, strict=True)}}


def attempt_of(row: Row[Any]) -> Attempt:
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
