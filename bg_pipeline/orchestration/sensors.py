"""Sensors that request runs: for pending items, and for a missed night."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import dagster as dg

from bg_pipeline.core.dispatch import should_request_run
from bg_pipeline.core.gate import first_open
from bg_pipeline.core.night_window import Night, why_not_now
from bg_pipeline.core.runlog import DetectRecord, ProcessRecord, RetryRecord
from bg_pipeline.errors import StoreError
from bg_pipeline.orchestration.balance import balances_of, in_words
from bg_pipeline.orchestration.names import DETECT, PROCESS_PENDING, Names
from bg_pipeline.orchestration.opener import DELTA, PAUSES, UNTIL, Opener
from bg_pipeline.orchestration.runs import runs_of_delta
from bg_pipeline.orchestration.schedule import (
    SCHEDULE,
    LoadedSchedule,
    last_due,
    location_name,
    night_of,
    schedule_state,
)
from bg_pipeline.pipeline.ownership import find_foreign_store
from bg_pipeline.pipeline.publish import probe_stores
from bg_pipeline.ports.context import DETECTION, Pipeline
from bg_pipeline.purchasing.gate import gates_of

_MOST_ROWS = 1_000
"""Most records since the last detection to search for the last run that processed everything."""

LATE_S = 900.0
"""Seconds without a detection after which a night counts as missed. The scheduler catches up within a minute."""


def delta_dispatch(opener: Opener, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Return the sensor that requests the runs that buy."""
    names = opener.names

    @dg.sensor(
        name=names.name("delta_dispatch"),
        job_name=names.name(PROCESS_PENDING),
        minimum_interval_seconds=30,
        default_status=status,
        description="Requests one run for all pending items, while the gate is open.",
    )
    def delta_dispatch(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """
        Request a run.

        Its key names detection, pause and try: Dagster never runs a key twice, even after a failure.
        """
        with opener.open() as services:
            gates = gates_of(services.accounts, services.policy)
            if not first_open(gates).is_open:
                balances = balances_of(services.accounts, gates)
                return dg.SkipReason(in_words(balances, services.policy.thresholds, services.run.now()))
            night = partial(night_of, opener.schedule(), schedule_state(context, names.name(SCHEDULE)))
            return request_run(context.instance, services, names, night, location_name(context))

    return delta_dispatch


def request_run(
    instance: dg.DagsterInstance,
    pipeline: Pipeline,
    names: Names,
    night_of: Callable[[float, float], Night | None],
    location: str | None = None,
) -> dg.RunRequest | dg.SkipReason:
    """
    Return a run request if pending items need a run, else the reason why not.

    Args:
        instance: where the earlier runs are.
        pipeline: the whole pipeline.
        names: of the catalogue.
        night_of: returns the night of the last detection at a time, as `schedule.night_of`.
        location: name of the code location; see `Names.owns`.
    """
    catalogue, accounts, policy, run = pipeline.context
    pending = sum(catalogue.queue.pending().values())
    if not pending:
        return dg.SkipReason("nothing is pending")
    if foreign := find_foreign_store(pipeline):
        return dg.SkipReason(str(foreign))
    pause = sum(gate.pause for gate in gates_of(accounts, policy))
    records = [*catalogue.run_log.read(DetectRecord), *catalogue.run_log.read(RetryRecord)]
    since = max((record.ended_at for record in records), default=0.0)
    night = night_of(since, run.now())
    if night and (why := why_not_now(night, since, run.now())):
        return dg.SkipReason(f"{pending} items are pending: {why}")
    delta = datetime.fromtimestamp(since, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ended = catalogue.run_log.read(ProcessRecord, since, _MOST_ROWS)
    last = next((record.summary for record in ended if record.everything), None)
    decision = should_request_run(runs_of_delta(instance, pipeline, names, delta, location), last, pause, run.now())
    if not decision.request:
        return dg.SkipReason(f"{pending} items are pending: {decision.why}")
    try:
        probe_stores(catalogue, accounts)
    except StoreError as error:
        return dg.SkipReason(f"{pending} items are pending, and nothing is bought: {error}")
    # Counts only runs of this detection: old runs are deleted, and Dagster ignores a `run_key` used before.
    tries = instance.get_runs_count(dg.RunsFilter(job_name=names.name(PROCESS_PENDING), tags={DELTA: delta}))
    return dg.RunRequest(
        run_key=f"delta of {delta}, pause {pause}, try {tries + 1}",
        tags={
            DELTA: delta,
            PAUSES: str(pause),
            "bg_pipeline/asked_because": f"{pending} items are pending: {decision.why}",
            **({UNTIL: datetime.fromtimestamp(night.ends_at, UTC).isoformat()} if night else {}),
        },
    )


def missed_night(opener: Opener, loaded: LoadedSchedule) -> dg.SensorDefinition:
    """Return the sensor that repeats a missed detection."""
    names = opener.names

    @dg.sensor(
        name=names.name("missed_night"),
        job_name=names.name(DETECT),
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Repeats a detection that was missed or failed: the machine was off, or a share was not mounted.",
    )
    def missed_night(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Request one detection for the last missed night, however many were missed before it."""
        if loaded.problem:
            return dg.SkipReason(loaded.problem)
        schedule = schedule_state(context, names.name(SCHEDULE))
        if not schedule.is_on:
            return dg.SkipReason(
                f"the schedule {names.name(SCHEDULE)} is switched off, so no night is due: switch it on in the UI,"
                " under Automation"
            )
        with opener.open() as services:
            now = services.run.now()
            due = last_due(loaded.settings, now)
            detected = services.catalogue.run_log.read(DetectRecord)
            busy = [lease for lease, _ in services.catalogue.leases.leases() if lease.name == DETECTION]
        name = datetime.fromtimestamp(due, UTC).isoformat(timespec="minutes")
        if not detected:
            why_not = "there was no night yet: the schedule starts the first"
        elif detected[0].ended_at >= due:
            why_not = f"the night of {name} is complete"
        elif due < schedule.on_since:
            why_not = f"the schedule was switched on after {name}: it starts the next night"
        elif busy:
            why_not = f"a detection is running: {busy[0].owner}"
        else:
            why_not = f"the schedule may still start the night of {name}" if now < due + LATE_S else ""
        if why_not:
            return dg.SkipReason(why_not)
        # Once an hour until one completes: the share may still not be mounted.
        late_h = int((now - due) // 3600)
        return dg.RunRequest(
            run_key=f"night of {name}, {late_h} h late", tags={"bg_pipeline/catches_up": f"the night of {name}"}
        )

    return missed_night
