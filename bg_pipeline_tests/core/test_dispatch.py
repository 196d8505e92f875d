"""Whether another run is requested."""

import pytest

from bg_pipeline.core.dispatch import FIRST_WAIT_S, LONGEST_WAIT_S, PreviousRun, RunOutcome, should_request_run
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Cause, Failure, Summary


def previous(outcome: RunOutcome, *, ended_at: float = 0.0, pause: int = 0) -> PreviousRun:
    return PreviousRun("abc", outcome, ended_at, pause)


def left(cause: Cause, state: State = State.PENDING, why: str = "for some reason") -> Summary:
    return Summary(failures=[Failure("a.png", state, why, cause)])


@pytest.mark.parametrize(
    ("runs", "last", "requests"),
    [
        ([], None, True),
        ([previous(RunOutcome.LIVE)], None, False),
        ([previous(RunOutcome.LIVE, pause=-1)], None, False),
        ([previous(RunOutcome.LOST)], None, True),
        ([previous(RunOutcome.CANCELLED)], None, False),
        ([previous(RunOutcome.ENDED)], Summary(paused="an outage"), True),
        ([previous(RunOutcome.ENDED)], left(Cause.ELSEWHERE), True),
        ([previous(RunOutcome.ENDED)], left(Cause.AWAITED), True),
        ([previous(RunOutcome.ENDED)], left(Cause.STORE), True),
        ([previous(RunOutcome.ENDED)], left(Cause.CHARGED), False),
        ([previous(RunOutcome.ENDED)], left(Cause.SERVICE), False),
        ([previous(RunOutcome.ENDED)], left(Cause.CHANGED), False),
        ([previous(RunOutcome.ENDED)], left(Cause.PICTURE, State.FAILED), False),
        ([previous(RunOutcome.ENDED)], Summary(), False),
        ([previous(RunOutcome.ENDED, pause=-1)], Summary(paused="no credits"), True),
        ([previous(RunOutcome.ENDED, pause=-1)], Summary(budget_reached=True), False),
    ],
)
def test_a_run_is_requested_when_it_can_help(runs: list[PreviousRun], last: Summary | None, requests: bool) -> None:
    decision = should_request_run(runs, last, 0, now=1e9)

    assert decision.request is requests
    assert decision.why


@pytest.mark.parametrize("why", ["", "another worker is buying the same picture", "reworded"])
def test_the_wording_of_a_failure_decides_nothing(why: str) -> None:
    ended = [previous(RunOutcome.ENDED)]

    assert should_request_run(ended, left(Cause.ELSEWHERE, why=why), 0, now=1e9).request
    assert not should_request_run(ended, left(Cause.CHARGED, why=why), 0, now=1e9).request


def test_the_waits_double_to_an_hour_so_that_nothing_loops() -> None:
    waits = []
    for count in range(1, 12):
        now = 0.0
        while not should_request_run([previous(RunOutcome.LOST)] * count, None, 0, now).request:
            now += FIRST_WAIT_S
        waits.append(now)

    assert waits[:3] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert waits[-1] == LONGEST_WAIT_S
