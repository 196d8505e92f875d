"""What a shop is told, and what goes wrong in it."""

import uuid
from dataclasses import replace

from bg_pipeline.core.alerts import Kind, Notification
from bg_pipeline.core.claims import Selection
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.runlog import FailureKind, Stage
from bg_pipeline.errors import BgPipelineError
from bg_pipeline.pipeline.alerting.failures import kind_of, note_failure
from bg_pipeline.pipeline.alerting.find import find_alerts
from bg_pipeline.pipeline.alerting.notify import notify
from bg_pipeline.pipeline.detect import detect, scan
from bg_pipeline.pipeline.process import Scope
from bg_pipeline.ports.context import Pipeline, RunName
from bg_pipeline_tests.graph import Graph


def put(graph: Graph, gate: Gate) -> None:
    graph.gates.change_gate(gate.account, lambda _gate: gate)


def kinds(graph: Graph) -> list[Kind]:
    return [alert.kind for alert in find_alerts(graph.pipeline).alerts]


def notify_about(graph: Graph) -> tuple[Notification, ...]:
    """What a look at everything sends."""
    return notify(graph.pipeline.monitor, find_alerts(graph.pipeline))


def told(graph: Graph) -> list[str]:
    """What is news now, by title without its opening."""
    return [notification.title.partition(": ")[2] for notification in notify_about(graph)]


def lines(graph: Graph, kind: Kind) -> str:
    (alert,) = [alert for alert in find_alerts(graph.pipeline).alerts if alert.kind is kind]
    return "\n".join((alert.title, *alert.lines))


def fail(
    graph: Graph,
    cause: BgPipelineError | str = "boom",
    stage: Stage = Stage.DETECTION,
    collection: str | None = None,
    failed: RunName | None = None,
) -> None:
    """A run fails, and a second later something else may happen."""
    kind = FailureKind.ERROR if isinstance(cause, str) else kind_of(type(cause))
    if kind is not None:
        name = failed or graph.run.name
        note_failure(graph.pipeline.monitor, name, kind, str(cause), stage, collection=collection)
    graph.clock.now += 1.0


def only_detect(graph: Graph) -> None:
    """A detection that no run follows."""
    scan(graph.catalogue, graph.policy, graph.run)
    detect(graph.catalogue, graph.accounts, graph.policy, graph.run)


def backfill(*collections: str) -> Scope:
    return Scope(Selection(frozenset(collections)))


class DagsterGraph(Graph):
    """Its runs are called as Dagster calls them."""

    @property
    def pipeline(self) -> Pipeline:
        made = super().pipeline
        return replace(made, run=replace(made.run, name=RunName(dagster_id(self.runs), "process_pending", "a test")))


def dagster_id(number: int) -> str:
    return str(uuid.UUID(int=number))
