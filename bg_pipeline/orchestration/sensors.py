"""What starts runs when there is work, keeps the gate in step with the balance, and clears away dead runs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._utils.schedules import get_latest_completed_cron_tick

from bg_pipeline.config import load_night
from bg_pipeline.core.credits import why_closed
from bg_pipeline.core.dispatch import ask_again
from bg_pipeline.core.gate import Gate, way
from bg_pipeline.core.keys import decode_partition
from bg_pipeline.core.report import Summary
from bg_pipeline.orchestration.balance import Told, news
from bg_pipeline.orchestration.jobs import detect_delta, process_pending
from bg_pipeline.orchestration.pool import hold, let_go
from bg_pipeline.orchestration.resources import EPISODE, EVERYTHING, WAVE, PipelineResource
from bg_pipeline.orchestration.retention import delete_old
from bg_pipeline.orchestration.runs import lifeless, of_wave
from bg_pipeline.steps.alerting import alert, deliver, note_failure
from bg_pipeline.steps.gate import gates_of, look_at_all
from bg_pipeline.steps.money import left_of
from bg_pipeline.steps.parts import Parts

_MOST_ROWS = 1_000
"""Backfills since the last detection that are looked past for the last run that did everything."""

LATE_S = 900.0
"""After so long without a detection a night counts as missed. The scheduler itself catches up within a minute."""


@dg.sensor(
    job=process_pending,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for one run that does all that is pending, while the gate is open.",
)
def delta_dispatch(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.RunRequest | dg.SkipReason:
    """`run_key` names wave, pause and try: Dagster dedupes it for ever, also after a failed run."""
    with pipeline.open() as parts:
        gates = gates_of(parts)
        if not way(gates).is_open:
            return dg.SkipReason(_says(parts, gates))
        return request_run(context.instance, parts)


def request_run(instance: dg.DagsterInstance, parts: Parts) -> dg.RunRequest | dg.SkipReason:
    """A request if a run is wanted for what is pending; else why not."""
    pending = sum(parts.manifest.pending_collections().values())
    if not pending:
        return dg.SkipReason("nothing is pending")
    episode = sum(gate.episode for gate in gates_of(parts))
    since = max((ended for kind in ("detect", "retry") for ended, _ in parts.control.syncs(kind)), default=0.0)
    wave = f"{since:.3f}"
    runs = of_wave(instance, parts, wave)
    ended = (facts for _, facts in parts.control.syncs("process", since=since, limit=_MOST_ROWS))
    last = next((Summary.from_dict(facts) for facts in ended if facts.get(EVERYTHING)), None)
    decision = ask_again(runs, last, episode, parts.now())
    if not decision.ask:
        return dg.SkipReason(f"{pending} items are pending: {decision.why}")
    return dg.RunRequest(
        # Only those of this wave are counted: others come and go, and a number that comes again is never run.
        run_key=f"{wave}/{episode}/{instance.get_runs_count(dg.RunsFilter(tags={WAVE: wave}))}",
        tags={
            WAVE: wave,
            EPISODE: str(episode),
            "bg_pipeline/pending": str(pending),
            "bg_pipeline/asked_because": decision.why,
        },
    )


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reads the balance. Below the threshold it closes the gate and sets the pool `cutouts` to 0; after a "
    "top-up it opens the one and puts back the other.",
)
def low_credit_sensor(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.SensorResult:
    """Never starts a run: its tick says how the gate stands, and `credit_balance` shows it over time."""
    with pipeline.open() as parts:
        gates = look_at_all(parts)
        told, events = news(gates, parts.thresholds, Told.from_cursor(context.cursor), parts.now())
        says = _says(parts, gates)
    (let_go if way(gates).is_open else hold)(context.instance)
    return dg.SensorResult(skip_reason=says, cursor=told.cursor(), asset_events=events)


def _says(parts: Parts, gates: Sequence[Gate]) -> str:
    told = []
    for gate in gates:
        left = left_of(parts, gate)
        counted = "counts no credits" if left is None else f"{left} credits"
        open_one = f"{gate.provider}: {counted}, the gate is open"
        told.append(open_one if gate.is_open else why_closed(gate, parts.thresholds, left))
    return "; ".join(told)


@dg.sensor(
    job=detect_delta,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Catches up a night that did not come to its end: the machine was off, the share not mounted.",
)
def missed_night(pipeline: PipelineResource) -> dg.RunRequest | dg.SkipReason:
    """One run a missed night, however many were missed before it."""
    night = load_night()
    with pipeline.open() as parts:
        now = parts.now()
        due = get_latest_completed_cron_tick(
            night.bg_nightly_cron, datetime.fromtimestamp(now, UTC), night.bg_timezone
        ).timestamp()
        found = parts.control.syncs("detect")
        busy = [lease for lease, _ in parts.control.leases() if lease.name == "detection"]
    name = datetime.fromtimestamp(due, UTC).isoformat(timespec="minutes")
    if not found:
        return dg.SkipReason("there was no night yet: the schedule will start the first")
    if found[0][0] >= due:
        return dg.SkipReason(f"the night of {name} is complete")
    if busy:
        return dg.SkipReason(f"{busy[0].owner} is at it")
    if now < due + LATE_S:
        return dg.SkipReason(f"the night of {name} may still come by itself")
    # Once an hour until one comes to its end: the share may still not be mounted.
    late_h = int((now - due) // 3600)
    return dg.RunRequest(run_key=f"night of {name}, {late_h} h late", tags={"bg_pipeline/catches_up": name})


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks runs as failed whose process is gone, so that they hold no place of the living.",
)
def lost_runs(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.SensorResult:
    """Two looks in a row: between two of its steps a living run shows no sign of life either."""
    with pipeline.open() as parts:
        found = {record.dagster_run.run_id: record.dagster_run for record in lifeless(context.instance, parts)}
    dead = sorted(set(found) & set(json.loads(context.cursor or "[]")))
    for run_id in dead:
        context.instance.report_run_failed(found[run_id], "its process is gone: it showed no sign of life for minutes")
        context.instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    said = f"marked as failed: {', '.join(run_id[:8] for run_id in dead)}" if dead else "every started run lives"
    return dg.SensorResult(skip_reason=said, cursor=json.dumps(sorted(set(found) - set(dead))))


@dg.sensor(
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Deletes runs older than BG_RUN_DAYS. The newest of each asset and collection stays.",
)
def old_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Never an unfinished run, however old."""
    days = load_night().bg_run_days
    gone = delete_old(context.instance, datetime.now(UTC) - timedelta(days=days))
    return dg.SkipReason(f"deleted {len(gone)} runs older than {days} days" if gone else "no run is to be deleted")


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells a person what is wrong: once when it begins, daily while it lasts, once when it is over.",
)
def alerts(pipeline: PipelineResource) -> dg.SkipReason:
    """In a tick of its own, so that a target that hangs keeps no run and no other sensor waiting."""
    with pipeline.open() as parts:
        told = alert(parts)
        sent = deliver(parts.alerting.outbox, parts.alerting.sink, parts.now)
    refused = f"; not taken by {', '.join(sent.refused_by)}" if sent.refused_by else ""
    return dg.SkipReason(f"news: {len(told)}, letters sent: {sent.sent}{refused}")


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Writes down which run failed on what, for `alerts`.",
)
def failed_runs(context: dg.RunFailureSensorContext, pipeline: PipelineResource) -> None:
    """The sentence that the step failed with, where there is one: it names the cause in a line."""
    with pipeline.open() as parts:
        run, key = context.dagster_run, context.partition_key
        note_failure(parts, _cause(context), decode_partition(key) if key else None, run.run_id)


def _cause(context: dg.RunFailureSensorContext) -> str:
    for event in context.get_step_failure_events():
        found = event.step_failure_data.user_failure_data
        if found is not None and found.description:
            return str(found.description)
    return context.failure_event.message or "it failed without a word"
