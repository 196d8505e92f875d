"""Decide about purchases and record their attempts: those of several workers in one transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
)

from bg_pipeline.core.claims import LEASE_S, is_live
from bg_pipeline.core.credits import Budget, Rules, Spent, authorize_purchase, day_of
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.records import Attempt, AttemptState
from bg_pipeline.core.refusals import refused_lately
from bg_pipeline.errors import AnswerWaiting, BeingBought, BgPipelineError, ClaimLost
from bg_pipeline.manifest.attempts import ANSWERED, ATTEMPT, CREDITS, OPEN, attempt_of, begun_between, cost, spent_since
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.gates import gate_of, money_of, write_gate
from bg_pipeline.manifest.pipelining import Query, ask
from bg_pipeline.manifest.schema import attempts, claims, gates, items, purchases
from bg_pipeline.ports.purchasing import CutRequest, OpenAttempt
from bg_pipeline.ports.running import Now

_CHARGED = (AttemptState.CHARGED, AttemptState.UNUSABLE)


@dataclass(frozen=True)
class Opening:
    """
    Opens attempts: `ports.purchasing.Ledger.open_attempt`, of several requests at once.

    Args:
        database: the manifest.
        now: the time.
        account: the account that pays.
        rules: rules of the account.
        budget: what the run may spend.
    """

    database: Database
    now: Now
    account: str
    rules: Rules
    budget: Budget

    def __call__(self, requests: Sequence[CutRequest]) -> list[OpenAttempt | Exception]:
        """
        Return each attempt, or the reason why it may not be made. They are decided on one after the other, each as if
        those before it were on record already.
        """
        with self.database.write(locks=self._locks(requests)) as conn:
            held, known, bought, (books,), by_claim, ids = ask(
                conn,
                *self._queries(requests),
                self._by_claim(requests),
                [self.database.next_ids(attempts, len(requests))],
            )
            self._keep_alive(conn, held)
            catalogue_of = {(row.claim_id, row.key): row.catalogue_id for row in held}
            earlier = list(map(attempt_of, known))
            by_run = {row.catalogue_id: row.cost or Decimal(0) for row in by_claim}
            since_balance, *by_day = (each or Decimal(0) for each in books[len(gates.c) :])
            spent, old_gate = Spent(since_balance, by_day=tuple(by_day)), gate_of(books, self.account)
            gate, results, rows = old_gate, list[OpenAttempt | Exception](), list[dict[str, Any]]()
            for (new_id,), request in zip(ids, requests, strict=True):
                catalogue = catalogue_of.get((request.claim.id, request.item_key))
                if catalogue is None:
                    over = f"this run's claim on {request.item_key!r} is over; nothing is bought for it here"
                    results.append(ClaimLost(over))
                    continue
                concerned = [each for each in earlier if _concerns(each, request)]
                of_run, price = by_run.get(catalogue, Decimal(0)), request.credits_expected
                try:
                    _refuse_duplicate(request, concerned, bought)
                    gate, refusal = self._authorize(request, gate, replace(spent, by_run=of_run), concerned)
                    if refusal is not None:
                        raise refusal
                except BgPipelineError as error:
                    results.append(error)
                    continue
                spent, by_run[catalogue] = _with(spent, price), of_run + price
                results.append(OpenAttempt(new_id, gate.half_open))
                rows.append({"id": new_id, **self._row(request, catalogue)})
                earlier.append(_as_attempt(rows[-1]))
            if gate != old_gate:
                write_gate(self.database, conn, old_gate, gate)
            if rows:
                conn.execute(insert(attempts), rows)
            return results

    def _authorize(
        self, request: CutRequest, gate: Gate, spent: Spent, concerned: Sequence[Attempt]
    ) -> tuple[Gate, BgPipelineError | None]:
        price, names, now = request.credits_expected, _names(request), self.now()
        if price:
            counted = [a for a in concerned if a.purchase_id in (request.limit_ids or names) and not a.waived]
            charges = sum(each.state in _CHARGED for each in counted)
            doubts = sum(each.state is AttemptState.IN_DOUBT for each in counted)
            spent = replace(spent, charges=charges, doubts=doubts)
        else:
            spent = Spent(by_day=(Decimal(0),) * len(self.rules.day_caps))
        new_gate, refusal = authorize_purchase(price, gate, spent, self.budget, self.rules, now)
        tried = [each for each in concerned if each.purchase_id in names and each.account == self.account]
        return new_gate, refusal or refused_lately(tried, gate.cleared_at, now)

    def _row(self, request: CutRequest, catalogue: int) -> dict[str, Any]:
        return {
            "account": self.account,
            "catalogue_id": catalogue,
            "item_key": request.item_key,
            "collection": request.collection,
            "claim_id": request.claim.id,
            "run": self.budget.run,
            "purchase_id": request.purchase_id,
            "sent_digest": request.sent_digest,
            "cut_digest": request.cut_digests[0],
            "use": request.use,
            "state": AttemptState.INTENT,
            "credits_expected": request.credits_expected,
            "started_at": self.now(),
        }

    def _locks(self, requests: Sequence[CutRequest]) -> set[str]:
        """
        Return the locks for what is bought once at all accounts together: a picture, and the bytes that are sent; and
        for the limits of an account, of a run, and of all accounts together.
        """
        locks = {f"picture {request.content_hash or request.purchase_id}" for request in requests}
        locks |= {f"sent {request.sent_digest}" for request in requests if request.sent_digest}
        locks.add(money_of(self.account))
        if self.budget.cap is not None:
            locks.add(f"cap of run {self.budget.run}")
        if any(not cap.account for cap in self.rules.day_caps):
            locks.add("cap of a day")
        return locks

    def _queries(self, requests: Sequence[CutRequest]) -> Iterator[Sequence[Query]]:
        """
        Find the catalogue of each item under its claim; the attempts for these purchases and bytes; those that
        have a master; the gate and the sums of the account.
        """
        now, caps = self.now(), self.rules.day_caps
        names = sorted({name for request in requests for name in _names(request)})
        concerned = sorted({*names, *(name for request in requests for name in request.limit_ids)})
        sent = sorted({request.sent_digest for request in requests} - {""})
        claimed = sorted({request.claim.id for request in requests})
        yield [(self._held, {"claimed": claimed, "keys": sorted({request.item_key for request in requests})})]
        yield [(self._earlier, {"names": concerned, "sent": sent})]
        yield [(query, {"names": names, "sent": sent}) for query in self._bought]
        if not any(request.credits_expected for request in requests):
            yield [self._books_of_free]
            return
        days = dict[str, float]()
        for number, cap in enumerate(caps):
            days[f"began_{number}"], days[f"ends_{number}"] = day_of(now, cap.timezone)
        yield [(self._books, days)]

    # Statements are made once: to make one takes as long as to execute it.

    @cached_property
    def _held(self) -> Select[Any]:
        """Find items by key and claim: another run has the others, or found that their claim had ended."""
        c = items.c
        query = select(c.claim_id, c.key, c.catalogue_id, claims.c.ends_at).join(claims, claims.c.id == c.claim_id)
        return query.where(self.database.given(c.claim_id, "claimed"), self.database.given(c.key, "keys"))

    @cached_property
    def _earlier(self) -> Select[Any]:
        """Find the attempts for purchases, and those that are not settled for the same bytes."""
        c = attempts.c
        of_bytes = self.database.given(c.sent_digest, "sent")
        wanted = (self.database.given(c.purchase_id, "names"), and_(OPEN, of_bytes), and_(ANSWERED, of_bytes))
        # Each by its own index.
        ids = union_all(*(select(c.id).where(each) for each in wanted)).subquery()
        return ATTEMPT.where(c.id.in_(select(ids.c.id))).order_by(c.id)

    @cached_property
    def _bought(self) -> list[Select[Any]]:
        """Find the purchases of these names or bytes that have a master."""
        c = purchases.c
        wanted = (self.database.given(c.purchase_id, "names"), self.database.given(c.sent_digest, "sent"))
        return [select(c.purchase_id, c.sent_digest, c.cut_digest).where(each) for each in wanted]

    @cached_property
    def _books(self) -> Select[Any]:
        """Find the gate and the sums of the account, by one statement, so that they are of one moment."""
        balance_at = func.coalesce(select(gates.c.balance_at).where(self._of_account).scalar_subquery(), 0.0)
        by_day = (
            cost(begun_between(bindparam(f"began_{number}"), bindparam(f"ends_{number}"), cap.account or None))
            for number, cap in enumerate(self.rules.day_caps)
        )
        return self._gate_with([spent_since(balance_at, self.account), *by_day])

    @cached_property
    def _books_of_free(self) -> Select[Any]:
        """Find the gate, for requests that cost nothing: their sums may be those of a million attempts."""
        return self._gate_with([literal(Decimal(0), CREDITS)] * (1 + len(self.rules.day_caps)))

    def _gate_with(self, sums: Sequence[ColumnElement[Any]]) -> Select[Any]:
        labelled = [each.label(f"sum_{number}") for number, each in enumerate(sums)]
        one_row = select(literal(1)).subquery().outerjoin(gates, self._of_account)
        return select(*gates.c, *labelled).select_from(one_row)

    @property
    def _of_account(self) -> ColumnElement[bool]:
        return gates.c.account == self.account

    def _keep_alive(self, conn: Connection, held: Sequence[Row[Any]]) -> None:
        """Keep claims alive whose heartbeat is late, so that their slots and their attempts are too."""
        now = self.now()
        if late := {row.claim_id for row in held if not is_live(row.ends_at, now)}:
            conn.execute(update(claims).where(claims.c.id.in_(late)).values(ends_at=now + LEASE_S))

    def _by_claim(self, requests: Sequence[CutRequest]) -> Iterator[Select[Any]]:
        """Find the cost of the run so far in the catalogue of each claim, if it has a cap."""
        if self.budget.cap is not None:
            of_run = and_(attempts.c.run == self.budget.run, attempts.c.catalogue_id == claims.c.catalogue_id)
            query = select(claims.c.catalogue_id, cost(of_run).label("cost"))
            for these in self.database.among(claims.c.id, sorted({request.claim.id for request in requests})):
                yield query.where(these)


def _with(spent: Spent, price: Decimal) -> Spent:
    by_day = tuple(each + price for each in spent.by_day)
    return replace(spent, since_balance=spent.since_balance + price, by_day=by_day)


def _names(request: CutRequest) -> Sequence[str]:
    return request.purchase_ids or (request.purchase_id,)


def _are_same_bytes(one: Any, request: CutRequest) -> bool:
    """Return True if an attempt or a purchase is about the bytes of this request, perhaps under another name."""
    return (
        bool(request.sent_digest) and one.sent_digest == request.sent_digest and one.cut_digest in request.cut_digests
    )


def _concerns(attempt: Attempt, request: CutRequest) -> bool:
    """Return True if an attempt is for this purchase, at any account, or not settled and for the same bytes."""
    if attempt.purchase_id in {*_names(request), *request.limit_ids}:
        return True
    return attempt.state in {AttemptState.INTENT, AttemptState.ANSWERED} and _are_same_bytes(attempt, request)


def _refuse_duplicate(request: CutRequest, concerned: Sequence[Attempt], bought: Sequence[Row[Any]]) -> None:
    """
    Raises:
        BeingBought: the same purchase, or the same bytes under another name, is being bought or was just bought.
        AnswerWaiting: the answer to it is in the spool.
    """
    names, sent = _names(request), request.sent_digest
    concerned = [each for each in concerned if each.purchase_id in names or (sent and each.sent_digest == sent)]
    # Attempts were read before purchases: one that ends in between is a purchase by now.
    for each in concerned:
        if each.state is AttemptState.INTENT:
            other = "" if each.purchase_id in names else " under another name"
            raise BeingBought(f"another worker is buying the same picture{other}")
    for master in bought:
        if master.purchase_id in names or _are_same_bytes(master, request):
            other = "" if master.purchase_id in names else " under another name"
            raise BeingBought(f"another worker has just bought the same picture{other}")
    for each in concerned:
        if each.state is AttemptState.ANSWERED:
            raise AnswerWaiting("its answer is paid and waits in the spool", each)


def _as_attempt(row: dict[str, Any]) -> Attempt:
    """Return an attempt that is about to be recorded."""
    names = ("id", "purchase_id", "account", "state", "credits_expected", "started_at", "sent_digest", "cut_digest")
    return Attempt(credits_charged=Decimal(0), **{name: row[name] for name in names})
