"""The state of catalogues and accounts in numbers, read from the manifest alone."""

from collections.abc import Iterator, Mapping

from bg_pipeline.core.gate import GateState
from bg_pipeline.core.metrics import Labels, Metric
from bg_pipeline.core.records import AttemptState
from bg_pipeline.core.runlog import ClearOutRecord, DetectRecord, ProcessRecord, Record, ScanRecord
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.purchasing.money import charged_of, left_of

_STAGES: tuple[type[Record], ...] = (ScanRecord, DetectRecord, ClearOutRecord, ProcessRecord)


def metrics_of(pipelines: Mapping[str, Pipeline]) -> list[Metric]:
    """
    Return the metrics of catalogues by name, and of the accounts that they buy at.

    Any process on any machine that can open the manifest returns the same.

    Raises:
        StateError: the manifest cannot be read.
    """
    accounts = {account: each for each in pipelines.values() for account in each.policy.accounts}
    return [*_of_catalogues(pipelines), *_of_accounts(accounts)]


def _of_catalogues(pipelines: Mapping[str, Pipeline]) -> Iterator[Metric]:
    items: dict[Labels, float] = {}
    ended_at: dict[Labels, float] = {}
    seconds: dict[Labels, float] = {}
    pictures: dict[Labels, float] = {}
    for name, pipeline in pipelines.items():
        catalogue = pipeline.catalogue
        items |= {(name, state): count for state, count in catalogue.items.states().items()}
        for kind in _STAGES:
            for record in catalogue.run_log.read(kind):
                ended_at[name, kind.kind] = record.ended_at
                seconds[name, kind.kind] = max(0.0, record.ended_at - record.started_at)
        for last in catalogue.run_log.read(ProcessRecord):
            for outcome in ("published", "purchases", "failed", "quarantined", "pending"):
                pictures[name, outcome] = getattr(last.summary, outcome)
    yield Metric("bg_pipeline_items", "Items by state.", ("catalogue", "state"), items)
    yield Metric(
        "bg_pipeline_last_run_items", "Outcomes of the last run over pending work.", ("catalogue", "outcome"), pictures
    )
    by_stage = ("catalogue", "stage")
    yield Metric("bg_pipeline_stage_duration_seconds", "Duration of the last stage of this kind.", by_stage, seconds)
    yield Metric("bg_pipeline_stage_end_timestamp_seconds", "End of that stage, epoch seconds.", by_stage, ended_at)


def _of_accounts(accounts: Mapping[str, Pipeline]) -> Iterator[Metric]:
    attempts: dict[Labels, float] = {}
    charged: dict[Labels, float] = {}
    balance: dict[Labels, float] = {}
    gates: dict[Labels, float] = {}
    for name, pipeline in accounts.items():
        shared = pipeline.accounts
        totals = shared.ledger.totals(0.0, pipeline.run.now() + 1, name)
        attempts |= {(name, state): totals[state].attempts if state in totals else 0 for state in AttemptState}
        charged[name,] = float(charged_of(totals))
        gate = shared.gates.gate(name)
        if (left := left_of(shared, gate)) is not None:
            balance[name,] = float(left)
        gates |= {(name, state): float(gate.state is state) for state in GateState}
    # No counter: an answer that is awaited, or in doubt, has another outcome later.
    yield Metric("bg_pipeline_attempts", "Purchase attempts by outcome.", ("account", "outcome"), attempts)
    yield Metric("bg_pipeline_credits_charged_total", "Credits charged.", ("account",), charged)
    yield Metric("bg_pipeline_balance_credits", "Credits that are left.", ("account",), balance)
    yield Metric("bg_pipeline_gate", "1 for the state of the gate, 0 for the other.", ("account", "state"), gates)
