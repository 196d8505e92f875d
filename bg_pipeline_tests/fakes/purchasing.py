"""Masters, attempts and gates."""

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bg_pipeline.core.claims import LEASE_S
from bg_pipeline.core.credits import DayCap, Rules, Spent, authorize_purchase, charges_of, day_of
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.records import Attempt, AttemptState, Master, Totals
from bg_pipeline.core.refusals import refused_lately
from bg_pipeline.errors import AnswerWaiting, BeingBought, ClaimLost
from bg_pipeline.ports.purchasing import CutRequest, OpenAttempt
from bg_pipeline_tests.fakes.database import MemoryDatabase, Port


class MemoryPurchases(Port):
    """`ports.purchasing.Purchases` in dictionaries."""

    def bought(self, purchase_ids: Sequence[str]) -> set[str]:
        return set(purchase_ids) & set(self._db.masters)

    def find(self, purchase_ids: Sequence[str]) -> Master | None:
        return next((self._db.masters[name] for name in purchase_ids if name in self._db.masters), None)

    def get_many(self, purchase_ids: Sequence[str]) -> dict[str, Master]:
        return {name: self._db.masters[name] for name in purchase_ids if name in self._db.masters}

    def same_payload(self, sent_digest: str, cut_digests: Sequence[str]) -> Master | None:
        return _same_payload(self._db, sent_digest, cut_digests)

    def keep(self, master: Master, attempt_id: int | None, credits_charged: Decimal, request_id: str = "") -> None:
        self._db.masters[master.purchase_id] = master
        self._db.unused_since.pop(master.purchase_id, None)
        if attempt_id is not None:
            _close(
                self._db,
                attempt_id,
                state=AttemptState.CHARGED,
                credits_charged=credits_charged,
                request_id=request_id,
            )

    def forget(self, purchase_id: str) -> None:
        self._db.masters.pop(purchase_id, None)
        self._db.unused_since.pop(purchase_id, None)

    def masters(self) -> Iterator[Master]:
        for _, master in sorted(self._db.masters.items()):
            yield master

    def adopt(self, master: Master) -> bool:
        return self._db.masters.setdefault(master.purchase_id, master) is master

    def approve(self, purchase_id: str) -> None:
        self._db.masters[purchase_id] = replace(self._db.masters[purchase_id], suspicion="")


def _same_payload(database: MemoryDatabase, sent_digest: str, cut_digests: Container[str]) -> Master | None:
    same = (m for m in database.masters.values() if m.sent_digest == sent_digest and m.cut_digest in cut_digests)
    return next(same, None)


def _close(database: MemoryDatabase, attempt_id: int, **values: Any) -> None:
    database.attempts[attempt_id] = replace(database.attempts[attempt_id], ended_at=database.now(), **values)


_INTENT = AttemptState.INTENT


def _cost(attempts: Iterable[Attempt]) -> Decimal:
    """Of each what it was charged; where that is not known, what was expected."""
    unknown = {_INTENT, AttemptState.IN_DOUBT}
    return sum((a.credits_expected if a.state in unknown else a.credits_charged for a in attempts), Decimal(0))


class MemoryLedger(Port):
    """`ports.purchasing.Ledger` in dictionaries."""

    def open_attempt(self, request: CutRequest, account: str, rules: Rules) -> OpenAttempt:
        budget = request.claim.ask.budget
        self._db.check_claim(request.item_key, request.claim)
        if request.claim.id not in self._db.claims:
            raise ClaimLost(f"the claim on {request.item_key!r} is over")
        self._db.claims[request.claim.id] = replace(request.claim, ends_at=self._db.now() + LEASE_S)
        self._check_not_being_bought(request)
        gate = self._db.gates.get(account, Gate(account))
        tried = self.attempts(request.limit_ids or _names(request))
        spent = Spent(
            since_balance=self.spent(gate.balance_at, account),
            by_run=_cost(self._where(lambda a: a.run == budget.run)),
            by_day=tuple(map(self._today, rules.day_caps)),
            charges=charges_of(tried),
            doubts=sum(a.state is AttemptState.IN_DOUBT and not a.waived for a in tried),
        )
        moved, refusal = authorize_purchase(request.credits_expected, gate, spent, budget, rules, self._db.now())
        self._db.gates[account] = moved
        of_account = [a for a in self.attempts(_names(request)) if a.account == account]
        refusal = refusal or refused_lately(of_account, gate.cleared_at, self._db.now())
        if refusal is not None:
            raise refusal
        number = next(self._db.ids)
        self._db.requests[number] = request
        self._db.attempts[number] = Attempt(
            number,
            request.purchase_id,
            account,
            _INTENT,
            request.credits_expected,
            Decimal(0),
            self._db.now(),
            item_key=request.item_key,
            collection=request.collection,
            run=budget.run,
            catalogue="default",
            sent_digest=request.sent_digest,
            cut_digest=request.cut_digests[0],
            use=request.use,
        )
        return OpenAttempt(number, moved.half_open)

    def _check_not_being_bought(self, request: CutRequest) -> None:
        names = _names(request)
        if any(name in self._db.masters for name in names):
            raise BeingBought("another worker has just bought the same picture")
        buying = self._where(lambda a: a.state is _INTENT)
        if any(a.purchase_id in names for a in buying):
            raise BeingBought("another worker is buying the same picture")
        for a in self.answered():
            same = request.sent_digest and a.sent_digest == request.sent_digest and a.cut_digest in request.cut_digests
            if a.purchase_id in names or same:
                raise AnswerWaiting("its answer is paid and waits in the spool", a)
        if not request.sent_digest:
            return
        if any(a.sent_digest == request.sent_digest and a.cut_digest in request.cut_digests for a in buying):
            raise BeingBought("another worker is buying the same picture under another name")
        if _same_payload(self._db, request.sent_digest, request.cut_digests):
            raise BeingBought("another worker has just bought the same picture under another name")

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
        if self._db.attempts[attempt_id].state not in {_INTENT, AttemptState.ANSWERED, AttemptState.IN_DOUBT}:
            return
        _close(
            self._db,
            attempt_id,
            state=state,
            credits_charged=credits_charged,
            detail=detail,
            answer=answer,
            request_id=request_id,
            kind=kind,
        )

    def waive(self, purchase_ids: Sequence[str]) -> None:
        for attempt in self.attempts(purchase_ids):
            self._db.attempts[attempt.id] = replace(attempt, waived=True)

    def abandoned(self) -> list[Attempt]:
        return self._where(lambda a: a.state is _INTENT and not self._db.is_alive(self._db.requests[a.id].claim.id))

    def answered(self) -> list[Attempt]:
        return self._where(lambda a: a.state is AttemptState.ANSWERED)

    def attempts(self, purchase_ids: Sequence[str]) -> list[Attempt]:
        return self._where(lambda a: a.purchase_id in purchase_ids)

    def spent(self, since: float, account: str | None = None) -> Decimal:
        return _cost(self._where(lambda a: (a.ended_at is None or a.ended_at > since) and account in {None, a.account}))

    def _today(self, cap: DayCap) -> Decimal:
        began, ends = day_of(self._db.now(), cap.timezone)
        return _cost(self._where(lambda a: began <= a.started_at < ends and cap.account in {"", a.account}))

    def change_gate(self, account: str, change: Callable[[Gate, Callable[[float], Decimal]], Gate]) -> Gate:
        gate = change(self._db.gates.get(account, Gate(account)), lambda since: self.spent(since, account))
        self._db.gates[account] = gate
        return gate

    def totals(self, since: float, until: float, account: str | None = None) -> dict[AttemptState, Totals]:
        found: dict[AttemptState, Totals] = {}
        for a in self._where(lambda a: since <= a.started_at < until and account in {None, a.account}):
            t = found.get(a.state, Totals())
            expected, charged = t.credits_expected + a.credits_expected, t.credits_charged + a.credits_charged
            found[a.state] = Totals(t.attempts + 1, expected, charged)
        return found

    def log(self, since: float, run: str | None = None) -> Iterator[Attempt]:
        yield from self._where(lambda a: a.started_at >= since and run in {None, a.run})

    def _where(self, holds: Callable[[Attempt], Any]) -> list[Attempt]:
        return [a for a in self._db.attempts.values() if holds(a)]


def _names(request: CutRequest) -> Sequence[str]:
    return request.purchase_ids or (request.purchase_id,)


class MemoryGates(Port):
    """`ports.purchasing.Gates` in dictionaries."""

    def gate(self, account: str) -> Gate:
        return self._db.gates.get(account, Gate(account))

    def change_gate(self, account: str, change: Callable[[Gate], Gate]) -> Gate:
        self._db.gates[account] = change(self.gate(account))
        return self._db.gates[account]

    def limits(self, account: str) -> Mapping[str, Any] | None:
        return self._db.limits.get(account)

    def change_limits(self, account: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]) -> None:
        self._db.limits[account] = json.loads(json.dumps(change(self.limits(account))))

    def dead_claims(self, claims: Sequence[int]) -> set[int]:
        return {claim for claim in claims if not self._db.is_alive(claim)}

    def forget_limits(self, account: str) -> None:
        self._db.limits.pop(account, None)
