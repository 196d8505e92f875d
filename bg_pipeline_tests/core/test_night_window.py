"""Until when a night may buy."""

from datetime import UTC, datetime, time
from decimal import Decimal

import pytest

from bg_pipeline.core.credits import Budget, Rules, Spent, authorize_purchase
from bg_pipeline.core.dispatch import PreviousRun, RunOutcome, should_request_run
from bg_pipeline.core.gate import Gate, Thresholds
from bg_pipeline.core.night_window import Night, ends_at, parse_time, why_not_now
from bg_pipeline.core.report import Exit, Summary
from bg_pipeline.errors import WindowEnded

pytestmark = pytest.mark.unit


def at(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


@pytest.mark.parametrize(
    ("began", "until", "zone", "ends"),
    [
        ("2026-11-27T02:00Z", "06:00", "UTC", "2026-11-27T06:00Z"),
        ("2026-11-27T22:00Z", "06:00", "UTC", "2026-11-28T06:00Z"),
        ("2026-11-27T06:00Z", "06:00", "UTC", "2026-11-28T06:00Z"),
        ("2026-11-27T02:00Z", "06:00", "Asia/Manila", "2026-11-27T22:00Z"),
        # Berlin loses the hour from 02:00 to 03:00 on 2026-03-29, and has it twice on 2026-10-25.
        ("2026-03-29T00:00+01:00", "06:00", "Europe/Berlin", "2026-03-29T06:00+02:00"),
        ("2026-03-29T00:00+01:00", "02:30", "Europe/Berlin", "2026-03-29T03:30+02:00"),
        ("2026-10-25T00:00+02:00", "06:00", "Europe/Berlin", "2026-10-25T06:00+01:00"),
        ("2026-10-25T01:00+02:00", "02:30", "Europe/Berlin", "2026-10-25T02:30+02:00"),
        ("2026-10-25T02:10+01:00", "02:30", "Europe/Berlin", "2026-10-25T02:30+01:00"),
    ],
)
def test_a_window_ends_the_next_time_that_the_clocks_show_its_end(began: str, until: str, zone: str, ends: str) -> None:
    assert ends_at(at(began), parse_time(until), zone) == at(ends)


@pytest.mark.parametrize("text", ["", "6", "24:00", "06:60", "6 am", "06:00:00"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 06:00"):
        parse_time(text)
    assert parse_time("06:05") == time(6, 5)


NIGHT = Night(100.0, 200.0)


@pytest.mark.parametrize(
    ("detected_at", "now", "why"),
    [
        (150.0, 199.9, ""),
        (150.0, 200.0, "over"),
        (250.0, 260.0, "over"),
        (99.0, 150.0, "detection"),
    ],
)
def test_a_nightly_run_starts_only_in_the_window_of_its_night_and_after_its_detection(
    detected_at: float, now: float, why: str
) -> None:
    reason = why_not_now(NIGHT, detected_at, now)

    assert (why in reason) if why else not reason


@pytest.mark.parametrize(("now", "allowed"), [(199.9, True), (200.0, False)])
@pytest.mark.parametrize("price", [0, 1])
def test_no_request_starts_after_the_end_and_the_gate_stays_as_it_was(now: float, allowed: bool, price: int) -> None:
    gate, budget = Gate("bgeraser"), Budget("a run", until=200.0)
    rules = Rules(Thresholds(Decimal(0), Decimal(50)))
    after, refusal = authorize_purchase(Decimal(price), gate, Spent(), budget, rules, now)

    assert after == gate
    assert (refusal is None) if allowed else isinstance(refusal, WindowEnded)


@pytest.mark.parametrize("pause", [0, 1])
def test_what_a_window_left_is_not_requested_again_before_the_next_detection(pause: int) -> None:
    ended = [PreviousRun("abc", RunOutcome.ENDED, 0.0, 0)]

    assert not should_request_run(ended, Summary(window_ended=True), pause, now=1e9).request


def test_a_planned_end_has_the_exit_code_of_a_limit_and_says_how_much_is_left() -> None:
    summary = Summary(window_ended=True, pending=7, left_before=4)

    assert summary.exit_code is Exit.BUDGET
    assert "7 items are left for the next night (the time before: 4)" in summary.left_because
    assert Summary(pending=7).left_because == ""
