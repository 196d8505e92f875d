"""When a gate closes, and when it opens again."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bg_pipeline.core.credits import counted
from bg_pipeline.core.gate import (
    BALANCE_GOOD_FOR_S,
    LONGEST_COOLDOWN_S,
    Gate,
    GateReason,
    GateState,
    Thresholds,
    by_hand,
    cooldown_s,
    on_balance,
    on_new_key,
    on_reading,
    on_refusal,
    on_success,
    on_time,
    on_unreadable,
)

THRESHOLDS = Thresholds(low=Decimal(50), resume=Decimal(100))
OPEN = Gate("bgeraser", balance=Decimal(500), balance_at=0.0)
HELD = replace(OPEN, forced_open=True)


def closed(reason: GateReason) -> Gate:
    return Gate("bgeraser", GateState.CLOSED, reason, since=1.0, pause=3, until=60.0, trips=1)


EMPTY = replace(closed(GateReason.NO_CREDITS), until=0.0)


@pytest.mark.parametrize(
    ("gate", "balance", "state", "reason"),
    [
        pytest.param(OPEN, 50, GateState.OPEN, GateReason.NONE, id="open, at the threshold"),
        pytest.param(OPEN, 49, GateState.CLOSED, GateReason.LOW_CREDITS, id="open, below it"),
        pytest.param(HELD, 0, GateState.OPEN, GateReason.NONE, id="held open, and empty"),
        pytest.param(HELD, 100, GateState.OPEN, GateReason.NONE, id="held open, and full again"),
        pytest.param(closed(GateReason.LOW_CREDITS), 99, GateState.CLOSED, GateReason.LOW_CREDITS, id="low, below"),
        pytest.param(closed(GateReason.LOW_CREDITS), 100, GateState.OPEN, GateReason.NONE, id="low, topped up"),
        pytest.param(closed(GateReason.NO_CREDITS), 99, GateState.CLOSED, GateReason.NO_CREDITS, id="none, below"),
        pytest.param(EMPTY, 100, GateState.OPEN, GateReason.NONE, id="none, topped up"),
        pytest.param(closed(GateReason.BALANCE_UNKNOWN), 50, GateState.OPEN, GateReason.NONE, id="unknown, known now"),
        pytest.param(
            closed(GateReason.BALANCE_UNKNOWN), 9, GateState.CLOSED, GateReason.LOW_CREDITS, id="unknown, low"
        ),
        pytest.param(closed(GateReason.BAD_KEY), 500, GateState.CLOSED, GateReason.BAD_KEY, id="bad key"),
        pytest.param(closed(GateReason.BAD_KEY), 10, GateState.CLOSED, GateReason.LOW_CREDITS, id="bad key, low"),
        pytest.param(closed(GateReason.OUTAGE), 500, GateState.CLOSED, GateReason.OUTAGE, id="outage"),
        pytest.param(closed(GateReason.QUALITY), 500, GateState.CLOSED, GateReason.QUALITY, id="quality"),
        pytest.param(closed(GateReason.BY_HAND), 500, GateState.CLOSED, GateReason.BY_HAND, id="closed by hand"),
    ],
)
def test_the_balance_moves_the_gate(gate: Gate, balance: int, state: GateState, reason: GateReason) -> None:
    moved = on_balance(gate, Decimal(balance), THRESHOLDS, now=9.0)

    assert (moved.state, moved.reason) == (state, reason)
    assert (moved.balance, moved.balance_at) == (gate.balance, gate.balance_at)


@pytest.mark.parametrize(
    ("reading", "ended", "left", "drift"),
    [
        pytest.param(430, 70, 430, 0, id="as counted down"),
        pytest.param(500, 70, 430, 70, id="behind: it does not show the last charges yet"),
        pytest.param(400, 70, 400, -30, id="somebody else spends"),
        pytest.param(-5, 70, -5, -435, id="overdrawn"),
        pytest.param(900, 70, 830, 470, id="topped up, and perhaps behind"),
        pytest.param(900, 0, 900, 400, id="topped up"),
    ],
)
def test_a_reading_is_believed_within_what_own_charges_explain(reading: int, ended: int, left: int, drift: int) -> None:
    read_at = 1000.0
    moved = on_reading(
        OPEN, Decimal(reading), lambda since: Decimal(ended if since < read_at else 0), THRESHOLDS, read_at
    )

    assert (moved.balance, moved.balance_at, moved.reading, moved.drift) == (left, read_at, reading, drift)
    assert moved.is_open == (left >= THRESHOLDS.low)


def test_a_first_reading_may_lack_all_that_was_spent_lately() -> None:
    moved = on_reading(Gate("a"), Decimal(100), lambda _since: Decimal(30), THRESHOLDS, 9.0)

    assert (moved.balance, moved.drift) == (100, None)
    assert counted(moved, Decimal(30)) == 70


def test_each_closing_is_a_pause_of_its_own() -> None:
    gate = OPEN
    for balance in (10, 200, 10, 200, 10):
        gate = on_balance(gate, Decimal(balance), THRESHOLDS, now=1.0)

    assert gate.pause == 3


@pytest.mark.parametrize("reason", [r for r in GateReason if r is not GateReason.NONE])
def test_a_refusal_during_a_pause_does_not_begin_another(reason: GateReason) -> None:
    assert on_refusal(closed(reason), GateReason.NO_CREDITS, "402", now=5.0).pause == 3


@pytest.mark.parametrize(
    ("during", "reason"),
    [
        (GateReason.OUTAGE, GateReason.NO_CREDITS),
        (GateReason.BAD_KEY, GateReason.NO_CREDITS),
        (GateReason.BY_HAND, GateReason.BY_HAND),
        (GateReason.QUALITY, GateReason.QUALITY),
        (GateReason.LOW_CREDITS, GateReason.LOW_CREDITS),
    ],
)
def test_an_empty_account_outlasts_an_outage_and_nothing_outranks_a_person(
    during: GateReason, reason: GateReason
) -> None:
    """A gate that opens by itself after a minute must not, once a 402 came."""
    gate = on_refusal(closed(during), GateReason.NO_CREDITS, "402", now=5.0)

    assert gate.reason is reason
    assert on_time(gate, 1e9).is_open == (reason in {GateReason.OUTAGE, GateReason.BAD_KEY})


def test_an_empty_account_closes_even_what_a_person_opened() -> None:
    assert on_refusal(HELD, GateReason.NO_CREDITS, "402", now=5.0).state is GateState.CLOSED


def test_an_outage_ends_on_probation_and_each_relapse_takes_longer_within_one_pause() -> None:
    gate = on_refusal(OPEN, GateReason.OUTAGE, "503", now=0.0)
    assert (gate.until, gate.pause, on_time(gate, 59.0).is_open) == (60.0, 1, False)

    probing = on_time(gate, 60.0)
    assert probing.half_open
    relapsed = on_refusal(probing, GateReason.OUTAGE, "503", now=61.0)
    assert (relapsed.until, relapsed.pause, relapsed.trips) == (61.0 + 120.0, 1, 2)
    assert on_success(on_time(relapsed, 200.0)) == replace(OPEN, since=200.0, pause=1)


def test_what_a_person_opened_is_open_again_after_an_outage_whatever_the_balance() -> None:
    gate = on_balance(on_refusal(HELD, GateReason.OUTAGE, "503", now=0.0), Decimal(0), THRESHOLDS, now=1.0)
    assert gate.reason is GateReason.OUTAGE
    gate = on_success(on_time(gate, 60.0))

    assert on_balance(gate, Decimal(0), THRESHOLDS, now=61.0).is_open
    assert not on_balance(on_balance(gate, Decimal(100), THRESHOLDS, now=61.0), Decimal(0), THRESHOLDS, 62.0).is_open


@pytest.mark.parametrize("gate", [closed(GateReason.OUTAGE), closed(GateReason.NO_CREDITS), HELD])
def test_a_success_ends_nothing_but_probation(gate: Gate) -> None:
    """It may have been sent before the gate closed."""
    assert on_success(gate) == gate


@pytest.mark.parametrize(("asked_s", "until"), [(300.0, 305.0), (3600.0, 3605.0), (86_400.0, 3605.0), (1e300, 3605.0)])
def test_a_wait_that_the_service_names_is_kept_for_an_hour_at_most(asked_s: float, until: float) -> None:
    assert on_refusal(OPEN, GateReason.OUTAGE, "429", now=5.0, for_s=asked_s).until == until


@pytest.mark.parametrize("until", [1e12, 1e17, 1e300])
def test_whatever_is_stored_a_gate_opens_after_an_hour(until: float) -> None:
    gate = replace(closed(GateReason.OUTAGE), until=until)

    assert not on_time(gate, gate.since + 3599).is_open
    assert on_time(gate, gate.since + 3600).is_open


def test_a_402_that_the_balance_does_not_explain_is_asked_about_again_after_a_growing_while() -> None:
    gate, now, waits = OPEN, 0.0, []
    for _ in range(7):
        gate, began = on_refusal(gate, GateReason.NO_CREDITS, "402", now), now
        while not gate.is_open:
            now += 30
            gate = on_balance(gate, Decimal(500), THRESHOLDS, now)
        assert gate.half_open
        waits.append(now - began)

    assert waits == [60, 120, 240, 480, 960, 1800, 1800]
    assert gate.pause == 1
    assert on_success(gate) == replace(OPEN, since=now, pause=1)


def test_a_402_that_the_balance_explains_ends_with_the_top_up() -> None:
    gate = on_refusal(OPEN, GateReason.NO_CREDITS, "402", now=0.0)
    gate = on_balance(gate, Decimal(3), THRESHOLDS, now=1.0)

    assert on_balance(gate, Decimal(200), THRESHOLDS, now=2.0) == replace(OPEN, since=2.0, pause=1)


@pytest.mark.parametrize("reason", [r for r in GateReason if r is not GateReason.NONE])
def test_a_new_key_is_tried_where_the_old_one_was_refused(reason: GateReason) -> None:
    gate = on_new_key(closed(reason), now=9.0)

    assert gate.half_open == (reason in {GateReason.BAD_KEY, GateReason.OUTAGE, GateReason.NO_CREDITS})
    assert gate.reason is reason
    assert (gate.trips, gate.until, gate.cleared_at) == (0, 0.0, 9.0)


def test_a_cooldown_never_ends_beyond_half_an_hour() -> None:
    assert [cooldown_s(trips) for trips in (1, 2, 3)] == [60.0, 120.0, 240.0]
    assert cooldown_s(10_000) == LONGEST_COOLDOWN_S


def test_an_unreadable_balance_is_counted_down_for_six_hours_and_then_closes() -> None:
    assert on_unreadable(OPEN, "502", now=BALANCE_GOOD_FOR_S).is_open
    gate = on_unreadable(OPEN, "502", now=BALANCE_GOOD_FOR_S + 1)
    assert (gate.reason, gate.why) == (GateReason.BALANCE_UNKNOWN, "502")

    assert not on_unreadable(Gate("bgeraser"), "502", now=1.0).is_open
    assert on_unreadable(HELD, "502", now=1e9) == HELD


def test_a_person_opens_and_closes_for_good() -> None:
    opened = by_hand(closed(GateReason.QUALITY), GateState.OPEN, "checked the plan", now=7.0)
    assert opened.is_open
    assert (opened.forced_open, opened.why, opened.pause) == (True, "checked the plan", 3)
    assert (opened.until, opened.trips, opened.cleared_at) == (0.0, 0, 7.0)

    shut = by_hand(OPEN, GateState.CLOSED, "stocktaking", now=7.0)
    assert (shut.is_open, shut.why, shut.pause) == (False, "stocktaking", 1)
    assert by_hand(shut, GateState.CLOSED, "still", now=8.0).pause == 1
