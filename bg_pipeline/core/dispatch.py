"""Decide if another run is requested for work that is left, and what a run waits for that does not start."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bg_pipeline.core.moments import age_s
from bg_pipeline.core.report import Cause, Summary

FIRST_WAIT_S = 60.0
LONGEST_WAIT_S = 3600.0

GRACE_S = 120.0
"""Seconds before a run that holds no lease can count as dead: its first step starts late."""


class RunOutcome(StrEnum):
    """The status of an earlier run for the same work."""

    LIVE = "live"
    ENDED = "ended"
    LOST = "lost"
    """A run that failed or whose process is gone."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class PreviousRun:
    """An earlier run for the work of the same detection."""

    run: str
    outcome: RunOutcome
    ended_at: float
    pause: int
    """Pause number of the gate when the run was requested."""


@dataclass(frozen=True, slots=True)
class RunDecision:
    """The decision to request a run or not, with its reason."""

    request: bool
    why: str


def should_request_run(  # noqa: PLR0911  one return for each row of its table
    runs: Sequence[PreviousRun], last: Summary | None, pause: int, now: float
) -> RunDecision:
    """
    Decide if a run is requested. One run does all work of a detection; a further run for the rest is requested only if
    that can help, after growing waits.

        earlier runs for this work     result
        none                           request
        one is alive                   no
        spent its budget               no: the cap would have no effect
        its window ended               no: the rest waits for the next night
        none since the last pause      request
        the last was cancelled         no: a person wanted that
        the last was lost              request, after a wait
        paused, or others work on it   request, after a wait
        a paid result is awaited       request, after a wait
        a store refused an item        request, after a wait
        ended otherwise                no: only a detection or a person can help the rest

    Args:
        runs: for the work of one detection, newest first.
        last: counters of the last of them that completed; None if none did.
        pause: of the gate, which is open.
        now: epoch seconds.
    """
    if live := next((run for run in runs if run.outcome is RunOutcome.LIVE), None):
        return RunDecision(False, f"run {live.run} works on it")
    if last is not None and last.budget_reached:
        return RunDecision(False, "the last run reached its credit limit; the rest waits for the next night")
    if last is not None and last.window_ended:
        return RunDecision(False, "the last run reached the end of its night; the rest waits for the next")
    since_pause = [run for run in runs if run.pause == pause]
    if not since_pause:
        return RunDecision(True, "new work" if not runs else "the gate is open again")
    newest = since_pause[0]
    if newest.outcome is RunOutcome.CANCELLED:
        return RunDecision(
            False, f"run {newest.run} was cancelled; wait for the next night, or start the job process_pending"
        )
    if newest.outcome is RunOutcome.ENDED and not _another_run_helps(last):
        return RunDecision(False, "the rest needs the next detection or a person: see `bg-pipeline failures`")
    wait_s = min(FIRST_WAIT_S * 2 ** (len(since_pause) - 1), LONGEST_WAIT_S)
    if (left_s := wait_s - age_s(newest.ended_at, now)) > 0:
        return RunDecision(False, f"run {newest.run} {newest.outcome} with work left; next run in {left_s:.0f} s")
    return RunDecision(True, f"run {newest.run} {newest.outcome} with work left")


def _another_run_helps(last: Summary | None) -> bool:
    """Return True if the last run paused, left something that passes by itself, or left no counters."""
    if last is None or last.paused:
        return True
    return any(failure.cause in {Cause.ELSEWHERE, Cause.AWAITED, Cause.STORE} for failure in last.failures)


def why_it_waits(closed: str, pool: str, limit: int | None, holders: Sequence[str]) -> str:
    """
    Return what a run waits for that needs a slot of a pool; empty if nothing holds it up.

        gate     slots of the pool   it waits for
        closed   -                   the gate
        open     none at all         a person, who set the limit to 0
        open     all taken           a slot
        open     free                nothing: it is about to start

    Args:
        closed: why no account allows requests; empty if one does.
        pool: name of the pool.
        limit: number of its slots; None for no limit.
        holders: the runs that hold them.
    """
    if closed:
        return f"an open gate: {closed}"
    if limit is None or len(holders) < limit:
        return ""
    if not limit:
        return f"a higher limit of the pool {pool}: a person set it to 0, in the UI under Deployment > Concurrency"
    return f"a slot of the pool {pool}: {', '.join(holders)} hold{'s' if limit == 1 else ''} all {limit}"
