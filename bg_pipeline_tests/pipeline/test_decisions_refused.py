"""Decisions that cannot be carried out, or whose process or store fails on the way."""

import pytest

from bg_pipeline.core.records import State
from bg_pipeline.core.review import ReviewDecision, Seen
from bg_pipeline.errors import ConfigurationError, ForeignStore, LeaseHeld, StoreError
from bg_pipeline.pipeline.review import decide
from bg_pipeline.ports.context import DETECTION
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.decisions import (
    APPROVE,
    KEY,
    OF_ONE_ITEM,
    OTHER,
    REDO,
    REJECT,
    TAKE_OFF,
    TWIN,
    bought,
    choose,
    entry_of,
    in_trash,
    on_shop,
    shown,
    three_published,
)


@pytest.fixture
def graph() -> Graph:
    return three_published()


@pytest.mark.parametrize("decision", OF_ONE_ITEM)
def test_a_picture_that_has_changed_since_it_was_shown_is_not_decided_about(
    graph: Graph, decision: ReviewDecision
) -> None:
    seen = shown(graph)[KEY].seen
    graph.source.put(KEY, product(8))
    graph.sync()
    before = dict(graph.database.entries)

    with pytest.raises(ConfigurationError, match=r"the picture of bags/a\.png has changed since it was shown"):
        decide(graph.pipeline, decision, KEY, "ana", "", seen)
    with pytest.raises(ConfigurationError, match=r"the cutout of bags/a\.png has changed since it was shown"):
        decide(graph.pipeline, decision, KEY, "ana", "", Seen(shown(graph)[KEY].seen.content_hash, "another"))
    assert graph.database.entries == before
    assert graph.reviews.decisions([KEY]) == {}
    assert decide(graph.pipeline, decision, KEY, "ana", "", shown(graph)[KEY].seen) == [KEY]


@pytest.mark.parametrize("decision", OF_ONE_ITEM)
def test_an_item_that_another_run_works_on_is_not_decided_about(graph: Graph, decision: ReviewDecision) -> None:
    claim = graph.claim(TWIN if decision is not TAKE_OFF else KEY)
    with pytest.raises(LeaseHeld, match="another run has claimed it; nothing was changed"):
        choose(graph, decision)
    assert graph.reviews.decisions([KEY]) == {}
    assert entry_of(graph).state is State.PUBLISHED

    graph.queue.release(claim)
    choose(graph, decision)


def test_nothing_leaves_the_shop_while_a_detection_runs(graph: Graph) -> None:
    lease = graph.leases.acquire(DETECTION, "a night")
    for decision in (REJECT, TAKE_OFF):
        with pytest.raises(LeaseHeld, match="a night"):
            choose(graph, decision)
    assert on_shop(graph) == {KEY, TWIN, OTHER}
    assert choose(graph, APPROVE) == [KEY, TWIN]

    graph.leases.release(lease)
    choose(graph, TAKE_OFF)


def test_a_store_that_fails_delays_a_removal_to_the_next_sync(graph: Graph) -> None:
    graph.outputs.full = True
    with pytest.raises(StoreError, match=r"taken off the shop by ana: a halo\. The next sync takes its cutout away"):
        choose(graph, TAKE_OFF)
    assert KEY in on_shop(graph)
    assert [each.decision for each in graph.reviews.decisions([KEY])[KEY]] == [TAKE_OFF]

    graph.outputs.full = False
    graph.sync()
    assert on_shop(graph) == {TWIN, OTHER}
    assert len(in_trash(graph)) == 1
    choose(graph, APPROVE)
    assert on_shop(graph) == {KEY, TWIN, OTHER}


def test_a_file_of_another_program_is_not_taken_away(graph: Graph) -> None:
    graph.outputs.blobs[KEY] = b"retouched by hand"
    with pytest.raises(StoreError, match="still in BG_OUTPUT: its cutout is not the one that was published"):
        choose(graph, TAKE_OFF)
    done = graph.sync()

    assert graph.outputs.blobs[KEY] == b"retouched by hand"
    assert done.published == []
    assert entry_of(graph).state is State.WITHDRAWN


class Killed(BaseException):
    """The end of the process."""


@pytest.mark.parametrize("decision", [REDO, TAKE_OFF, REJECT])
def test_a_process_that_dies_before_a_decision_is_on_record_has_changed_nothing(
    graph: Graph, decision: ReviewDecision, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(graph.reviews, "record", die)
    with pytest.raises(Killed):
        choose(graph, decision)
    monkeypatch.undo()
    done = graph.sync()

    assert on_shop(graph) == {KEY, TWIN, OTHER}
    assert (done.delta.purchases, bought(graph)) == (0, 2)
    assert {e.state for e in graph.items.entries()} == {State.PUBLISHED}
    graph.change_recipe(background="white")
    assert graph.sync().summary.published == 3
    assert bought(graph) == 2


def test_a_redo_that_dies_before_its_end_uses_the_old_result_and_buys_nothing(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_name: str) -> None:
        raise Killed

    monkeypatch.setattr(graph.masters, "remove", die)
    with pytest.raises(Killed):
        choose(graph, REDO)
    monkeypatch.undo()
    done = graph.sync()

    assert (done.summary.published, bought(graph)) == (2, 2)


def test_no_decision_is_carried_out_in_the_stores_of_another_manifest(graph: Graph) -> None:
    graph.identity = "mine"
    graph.outputs.set_owner("of another")
    for decision in ReviewDecision:
        with pytest.raises(ForeignStore):
            choose(graph, decision)
    assert on_shop(graph) == {KEY, TWIN, OTHER}
