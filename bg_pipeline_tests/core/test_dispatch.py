"""Whether another run is asked for."""

import pytest

from bg_pipeline.core.dispatch import FIRST_WAIT_S, LONGEST_WAIT_S, How, Past, ask_again
from bg_pipeline.core.report import Failure, Summary


def past(how: How, *, ended_at: float = 0.0, episode: int = 0) -> Past:
    return Past("abc", how, ended_at, episode)


TWIN = Summary(failures=[Failure("a.png", "pending", "another run is buying the same picture at this moment")])
DOUBT = Summary(failures=[Failure("a.png", "pending", "the answer was lost; the next sync tries again")])


@pytest.mark.parametrize(
    ("runs", "last", "asks"),
    [
        ([], None, True),
        ([past(How.LIVE)], None, False),
        ([past(How.LIVE, episode=-1)], None, False),
        ([past(How.LOST)], None, True),
        ([past(How.CANCELLED)], None, False),
        ([past(How.ENDED)], Summary(paused="an outage"), True),
        ([past(How.ENDED)], Summary(busy="another run has it"), True),
        ([past(How.ENDED)], TWIN, True),
        ([past(How.ENDED)], DOUBT, False),
        ([past(How.ENDED, episode=-1)], Summary(paused="no credits"), True),
        ([past(How.ENDED, episode=-1)], Summary(budget_reached=True), False),
    ],
)
def test_a_run_is_asked_for_when_it_can_help(runs: list[Past], last: Summary | None, asks: bool) -> None:
    decision = ask_again(runs, last, 0, now=1e9)

    assert decision.ask is asks
    assert decision.why


def test_the_waits_double_to_an_hour_so_that_nothing_loops() -> None:
    waits = []
    for count in range(1, 12):
        now = 0.0
        while not ask_again([past(How.LOST)] * count, None, 0, now).ask:
            now += FIRST_WAIT_S
        waits.append(now)

    assert waits[:3] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert waits[-1] == LONGEST_WAIT_S
