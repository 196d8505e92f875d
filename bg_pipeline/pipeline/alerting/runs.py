"""Find failed runs and missed nights. This needs the manifest only, so it works while another setting is wrong."""

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from bg_pipeline.core.alerts import Alert, AlertCheck, Kind, is_over, missed_night, moment
from bg_pipeline.core.keys import encode_partition
from bg_pipeline.core.runlog import (
    ClearOutRecord,
    DetectRecord,
    FailureKind,
    FailureRecord,
    ProcessRecord,
    Record,
    RetryRecord,
    Stage,
)
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.ports.context import DETECTION, Monitor

WINDOW_S = 48 * 3600.0
"""Age limit of the runs to read: it includes the last one even after a long night."""

_FAILURES_S = 7 * 86_400.0
"""Age from which a failure is ignored if it did not happen again."""

MOST_ROWS = 1_000

STAGES: Mapping[Stage, str] = {
    Stage.DETECTION: "detection",
    Stage.CLEAR_OUT: "clearing out",
    Stage.PROCESSING: "processing",
    Stage.OTHER: "job",
}

_SETTINGS_TITLE = "a setting is wrong: {cause}"

_TITLES: Mapping[FailureKind, str] = {
    FailureKind.ERROR: "run failed: {task}: {cause}",
    FailureKind.GUARD: "a guard stopped {task}: {cause}",
    FailureKind.SETTINGS: _SETTINGS_TITLE,
    FailureKind.SOURCE: "the source failed in {task}: {cause}",
    FailureKind.STORE: "a store failed in {task}: {cause}",
    FailureKind.PROCESS: "run ended early: {task}: {cause}",
}

_REPAIRS: Mapping[FailureKind, str] = {
    FailureKind.SETTINGS: "no run starts until it is corrected; `bg-pipeline doctor` checks all settings. ",
    FailureKind.SOURCE: "mount the source or make it readable. ",
    FailureKind.STORE: "make the store writable and give it space. ",
}

_RETRIES: Mapping[Stage, str] = {
    Stage.DETECTION: "Dagster repeats the detection within the hour while the schedule is on",
    Stage.CLEAR_OUT: "the next night repeats it",
    Stage.PROCESSING: "Dagster starts another run for what is pending; what is paid for is kept",
    Stage.OTHER: "start the job again",
}

_CHECKED = frozenset({Kind.RUN_FAILED, Kind.SETTINGS})
"""Kinds that are seen completely without the rest of the pipeline."""


def find_run_alerts(monitor: Monitor, due_at: Sequence[float] | None, *, trash: bool = True) -> Iterator[Alert]:
    """
    Find failed runs and missed nights.

    Args:
        monitor: the records to read.
        due_at: for `core.alerts.missed_night`; None if nights are not checked.
        trash: False if nothing is cleared out, so that no failure of it matters.
    """
    yield from _failed_runs(monitor, trash=trash)
    if due_at:
        yield from _missed_night(monitor, due_at)


def find_alerts_despite(error: ConfigurationError, monitor: Monitor, due_at: Sequence[float] | None) -> AlertCheck:
    """Find the alerts that can be found although the settings are wrong, and one about these."""
    cause = str(error).partition("\n")[0]
    lines = (_REPAIRS[FailureKind.SETTINGS].rstrip(". "), *link(monitor.alerting.ui_url))
    wrong = Alert(Kind.SETTINGS, cause, _SETTINGS_TITLE.format(cause=cause), lines)
    # A run that failed with the same error has the same key, and is no second alert.
    others = (alert for alert in find_run_alerts(monitor, due_at) if alert.subject != cause)
    return AlertCheck((wrong, *others), frozenset(Kind) - _CHECKED)


def link(ui_url: str, run_id: str = "") -> list[str]:
    """Link to the run's page in Dagster's UI, or name the run; link to the UI itself if Dagster did not start it."""
    if _is_dagster_run(run_id):
        return [f"{ui_url}/runs/{run_id}" if ui_url else f"Dagster run {run_id}"]
    return [ui_url] if ui_url else []


def _missed_night(monitor: Monitor, due_at: Sequence[float]) -> Iterator[Alert]:
    detected = monitor.run_log.read(DetectRecord)
    if not detected:
        return
    running = any(lease.name == DETECTION for lease, _ in monitor.leases.leases())
    due = missed_night(due_at, detected[0].ended_at, monitor.now(), running=running)
    if due is not None:
        yield Alert(
            Kind.NO_NIGHT,
            "",
            f"the night of {moment(due)} is not complete",
            (
                "check that the daemon runs; `bg-pipeline doctor` helps",
                f"the last detection ended at {moment(detected[0].ended_at)}",
                *link(monitor.alerting.ui_url),
            ),
        )


def _failed_runs(monitor: Monitor, *, trash: bool) -> Iterator[Alert]:
    run_log, now = monitor.run_log, monitor.now()
    failures = run_log.read(FailureRecord, now - _FAILURES_S, MOST_ROWS)
    if not failures:
        return
    pending = {encode_partition(name) for name in monitor.queue.pending()}
    records: list[Record] = []
    for kind in (DetectRecord, ClearOutRecord, ProcessRecord, RetryRecord):
        records += run_log.read(kind, failures[-1].ended_at, MOST_ROWS)
    seen: set[str] = set()
    for failure in failures:
        subject = _subject(failure)
        matters = trash or failure.stage is not Stage.CLEAR_OUT
        if matters and subject not in seen and not is_over(failure, records, pending, now):
            yield _failed_run(failure, monitor.alerting.ui_url)
        seen.add(subject)


def _failed_run(failure: FailureRecord, ui_url: str) -> Alert:
    kinds = {FailureKind.GUARD: Kind.GUARD, FailureKind.SETTINGS: Kind.SETTINGS}
    if _is_dagster_run(failure.run_id):
        retry = _RETRIES[failure.stage]
    else:
        retry = f"the next `bg-pipeline {failure.job}` repeats it"
    advice = f"{_REPAIRS.get(failure.failure, '')}{retry}"
    by = f" in {failure.job}" if failure.job else ""
    return Alert(
        kinds.get(failure.failure, Kind.RUN_FAILED),
        _subject(failure),
        _TITLES[failure.failure].format(task=_task(failure), cause=failure.cause),
        (advice, f"at {moment(failure.ended_at)}{by}", *link(ui_url, failure.run_id)),
    )


def _subject(failure: FailureRecord) -> str:
    """Return what failed. A killed run, a source and a store that fail in the same stage are three incidents."""
    if failure.failure is FailureKind.SETTINGS:
        return failure.cause
    plain = failure.failure in {FailureKind.ERROR, FailureKind.GUARD}
    return ", ".join(filter(None, ("" if plain else failure.failure, failure.stage, _name(failure))))


def _name(failure: FailureRecord) -> str:
    """Return the collection or job that failed; empty for detection and clearing out, which cover everything."""
    if failure.stage is Stage.PROCESSING:
        return ", ".join(failure.collections or ())
    return failure.job if failure.stage is Stage.OTHER else ""


def _task(failure: FailureRecord) -> str:
    """Return the work that failed, in words."""
    return f"{STAGES[failure.stage]} {_name(failure)}".strip()


def _is_dagster_run(run_id: str) -> bool:
    """Return True for a UUID, which is how Dagster names its runs; a run of the command line has no page."""
    try:
        return str(UUID(run_id)) == run_id
    except ValueError:
        return False
