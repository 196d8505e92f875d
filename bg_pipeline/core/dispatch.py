"""Whether another run is to be asked for, for work that is left."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bg_pipeline.core.records import State
from bg_pipeline.core.report import Summary

FIRST_WAIT_S = 60.0
LONGEST_WAIT_S = 3600.0


class How(StrEnum):
    """How an earlier run for the same work stands."""

    LIVE = "live"
    ENDED = "ended"
    LOST = "lost"
    """Failed, or its process is gone."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier run for the same wave of work."""

    run: str
    how: How
    ended_at: float
    episode: int
    """Of the gate, when it was asked for."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Ask or not, and why."""

    ask: bool
    why: str


def ask_again(  # noqa: PLR0911  one return for each row of its table
    runs: Sequence[Past], last: Summary | None, episode: int, now: float
) -> Decision:
    """
    One run does a whole wave; what it leaves is asked for again when that can help, and ever more slowly.

        earlier runs of this wave      result
        none                           ask
        one lives                      no
        spent its budget               no: the cap would be none
        none since the last pause      ask
        the last was cancelled         no: a person wanted that
        the last was lost              ask, after a wait
        paused, or others were at it   ask, after a wait
        ended otherwise                no: only a detection or a person can help what is left

    Args:
        runs: of this wave, newest first.
        last: what the last of them that came to its end tells; None if none did.
        episode: of the gate, which is open.
        now: epoch seconds.
    """
    if live := next((run for run in runs if run.how is How.LIVE), None):
        return Decision(False, f"run {live.run} works on it")
    if last is not None and last.budget_reached:
        return Decision(False, "the last run reached its credit limit; what is left waits for the next night")
    since_pause = [run for run in runs if run.episode == episode]
    if not since_pause:
        return Decision(True, "new work" if not runs else "the gate is open again")
    newest = since_pause[0]
    if newest.how is How.CANCELLED:
        return Decision(
            False, f"run {newest.run} was cancelled; the next night goes on, or start the job process_pending"
        )
    if newest.how is How.ENDED and not _left_to_others(last):
        return Decision(False, "what is left needs the next detection or a person: `bg-pipeline failures`")
    wait_s = min(FIRST_WAIT_S * 2 ** (len(since_pause) - 1), LONGEST_WAIT_S)
    if (left_s := newest.ended_at + wait_s - now) > 0:
        return Decision(False, f"run {newest.run} {newest.how} with work left; asked again in {left_s:.0f} s")
    return Decision(True, f"run {newest.run} {newest.how} with work left")


def _left_to_others(last: Summary | None) -> bool:
    if last is None or last.paused or last.busy:
        return True
    return any(f.state == State.PENDING and f.detail.startswith("another run") for f in last.failures)
