"""Thresholds for plans of every size, and the advice that leads out of a pause."""

import re
from decimal import Decimal

import pytest

from bg_pipeline.core.credits import why_closed
from bg_pipeline.core.gate import Gate, GateReason, GateState, Thresholds, on_balance, resume_above
from bg_pipeline.purchasing.settings import PurchasingSettings


def thresholds(**settings: object) -> Thresholds:
    return PurchasingSettings.model_validate(settings).thresholds


def closed(thresholds: Thresholds, balance: int) -> Gate:
    gate = on_balance(Gate("a", balance=Decimal(balance)), Decimal(balance), thresholds, 0.0)
    assert gate.reason is GateReason.LOW_CREDITS
    return gate


@pytest.mark.parametrize("plan", [10, 15, 50])
def test_a_free_plan_starts_is_paused_before_it_is_empty_and_goes_on_when_it_is_renewed(plan: int) -> None:
    defaults = thresholds()
    fresh = on_balance(Gate("a"), Decimal(plan), defaults, 0.0)
    spent = closed(defaults, 4)

    assert fresh.is_open
    assert on_balance(spent, Decimal(plan), defaults, 1.0).is_open


@pytest.mark.parametrize(("low", "resume"), [(0, 1), (1, 2), (5, 10), (50, 100), (100, 150), (500, 550), (1000, 1100)])
def test_the_upper_threshold_follows_the_lower_one(low: int, resume: int) -> None:
    assert resume_above(Decimal(low)) == resume


@pytest.mark.parametrize("left", [1, 2, 3, 7, 12, 49, 90, 700])
@pytest.mark.parametrize("settings", [{"low_credits": 2000}, {"low_credits": 2000, "resume_credits": 3000}])
def test_the_advice_on_settings_leads_out_of_a_pause(left: int, settings: dict[str, object]) -> None:
    before = thresholds(**settings)
    gate = closed(before, left)
    said = why_closed(gate, before)
    advised = re.search(r"set BG_LOW_CREDITS to at most (\d+)( and remove BG_RESUME_CREDITS)?", said)
    assert advised
    lowered = {**settings, "low_credits": int(advised[1])}
    if advised[2]:
        del lowered["resume_credits"]

    assert on_balance(gate, Decimal(left), thresholds(**lowered), 1.0).is_open
    assert "or `bg-pipeline gate open a`" in said


def test_without_a_credit_no_setting_helps() -> None:
    gate = Gate("a", GateState.CLOSED, GateReason.LOW_CREDITS, balance=Decimal(0))

    assert "BG_LOW_CREDITS" not in why_closed(gate, thresholds())
