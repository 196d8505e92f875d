"""The balance: everywhere the same, with the time of its reading, and few events for it."""

from dataclasses import replace
from decimal import Decimal

import dagster as dg
import pytest

from bg_pipeline.core.gate import Gate, GateReason, GateState, Thresholds
from bg_pipeline.orchestration.balance import (
    EVERY_S,
    Balance,
    Event,
    LastReported,
    balances_of,
    changes_since,
    events_of,
    in_words,
)
from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.orchestration.names import AccountNames
from bg_pipeline.purchasing.gate import gates_of
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings
from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.orchestration.location import sensor
from bg_pipeline_tests.orchestration.runs import metadata_of, night

LIMITS = {"bgeraser": Thresholds(Decimal(50), Decimal(100))}
GATE = Gate("bgeraser", balance=Decimal(500), balance_at=1_000.0)
AT_500 = [Balance(GATE, Decimal(500))]
AT_400 = [Balance(GATE, Decimal(400))]
AT_390 = [Balance(GATE, Decimal(390))]
CLOSED = [Balance(replace(GATE, state=GateState.CLOSED, reason=GateReason.LOW_CREDITS, pause=1), Decimal(10))]


def written(*ticks: tuple[list[Balance], float], since: LastReported | None = None) -> list[bool]:
    """Returns for each tick if it writes."""
    reported = since or LastReported()
    found = []
    for balances, now in ticks:
        reported, events = changes_since(AccountNames(), balances, LIMITS, reported, now)
        found.append(bool(events))
    return found


def test_a_balance_that_came_to_rest_is_written_after_a_minute_and_one_that_falls_every_ten() -> None:
    assert written((AT_500, 1000.0), (AT_400, 1030.0), (AT_400, 1059.0), (AT_400, 1060.0)) == [True, False, False, True]
    falling = [(AT_400 if n % 2 else AT_390, 1000.0 + 30 * n) for n in range(1, 21)]
    assert written((AT_500, 1000.0), *falling) == [True] + [False] * 19 + [True]
    assert falling[-1][1] == 1000.0 + EVERY_S


def test_a_balance_that_is_as_it_was_written_is_not_written_again() -> None:
    assert written((AT_500, 1000.0), (AT_500, 1e6)) == [True, False]


def test_a_gate_that_moved_is_written_at_once() -> None:
    assert written((AT_500, 1000.0), (CLOSED, 1001.0), (AT_500, 1002.0)) == [True] * 3


def test_an_event_that_a_clock_wrote_that_was_ahead_delays_none() -> None:
    assert written((AT_500, 1e9), (AT_400, 1000.0), (AT_400, 1001.0)) == [True, True, False]


def test_the_cursor_is_read_back_and_one_of_another_version_begins_again() -> None:
    reported, _ = changes_since(AccountNames(), AT_500, LIMITS, LastReported(), 1000.0)

    assert LastReported.from_cursor(reported.cursor()) == reported
    assert LastReported.from_cursor('{"other": 1}') == LastReported.from_cursor("{") == LastReported()


def test_the_check_is_written_with_each_balance_so_that_it_counts_as_evaluated() -> None:
    kinds = [type(event) for event in events_of(AccountNames(), AT_500, LIMITS)]

    assert kinds == [dg.AssetMaterialization, dg.AssetCheckEvaluation]


def test_a_tick_says_how_old_its_reading_is() -> None:
    assert in_words(AT_500, LIMITS, 1020.0) == (
        "bgeraser: 500 credits (balance read 20 seconds ago), requests are allowed"
    )
    assert in_words(CLOSED, LIMITS, 1000.0 + 7200).endswith("(balance read 2 hours ago)")
    assert in_words([Balance(Gate("local"), None)], LIMITS, 0.0) == "local: counts no credits, requests are allowed"


def facts_of(event: Event) -> dict[str, object]:
    return {name: value.value for name, value in event.metadata.items()}


def test_an_asset_without_credits_shows_that_its_gate_is_open() -> None:
    (event, _) = events_of(AccountNames(), [Balance(Gate("local"), None)], LIMITS)

    assert facts_of(event) == {"account": "local", "gate": "open: requests are allowed"}


def tick(instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    context = dg.build_sensor_context(instance, cursor=cursor, definitions=defs)
    result = sensor("low_credit_sensor")(context)
    assert isinstance(result, dg.SensorResult)
    return result


def test_tick_asset_and_check_show_one_balance(shop: Shop, run: Run, instance: dg.DagsterInstance) -> None:
    night(run)
    with open_pipeline(load_settings()) as pipeline:
        (recorded,) = balances_of(pipeline.accounts, gates_of(pipeline.accounts, pipeline.policy))
    result = tick(instance)
    asset, check = (facts_of(event) for event in result.asset_events)  # type: ignore[arg-type]

    assert recorded.left == 997
    assert str(result.skip_reason.skip_message).startswith("bgeraser: 997 credits (balance read ")  # type: ignore[union-attr]
    assert asset["balance"] == check["balance"] == 997


def test_a_night_that_cron_started_reports_the_balance_that_it_left(
    shop: Shop, run: Run, instance: dg.DagsterInstance
) -> None:
    night(run)
    told = metadata_of(instance, "credit_balance")

    assert (told["account"], told["balance"], told["gate"]) == ("bgeraser", 997, "open: requests are allowed")
    assert "balance_read_at" in told


@pytest.mark.usefixtures("shop")
def test_a_closed_gate_says_in_the_asset_what_to_do(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.vendor.ledger.set_balance("bgeraser", Decimal(10))
    asset, check = tick(instance).asset_events

    assert "10 credits are left" in str(facts_of(asset)["gate"])  # type: ignore[arg-type]
    assert isinstance(check, dg.AssetCheckEvaluation)
    assert not check.passed
