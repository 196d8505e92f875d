"""Compare the ledger with the balance, and report the state of the money."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from bg_pipeline.core.credits import Reconciliation, counted, reconcile, runs_out_on, settle_doubts
from bg_pipeline.core.gate import LAG_S, Gate
from bg_pipeline.core.limits import Learned, learned, limits_from
from bg_pipeline.core.records import AttemptState, Totals
from bg_pipeline.core.runlog import BalanceRecord, ProcessRecord
from bg_pipeline.core.vendor import FreeCalls
from bg_pipeline.ports.context import Accounts, Catalogue, Policy, Run
from bg_pipeline.purchasing.gate import read_balance

_DAY_S = 86_400.0
_READINGS = 50
"""Number of latest readings searched for one of the same account."""

_ALL_RECORDS = 100_000

_ANSWERED = frozenset({AttemptState.CHARGED, AttemptState.UNUSABLE, AttemptState.ANSWERED})
"""States of attempts that the vendor has worked for."""


def reconcile_balances(catalogue: Catalogue, accounts: Accounts, policy: Policy, run: Run) -> dict[str, Reconciliation]:
    """
    Read the balance of every account, compare its fall since the last such reading with the ledger, and settle what
    is in doubt.

    Left out are accounts that count no credits, cannot be read, or spent within `LAG_S`: their balance may be behind.

    Returns:
        The reconciliations by account, without accounts that have no earlier reading.
    """
    reconciliations: dict[str, Reconciliation] = {}
    for account in policy.accounts:
        began = run.now()
        gate = read_balance(accounts, policy, run, account)
        if gate.reading is None or gate.balance_at < began or accounts.ledger.spent(began - LAG_S, account):
            continue
        reconciliation = None
        if (last := last_reading(catalogue, account)) is not None:
            totals = accounts.ledger.totals(last.started_at, began, account)
            reconciliation = reconcile(last.balance, gate.reading, charged_of(totals), in_doubt_of(totals))
            reconciliations[account] = reconciliation
            _settle(catalogue, accounts, account, gate.reading, began)
        catalogue.run_log.write(
            BalanceRecord(
                run_id=run.name.run_id,
                job=run.name.job,
                collections=None,
                started_at=began,
                account=account,
                balance=gate.reading,
                drift=reconciliation.drift if reconciliation else None,
                sound=reconciliation is None or reconciliation.sound,
                because=reconciliation.because if reconciliation else "",
            )
        )
    return reconciliations


def _settle(catalogue: Catalogue, accounts: Accounts, account: str, balance: Decimal, now: float) -> None:
    """Record which attempts in doubt a reading of the balance shows to be charged, and which to be free."""
    readings = _readings(catalogue, account)
    since = readings[-1].started_at
    if not in_doubt_of(accounts.ledger.totals(since, now, account)):
        return
    doubts = [a for a in accounts.ledger.log(since) if a.account == account and a.state is AttemptState.IN_DOUBT]
    before = next(reading for reading in readings if reading.started_at <= doubts[0].started_at)
    totals = accounts.ledger.totals(before.started_at, now, account)
    charges = charged_of(totals), totals.get(AttemptState.UNUSABLE, Totals()).credits_charged
    for each in settle_doubts(doubts, before.balance - balance, *charges):
        attempt, detail = each.attempt, f"{each.attempt.detail}; {each.because}"
        end = (each.state, each.credits_charged, detail, attempt.answer, attempt.request_id, attempt.kind)
        accounts.ledger.close_attempt(attempt.id, *end)


def last_reading(catalogue: Catalogue, account: str) -> BalanceRecord | None:
    """Return the last reading of an account that was compared with the ledger."""
    return next(iter(_readings(catalogue, account)), None)


def _readings(catalogue: Catalogue, account: str) -> list[BalanceRecord]:
    """Return the latest readings of an account, newest first."""
    return [each for each in catalogue.run_log.read(BalanceRecord, limit=_READINGS) if each.account == account]


def charged_of(totals: dict[AttemptState, Totals]) -> Decimal:
    """Return the credits charged, with or without a resulting cutout."""
    return sum((each.credits_charged for each in totals.values()), Decimal(0))


def in_doubt_of(totals: dict[AttemptState, Totals]) -> Decimal:
    """Return the further credits that may have been charged."""
    return totals.get(AttemptState.IN_DOUBT, Totals()).credits_expected


def standing(accounts: Accounts, run: Run, account: str, days: int = 30) -> dict[str, Any]:
    """Return the state of an account's money in JSON types; sums cover that many days."""
    gate = accounts.gates.gate(account)
    now = run.now()
    left = left_of(accounts, gate)
    totals = accounts.ledger.totals(now - days * _DAY_S, now + 1, account)
    spent = charged_of(totals)
    ends = runs_out_on(left, spent, days, now)
    return {
        "state": gate.state.value,
        "reason": gate.reason.value or None,
        "balance": None if left is None else float(left),
        "reading": None if gate.reading is None else float(gate.reading),
        "drift": None if gate.drift is None else float(gate.drift),
        "charged": float(spent),
        "wasted": float(totals.get(AttemptState.UNUSABLE, Totals()).credits_charged),
        "in_doubt": float(in_doubt_of(totals)),
        "awaited": totals.get(AttemptState.ANSWERED, Totals()).attempts,
        "runs_out_on": ends.isoformat() if ends else None,
    }


def free_calls(accounts: Accounts, run: Run, account: str, quota: FreeCalls) -> str:
    """Return how many of an account's free calls were used by the ledger, for a person."""
    now = run.now()
    uncharged = [
        attempt.started_at
        for attempt in accounts.ledger.log(now - 30 * _DAY_S)
        if attempt.account == account and not attempt.credits_charged and attempt.state in _ANSWERED
    ]
    today = sum(at > now - _DAY_S for at in uncharged)
    counts = [(today, quota.a_day, "in 24 hours"), (len(uncharged), quota.a_month, "in 30 days")]
    return "free calls: " + ", ".join(f"{count} of {most:,} {when}" for count, most, when in counts if most)


def left_of(accounts: Accounts, gate: Gate) -> Decimal | None:
    """Return the credits that should be left now: the last reading, counted down since."""
    return counted(gate, accounts.ledger.spent(gate.balance_at, gate.account))


def limits_of(accounts: Accounts, gate: Gate, now: float) -> Learned:
    """Return the limits that an account is known to have, and when it may be sent requests again."""
    limits = learned(limits_from(accounts.gates.limits(gate.account)), now)
    closed_until = gate.opens_at if not gate.is_open else 0.0
    waits = max(closed_until, limits.waits_until or 0.0)
    return replace(limits, waits_until=waits if waits > now else None)


def saved_since(catalogue: Catalogue, since: float) -> Decimal:
    """Return the credits saved by duplicates, renames, new renditions, and engines before an account."""
    records = catalogue.run_log.read(ProcessRecord, since, _ALL_RECORDS)
    return sum((record.summary.saved for record in records), Decimal(0))
