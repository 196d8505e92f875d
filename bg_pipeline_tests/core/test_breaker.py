"""When retries and requests end."""

import pytest

from bg_pipeline.core.breaker import IN_A_ROW, RECENT, Breaker, RetryBudget

NOW = 1_000.0


def fed(answers: str, trips: int = 0, breaker: Breaker | None = None) -> Breaker:
    """A breaker after these answers: `+` a success, `-` a failure."""
    breaker = breaker or Breaker()
    for answer in answers:
        breaker = breaker.succeeded() if answer == "+" else breaker.failed(trips, NOW)
    return breaker


@pytest.mark.parametrize(
    ("answers", "opens"),
    [
        ("-" * (IN_A_ROW - 1), False),
        ("-" * IN_A_ROW, True),
        ("-" * (IN_A_ROW - 1) + "+" + "-" * (IN_A_ROW - 1), False),
        ("+-" * (RECENT // 2), True),
        ("+-" * (RECENT // 2 - 1) + "++", False),
        ("+" * 100 + "-+" * 10, False),
    ],
    ids=["nine in a row", "ten in a row", "a success between", "half of forty", "less than half", "long good before"],
)
def test_it_opens_at_ten_failures_in_a_row_or_half_of_forty(answers: str, opens: bool) -> None:
    assert fed(answers).is_open(NOW) is opens


def test_after_a_trip_one_failure_trips_again_until_there_was_a_success() -> None:
    assert fed("-", trips=1).is_open(NOW)
    assert not fed("+-", trips=1).is_open(NOW)


def test_failures_of_the_other_lanes_do_not_open_it_for_longer() -> None:
    tripped = fed("-" * IN_A_ROW)

    assert fed("----", trips=1, breaker=tripped) == tripped


def test_ten_retries_without_a_success_use_up_the_budget_and_five_successes_give_one_back() -> None:
    budget = RetryBudget()
    for _ in range(10):
        assert budget.allows_a_retry
        budget = budget.retried()
    assert not budget.allows_a_retry

    for _ in range(5):
        budget = budget.succeeded()
    assert budget.allows_a_retry


def test_the_budget_does_not_grow_beyond_its_start() -> None:
    assert RetryBudget().succeeded() == RetryBudget()
