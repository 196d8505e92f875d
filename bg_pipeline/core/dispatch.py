"""Whether another run is to be requested for work that is left."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bg_pipeline.core.report import Cause, Summary

FIRST_WAIT_S = 60.0
LONGEST_WAIT_S = 3600.0


class RunOutcome(StrEnum):
    """How an earlier run for the same work stands."""

    LIVE = "live"
    ENDED = "ended"
    LOST = "lost"
    """Failed, or its process is gone."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class PreviousRun:
    """An earlier run for the work of the same detection."""

    run: str
    outcome: RunOutcome
    ended_at: float
    pause: int
    """Of the gate, when it was requested."""


@dataclass(frozen=True, slots=True)
class RunDecision:
    """Request a run or not, and why."""

    request: bool
    why: str


def should_request_run(  # noqa: PLR0911  one return for each row of its table
    runs: Sequence[PreviousRun], last: Summary | None, pause: int, now: float
) -> RunDecision:
    """
    One run does all that a detection found; what it leaves is requested again when that can help, and ever more slowly.

        earlier runs for this work     result
        none                           request
        one lives                      no
        spent its budget               no: the cap would be none
        none since the last pause      request
        the last was cancelled         no: a person wanted that
        the last was lost              request, after a wait
        paused, or others were at it   request, after a wait
        ended otherwise                no: only a detection or a person can help what is left

    Args:
        runs: for the work of one detection, newest first.
        last: counters of the last of them that came to its end; None if none did.
        pause: of the gate, which is open.
        now: epoch seconds.
    """
    if live := next((run for run in runs if run.outcome is RunOutcome.LIVE), None):
        return RunDecision(False, f"run {live.run} works on it")
    if last is not None and last.budget_reached:
        return RunDecision(False, "the last run reached its credit limit; what is left waits for the next night")
    since_pause = [run for run in runs if run.pause == pause]
    if not since_pause:
        return RunDecision(True, "new work" if not runs else "the gate is open again")
    newest = since_pause[0]
    if newest.outcome is RunOutcome.CANCELLED:
        return RunDecision(
            False, f"run {newest.run} was cancelled; the next night goes on, or start the job process_pending"
        )
    if newest.outcome is RunOutcome.ENDED and not _another_run_helps(last):
        return RunDecision(False, "what is left needs the next detection or a person: `bg-pipeline failures`")
    wait_s = min(FIRST_WAIT_S * 2 ** (len(since_pause) - 1), LONGEST_WAIT_S)
    if (left_s := newest.ended_at + wait_s - now) > 0:
        return RunDecision(False, f"run {newest.run} {newest.outcome} with work left; asked again in {left_s:.0f} s")
    return RunDecision(True, f"run {newest.run} {newest.outcome} with work left")


def _another_run_helps(last: Summary | None) -> bool:
    """Whether the last run paused, left something to another run, or did not tell."""
    if last is None or last.paused or last.busy:
        return True
    return any(failure.cause is Cause.ELSEWHERE for failure in last.failures)
