"""The way out of quarantine."""

from dataclasses import replace

import pytest

from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import Tool, digest_of, purchase_id
from bg_pipeline.core.records import State
from bg_pipeline.core.review import ReviewDecision
from bg_pipeline.errors import ConfigurationError, SourceUnreadable, StoreError
from bg_pipeline.imaging.sheet import Pair
from bg_pipeline.pipeline.gallery import make_pairs
from bg_pipeline.pipeline.review import decide, in_quarantine
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import encoded, opened, product

ODD, TWIN = "shoes/odd.png", "bags/twin.png"


@pytest.fixture
def graph() -> Graph:
    """Two items share a picture of which nothing was removed."""
    whole = encoded(opened(product(5)).convert("RGBA"))
    made = Graph(remover=FakeRemover([whole]))
    made.source.put(ODD, product(5))
    made.source.put(TWIN, product(5))
    assert made.sync().summary.quarantined == 2
    return made


def approve(graph: Graph, key: str) -> list[str]:
    return decide(graph.pipeline, ReviewDecision.APPROVE, key, "ana")


def reject(graph: Graph, key: str) -> list[str]:
    return decide(graph.pipeline, ReviewDecision.REJECT, key, "ana")


def gallery(graph: Graph) -> list[Pair]:
    return make_pairs(graph.catalogue, graph.accounts, graph.policy, graph.run, [ODD], 100)


def states(graph: Graph) -> set[State]:
    return {entry.state for entry in graph.items.entries()}


def test_what_waits_is_listed_until_its_picture_is_gone(graph: Graph) -> None:
    assert [(e.key, e.detail.partition(":")[0]) for e in in_quarantine(graph.catalogue)] == [
        (TWIN, "nothing was removed"),
        (ODD, "nothing was removed"),
    ]
    graph.observations.mark_absent([ODD])
    assert [e.key for e in in_quarantine(graph.catalogue)] == [TWIN]


def test_without_a_decision_it_stays_where_it_is(graph: Graph) -> None:
    graph.sync()

    assert states(graph) == {State.QUARANTINED}


def test_an_approved_result_is_published_by_the_next_sync_for_nothing_and_so_is_its_twin(graph: Graph) -> None:
    assert approve(graph, ODD) == [TWIN, ODD]
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases, len(graph.remover.requests)) == (2, 0, 1)
    assert sorted(graph.outputs.blobs) == [TWIN, ODD]
    assert graph.sync().delta.changes == ()


def test_a_result_under_the_name_of_an_older_scheme_can_be_approved(graph: Graph) -> None:
    (master,) = graph.purchases.masters()
    older = purchase_id(digest_of(product(5)), graph.recipe.cut.digests[-1])
    assert older != master.purchase_id
    graph.masters.blobs[master_name(older)] = graph.masters.blobs.pop(master_name(master.purchase_id))
    graph.purchases.forget(master.purchase_id)
    graph.purchases.adopt(replace(master, purchase_id=older))
    for key in (ODD, TWIN):
        graph.queue.set_state(key, State.QUARANTINED, "nothing was removed", older, graph.claim(key))

    assert approve(graph, ODD) == [TWIN, ODD]
    assert graph.sync().summary.published == 2
    assert len(graph.remover.requests) == 1


def test_what_was_approved_stays_approved_when_only_the_metadata_of_the_picture_changes(graph: Graph) -> None:
    approve(graph, ODD)
    graph.sync()
    graph.source.put(ODD, encoded(opened(product(5)), compress_level=1))
    done = graph.sync()

    assert (done.summary.published, done.summary.quarantined, len(graph.remover.requests)) == (1, 0, 1)


def test_nothing_is_bought_on_top_of_a_suspicious_result_until_a_person_approves(graph: Graph) -> None:
    graph.change_recipe(tools=(Tool("upscale", {"factor": "2"}),))
    graph.sync(apply_recipe_change=True)
    assert states(graph) == {State.QUARANTINED}
    assert len(graph.remover.requests) == 1

    approve(graph, ODD)
    assert graph.sync().summary.published == 2
    assert [request.tool for request in graph.remover.requests] == ["", "upscale"]


def test_a_rejected_result_stays_off_the_shop_until_its_picture_changes(graph: Graph) -> None:
    assert reject(graph, TWIN) == [TWIN, ODD]
    assert graph.sync().summary.published == 0
    assert states(graph) == {State.WITHDRAWN}
    assert graph.outputs.blobs == {}

    graph.source.put(ODD, product(6))
    assert graph.sync().summary.published == 1


def test_a_rejected_result_is_not_bought_again_by_a_retry_or_a_changed_recipe(graph: Graph) -> None:
    reject(graph, ODD)
    graph.items.retry()
    graph.change_recipe(side_px=40)
    graph.sync(apply_recipe_change=True)

    assert states(graph) == {State.WITHDRAWN}
    assert len(graph.remover.requests) == 1


@pytest.mark.parametrize("decision", ReviewDecision)
def test_only_what_a_review_shows_can_be_decided(graph: Graph, decision: ReviewDecision) -> None:
    with pytest.raises(ConfigurationError, match="not in the manifest"):
        decide(graph.pipeline, decision, "shoes/none.png", "ana")
    graph.source.files.pop(ODD)
    graph.sync()
    with pytest.raises(ConfigurationError, match="no longer in the source"):
        decide(graph.pipeline, decision, ODD, "ana")
    assert graph.reviews.decisions([ODD]) == {}


def test_nothing_is_approved_that_would_have_to_be_bought(graph: Graph) -> None:
    graph.change_recipe(side_px=40)
    with pytest.raises(ConfigurationError, match="no paid result of this picture and recipe"):
        approve(graph, ODD)
    graph.change_recipe(side_px=2500)
    graph.purchases.forget(graph.items.in_state(State.QUARANTINED)[0].purchase_id)
    with pytest.raises(ConfigurationError, match="no paid result of this picture and recipe"):
        approve(graph, ODD)
    assert states(graph) == {State.QUARANTINED}


def test_the_gallery_shows_what_is_to_be_judged(graph: Graph) -> None:
    (pair,) = gallery(graph)
    assert pair.after is not None
    assert pair.note.startswith("quarantined: nothing was removed")

    del graph.masters.blobs[master_name(graph.items.in_state(State.QUARANTINED)[0].purchase_id)]
    assert gallery(graph)[0].after is None


@pytest.mark.parametrize("error", [StoreError("not mounted"), SourceUnreadable("not mounted")])
def test_a_gallery_shows_what_it_cannot_read_as_such(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def read(_name: str) -> bytes:
        raise error

    monkeypatch.setattr(graph.masters if isinstance(error, StoreError) else graph.source, "read", read)
    (pair,) = gallery(graph)

    assert (pair.after, pair.note) == (None, "not mounted")
