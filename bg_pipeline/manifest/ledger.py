"""Every attempt to buy, and its result."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import and_, func, or_, select, update

from bg_pipeline.core.credits import Budget, Rules
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.records import Attempt, AttemptState, Totals
from bg_pipeline.manifest.attempts import ANSWERED, ATTEMPT, CLOSING, OPEN, attempt_of, end_of, of_account, sum_since
from bg_pipeline.manifest.gates import money_of, read_gate, write_gate
from bg_pipeline.manifest.opening import Opening
from bg_pipeline.manifest.repeated import Repeated
from bg_pipeline.manifest.rows import are_live
from bg_pipeline.manifest.schema import attempts, claims
from bg_pipeline.ports.purchasing import CutRequest, OpenAttempt
from bg_pipeline.ports.together import Together


class SqlLedger(Repeated):
    """`ports.purchasing.Ledger` in a database."""

    @cached_property
    def _opening(self) -> dict[tuple[str, Rules, Budget], Together[CutRequest, OpenAttempt]]:
        """For those that are decided together: at one account, by the same rules, for one budget."""
        return {}

    def open_attempt(self, request: CutRequest, account: str, rules: Rules) -> OpenAttempt:
        key = account, rules, request.claim.ask.budget
        return self._opening.setdefault(key, Together(Opening(self._db, self._now, *key)))(request)

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
            # An attempt with a known end keeps it: a late recovery must not turn a charge into a doubt.
            unsettled = or_(OPEN, ANSWERED, attempts.c.state == AttemptState.IN_DOUBT)
            closing = CLOSING.where(unsettled).values(detail=detail, answer=answer, kind=kind)
            conn.execute(closing, end_of(attempt_id, state, self._now(), credits_charged, request_id))

    def waive(self, purchase_ids: Sequence[str]) -> None:
        c = attempts.c
        with self._db.write() as conn:
            conn.execute(update(attempts).where(c.purchase_id.in_(purchase_ids)).values(waived=True))

    def abandoned(self) -> list[Attempt]:
        live = select(claims.c.id).where(are_live(self._now()))
        claim = attempts.c.claim_id
        return self._attempts(and_(OPEN, or_(claim.is_(None), claim.not_in(live))))

    def answered(self) -> list[Attempt]:
        return self._attempts(ANSWERED)

    def attempts(self, purchase_ids: Sequence[str]) -> list[Attempt]:
        return self._attempts(attempts.c.purchase_id.in_(purchase_ids))

    def spent(self, since: float, account: str | None = None) -> Decimal:
        with self._db.read() as conn:
            return sum_since(conn, since, account)

    def change_gate(self, account: str, change: Callable[[Gate, Callable[[float], Decimal]], Gate]) -> Gate:
        with self._db.write(locks=[money_of(account)]) as conn:
            gate = read_gate(conn, account)
            new = change(gate, lambda since: sum_since(conn, since, account))
            if new != gate:
                write_gate(self._db, conn, gate, new)
        return new

    def totals(self, since: float, until: float, account: str | None = None) -> dict[AttemptState, Totals]:
        c = attempts.c
        query = select(
            c.state,
            func.count().label("n"),
            func.sum(c.credits_expected, type_=c.credits_expected.type).label("expected"),
            func.sum(c.credits_charged, type_=c.credits_charged.type).label("charged"),
        ).where(c.started_at >= since, c.started_at < until, of_account(account))
        with self._db.read() as conn:
            rows = conn.execute(query.group_by(c.state))
            return {AttemptState(row.state): Totals(row.n, row.expected, row.charged) for row in rows}

    def log(self, since: float, run: str | None = None) -> Iterator[Attempt]:
        query = ATTEMPT.where(attempts.c.started_at >= since)
        if run is not None:
            query = query.where(attempts.c.run == run)
        yield from map(attempt_of, self._stream(query.order_by(attempts.c.id)))

    def _attempts(self, condition: Any) -> list[Attempt]:
        with self._db.read() as conn:
            rows = conn.execute(ATTEMPT.where(condition).order_by(attempts.c.id))
            return [attempt_of(row) for row in rows]
