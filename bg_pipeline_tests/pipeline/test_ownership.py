"""A manifest beside stores that it does not know."""

from typing import Any

import pytest

from bg_pipeline.core.alerts import Kind
from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.runlog import DetectRecord, FailureRecord, ScanRecord
from bg_pipeline.errors import ForeignStore, StateError, StoreError
from bg_pipeline.pipeline import night
from bg_pipeline.pipeline.alerting.notify import after_sync
from bg_pipeline.pipeline.backfill import BackfillResult, backfill
from bg_pipeline.pipeline.choice import Choice
from bg_pipeline.pipeline.ownership import check, find_foreign_store, guard, take_possession
from bg_pipeline.pipeline.process import Scope
from bg_pipeline.pipeline.retry import try_again
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.alerting.shop import fail, kinds

OURS, OTHER = "a" * 32, "b" * 32


def shop(**options: Any) -> Graph:
    graph = Graph(identity=OURS, **options)
    for n in range(3):
        graph.source.put(f"shoes/{n}.png", product(n))
    return graph


def beside(graph: Graph, identity: str = OTHER) -> Graph:
    """Another manifest, and an empty one, beside the same stores."""
    return Graph(
        source=graph.source, outputs=graph.outputs, masters=graph.masters, spool=graph.spool, identity=identity
    )


def unmarked(graph: Graph) -> Graph:
    """As a version without marks left its stores."""
    for store in (graph.outputs, graph.masters, graph.spool):
        store.marked_by = ""
    return graph


def test_new_stores_are_marked_before_anything_is_bought() -> None:
    graph = shop()
    graph.remover.before = lambda _request: guard(beside(graph, OURS).pipeline)
    assert graph.sync().summary.purchases == 3

    for store in (graph.outputs, graph.masters, graph.spool):
        assert store.owner() == OURS
    assert graph.sync().delta.changes == ()


@pytest.mark.parametrize("entrance", ["look", "decide", "work", "backfill", "retry"])
def test_nothing_begins_beside_the_stores_of_another_manifest(entrance: str) -> None:
    graph = shop()
    graph.sync()
    other = beside(graph)
    ask = Ask(AskedBy.SYNC, Budget("a run"))
    calls = {
        "look": lambda: night.look(other.pipeline),
        "decide": lambda: night.decide(other.pipeline),
        "work": lambda: night.work(other.pipeline, ask, Scope()),
        "backfill": lambda: backfill(other.pipeline, ask, Choice(apply_recipe_change=True), None, BackfillResult()),  # type: ignore[arg-type]
        "retry": lambda: try_again(other.pipeline),
    }
    with pytest.raises(
        ForeignStore, match=r"BG_OUTPUT \(in memory\) belongs to another manifest .*bg-pipeline rebuild"
    ):
        calls[entrance]()

    assert other.remover.requests == []
    assert (other.run_log.read(ScanRecord), other.run_log.read(DetectRecord)) == ([], [])
    assert graph.outputs.owner() == OURS


@pytest.mark.parametrize("full", ["outputs", "masters", "spool"])
def test_an_empty_manifest_beside_one_full_store_stops(full: str) -> None:
    graph = shop()
    getattr(graph, full).write("ab/abc", b"paid for")
    with pytest.raises(ForeignStore, match="is full, but the manifest knows of no purchase"):
        graph.sync()
    assert graph.remover.requests == []


def test_stores_of_a_version_without_marks_get_them_from_the_manifest_that_bought() -> None:
    graph = shop()
    graph.sync()
    unmarked(graph)
    assert graph.sync().delta.changes == ()
    assert graph.masters.owner() == OURS

    with pytest.raises(ForeignStore):
        beside(unmarked(graph)).sync()


def test_a_check_changes_nothing_and_says_which_stores_are_new() -> None:
    graph = shop()

    assert [each.setting for each in check(graph.pipeline)] == ["BG_OUTPUT", "BG_MASTERS", "BG_SPOOL"]
    assert {store.owner() for store in (graph.outputs, graph.masters, graph.spool)} == {""}


def test_after_taking_in_what_is_there_the_stores_are_ours() -> None:
    graph = shop()
    graph.sync()
    other = beside(graph)
    take_possession(other.pipeline)

    assert other.sync().summary.purchases == 0
    assert find_foreign_store(graph.pipeline)


def test_a_mark_that_cannot_be_written_stops_before_anything_is_bought() -> None:
    graph = shop()
    graph.masters.full = True
    with pytest.raises(StoreError):
        graph.sync()
    assert graph.remover.requests == []


def test_a_store_that_cannot_be_read_hides_no_other_alert() -> None:
    graph = shop()

    def away() -> str:
        raise StoreError("the share is away")

    graph.outputs.owner = away  # type: ignore[method-assign]
    fail(graph, StateError("boom"))
    assert kinds(graph) == [Kind.RUN_FAILED]


def test_a_foreign_store_is_one_alert_however_many_runs_failed_and_over_when_its_cause_is() -> None:
    graph = shop()
    graph.sync()
    other = beside(graph)
    for _ in range(3):
        with pytest.raises(ForeignStore) as caught:
            other.sync()
        after_sync(other.pipeline, caught.value)
        other.clock.now += 60.0
    assert [title.partition(": ")[2][:25] for _, title in sent(other)] == ["a guard stopped all work:"]
    assert other.run_log.read(FailureRecord, limit=9) == []

    take_possession(other.pipeline)
    other.clock.now += 3600.0
    after_sync(other.pipeline)
    assert [title.partition(", ")[2][:9] for _, title in sent(other)][1:] == ["recovered"]


def sent(graph: Graph) -> list[tuple[str, str]]:
    return [(name, notification.title) for name, notification in graph.sink.got]
