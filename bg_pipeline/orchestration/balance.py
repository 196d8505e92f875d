"""
The balance as an asset: a plot over weeks, and a check that fails while the gate is closed.

Tick, asset and check show the same `Balance`: the last reading, counted down by what was spent since.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal

import dagster as dg

from bg_pipeline.core.credits import why_closed
from bg_pipeline.core.gate import Gate, Thresholds, first_open
from bg_pipeline.core.moments import age_s, ago
from bg_pipeline.orchestration.metadata import OWNERS, Metadata
from bg_pipeline.orchestration.resources import PipelineResource
from bg_pipeline.ports.context import Accounts
from bg_pipeline.purchasing.gate import read_balances
from bg_pipeline.purchasing.money import left_of

ASSET = "credit_balance"
CHECK = "gate_open"

EVERY_S = 600.0
"""Longest time in seconds until a balance that falls is written again. One event per tick would add megabytes a
night."""

_SHORTEST_S = 60.0
"""Shortest time in seconds between two events, unless a gate moved."""

Event = dg.AssetMaterialization | dg.AssetCheckEvaluation

credit_balance = dg.AssetSpec(
    ASSET,
    description="The credits left in each account: its last reading, minus what was spent since. The sensor "
    "`low_credit_sensor` reads it twice a minute and writes it here within a minute, or every ten minutes while a run "
    "spends. Below BG_LOW_CREDITS nothing is bought.",
    group_name="money",
    owners=OWNERS,
    kinds={"python"},
)


@dg.asset_check(
    asset=ASSET,
    name=CHECK,
    description="At least one account allows requests. If none does, the entry `gate` says why and what to do; after a "
    "top-up a gate opens by itself.",
)
def gate_open(pipeline: PipelineResource) -> dg.AssetCheckResult:
    with pipeline.open() as services:
        thresholds = services.policy.thresholds
        gates = read_balances(services.accounts, services.policy, services.run)
        facts = _facts(balances_of(services.accounts, gates), thresholds)
    return dg.AssetCheckResult(passed=first_open(gates).is_open, metadata=facts)


@dataclass(frozen=True, slots=True)
class Balance:
    """The gate of an account and the credits that should be left now; None where none are counted."""

    gate: Gate
    left: Decimal | None


def balances_of(accounts: Accounts, gates: Sequence[Gate]) -> list[Balance]:
    return [Balance(gate, left_of(accounts, gate)) for gate in gates]


def in_words(balances: Sequence[Balance], thresholds: Mapping[str, Thresholds], now: float) -> str:
    """Return one line about all accounts: the credits left, how old that reading is, and why a gate is closed."""
    return "; ".join(_sentence(balance, thresholds, now) for balance in balances)


def _sentence(balance: Balance, thresholds: Mapping[str, Thresholds], now: float) -> str:
    gate, left = balance.gate, balance.left
    if left is None:
        known, read = "counts no credits", ""
    else:
        known, read = f"{left} credits", f" (balance read {ago(gate.balance_at, now)})"
    if gate.is_open:
        return f"{gate.account}: {known}{read}, requests are allowed"
    return f"{why_closed(gate, thresholds[gate.account], left)}{read}"


@dataclass(frozen=True, slots=True)
class LastReported:
    """Values at the last event, and at the last tick."""

    gates: str = ""
    balances: str = ""
    at: float = 0.0
    """Epoch seconds of the last event."""
    seen: str = ""
    """Balances at the last tick."""

    @classmethod
    def from_cursor(cls, cursor: str | None) -> "LastReported":
        try:
            return cls(**json.loads(cursor or "{}"))
        except (ValueError, TypeError):
            return cls()

    def cursor(self) -> str:
        return json.dumps(asdict(self))


def changes_since(
    balances: Sequence[Balance], thresholds: Mapping[str, Thresholds], before: LastReported, now: float
) -> tuple[LastReported, list[Event]]:
    """
    Return the new cursor and the events to write.

        gate      balance                                 result
        moved     -                                       write
        same      as at the last event                    nothing
        same      as at the last tick: it came to rest    write, a minute after the last event
        same      still moving                            write, `EVERY_S` after the last event
    """
    gates = "; ".join(f"{b.gate.account} {b.gate.state} {b.gate.reason} {b.gate.pause}" for b in balances)
    shown = "; ".join(str(balance.left) for balance in balances)
    wait_s = _SHORTEST_S if shown == before.seen else EVERY_S
    if gates == before.gates and (shown == before.balances or age_s(before.at, now) < wait_s):
        return LastReported(before.gates, before.balances, before.at, shown), []
    return LastReported(gates, shown, now, shown), events_of(balances, thresholds)


def events_of(balances: Sequence[Balance], thresholds: Mapping[str, Thresholds]) -> list[Event]:
    """Return both events: Dagster shows a check as not evaluated if its asset has a newer one."""
    facts = _facts(balances, thresholds)
    check = dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(ASSET),
        check_name=CHECK,
        passed=first_open([balance.gate for balance in balances]).is_open,
        metadata=facts,
        severity=dg.AssetCheckSeverity.ERROR,
    )
    return [dg.AssetMaterialization(ASSET, metadata=facts), check]


def _facts(balances: Sequence[Balance], thresholds: Mapping[str, Thresholds]) -> Metadata:
    """Name the first account's balance `balance`, so that its plot continues when a second account is added."""
    facts: Metadata = {}
    for number, (gate, left) in enumerate((balance.gate, balance.left) for balance in balances):
        suffix = f"_{gate.account}" if number else ""
        facts[f"account{suffix}"] = dg.MetadataValue.text(gate.account)
        if left is not None:
            facts[f"balance{suffix}"] = dg.MetadataValue.float(float(left))
            facts[f"balance_read_at{suffix}"] = dg.MetadataValue.timestamp(gate.balance_at)
        closed = "" if gate.is_open else why_closed(gate, thresholds[gate.account], left)
        facts[f"gate{suffix}"] = dg.MetadataValue.text(closed or "open: requests are allowed")
    return facts
