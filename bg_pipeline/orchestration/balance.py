"""The balance as an asset: a plot over the weeks, and a check that is red while the gate is closed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import dagster as dg

from bg_pipeline.core.gate import Gate, Thresholds
from bg_pipeline.orchestration.assets import OWNERS
from bg_pipeline.orchestration.resources import PipelineResource
from bg_pipeline.steps.gate import look, why_closed

ASSET = "credit_balance"
CHECK = "gate_open"

EVERY_S = 3600.0
"""A balance that only went down a little is written no more often: at each tick it would be megabytes a night."""

credit_balance = dg.AssetSpec(
    ASSET,
    description="Credits left at the provider, as `low_credit_sensor` reads them. Below the threshold no run buys.",
    group_name="money",
    owners=OWNERS,
    kinds={"python"},
)


@dg.asset_check(
    asset=ASSET,
    name=CHECK,
    description="The gate is open: the provider may be sent pictures. It opens by itself after a top-up.",
)
def gate_open(pipeline: PipelineResource) -> dg.AssetCheckResult:
    with pipeline.open() as parts:
        gate, thresholds = look(parts), parts.thresholds
    return dg.AssetCheckResult(passed=gate.is_open, metadata=_facts(gate, thresholds))


@dataclass(frozen=True, slots=True)
class Told:
    """What was last written down."""

    state: str = ""
    reason: str = ""
    episode: int = -1
    balance: str = ""
    at: float = 0.0

    @classmethod
    def from_cursor(cls, cursor: str | None) -> "Told":
        try:
            return cls(**json.loads(cursor or "{}"))
        except (ValueError, TypeError):
            return cls()

    def cursor(self) -> str:
        return json.dumps(asdict(self))


def news(
    gate: Gate, thresholds: Thresholds, before: Told, now: float
) -> tuple[Told, Sequence[dg.AssetMaterialization | dg.AssetCheckEvaluation]]:
    """What is to be remembered and written: a moved gate at once, a moved balance once an hour."""
    told = Told(gate.state.value, gate.reason.value, gate.episode, str(gate.balance), now)
    moved = (told.state, told.reason, told.episode) != (before.state, before.reason, before.episode)
    if not moved and (told.balance == before.balance or now - before.at < EVERY_S):
        return before, []
    facts = _facts(gate, thresholds)
    events: list[dg.AssetMaterialization | dg.AssetCheckEvaluation] = [dg.AssetMaterialization(ASSET, metadata=facts)]
    if moved:
        events.append(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(ASSET),
                check_name=CHECK,
                passed=gate.is_open,
                metadata=facts,
                severity=dg.AssetCheckSeverity.ERROR,
            )
        )
    return told, events


def _facts(gate: Gate, thresholds: Thresholds) -> dict[str, dg.MetadataValue]:
    facts: dict[str, dg.MetadataValue] = {"provider": dg.MetadataValue.text(gate.provider)}
    if gate.balance is not None:
        facts["balance"] = dg.MetadataValue.float(float(gate.balance))
    if not gate.is_open:
        facts["closed"] = dg.MetadataValue.text(why_closed(gate, thresholds))
    return facts
