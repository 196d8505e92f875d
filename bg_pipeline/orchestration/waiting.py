"""What a run waits for, in its tags and on its page."""

import json

import dagster as dg

from bg_pipeline.core.alerts import moment
from bg_pipeline.core.dispatch import why_it_waits

WAITS_FOR = "bg_pipeline/waits_for"
"""Tag of a run: what it waits for, in words. Dagster cannot remove a tag, so afterwards it says that it waits for
nothing."""

_MOST = 100
"""Most queued runs that are shown as waiting, the oldest first: a sensor's tick has to end within a minute."""


def tag_waiting(instance: dg.DagsterInstance, run_id: str, why: str) -> None:
    """Say in the tags of a run what it waits for."""
    instance.add_run_tags(run_id, {WAITS_FOR: why})


def tag_going_on(instance: dg.DagsterInstance, run_id: str, now: float) -> None:
    """Say in the tags of a run that it no longer waits."""
    instance.add_run_tags(run_id, {WAITS_FOR: f"nothing, since {moment(now)}"})


def show_waiting_runs(instance: dg.DagsterInstance, pool: str, closed: str, now: float) -> None:
    """
    Show what each run waits for that is held back by the pool, and that those of the last call no longer wait.

    Args:
        instance: owner of the runs.
        pool: name of the pool.
        closed: why no account allows requests; empty if one does.
        now: epoch seconds.
    """
    shown = _shown(pool)
    before = json.loads(instance.daemon_cursor_storage.get_cursor_values({shown}).get(shown) or "{}")
    waiting = _find_waiting(instance, pool, closed)
    for run_id, why in waiting.items():
        if why != before.get(run_id):
            tag_waiting(instance, run_id, why)
            _log(instance, run_id, f"waits for {why}")
    for run_id, why in before.items():
        run = None if run_id in waiting else instance.get_run_by_id(run_id)
        # A run that has started may say by itself that it waits.
        if run is not None and run.tags.get(WAITS_FOR) == why:
            tag_going_on(instance, run_id, now)
            _log(instance, run_id, "no longer waits")
    if waiting != before:
        instance.daemon_cursor_storage.set_cursor_values({shown: json.dumps(waiting)})


def _shown(pool: str) -> str:
    """Return the name under which the waiting runs are stored. That of `cutouts` is in existing instances."""
    shown = "bg_pipeline/waiting_runs"
    return shown if pool == "cutouts" else f"{shown}/{pool}"


def _find_waiting(instance: dg.DagsterInstance, pool: str, closed: str) -> dict[str, str]:
    """Return what each run waits for whose next step needs a slot of the pool, by run id."""
    info = instance.event_log_storage.get_concurrency_info(pool)
    why = why_it_waits(closed, pool, info.limit, sorted(f"run {slot.run_id[:8]}" for slot in info.claimed_slots))
    if not why:
        return {}
    queued = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]), limit=_MOST, ascending=True)
    return dict.fromkeys(
        [*(run.run_id for run in queued if _needs_slot(run, pool)), *sorted(info.pending_run_ids)], why
    )


def _needs_slot(run: dg.DagsterRun, pool: str) -> bool:
    concurrency = run.run_op_concurrency
    return concurrency is not None and pool in concurrency.root_key_counts


def _log(instance: dg.DagsterInstance, run_id: str, message: str) -> None:
    """Log a line on the page of a run that does not run."""
    run = instance.get_run_by_id(run_id)
    if run is not None:
        instance.report_engine_event(message, run)
