"""Sensors that tell of failures and send alerts, and that clear away dead and old runs. Each looks only at own runs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from bg_pipeline import errors
from bg_pipeline.core.alerts import explanation, inert
from bg_pipeline.core.keys import decode_partition
from bg_pipeline.core.runlog import FailureKind, Stage
from bg_pipeline.errors import BgPipelineError, ConfigurationError
from bg_pipeline.orchestration.names import (
    DETECT,
    DETECTION_ASSETS,
    PROCESS_DELTA,
    PROCESS_PENDING,
    PROCESSING_ASSETS,
    Names,
)
from bg_pipeline.orchestration.opener import ERROR, Opener
from bg_pipeline.orchestration.retention import delete_old
from bg_pipeline.orchestration.runs import find_dead_runs
from bg_pipeline.orchestration.schedule import (
    SCHEDULE,
    LoadedSchedule,
    location_name,
    night_of,
    nights_due,
    schedule_state,
)
from bg_pipeline.pipeline.alerting.failures import kind_of, note_failure
from bg_pipeline.pipeline.alerting.notify import deliver, notify
from bg_pipeline.ports.context import RunName

_SHOWN = 5
"""Most alerts that the tick of their sensor shows."""

_SUCCEEDED = frozenset({"SUCCESS", "SKIPPED"})


def lost_runs(opener: Opener) -> dg.SensorDefinition:
    """Return the sensor that ends dead runs."""
    names = opener.names

    @dg.sensor(
        name=names.name("lost_runs"),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks runs whose process died as failed, and frees their slots.",
    )
    def lost_runs(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """Mark runs that look dead at two ticks in a row: a step that has just begun holds no lease either."""
        with opener.monitor() as monitor:
            records = find_dead_runs(context.instance, monitor, names, location_name(context))
        suspects = {record.dagster_run.run_id: record.dagster_run for record in records}
        dead = sorted(set(suspects) & set(json.loads(context.cursor or "[]")))
        for run_id in dead:
            why = "its process is gone: it sent no heartbeat for minutes"
            context.instance.report_run_failed(suspects[run_id], why)
            context.instance.event_log_storage.free_concurrency_slots_for_run(run_id)
        marked = f"marked as failed: {', '.join(run_id[:8] for run_id in dead)}"
        status = marked if dead else "all running runs are healthy"
        return dg.SensorResult(skip_reason=status, cursor=json.dumps(sorted(set(suspects) - set(dead))))

    return lost_runs


def old_runs(opener: Opener) -> dg.SensorDefinition:
    """Return the sensor that deletes old runs."""
    names = opener.names

    @dg.sensor(
        name=names.name("old_runs"),
        minimum_interval_seconds=3600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Deletes runs older than BG_RUN_DAYS. The newest of each asset and collection stays.",
    )
    def old_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Delete old runs, but no unfinished one."""
        try:
            days = opener.schedule().run_days
        except ConfigurationError as error:
            return dg.SkipReason(f"nothing is deleted: {error}")
        deleted = delete_old(context.instance, datetime.now(UTC) - timedelta(days=days), names, location_name(context))
        return dg.SkipReason(f"deleted {len(deleted)} runs older than {days} days" if deleted else "no run to delete")

    return old_runs


def alerts(opener: Opener, loaded: LoadedSchedule) -> dg.SensorDefinition:
    """Return the sensor that sends alerts."""
    names = opener.names

    @dg.sensor(
        name=names.name("alerts"),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends alerts: once when something begins, daily while it lasts, once when it is over.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """
        Send alerts in a tick of their own: a target that hangs delays no run and no other sensor.

        Its text in the UI names the present alerts. It needs only the manifest and the alert settings, so it also
        reports that another setting is wrong.
        """
        with opener.monitor() as monitor:
            state = schedule_state(context, names.name(SCHEDULE))
            due_at = nights_due(loaded.settings, state, monitor.now())
            check = opener.check_alerts(monitor, due_at, lambda at: night_of(loaded.settings, state, at, at))
            planned = notify(monitor, check)
            operating_url = monitor.alerting.operating_url
            sent = deliver(monitor.alerting.outbox, monitor.alerting.sink, monitor.now)
        refused = "".join(f"; {refusal}" for refusal in sent.refusals)
        present = "".join(f"; {inert(a.title)}: {explanation(a.kind, operating_url)}" for a in check.alerts[:_SHOWN])
        return dg.SkipReason(f"new notifications: {len(planned)}, delivered: {sent.sent}{refused}{present}")

    return alerts


def failed_runs(opener: Opener) -> dg.SensorDefinition:
    """Return the sensor that records failed runs."""
    names = opener.names

    @dg.run_failure_sensor(
        name=names.name("failed_runs"),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Records which run failed and why, for `alerts`.",
    )
    def failed_runs(context: dg.RunFailureSensorContext) -> None:
        """Record the message that the step failed with, if there is one: it names the cause in one line."""
        run = context.dagster_run
        failed_in = list(context.get_step_failure_events())
        if not names.fails_with(run, [str(event.step_key) for event in failed_in]):
            return
        kind = kind_of(_error(failed_in)) if failed_in else FailureKind.PROCESS
        if kind is None:
            return
        key = context.partition_key
        with opener.monitor() as monitor:
            note_failure(
                monitor,
                RunName(run.run_id, run.job_name),
                kind,
                _cause(failed_in, context.failure_event.message),
                _stage_of(context, names),
                collection=decode_partition(key) if key else None,
            )

    return failed_runs


def _error(failed_in: Sequence[dg.DagsterEvent]) -> type[BgPipelineError] | None:
    """Return the class of the error that a step failed with; None for errors of other packages."""
    for event in failed_in:
        failure = event.step_failure_data.user_failure_data
        if failure is not None and ERROR in failure.metadata:
            error = getattr(errors, str(failure.metadata[ERROR].value), None)
            return error if isinstance(error, type) else None
    return None


def _stage_of(context: dg.RunFailureSensorContext, names: Names) -> Stage:
    """Return the stage of the first step that did not succeed: a killed process leaves no failure of its step."""
    run = context.dagster_run
    ended = {each.step_key: each.status for each in context.instance.get_run_step_stats(run.run_id)}
    succeeded = {step for step, status in ended.items() if status is not None and status.value in _SUCCEEDED}
    left, done = ({step.partition(".")[0] for step in steps} for steps in (ended.keys() - succeeded, succeeded))
    planned = {"__".join(asset.path) for asset in run.asset_selection or ()}
    steps = left or (planned - done)
    if run.job_name == names.name(DETECT) or steps & set(map(names.step, DETECTION_ASSETS)):
        return Stage.DETECTION
    jobs = {names.name(PROCESS_PENDING), names.name(PROCESS_DELTA)}
    processes = run.job_name in jobs or steps & set(map(names.step, PROCESSING_ASSETS))
    return Stage.PROCESSING if processes else Stage.OTHER


def _cause(failed_in: Sequence[dg.DagsterEvent], message: str | None) -> str:
    for event in failed_in:
        failure = event.step_failure_data.user_failure_data
        if failure is not None and failure.description:
            return str(failure.description)
    return message or "it failed without a message"
