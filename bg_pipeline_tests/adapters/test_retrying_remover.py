"""The one layer that retries: what it waits for, what it leaves alone, and when it stops."""

from dataclasses import dataclass, field

import pytest

from bg_pipeline.core.gate import FIRST_COOLDOWN_S
from bg_pipeline.errors import (
    BgPipelineError,
    Deferred,
    ItemRejected,
    NoCredits,
    OutcomeUnknown,
    RateLimited,
    TransientError,
    UnusableAnswer,
)
from bg_pipeline.ports.purchasing import CutReply
from bg_pipeline.purchasing.retry import RetryingRemover
from bg_pipeline_tests.adapters.clients import request
from bg_pipeline_tests.fakes import FakeRemover

REQUEST = request()


@dataclass
class Bench:
    """A `RetryingRemover` whose sleep takes no time and whose answers are scripted; beyond the script all is well."""

    script: list[BgPipelineError | bytes]
    now: float = 1_000.0
    trips: int = 0
    slept: list[float] = field(default_factory=list)
    stop_after: int | None = None

    def __post_init__(self) -> None:
        self.remover = FakeRemover(self.script)
        self.retrying = RetryingRemover(self.remover, self._sleep, lambda: 1.0, lambda: self.now, lambda: self.trips)

    def _sleep(self, seconds: float) -> bool:
        self.slept.append(seconds)
        self.now += seconds
        return len(self.slept) == self.stop_after

    def cut(self) -> CutReply:
        return self.retrying.cut(REQUEST)

    @property
    def sent(self) -> int:
        return len(self.remover.requests)


def down(retry_after_s: float | None = None) -> TransientError:
    return TransientError("503", retry_after_s=retry_after_s)


def slow(retry_after_s: float | None = None) -> RateLimited:
    return RateLimited("429", retry_after_s=retry_after_s)


OK = b"a cutout"


def test_waits_double_without_retry_after_and_obey_it_where_there_is_one() -> None:
    bench = Bench([down(), down(), slow(33.0), slow(), OK])
    bench.cut()

    assert bench.slept == [1.0, 2.0, 33.0, 8.0]


def test_after_five_retries_the_last_error_is_raised() -> None:
    bench = Bench([down()] * 5 + [TransientError("the last")])
    with pytest.raises(TransientError, match="the last"):
        bench.cut()

    assert bench.sent == 6


def test_a_wait_beyond_two_minutes_is_deferred_and_not_slept() -> None:
    bench = Bench([slow(121.0)])
    with pytest.raises(Deferred) as caught:
        bench.cut()

    assert caught.value.for_s == 121.0
    assert bench.slept == []


def test_a_stop_ends_the_wait_with_the_last_error() -> None:
    bench = Bench([down(), OK], stop_after=1)
    with pytest.raises(TransientError, match="503"):
        bench.cut()

    assert bench.sent == 1


@pytest.mark.parametrize("error", [OutcomeUnknown, UnusableAnswer, ItemRejected, NoCredits], ids=lambda e: e.__name__)
def test_what_may_have_cost_money_or_would_fail_again_is_sent_once(error: type[BgPipelineError]) -> None:
    bench = Bench([error("once")])
    with pytest.raises(error):
        bench.cut()

    assert bench.sent == 1


def test_ten_failures_in_a_row_open_the_breaker_for_a_minute() -> None:
    bench = Bench([*[down()] * 10, OK])
    with pytest.raises(TransientError):
        bench.cut()
    with pytest.raises(Deferred) as caught:
        bench.cut()
    assert bench.sent == 10
    assert caught.value.for_s == FIRST_COOLDOWN_S

    with pytest.raises(Deferred):
        bench.cut()
    assert bench.sent == 10

    bench.now += FIRST_COOLDOWN_S
    assert bench.cut()


def test_requests_of_unknown_outcome_open_the_breaker_too() -> None:
    bench = Bench([OutcomeUnknown("timeout")] * 10)
    for _ in range(10):
        with pytest.raises(OutcomeUnknown):
            bench.cut()
    with pytest.raises(Deferred):
        bench.cut()

    assert bench.sent == 10


def test_after_a_trip_the_first_failure_doubles_the_cooldown() -> None:
    bench = Bench([down()], trips=1)
    with pytest.raises(Deferred) as caught:
        bench.cut()

    assert caught.value.for_s == 2 * FIRST_COOLDOWN_S


def test_retries_end_when_their_budget_is_used_up() -> None:
    """Below half of forty the breaker stays closed, and a third of all requests would be retries without end."""
    bench = Bench([answer for _ in range(40) for answer in (down(), OK, OK)])
    for _ in range(32):
        bench.cut()
    with pytest.raises(TransientError):
        bench.cut()


def test_going_too_fast_costs_no_retry_budget_and_trips_no_breaker() -> None:
    """Eight lanes that learn a limit together meet eight refusals at once."""
    bench = Bench([answer for _ in range(30) for answer in (slow(), slow(), OK)])
    for _ in range(30):
        bench.cut()

    assert bench.sent == 90


def test_going_too_fast_for_ever_counts_as_a_failure_an_image() -> None:
    bench = Bench([slow(1.0)] * 60)
    for _ in range(9):
        with pytest.raises(RateLimited):
            bench.cut()
    with pytest.raises(Deferred):
        bench.cut()
