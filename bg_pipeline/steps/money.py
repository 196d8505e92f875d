"""The ledger held against the balance, and where the money stands."""

from decimal import Decimal
from typing import Any

from bg_pipeline.core.credits import Reconciliation, counted, reconcile, runs_out_on
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.records import AttemptState, Totals
from bg_pipeline.steps.gate import look
from bg_pipeline.steps.parts import Parts

_DAY_S = 86_400.0
_READINGS = 50
"""How many of the last readings are looked through for one of the same provider."""


def reconcile_balances(parts: Parts) -> dict[str, Reconciliation]:
    """
    Read the balance of every provider and hold its fall since the last such reading against the ledger.

    A provider that counts no credits, cannot be read, or has requests in flight is left out.
    """
    found: dict[str, Reconciliation] = {}
    for provider in parts.providers:
        began = parts.now()
        in_flight = AttemptState.INTENT in parts.ledger.totals(0.0, began, provider)
        gate = look(parts, provider)
        sent_since = parts.ledger.totals(began, parts.now() + 1, provider)
        if gate.balance is None or gate.balance_at < began or in_flight or sent_since:
            continue
        facts: dict[str, Any] = {"provider": provider, "balance": float(gate.balance)}
        if (last := last_reading(parts, provider)) is not None:
            since, before = last
            totals = parts.ledger.totals(since, began, provider)
            found[provider] = reconcile(before, gate.balance, charged_of(totals), in_doubt_of(totals))
            drift = found[provider]
            facts |= {"drift": float(drift.drift), "sound": drift.sound, "because": drift.because}
        parts.control.log_sync("balance", began, facts)
    return found


def last_reading(parts: Parts, provider: str) -> tuple[float, Decimal] | None:
    """Epoch second and credits of the last reading that was held against the ledger."""
    for at, facts in parts.control.syncs("balance", limit=_READINGS):
        if facts["provider"] == provider:
            return at, Decimal(str(facts["balance"]))
    return None


def charged_of(totals: dict[AttemptState, Totals]) -> Decimal:
    """Credits that were charged, with or without a cutout to show for it."""
    return sum((each.credits_charged for each in totals.values()), Decimal(0))


def in_doubt_of(totals: dict[AttemptState, Totals]) -> Decimal:
    """Credits that may have been charged besides."""
    return totals.get(AttemptState.IN_DOUBT, Totals()).credits_expected


def standing(parts: Parts, provider: str, days: int = 30) -> dict[str, Any]:
    """How a provider's money stands, in types that JSON has."""
    gate = parts.control.gate(provider)
    now = parts.now()
    left = left_of(parts, gate)
    totals = parts.ledger.totals(now - days * _DAY_S, now + 1, provider)
    spent = charged_of(totals)
    ends = runs_out_on(left, spent, days, now)
    return {
        "state": gate.state.value,
        "reason": gate.reason.value or None,
        "balance": None if left is None else float(left),
        "charged": float(spent),
        "wasted": float(totals.get(AttemptState.UNUSABLE, Totals()).credits_charged),
        "in_doubt": float(in_doubt_of(totals)),
        "runs_out_on": ends.isoformat() if ends else None,
    }


def left_of(parts: Parts, gate: Gate) -> Decimal | None:
    """The balance as it should be now: read once, and counted down since."""
    return counted(gate, parts.ledger.spent(gate.balance_at, gate.provider))


def saved_since(parts: Parts, since: float) -> Decimal:
    """Credits that duplicates, renames and new renditions did not cost."""
    facts = [f for kind in ("sync", "process") for _, f in parts.control.syncs(kind, since, limit=100_000)]
    return sum((Decimal(str(f.get("saved", 0))) for f in facts), Decimal(0))
