"""Decide about purchases and record their attempts: those of several workers in one transaction."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, literal, select, union_all, update

from bg_pipeline.core.claims import LEASE_S, is_live
from bg_pipeline.core.credits import Budget, Rules, Spent, authorize_purchase
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.records import Attempt, AttemptState
from bg_pipeline.core.refusals import refused_lately
from bg_pipeline.errors import AnswerWaiting, BeingBought, BgPipelineError, ClaimLost
from bg_pipeline.manifest.attempts import ANSWERED, ATTEMPT, CREDITS, OPEN, attempt_of, cost, spent_since, today
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.gates import gate_of, money_of, read_gate, write_gate
from bg_pipeline.manifest.schema import attempts, claims, gates, items, purchases
from bg_pipeline.ports.purchasing import CutRequest, OpenAttempt
from bg_pipeline.ports.running import Now

_CHARGED = (AttemptState.CHARGED, AttemptState.UNUSABLE)


@dataclass(frozen=True, slots=True)
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
        """Return each attempt, or the reason why it may not be made."""
        with self.database.write(locks=self._locks(requests)) as conn:
            catalogue_of = self._catalogues(conn, requests)
            earlier, bought = self._earlier(conn, requests), self._bought(conn, requests)
            results: dict[int, OpenAttempt | Exception] = {}
            by_catalogue: dict[int, dict[int, CutRequest]] = {}
            for number, request in enumerate(requests):
                catalogue = catalogue_of.get((request.claim.id, request.item_key))
                if catalogue is None:
                    results[number] = ClaimLost(
                        f"this run's claim on {request.item_key!r} is over; nothing is bought for it here"
                    )
                else:
                    by_catalogue.setdefault(catalogue, {})[number] = request
            for catalogue, its_requests in by_catalogue.items():
                results |= self._open(conn, catalogue, its_requests, earlier, bought)
            return [results[number] for number in range(len(requests))]

    def _open(
        self,
        conn: Connection,
        catalogue: int,
        requests: dict[int, CutRequest],
        earlier: list[Attempt],
        bought: Sequence[Row[Any]],
    ) -> dict[int, OpenAttempt | Exception]:
        """Decide on one after the other, each as if those before it were on record already."""
        old_gate, spent = self._gate_and_spent(conn, catalogue, requests.values())
        gate, results, rows = old_gate, dict[int, OpenAttempt | Exception](), dict[int, dict[str, Any]]()
        for number, request in requests.items():
            concerned = [each for each in earlier if _concerns(each, request)]
            try:
                _refuse_duplicate(request, concerned, bought)
                gate, refusal = self._authorize(request, gate, spent, concerned)
                if refusal is not None:
                    raise refusal
            except BgPipelineError as error:
                results[number] = error
                continue
            spent = _with(spent, request.credits_expected)
            rows[number] = self._row(request, catalogue)
            earlier.append(_as_attempt(rows[number]))
        if gate != old_gate:
            write_gate(conn, old_gate, gate)
        if rows:
            new = insert(attempts).returning(attempts.c.purchase_id, attempts.c.id)
            ids = {row.purchase_id: row.id for row in conn.execute(new, list(rows.values()))}
            results |= {number: OpenAttempt(ids[row["purchase_id"]], gate.half_open) for number, row in rows.items()}
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

    def _catalogues(self, conn: Connection, requests: Sequence[CutRequest]) -> dict[tuple[int, str], int]:
        """
        Return the catalogue of each item under its claim, by both: another run has the others, or found that their
        claim had ended. Keep these claims alive, so that their slots and their attempts are too.
        """
        c, now = items.c, self.now()
        query = select(c.claim_id, c.key, c.catalogue_id, claims.c.ends_at).join(claims, claims.c.id == c.claim_id)
        rows = [
            row
            for these in self.database.among(c.claim_id, sorted({request.claim.id for request in requests}))
            for those in self.database.among(c.key, sorted({request.item_key for request in requests}))
            for row in conn.execute(query.where(these, those))
        ]
        if late := {row.claim_id for row in rows if not is_live(row.ends_at, now)}:  # a heartbeat is late
            conn.execute(update(claims).where(claims.c.id.in_(late)).values(ends_at=now + LEASE_S))
        return {(row.claim_id, row.key): row.catalogue_id for row in rows}

    def _earlier(self, conn: Connection, requests: Sequence[CutRequest]) -> list[Attempt]:
        """Return the attempts for these purchases, and those that are not settled for the same bytes."""
        c = attempts.c
        names = {name for request in requests for name in (*_names(request), *request.limit_ids)}
        wanted = list(self.database.among(c.purchase_id, sorted(names)))
        for these in self._same_bytes(c.sent_digest, requests):
            wanted += [and_(OPEN, these), and_(ANSWERED, these)]
        # Each by its own index.
        ids = union_all(*(select(c.id).where(each) for each in wanted)).subquery()
        return [attempt_of(row) for row in conn.execute(ATTEMPT.where(c.id.in_(select(ids.c.id))).order_by(c.id))]

    def _bought(self, conn: Connection, requests: Sequence[CutRequest]) -> Sequence[Row[Any]]:
        """Return the purchases of these names or bytes that have a master."""
        c = purchases.c
        names = {name for request in requests for name in _names(request)}
        wanted = [*self.database.among(c.purchase_id, sorted(names)), *self._same_bytes(c.sent_digest, requests)]
        columns = select(c.purchase_id, c.sent_digest, c.cut_digest)
        return conn.execute(union_all(*(columns.where(each) for each in wanted))).all()

    def _same_bytes(self, column: Any, requests: Sequence[CutRequest]) -> Iterator[Any]:
        return self.database.among(column, sorted({request.sent_digest for request in requests} - {""}))

    def _gate_and_spent(self, conn: Connection, catalogue: int, requests: Iterable[CutRequest]) -> tuple[Gate, Spent]:
        """Return what the decision needs, by one statement, so that its sums are of one moment."""
        if not any(request.credits_expected for request in requests):
            return read_gate(conn, self.account), Spent()
        of_run = and_(attempts.c.run == self.budget.run, attempts.c.catalogue_id == catalogue)
        of_account = gates.c.account == self.account
        balance_at = func.coalesce(select(gates.c.balance_at).where(of_account).scalar_subquery(), 0.0)
        sums = [
            spent_since(balance_at, self.account),
            literal(Decimal(0), CREDITS) if self.budget.cap is None else cost(of_run),
            *(cost(today(cap, self.now())) for cap in self.rules.day_caps),
        ]
        labelled = [each.label(f"sum_{number}") for number, each in enumerate(sums)]
        one_row = select(literal(1)).subquery().outerjoin(gates, of_account)
        row = conn.execute(select(*gates.c, *labelled).select_from(one_row)).one()
        since_balance, by_run, *by_day = (each or Decimal(0) for each in row[len(gates.c) :])
        return gate_of(row, self.account), Spent(since_balance, by_run, tuple(by_day))


def _with(spent: Spent, price: Decimal) -> Spent:
    by_day = tuple(each + price for each in spent.by_day)
    return replace(spent, since_balance=spent.since_balance + price, by_run=spent.by_run + price, by_day=by_day)


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
    names = ("purchase_id", "account", "state", "credits_expected", "started_at", "sent_digest", "cut_digest")
    return Attempt(id=0, credits_charged=Decimal(0), **{name: row[name] for name in names})
