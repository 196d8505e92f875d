"""What is found to be wrong by the records of runs: with the fakes of every port."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bg_pipeline.core.alerts import HOLD_S, Event, Kind
from bg_pipeline.core.gate import LAG_S, Gate, GateReason, GateState
from bg_pipeline.core.recipe import Cut, Recipe
from bg_pipeline.errors import NoCredits
from bg_pipeline.pipeline.alerting import find
from bg_pipeline.purchasing.money import reconcile_balances
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.alerting.shop import (
    DagsterGraph,
    backfill,
    dagster_id,
    fail,
    kinds,
    lines,
    notify_about,
    only_detect,
    put,
    told,
)


def test_a_shop_where_all_is_well_has_no_alert(shop: Graph) -> None:
    assert kinds(shop) == []
    shop.sync()

    assert kinds(shop) == []


def test_low_credits_are_told_with_balance_end_work_price_and_top_up(shop: Graph) -> None:
    del shop.source.files["bags/1.png"]
    shop.remover.credits_left, shop.low = Decimal(11), Decimal(10)
    shop.sync()
    said = lines(shop, Kind.CREDITS)

    assert "bgeraser: credits are low" in said
    assert "balance: 9 credits, used up by 1970-05-27 at this pace" in said
    assert "pending: 2 items, at most 2 credits, $0.08 (shoes 2)" in said
    assert "top up: https://bgeraser.ink" in said


def test_low_credits_link_to_the_run_of_dagster_that_paused(shop: Graph) -> None:
    shop = DagsterGraph(source=shop.source, low=Decimal(10))
    shop.remover.credits_left = Decimal(12)
    only_detect(shop)
    shop.process()
    assert lines(shop, Kind.CREDITS).endswith(f"http://dagster.test/runs/{dagster_id(1)}")

    shop.process()
    assert lines(shop, Kind.CREDITS).endswith(f"http://dagster.test/runs/{dagster_id(2)}")


def test_a_pause_before_this_one_is_not_what_the_alert_links_to(shop: Graph) -> None:
    shop = DagsterGraph(source=shop.source, low=Decimal(10))
    shop.remover.credits_left = Decimal(12)
    only_detect(shop)
    shop.process()
    shop.clock.now += 60.0
    put(shop, Gate("bgeraser", GateState.CLOSED, GateReason.LOW_CREDITS, shop.clock(), 2, Decimal(3)))

    assert lines(shop, Kind.CREDITS).endswith("http://dagster.test")


def test_a_run_of_the_command_line_has_no_page_to_link_to(shop: Graph) -> None:
    shop.remover.credits_left, shop.low = Decimal(12), Decimal(10)
    shop.sync()
    fail(shop, "the disk is full")

    assert lines(shop, Kind.CREDITS).endswith("http://dagster.test")
    assert lines(shop, Kind.RUN_FAILED).endswith("http://dagster.test")


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (GateReason.LOW_CREDITS, Kind.CREDITS),
        (GateReason.NO_CREDITS, Kind.CREDITS),
        (GateReason.BAD_KEY, Kind.BAD_KEY),
        (GateReason.OUTAGE, Kind.OUTAGE),
        (GateReason.QUALITY, Kind.PAUSED),
        (GateReason.BALANCE_UNKNOWN, Kind.PAUSED),
        (GateReason.BY_HAND, None),
    ],
)
def test_a_closed_gate_is_told_by_its_reason(shop: Graph, reason: GateReason, kind: Kind | None) -> None:
    put(shop, Gate("bgeraser", GateState.CLOSED, reason, 1.0, 1, Decimal(3)))

    assert kinds(shop) == ([kind] if kind else [])


def test_an_outage_on_probation_is_not_over(shop: Graph) -> None:
    put(shop, Gate("bgeraser", GateState.OPEN, GateReason.OUTAGE, 1.0, 1))

    assert kinds(shop) == [Kind.OUTAGE]


def test_every_reason_of_the_gate_is_one_that_is_told() -> None:
    assert {reason for reason in GateReason if reason} <= {*find._BY_REASON, *find._NOT_ALERTED}


def test_pauses_without_number_are_told_once_each(shop: Graph) -> None:
    for incident in range(1, 9):
        put(shop, Gate("bgeraser", GateState.CLOSED, GateReason.LOW_CREDITS, shop.clock(), incident, Decimal(5)))
        assert told(shop) == ["bgeraser: credits are low"]
        assert told(shop) == []
        put(shop, Gate("bgeraser", pause=incident))
        shop.clock.now += HOLD_S
        assert [n.event for n in notify_about(shop)] == [Event.OVER]


def test_a_spend_cap_is_told_until_a_run_ends_below_it(shop: Graph) -> None:
    shop.sync(cap=2)
    assert "pending: 3 items, at most 3 credits" in lines(shop, Kind.SPEND_CAP)

    shop.clock.now += 60.0
    shop.sync()
    assert kinds(shop) == []


def test_a_spend_cap_is_over_when_a_later_run_over_everything_stopped_for_another_reason(pending: Graph) -> None:
    pending.process(cap=2)
    pending.remover = FakeRemover([NoCredits("empty")])
    pending.process()

    assert pending.queue.pending()
    assert kinds(pending) == [Kind.CREDITS]


def test_a_backfill_that_spent_its_cap_is_told_until_a_later_one_of_its_collection_ends_below_it(
    pending: Graph,
) -> None:
    pending.process(cap=1, scope=backfill("shoes"))
    pending.process(scope=backfill("bags"))
    assert "pending: 3 items" in lines(pending, Kind.SPEND_CAP)

    pending.remover = FakeRemover([NoCredits("empty")])
    pending.process(scope=backfill("shoes"))
    put(pending, Gate("bgeraser"))
    assert pending.queue.pending()
    assert kinds(pending) == []


def test_a_share_of_failures_above_the_rate_is_told_with_its_causes(shop: Graph) -> None:
    for n in range(6):
        shop.source.put(f"shoes/broken-{n}.png", product(50 + n)[:-25])
    shop.sync()
    said = lines(shop, Kind.FAILURE_RATE)

    assert said.startswith("6 of 11 items failed in two days\n`bg-pipeline failures`")
    assert "6 × cannot be read as a picture" in said
    assert "such as shoes/broken-" in said


def test_many_failures_link_to_the_review_where_a_setting_gives_its_address(shop: Graph) -> None:
    for n in range(6):
        shop.source.put(f"shoes/broken-{n}.png", product(50 + n)[:-25])
    shop.sync()
    linked = replace(shop.pipeline, alerting=replace(shop.pipeline.alerting, review_url="http://127.0.0.1:8786"))
    (alert,) = find.find_alerts(linked).alerts

    assert alert.lines[1] == "look at them: http://127.0.0.1:8786"
    assert "look at them" not in lines(shop, Kind.FAILURE_RATE)


def test_pending_work_that_nothing_processes_is_told(shop: Graph) -> None:
    shop.sync()
    shop.source.put("hats/1.png", product(20))
    for _ in range(2):
        shop.clock.now += 13.5 * 3600.0
        assert kinds(shop) == []
        only_detect(shop)
    shop.clock.now += 13.5 * 3600.0

    assert "pending: 1 items" in lines(shop, Kind.NOT_PROCESSED)
    put(shop, Gate("bgeraser", GateState.CLOSED, GateReason.BAD_KEY, 1.0, 1))
    assert kinds(shop) == [Kind.BAD_KEY]


def test_detections_that_found_no_work_do_not_count_as_waiting(shop: Graph) -> None:
    shop.sync()
    for _ in range(4):
        only_detect(shop)
        shop.clock.now += 13.5 * 3600.0
    shop.source.put("hats/1.png", product(20))
    only_detect(shop)

    assert kinds(shop) == []


@pytest.mark.parametrize("gone", [0, 8])
def test_a_ledger_that_differs_from_the_balance_is_told(shop: Graph, gone: int) -> None:
    shop.remover.credits_left = Decimal(100)
    shop.sync()
    shop.remover.credits_left -= gone
    shop.clock.now += LAG_S
    reconcile_balances(shop.catalogue, shop.accounts, shop.policy, shop.run)

    assert kinds(shop) == ([Kind.DRIFT] if gone else [])
    assert not gone or "the balance fell by 13" in lines(shop, Kind.DRIFT)


def test_a_drift_of_an_account_that_is_used_no_more_is_not_told(shop: Graph) -> None:
    shop.remover.credits_left = Decimal(100)
    shop.sync()
    shop.remover.credits_left -= 8
    shop.clock.now += LAG_S
    reconcile_balances(shop.catalogue, shop.accounts, shop.policy, shop.run)
    shop.recipe = Recipe((Cut("removebg", 2500),), shop.recipe.rendition)

    assert kinds(shop) == []
