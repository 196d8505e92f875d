"""Whether a purchase may be made, and whether the balance agrees with the ledger."""

from collections import Counter
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core.credits import (
    MAX_CHARGES,
    Budget,
    DayCap,
    Rules,
    Spent,
    authorize_purchase,
    counted,
    day_of,
    reconcile,
    settle_doubts,
    why_closed,
)
from bg_pipeline.core.gate import Gate, GateReason, GateState, Thresholds
from bg_pipeline.core.records import Attempt, AttemptState
from bg_pipeline.errors import BudgetReached, ChargedTooOften, GateClosed, PurchaseDeferred

THRESHOLDS = Thresholds(low=Decimal(50), resume=Decimal(100))
RULES = Rules(THRESHOLDS, (DayCap(Decimal(20)),))
GATE = Gate("bgeraser", balance=Decimal(60), balance_at=1.0)
RUN = Budget("a run", Decimal(10))
ONE = Decimal(1)


@pytest.mark.parametrize(
    ("gate", "spent", "expected"),
    [
        pytest.param(GATE, Spent(), None, id="nothing speaks against it"),
        pytest.param(GATE, Spent(since_balance=Decimal(10)), None, id="at the threshold"),
        pytest.param(GATE, Spent(since_balance=Decimal(11)), GateClosed, id="below the threshold"),
        pytest.param(replace(GATE, balance=None), Spent(since_balance=Decimal(999)), None, id="no credits are counted"),
        pytest.param(replace(GATE, forced_open=True), Spent(since_balance=Decimal(55)), None, id="opened by hand"),
        pytest.param(replace(GATE, state=GateState.CLOSED, reason=GateReason.OUTAGE), Spent(), GateClosed, id="closed"),
        pytest.param(GATE, Spent(by_run=Decimal(9)), None, id="the last credit of the run"),
        pytest.param(GATE, Spent(by_run=Decimal("9.5")), BudgetReached, id="more than the run may"),
        pytest.param(GATE, Spent(by_day=(Decimal(20),)), BudgetReached, id="more than the day may"),
        pytest.param(GATE, Spent(charges=MAX_CHARGES - 1), None, id="the last try"),
        pytest.param(GATE, Spent(charges=MAX_CHARGES), ChargedTooOften, id="one try too many"),
        pytest.param(
            GATE, Spent(charges=MAX_CHARGES - 1, doubts=1), PurchaseDeferred, id="one try that may be too many"
        ),
        pytest.param(
            replace(GATE, balance=None), Spent(doubts=MAX_CHARGES), ChargedTooOften, id="no balance that could tell"
        ),
    ],
)
def test_a_purchase_is_decided_on_gate_caps_and_history(
    gate: Gate, spent: Spent, expected: type[Exception] | None
) -> None:
    spent = replace(spent, by_day=spent.by_day or (Decimal(0),))
    moved, refusal = authorize_purchase(ONE, gate, spent, RUN, RULES, now=2.0)

    assert (None if refusal is None else type(refusal)) is expected
    assert moved.is_open == (expected is not GateClosed)


def test_what_is_counted_down_is_not_taken_for_a_reading() -> None:
    moved, _ = authorize_purchase(ONE, GATE, Spent(since_balance=Decimal(11)), RUN, Rules(THRESHOLDS), now=2.0)

    assert (moved.balance, moved.balance_at, moved.reason) == (Decimal(60), 1.0, GateReason.LOW_CREDITS)


def test_what_costs_nothing_needs_no_credits() -> None:
    spent = Spent(since_balance=Decimal(60))

    assert authorize_purchase(Decimal(0), GATE, spent, Budget("a run"), Rules(THRESHOLDS), now=2.0)[1] is None


@given(
    balance=st.integers(0, 80),
    cap=st.integers(0, 40),
    steps=st.lists(st.sampled_from(["buy", "free", "charge"]), max_size=80),
)
def test_neither_cap_nor_threshold_is_ever_passed(balance: int, cap: int, steps: list[str]) -> None:
    """Reserved, charged and released always add up, and together stay within both."""
    gate, in_flight, charged = replace(GATE, balance=Decimal(balance)), 0, 0
    for step in steps:
        if step == "buy":
            spent = Spent(Decimal(in_flight + charged), Decimal(in_flight + charged))
            gate, refusal = authorize_purchase(
                ONE, gate, spent, Budget("a run", Decimal(cap)), Rules(THRESHOLDS), now=2.0
            )
            in_flight += refusal is None
        elif in_flight:
            in_flight -= 1
            charged += step == "charge"
        assert in_flight + charged <= cap
        left = counted(gate, Decimal(in_flight + charged))
        assert left is not None
        assert left >= min(balance, THRESHOLDS.low - 1)


@pytest.mark.parametrize("reason", [r for r in GateReason if r is not GateReason.NONE])
def test_every_closed_gate_says_why_and_what_opens_it(reason: GateReason) -> None:
    said = why_closed(Gate("bgeraser", GateState.CLOSED, reason, until=60.0, why="they said so"), THRESHOLDS)

    assert said.startswith("bgeraser: ")
    assert any(word in said for word in ("top up", "opens", "tried again"))


@pytest.mark.parametrize(("expected", "is_said"), [(Decimal(49), True), (Decimal(120), False), (None, False)])
def test_a_gate_that_closed_below_a_balance_that_is_behind_says_so(expected: Decimal | None, is_said: bool) -> None:
    gate = Gate("a", GateState.CLOSED, GateReason.LOW_CREDITS, reading=Decimal(120), expected=expected)

    assert ("showed 120" in why_closed(gate, THRESHOLDS, Decimal(49))) == is_said


@pytest.mark.parametrize(
    ("after", "charged", "in_doubt", "drift", "sound"),
    [
        pytest.param(900, 100, 0, 0, True, id="as the ledger says"),
        pytest.param(899, 100, 0, 1, True, id="one in a hundred is let pass"),
        pytest.param(898, 100, 0, 2, False, id="more is gone than was charged"),
        pytest.param(897, 100, 5, 0, True, id="what is in doubt explains it"),
        pytest.param(890, 100, 5, 5, False, id="and does not explain all"),
        pytest.param(950, 100, 0, -50, False, id="less is gone than was charged"),
        pytest.param(1500, 100, 0, 0, True, id="topped up"),
        pytest.param(1000, 0, 0, 0, True, id="nothing happened"),
        pytest.param(999, 0, 0, 1, False, id="somebody else spends"),
    ],
)
def test_the_fall_of_the_balance_is_held_against_the_ledger(
    after: int, charged: int, in_doubt: int, drift: int, sound: bool
) -> None:
    found = reconcile(Decimal(1000), Decimal(after), Decimal(charged), Decimal(in_doubt))

    assert (found.drift, found.sound) == (drift, sound)
    assert found.because


def test_a_day_begins_at_midnight_where_the_night_is() -> None:
    """On the 29th of March clocks go forward in Berlin: that day has 23 hours."""
    berlin = ZoneInfo("Europe/Berlin")
    midnight = datetime(2026, 3, 29, tzinfo=berlin).timestamp()

    next_midnight = midnight + 23 * 3600
    assert day_of(datetime(2026, 3, 29, 23, 59, tzinfo=berlin).timestamp(), "Europe/Berlin") == (
        midnight,
        next_midnight,
    )
    assert day_of(next_midnight, "Europe/Berlin") == (next_midnight, next_midnight + 24 * 3600)


def in_doubt(purchases: str) -> list[Attempt]:
    """One attempt for each letter, which names its purchase."""
    return [
        Attempt(n, name, "bgeraser", AttemptState.IN_DOUBT, ONE, Decimal(0), float(n), n + 1.0)
        for n, name in enumerate(purchases)
    ]


@pytest.mark.parametrize(
    ("purchases", "fell_by", "settled"),
    [
        ("ABC", 13, ["unusable 1", "unusable 1", "unusable 1"]),
        ("ABC", 19, ["unusable 1", "unusable 1", "unusable 1"]),
        ("ABC", 11, ["unusable 1", "unusable 0", "unusable 0"]),
        ("AAABB", 11, ["unusable 1", "refused 0", "refused 0", "unusable 0", "refused 0"]),
        ("AABBB", 12, ["unusable 1", "unusable 1", "unusable 0", "unusable 0", "refused 0"]),
        ("ABC", 10, ["refused 0", "refused 0", "refused 0"]),
        ("ABC", 8, ["refused 0", "refused 0", "refused 0"]),
        ("AB", -100, ["unusable 1", "unusable 1"]),
    ],
)
def test_a_reading_tells_how_many_of_those_in_doubt_were_charged(
    purchases: str, fell_by: int, settled: list[str]
) -> None:
    found = settle_doubts(in_doubt(purchases), Decimal(fell_by), charged=Decimal(10), unusable=Decimal(0))

    assert [f"{each.state} {each.credits_charged}" for each in found] == settled


@given(st.text("ABC", min_size=1, max_size=8), st.data())
def test_a_purchase_never_has_more_charges_than_count_towards_its_limit(purchases: str, data: st.DataObject) -> None:
    doubts = in_doubt(purchases)
    charged = data.draw(st.sets(st.sampled_from(range(len(doubts)))))
    unusable = data.draw(st.integers(0, 4))
    charged_unusable = data.draw(st.integers(0, unusable))
    settled = settle_doubts(
        doubts, Decimal(len(charged) + charged_unusable), charged=Decimal(unusable), unusable=Decimal(unusable)
    )

    really = Counter(doubts[n].purchase_id for n in charged)
    counted = Counter(each.attempt.purchase_id for each in settled if each.state is AttemptState.UNUSABLE)
    assert really <= counted
    assert sum(each.credits_charged for each in settled) == max(0, len(charged) + charged_unusable - unusable)
