"""Numbers for a monitoring system."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bg_pipeline.core.metrics import Metric
from bg_pipeline.pipeline.metrics import metrics_of
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product


@pytest.fixture
def graph() -> Graph:
    made = Graph()
    for number in range(4):
        made.source.put(f"shoes/{number}.png", product(number))
    made.source.put("bags/broken.png", product(9)[:-30])
    return made


def read(graph: Graph) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics_of({"shop": graph.pipeline})}


def test_items_requests_and_credits_are_what_manifest_and_ledger_say(graph: Graph) -> None:
    graph.sync()
    told = read(graph)
    account = graph.policy.account

    items = {state: count for (_, state), count in told["bg_pipeline_items"].values.items()}
    assert (items["published"], items["failed"], items["pending"]) == (4, 1, 0)
    assert sum(items.values()) == 5
    assert told["bg_pipeline_attempts"].values[account, "charged"] == 4
    assert told["bg_pipeline_credits_charged_total"].values == {(account,): float(graph.policy.price * 4)}
    assert told["bg_pipeline_last_run_items"].values["shop", "published"] == 4


def test_what_was_charged_never_falls_as_it_has_to_for_a_counter(graph: Graph) -> None:
    seen = []
    for number in range(3):
        graph.source.put(f"shoes/more-{number}.png", product(20 + number))
        graph.sync()
        seen.append(read(graph)["bg_pipeline_credits_charged_total"].values[graph.policy.account,])

    assert seen == sorted(set(seen))
    assert [metric.name for metric in read(graph).values() if metric.is_counter] == [
        "bg_pipeline_credits_charged_total"
    ]


def test_the_gate_has_one_state_and_the_balance_is_what_is_left(graph: Graph) -> None:
    account = graph.policy.account
    graph.accounts.gates.change_gate(
        account, lambda gate: replace(gate, reading=Decimal(70), balance=Decimal(70), balance_at=graph.clock.now)
    )
    graph.sync()
    told = read(graph)

    states = {state: value for (_, state), value in told["bg_pipeline_gate"].values.items()}
    assert states == {"open": 1.0, "closed": 0.0}
    assert set(told["bg_pipeline_balance_credits"].values) <= {(account,)}


def test_each_stage_that_ran_has_an_end_and_a_duration(graph: Graph) -> None:
    assert read(graph)["bg_pipeline_stage_end_timestamp_seconds"].values == {}

    graph.sync()
    told = read(graph)
    stages = {stage for _, stage in told["bg_pipeline_stage_end_timestamp_seconds"].values}
    assert {"scan", "detect", "process"} <= stages
    assert all(seconds >= 0 for seconds in told["bg_pipeline_stage_duration_seconds"].values.values())


def test_two_catalogues_on_one_account_have_their_own_items_and_one_balance(graph: Graph) -> None:
    graph.sync()
    told = {m.name: m for m in metrics_of({"brand_a": graph.pipeline, "brand_b": graph.pipeline})}

    assert {name for name, _ in told["bg_pipeline_items"].values} == {"brand_a", "brand_b"}
    assert {name for name, _ in told["bg_pipeline_attempts"].values} == set(graph.policy.accounts)
    assert len(told["bg_pipeline_credits_charged_total"].values) == len(graph.policy.accounts)
