"""The limiter against services of many kinds, in virtual time; the benchmark `limits` is the real thing."""

import pytest

from bg_pipeline_tests.benchmarks.scenarios import FURTHER, MAX_REFUSED, MIN_SHARE, SCENARIOS, Scenario
from bg_pipeline_tests.benchmarks.simulation import Adaptive, Oracle, simulate


@pytest.mark.parametrize("scenario", [*SCENARIOS, *FURTHER], ids=lambda scenario: scenario.name)
def test_it_gets_what_is_allowed_and_is_hardly_ever_refused(scenario: Scenario) -> None:
    ours, allowed = simulate(Adaptive, scenario), simulate(Oracle, scenario)

    assert ours.counts.good >= MIN_SHARE * allowed.counts.good
    assert ours.counts.refused_share <= MAX_REFUSED
    assert ours.counts.given_up == 0
