"""The export, and the table beside the outputs."""

import pytest

from bg_pipeline.core.alerts import Kind
from bg_pipeline.core.export import FOLDER, REMOVED, Chosen, Naming, Row, TableFormat, as_cell, from_cell
from bg_pipeline.core.records import State
from bg_pipeline.core.runlog import ExportRecord
from bg_pipeline.errors import ConfigurationError, GuardStopped
from bg_pipeline.pipeline.alerting.find import find_alerts
from bg_pipeline.pipeline.export import Earlier, Request, export
from bg_pipeline.ports.context import leased
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

NAME = f"{FOLDER}/cutouts.csv"


@pytest.fixture
def graph() -> Graph:
    made = Graph(table=TableFormat.CSV)
    made.source.put("a/1.png", product(1))
    made.source.put("b/2.png", product(2))
    made.sync()
    return made


def rows(graph: Graph, request: Request | None = None) -> list[Row]:
    taken: list[Row] = []
    export(graph.catalogue, graph.run, Naming(), taken.append, request)
    return taken


def test_the_table_beside_the_outputs_is_written_only_when_it_changed(graph: Graph) -> None:
    assert graph.outputs.blobs[NAME].count(b"published") == 2 + 1  # and a column
    graph.sync()
    assert graph.outputs.writes.count(NAME) == 1

    graph.source.put("b/2.png", product(3))
    graph.sync()
    assert graph.outputs.writes.count(NAME) == 2


def test_no_listing_takes_the_table_for_a_cutout(graph: Graph) -> None:
    assert list(graph.outputs.list()) == ["a/1.png", "b/2.png"]


def test_a_table_that_cannot_be_written_ends_no_night_and_is_written_by_the_next(graph: Graph) -> None:
    graph.source.put("b/2.png", b"broken")
    graph.outputs.full = True
    graph.sync()
    (record,) = graph.run_log.read(ExportRecord)
    assert record.problem == "No space left on device"
    assert Kind.EXPORT in {alert.kind for alert in find_alerts(graph.pipeline).alerts}

    graph.outputs.full = False
    graph.sync()
    assert b"skipped" in graph.outputs.blobs[NAME]
    assert Kind.EXPORT not in {alert.kind for alert in find_alerts(graph.pipeline).alerts}


def test_a_run_waits_while_another_writes_the_table(graph: Graph) -> None:
    graph.source.put("b/2.png", product(3))
    other = leased(graph.leases, "export", "another run")
    other.__enter__()
    waits = len(graph.slept)
    graph.while_asleep = lambda: other.__exit__(None, None, None) if len(graph.slept) == waits + 1 else None
    graph.sync()

    assert len(graph.slept) > waits
    assert graph.outputs.writes.count(NAME) == 2


def test_a_manifest_without_items_exports_nothing() -> None:
    with pytest.raises(GuardStopped, match="no item"):
        rows(Graph())


def test_an_earlier_table_of_another_catalogue_or_in_another_order_is_refused(graph: Graph) -> None:
    whole = rows(graph)
    with pytest.raises(ConfigurationError, match="of the catalogue 'other'"):
        rows(graph, Request(since=Earlier("t", [whole[0]._replace(catalogue="other")])))
    with pytest.raises(ConfigurationError, match="not in the order"):
        rows(graph, Request(since=Earlier("t", whole[::-1])))


def test_a_row_that_leaves_the_chosen_states_is_told(graph: Graph) -> None:
    before = rows(graph)
    graph.source.put("b/2.png", b"broken")
    graph.sync()
    changes = rows(graph, Request(Chosen(frozenset({"published"})), Earlier("t", before)))

    assert [(row.key, row.state) for row in changes] == [("b/2.png", "skipped")]


def test_a_forgotten_item_is_removed_for_a_reader(graph: Graph) -> None:
    before = rows(graph)
    graph.database.change_state("b/2.png", state=State.FORGOTTEN, detail="", published=None)
    (row,) = rows(graph, Request(since=Earlier("t", before)))

    assert (row.key, row.state, row.output, row.sha256) == ("b/2.png", REMOVED, "", "")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "＝1"])
def test_no_cell_is_a_formula_and_each_is_read_back(name: str) -> None:
    assert as_cell(name) == f"./{name}"
    assert from_cell(as_cell(name)) == name
