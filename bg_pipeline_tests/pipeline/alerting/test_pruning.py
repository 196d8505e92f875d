"""A guard that stops the pruning of masters is an alert while masters are pruned at all."""

from dataclasses import replace

from bg_pipeline.core.alerts import Kind
from bg_pipeline.core.runlog import PruneRecord
from bg_pipeline.pipeline.alerting.find import find_alerts
from bg_pipeline_tests.graph import Graph

BY = {"run_id": "run 1", "job": "sync", "collections": None, "started_at": 1.0}


def titles(graph: Graph) -> list[str]:
    return [alert.title for alert in find_alerts(graph.pipeline, []).alerts if alert.kind is Kind.GUARD]


def test_a_stopped_pruning_is_an_alert_until_one_is_not_stopped() -> None:
    graph = Graph(keep_masters_days=30)
    stopped = PruneRecord(unused=9, removed=0, stopped="9 of 20 masters would be pruned", **BY)
    graph.run_log.write(stopped)
    assert titles(graph) == ["a guard stopped the pruning of masters: 9 of 20 masters would be pruned"]

    graph.keep_masters_days = 0
    assert titles(graph) == []
    graph.keep_masters_days = 30
    graph.run_log.write(replace(stopped, stopped=""))
    assert titles(graph) == []
