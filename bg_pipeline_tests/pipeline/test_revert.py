"""A run is reverted: outputs and publications are as before, nothing is bought, and nothing is done again at once."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.records import State
from bg_pipeline.core.review import ReviewDecision
from bg_pipeline.errors import ConfigurationError, ForeignStore, LeaseHeld
from bg_pipeline.pipeline.revert import RevertResult, preview, redo, revert
from bg_pipeline.pipeline.review import decide
from bg_pipeline.ports.context import DETECTION
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.reverting import (
    KEYS,
    a_name_of_a_picture_that_is_gone,
    a_new_picture,
    all_at_once,
    another_cut,
    another_format,
    another_picture,
    another_rendition,
    kept,
    state_of,
    taken_back,
    three_published,
)


@pytest.fixture
def graph() -> Graph:
    return three_published()


CHANGES = [
    another_picture,
    a_new_picture,
    a_name_of_a_picture_that_is_gone,
    another_rendition,
    another_format,
    another_cut,
    all_at_once,
]


NEW: dict[Callable[[Graph], None], set[str]] = {
    a_new_picture: {"shoes/new.png"},
    all_at_once: {"shoes/new.png"},
    a_name_of_a_picture_that_is_gone: {"bags/a.webp"},
}
"""Items that the change brings, of which none had a cutout before."""


@pytest.mark.parametrize("change", CHANGES)
def test_after_a_run_is_reverted_the_shop_is_as_before_to_the_byte(
    graph: Graph, change: Callable[[Graph], None]
) -> None:
    before = state_of(graph)
    change(graph)
    graph.sync(apply_recipe_change=True)
    assert state_of(graph) != before
    planned = preview(graph.catalogue, "run 2")
    result = taken_back(graph)

    assert state_of(graph) == before
    assert result == planned
    assert result.left == {}
    assert set(result.taken_off) == NEW.get(change, set())
    again = taken_back(graph)
    assert (again, state_of(graph)) == (RevertResult(), before)


@pytest.mark.parametrize("change", CHANGES)
def test_the_next_syncs_leave_what_was_reverted_and_say_why(graph: Graph, change: Callable[[Graph], None]) -> None:
    before = state_of(graph)
    change(graph)
    graph.sync(apply_recipe_change=True)
    taken_back(graph)
    bought = len(graph.remover.requests)
    for options in ({}, {"apply_recipe_change": True}, {"rerender": True}):
        done = graph.sync(**options)
        held = [c for c in done.delta.changes if c.reverted]
        assert state_of(graph) == before
        assert (done.summary.published, len(graph.remover.requests), done.delta.work) == (0, bought, ())
        assert all("ana reverted the run 'run 2'" in c.because and "--redo" in c.because for c in held)
        assert done.delta.reverted == ({"run 2": len(held)} if held else {})
    assert graph.items.states()[State.PENDING] == 0


@pytest.mark.parametrize("change", CHANGES)
def test_redo_publishes_again_what_was_reverted_and_buys_nothing(graph: Graph, change: Callable[[Graph], None]) -> None:
    change(graph)
    graph.sync(apply_recipe_change=True)
    after = state_of(graph)[0]
    taken_back(graph)
    bought = len(graph.remover.requests)
    redo(graph.pipeline, "run 2", "ana")
    done = graph.sync()

    assert {name: state_of(graph)[0][name] for name in after} == after
    assert (len(graph.remover.requests), done.delta.reverted) == (bought, {})
    assert graph.sync().delta.changes == ()
    with pytest.raises(ConfigurationError, match="nothing of the run 'run 2' is reverted"):
        redo(graph.pipeline, "run 2", "ana")


def test_runs_are_reverted_one_after_the_other(graph: Graph) -> None:
    first = state_of(graph)
    another_picture(graph)
    graph.sync()
    second = state_of(graph)
    graph.source.put(KEYS[0], product(51))
    graph.sync()
    left = taken_back(graph, "run 2")
    assert left.left == {KEYS[0]: "published again since, by the run 'run 3'"}

    taken_back(graph, "run 3")
    assert state_of(graph) == second
    taken_back(graph, "run 2")
    assert state_of(graph) == first
    assert graph.sync().summary.published == 0
    graph.source.put(KEYS[0], product(50))
    assert graph.sync().summary.published == 0
    graph.source.put(KEYS[0], product(52))
    assert graph.sync().summary.published == 1


def test_a_changed_picture_is_made_again_when_the_cutout_that_was_kept_for_it_is_taken_off_too(graph: Graph) -> None:
    """Found in lives of the model: it counted as published, had no output, and stayed so."""
    another_picture(graph)
    graph.sync()
    revert(graph.pipeline, "run 2", "a person")
    revert(graph.pipeline, "run 1", "a person")
    paid = len(graph.remover.requests)
    published = [e for e in graph.database.entries.values() if e.state is State.PUBLISHED]
    assert not [e.key for e in published if e.published is None or not e.published.output_name]
    graph.sync()

    shown = [e.key for e in graph.database.entries.values() if e.published and e.published.output_name]
    assert len(shown) == 1
    assert len(graph.remover.requests) == paid


def test_only_the_named_collection_is_reverted(graph: Graph) -> None:
    another_rendition(graph)
    graph.sync()
    result = taken_back(graph, collection="shoes")

    assert result.put_back == list(KEYS[1:])
    assert graph.sync().delta.reverted == {"run 2": 2}
    assert redo(graph.pipeline, "run 2", "ana", "shoes") == list(KEYS[1:])


def test_a_run_that_is_not_known_is_an_error_that_says_where_to_look(graph: Graph) -> None:
    for call in (lambda: preview(graph.catalogue, "run 9"), lambda: revert(graph.pipeline, "run 9", "ana")):
        with pytest.raises(ConfigurationError, match=r"no cutout is published by the run 'run 9'.*lists the runs"):
            call()


def test_a_file_that_another_program_wrote_is_not_overwritten(graph: Graph) -> None:
    another_picture(graph)
    graph.sync()
    graph.outputs.blobs[KEYS[0]] = b"another program's"
    result = taken_back(graph)

    assert "another program wrote bags/a.png" in result.left[KEYS[0]]
    assert graph.outputs.blobs[KEYS[0]] == b"another program's"


def test_a_kept_output_with_other_bytes_is_not_put_back(graph: Graph) -> None:
    another_picture(graph)
    graph.sync()
    before = state_of(graph)
    (name,) = kept(graph)
    graph.outputs.blobs[name] = b"damaged"
    result = taken_back(graph)

    assert "or has other bytes" in result.left[KEYS[0]]
    assert state_of(graph) == before


def test_an_output_that_was_altered_before_it_was_replaced_is_kept_as_it_was(graph: Graph) -> None:
    graph.outputs.blobs[KEYS[0]] = b"altered by hand"
    another_picture(graph)
    graph.sync()
    taken_back(graph)

    assert graph.outputs.blobs[KEYS[0]] == b"altered by hand"


def test_an_output_that_was_missing_before_it_was_replaced_is_left(graph: Graph) -> None:
    del graph.outputs.blobs[KEYS[0]]
    another_picture(graph)
    graph.sync()
    before = state_of(graph)

    assert "missing already" in taken_back(graph).left[KEYS[0]]
    assert state_of(graph) == before


def test_an_output_that_is_made_again_as_it_was_is_no_publication_of_that_run(graph: Graph) -> None:
    del graph.outputs.blobs[KEYS[0]]
    assert graph.sync().summary.published == 1

    assert {run.run: run.items for run in graph.previous.runs()} == {"run 1": 3}
    assert kept(graph) == []


def test_a_name_of_another_picture_among_former_outputs_is_no_hindrance(graph: Graph) -> None:
    before = state_of(graph)
    another_picture(graph)
    graph.sync()
    (of_run,) = graph.previous.of_run("run 2")[KEYS[0]]
    graph.previous.begin(replace(of_run, published=None, rendition="thumb"))
    taken_back(graph)

    assert state_of(graph) == before


def test_a_picture_that_comes_back_leaves_no_file_under_the_name_that_it_got_back(graph: Graph) -> None:
    cutout, picture = graph.outputs.blobs[KEYS[0]], graph.source.files[KEYS[0]]
    a_name_of_a_picture_that_is_gone(graph)
    graph.sync()
    taken_back(graph)
    paid = len(graph.remover.requests)
    graph.source.put(KEYS[0], picture)
    graph.sync()

    outputs, shown = state_of(graph)
    published = shown[KEYS[0]]
    assert published is not None
    assert [name for name, data in outputs.items() if data == cutout] == [published.output_name]
    assert len(graph.remover.requests) == paid

    graph.source.put("bags/a.webp", product(51))
    graph.sync()
    names = [each.output_name for each in state_of(graph)[1].values() if each]
    assert len(set(names)) == len(names) == len(graph.source.files)


def test_a_picture_that_stays_away_loses_the_cutout_that_it_got_back(graph: Graph) -> None:
    graph.deletes = DeletePolicy(trash=True)
    a_name_of_a_picture_that_is_gone(graph)
    graph.sync()
    taken_back(graph)
    graph.clock.now += 90_000
    graph.sync()

    assert KEYS[0] not in graph.outputs.blobs
    entry = graph.items.entry(KEYS[0])
    assert entry is not None
    assert entry.trash_name


def test_a_reverted_output_that_is_lost_is_made_again(graph: Graph) -> None:
    another_picture(graph)
    graph.sync()
    taken_back(graph)
    del graph.outputs.blobs[KEYS[0]]
    done = graph.sync()

    assert (done.summary.published, done.delta.reverted) == (1, {})
    assert KEYS[0] in graph.outputs.blobs


def test_an_item_that_waits_for_work_gets_its_former_output_and_goes_on_waiting(graph: Graph) -> None:
    another_picture(graph)
    graph.sync()
    graph.source.put(KEYS[0], product(51))
    graph.sync(cap=0)
    taken_back(graph)

    assert graph.items.states()[State.PENDING] == 1
    assert graph.sync().summary.published == 1


def test_a_new_item_with_another_picture_by_now_is_made_from_that(graph: Graph) -> None:
    a_new_picture(graph)
    graph.sync()
    graph.source.put("shoes/new.png", product(61))
    graph.sync(cap=0)
    assert taken_back(graph).taken_off == ["shoes/new.png"]
    assert "shoes/new.png" not in graph.outputs.blobs

    assert graph.sync().summary.published == 1


def test_what_a_person_took_off_stays_off(graph: Graph) -> None:
    another_picture(graph)
    graph.sync()
    decide(graph.pipeline, ReviewDecision.TAKE_OFF, KEYS[0], "ben")

    assert "not on the shop" in taken_back(graph).left[KEYS[0]]
    assert KEYS[0] not in graph.outputs.blobs


def test_what_was_taken_off_is_in_the_trash_and_a_review_shows_why(graph: Graph) -> None:
    a_new_picture(graph)
    graph.sync()
    made = graph.outputs.blobs["shoes/new.png"]
    taken_back(graph)
    entry = graph.items.entry("shoes/new.png")

    assert entry is not None
    assert (entry.state, entry.detail) == (State.WITHDRAWN, "rejected by ana: the run run 2 was reverted")
    assert graph.outputs.blobs[entry.trash_name] == made


def test_items_that_another_run_holds_are_left(graph: Graph) -> None:
    another_rendition(graph)
    graph.sync()
    graph.claim(KEYS[0])
    result = taken_back(graph)

    assert (result.left, result.put_back) == ({KEYS[0]: "another run has claimed it"}, list(KEYS[1:]))


def test_nothing_is_written_for_an_item_that_another_run_took_over(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    another_picture(graph)
    graph.sync()
    after = state_of(graph)
    (name,) = kept(graph)
    read = graph.outputs.read

    def take_over(wanted: str) -> bytes | None:
        if wanted == name:
            graph.clock.now += 1000
            graph.claim(KEYS[0], owner="another")
        return read(wanted)

    monkeypatch.setattr(graph.outputs, "read", take_over)

    assert taken_back(graph).left == {KEYS[0]: "another run has claimed it"}
    assert state_of(graph) == after


def test_nothing_is_reverted_during_a_detection_or_in_foreign_stores(graph: Graph) -> None:
    another_rendition(graph)
    graph.sync()
    before = state_of(graph)
    lease = graph.leases.acquire(DETECTION, "a sync")
    with pytest.raises(LeaseHeld):
        revert(graph.pipeline, "run 2", "ana")
    graph.leases.release(lease)
    graph.identity = "mine"
    graph.outputs.set_owner("another")
    for call in (revert, redo):
        with pytest.raises(ForeignStore):
            call(graph.pipeline, "run 2", "ana")

    assert state_of(graph) == before
