"""What patterns leave out is neither bought nor gone."""

import pytest

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.filters import Filter
from bg_pipeline.core.formats import Format
from bg_pipeline.core.records import Reason, State
from bg_pipeline.core.runlog import ScanRecord
from bg_pipeline.pipeline.detect import count_copies_to_buy, plan, scan
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

_DAY = 86_400.0


@pytest.fixture
def graph() -> Graph:
    made = Graph(deletes=DeletePolicy(trash=True))
    for n in range(3):
        made.source.put(f"shoes/{n}.png", product(n))
    made.source.put("shoes/old/9.png", product(9))
    return made


def test_what_is_left_out_is_counted_and_not_bought(graph: Graph) -> None:
    graph.filter = Filter(exclude=["old/"])
    done = graph.sync()

    assert (done.scan.listed, done.scan.left_out, len(graph.remover.requests)) == (3, {"old/": 1}, 3)
    assert graph.items.entry("shoes/old/9.png") is None
    assert graph.run_log.read(ScanRecord)[0].left_out == {"old/": 1}


def test_a_cutout_whose_picture_a_new_pattern_leaves_out_stays_with_its_record(graph: Graph) -> None:
    graph.sync()
    before, cutouts = graph.items.entry("shoes/old/9.png"), dict(graph.outputs.blobs)
    graph.filter = Filter(exclude=["old/"])
    graph.outputs.blobs.pop("shoes/0.png")
    for _ in range(3):
        graph.clock.now += 2 * _DAY
        done = graph.sync()
        assert (done.scan.absent, done.trash.moved, done.scan.left_out) == ([], [], {"old/": 1})

    assert (graph.items.entry("shoes/old/9.png"), graph.outputs.blobs) == (before, cutouts)
    graph.filter = Filter()
    assert graph.sync().delta.changes == ()


def test_a_folder_that_is_not_walked_keeps_what_is_known_of_it(graph: Graph) -> None:
    graph.sync()
    graph.filter = Filter(exclude=["old/"])
    graph.source.hidden = {"shoes/old/9.png"}

    assert graph.sync().scan.absent == []


def test_a_lost_or_outdated_cutout_of_what_is_left_out_is_not_made_again(graph: Graph) -> None:
    graph.sync()
    graph.filter = Filter(exclude=["old/"])
    del graph.outputs.blobs["shoes/old/9.png"]

    assert graph.sync().summary.published == 0
    graph.change_recipe(format=Format.WEBP)
    assert [c.key for c in graph.sync().delta.work if c.key.startswith("shoes/old")] == []
    kept = graph.items.entry("shoes/old/9.png")
    assert kept is not None
    assert kept.state is State.PUBLISHED


def test_pictures_that_were_gone_are_not_deleted_after_a_pattern_that_hides_them(graph: Graph) -> None:
    """Only two listings that looked for them may say so."""
    graph.sync()
    del graph.source.files["shoes/old/9.png"]
    graph.sync()
    graph.filter = Filter(exclude=["old/"])
    graph.clock.now += 2 * _DAY

    assert graph.sync().trash.moved == []
    graph.filter = Filter()
    assert graph.sync().trash.moved == ["shoes/old/9.png"]


def test_what_waits_to_be_bought_is_not_bought_once_a_pattern_leaves_it_out(graph: Graph) -> None:
    """It was found before its owner saw the bill."""
    graph.sync(cap=0)
    graph.filter = Filter(exclude=["old/"])
    done = graph.sync()

    assert len(graph.remover.requests) == 3
    assert [(c.key, c.because) for c in done.delta.changes if c.reason is Reason.SKIPPED] == [
        ("shoes/old/9.png", "left out by old/")
    ]
    skipped = graph.items.entry("shoes/old/9.png")
    assert skipped is not None
    assert skipped.state is State.SKIPPED

    graph.filter = Filter()
    assert graph.sync().summary.by_reason == {Reason.CHANGED: 1}


def test_a_run_over_an_earlier_delta_does_not_buy_it_either(graph: Graph) -> None:
    graph.sync(cap=0)
    graph.filter = Filter(exclude=["old/"])
    done = graph.process()

    assert len(graph.remover.requests) == 3
    assert [f.detail for f in done.summary.failures] == ["left out by old/; the next sync skips it"]


def test_a_sentinel_may_be_left_out(graph: Graph) -> None:
    graph.deletes = DeletePolicy(sentinel=".mounted")
    graph.filter = Filter(exclude=[".*"])
    graph.source.put(".mounted", b"")

    assert graph.sync().scan.sentinel_seen


def test_a_locked_folder_that_is_left_out_is_no_failure(graph: Graph) -> None:
    graph.filter = Filter(exclude=["lost+found/"])
    graph.source.locked = {"lost+found/"}

    assert graph.sync().summary.not_looked == {}


def test_a_plan_counts_the_copies_that_it_would_buy(graph: Graph) -> None:
    graph.source.put("shoes/0-300x300.png", product(50))
    graph.sync(cap=0)
    scan(graph.catalogue, graph.policy, graph.run)
    delta = plan(graph.catalogue, graph.accounts, graph.policy)

    assert count_copies_to_buy(graph.observations, delta) == {"*-[0-9]*x[0-9]*.*": 1}
    graph.sync()
    assert count_copies_to_buy(graph.observations, plan(graph.catalogue, graph.accounts, graph.policy)) == {}
