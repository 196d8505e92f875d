"""The limiter against services of many kinds, in virtual time; the benchmark `limits` is the real thing."""

import pytest

from bg_pipeline_tests.benchmarks.scenarios import FURTHER, MAX_REFUSED, MIN_SHARE, SCENARIOS, Allowed, Scenario
from bg_pipeline_tests.benchmarks.simulation import Adaptive, Oracle, simulate


@pytest.mark.parametrize("scenario", [*SCENARIOS, *FURTHER], ids=lambda scenario: scenario.name)
def test_it_gets_what_is_allowed_and_is_hardly_ever_refused(scenario: Scenario) -> None:
    ours, allowed = simulate(Adaptive, scenario), simulate(Oracle, scenario)

    assert ours.counts.good >= MIN_SHARE * allowed.counts.good
    assert ours.counts.refused_share <= MAX_REFUSED
    assert ours.counts.given_up == 0


@pytest.mark.parametrize("busy_s", [0.5, 2.0, 5.0, 30.0])
def test_three_hundred_pictures_take_no_longer_whatever_a_busy_service_asks_to_wait(busy_s: float) -> None:
    """They need ten seconds at five at once, and some more to find that out."""
    five = Allowed(concurrent=5)
    first = Scenario("five", five, five, seconds=15.0, latency_s=1 / 6, busy_s=busy_s, warm_up_s=0.0)

    assert simulate(Adaptive, first).counts.good >= 300
