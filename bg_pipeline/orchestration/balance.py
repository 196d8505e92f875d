"""The balance as an asset: a plot over weeks, and a check that fails while the gate is closed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import dagster as dg

from bg_pipeline.core.credits import why_closed
from bg_pipeline.core.gate import Gate, Thresholds, first_open
from bg_pipeline.orchestration.assets import OWNERS
from bg_pipeline.orchestration.resources import PipelineResource
from bg_pipeline.purchasing.gate import read_balances

ASSET = "credit_balance"
CHECK = "gate_open"

EVERY_S = 3600.0
"""Shortest interval between two records of a changed balance. One per tick would add megabytes a night."""

credit_balance = dg.AssetSpec(
    ASSET,
    description="Credits left in each account, read by `low_credit_sensor`. Below the threshold nothing is bought.",
    group_name="money",
    owners=OWNERS,
    kinds={"python"},
)


@dg.asset_check(
    asset=ASSET,
    name=CHECK,
    description="At least one account allows requests. After a top-up its gate opens by itself.",
)
def gate_open(pipeline: PipelineResource) -> dg.AssetCheckResult:
    with pipeline.open() as services:
        gates, thresholds = read_balances(services.accounts, services.policy, services.run), services.policy.thresholds
    return dg.AssetCheckResult(passed=first_open(gates).is_open, metadata=_facts(gates, thresholds))


@dataclass(frozen=True, slots=True)
class LastReported:
    """Values at the last record."""

    gates: str = ""
    balances: str = ""
    at: float = 0.0

    @classmethod
    def from_cursor(cls, cursor: str | None) -> "LastReported":
        try:
            return cls(**json.loads(cursor or "{}"))
        except (ValueError, TypeError):
            return cls()

    def cursor(self) -> str:
        return json.dumps(asdict(self))


def changes_since(
    gates: Sequence[Gate], thresholds: Thresholds, before: LastReported, now: float
) -> tuple[LastReported, Sequence[dg.AssetMaterialization | dg.AssetCheckEvaluation]]:
    """Return the new cursor and the events to write: a changed gate at once, a changed balance once an hour."""
    reported = LastReported(
        "; ".join(f"{gate.account} {gate.state} {gate.reason} {gate.pause}" for gate in gates),
        "; ".join(str(gate.balance) for gate in gates),
        now,
    )
    gate_changed = reported.gates != before.gates
    if not gate_changed and (reported.balances == before.balances or now - before.at < EVERY_S):
        return before, []
    facts = _facts(gates, thresholds)
    events: list[dg.AssetMaterialization | dg.AssetCheckEvaluation] = [dg.AssetMaterialization(ASSET, metadata=facts)]
    if gate_changed:
        events.append(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(ASSET),
                check_name=CHECK,
                passed=first_open(gates).is_open,
                metadata=facts,
                severity=dg.AssetCheckSeverity.ERROR,
            )
        )
    return reported, events


def _facts(gates: Sequence[Gate], thresholds: Thresholds) -> dict[str, dg.MetadataValue]:
    """Name the first account's balance `balance`, so that its plot continues when a second account is added."""
    facts: dict[str, dg.MetadataValue] = {}
    for number, gate in enumerate(gates):
        suffix = f"_{gate.account}" if number else ""
        facts[f"provider{suffix}"] = dg.MetadataValue.text(gate.account)
        if gate.balance is not None:
            facts[f"balance{suffix}"] = dg.MetadataValue.float(float(gate.balance))
        if not gate.is_open:
            facts[f"closed{suffix}"] = dg.MetadataValue.text(why_closed(gate, thresholds))
    return facts
