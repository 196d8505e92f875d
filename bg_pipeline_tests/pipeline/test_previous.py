"""Replaced outputs are kept for some days, and survive a process that dies at any call."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bg_pipeline.core.records import Reason
from bg_pipeline.core.revert import PREVIOUS
from bg_pipeline.core.review import ReviewDecision
from bg_pipeline.errors import ConfigurationError, StoreError
from bg_pipeline.pipeline import erase
from bg_pipeline.pipeline.previous import clear_previous
from bg_pipeline.pipeline.revert import RevertResult, redo, revert
from bg_pipeline.pipeline.review import decide
from bg_pipeline_tests.crashing import PORTS, Fuse, Killed, wired
from bg_pipeline_tests.fakes import MemoryStore
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.reverting import (
    KEYS,
    State_,
    a_new_picture,
    all_at_once,
    another_picture,
    another_rendition,
    kept,
    state_of,
    taken_back,
    three_published,
)

DAY_S = 86_400.0


@pytest.fixture
def graph() -> Graph:
    return three_published()


def test_replaced_outputs_are_kept_for_the_days_that_are_set_and_only_they_are_deleted(graph: Graph) -> None:
    graph.keep_previous_days = 2
    another_rendition(graph)
    graph.sync()
    graph.outputs.blobs[f"{PREVIOUS}/not-ours.png"] = b"not ours"
    graph.clock.now += 1.9 * DAY_S
    graph.sync()
    assert len(kept(graph)) == 4
    graph.clock.now += 0.2 * DAY_S
    graph.sync()

    assert kept(graph) == [f"{PREVIOUS}/not-ours.png"]
    shop = state_of(graph)
    with pytest.raises(ConfigurationError, match="BG_KEEP_PREVIOUS_DAYS is over"):
        revert(graph.pipeline, "run 2", "ana")
    assert state_of(graph) == shop


def test_bytes_that_a_later_record_needs_stay(graph: Graph) -> None:
    another_rendition(graph)
    graph.sync()
    taken_back(graph)
    graph.clock.now += 5 * DAY_S
    redo(graph.pipeline, "run 2", "ana")
    graph.sync()
    before = kept(graph)
    graph.clock.now += 3 * DAY_S
    clear_previous(graph.catalogue, graph.policy, graph.run)

    assert kept(graph) == before
    assert len(taken_back(graph, "run 3").put_back) == 3


def test_a_kept_output_that_cannot_be_deleted_is_tried_again(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    another_rendition(graph)
    graph.sync()
    graph.clock.now += 8 * DAY_S
    remove, refuses = MemoryStore.remove, [True]

    def refuse(store: MemoryStore, name: str) -> None:
        if refuses and name == kept(graph)[0]:
            raise StoreError("denied")
        remove(store, name)

    monkeypatch.setattr(MemoryStore, "remove", refuse)
    assert len(clear_previous(graph.catalogue, graph.policy, graph.run).left) == 1
    refuses.clear()
    clear_previous(graph.catalogue, graph.policy, graph.run)

    assert (kept(graph), graph.database.previous) == ([], {})


def test_a_run_that_is_asked_to_end_deletes_no_more(graph: Graph) -> None:
    another_rendition(graph)
    graph.sync()
    graph.clock.now += 8 * DAY_S
    graph.stop.set()
    result = clear_previous(graph.catalogue, graph.policy, graph.run)

    assert (len(kept(graph)), set(result.left.values())) == (3, {"stopped on request"})


def test_with_no_days_nothing_is_kept_and_nothing_that_was_replaced_is_taken_off(graph: Graph) -> None:
    graph.keep_previous_days = 0
    all_at_once(graph)
    graph.sync(apply_recipe_change=True)
    assert kept(graph) == []
    result = taken_back(graph)

    assert (result.put_back, result.taken_off) == ([], ["shoes/new.png"])


def test_an_erased_item_leaves_no_former_output(graph: Graph) -> None:
    another_picture(graph)
    graph.sync()
    del graph.source.files[KEYS[0]]
    pages = MemoryStore()
    shown = erase.find(graph.pipeline, pages, KEYS[0])
    assert set(kept(graph)) <= set(shown.outputs)
    erase.forget(graph.pipeline, pages, (KEYS[0],))

    assert (kept(graph), graph.database.previous) == ([], {})


def test_a_lost_manifest_keeps_no_second_copy_of_every_output(graph: Graph) -> None:
    fresh = Graph(source=graph.source, outputs=graph.outputs, masters=graph.masters)
    fresh.sync()

    assert (kept(fresh), fresh.previous.runs()) == ([], [])


def test_what_comes_back_from_the_trash_can_be_replaced_and_reverted(graph: Graph) -> None:
    a_new_picture(graph)
    graph.sync()
    taken_back(graph)
    decide(graph.pipeline, ReviewDecision.APPROVE, "shoes/new.png", "ben")
    before = state_of(graph)
    graph.source.put("shoes/new.png", product(62))
    graph.sync()
    assert graph.items.entry("shoes/new.png").reason is Reason.CHANGED  # type: ignore[union-attr]
    taken_back(graph, "run 3")

    assert state_of(graph) == before


# a process that dies


def dying(graph: Graph, at: int, after: bool, call: Callable[[], Any]) -> bool:
    """Call until the fuse burns; whether it did."""
    try:
        with wired(graph, Fuse(at, after), (*PORTS, "previous", "reversions", "reviews")):
            call()
    except Killed:
        return True
    finally:
        graph.clock.now += 1000
        graph.stop.clear()
    return False


def small() -> tuple[Graph, State_]:
    """A shop of two items: the picture of one changes, a new one comes, and one takes the name of one that is gone."""
    made = Graph()
    for n, key in enumerate(("bags/gone.png", KEYS[0])):
        made.source.put(key, product(n))
    made.sync()
    before = state_of(made)
    another_picture(made)
    a_new_picture(made)
    del made.source.files["bags/gone.png"]
    made.source.put("bags/gone.webp", product(70))
    return made, before


@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
def test_wherever_a_reversion_is_killed_the_same_command_completes_it(after: bool) -> None:
    kills = 0
    while True:
        graph, before = small()
        graph.sync()
        if not dying(graph, kills + 1, after, lambda: revert(graph.pipeline, "run 2", "ana")):  # noqa: B023
            break
        kills += 1
        taken_back(graph)
        assert state_of(graph) == before, f"killed at call {kills}"
        assert graph.sync().summary.published == 0, f"killed at call {kills}"
    assert kills > 15


@pytest.mark.every_call
@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
def test_wherever_a_sync_is_killed_both_runs_together_can_be_reverted(after: bool) -> None:
    kills = 0
    while True:
        graph, before = small()
        if not dying(graph, kills + 1, after, graph.sync):
            break
        kills += 1
        graph.sync()
        for run in ("run 3", "run 2"):
            if any(each.run == run for each in graph.previous.runs()):
                taken_back(graph, run)
        assert state_of(graph) == before, f"killed at call {kills}"
        graph.clock.now += 8 * DAY_S
        clear_previous(graph.catalogue, graph.policy, graph.run)
        assert kept(graph) == [], f"killed at call {kills}"
    assert kills > 60


def test_a_process_that_dies_before_its_record_leaves_no_file_that_stays(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = graph.source.files[KEYS[0]]
    another_picture(graph)

    def die(_previous: object) -> None:
        raise Killed

    monkeypatch.setattr(graph.previous, "begin", die)
    with pytest.raises(Killed):
        graph.sync()
    monkeypatch.undo()
    graph.stop.clear()
    graph.clock.now += 1000
    graph.source.files[KEYS[0]] = before
    graph.sync()

    assert kept(graph) == []


def test_a_run_that_replaces_what_a_killed_run_overwrote_keeps_what_was_before_both(graph: Graph) -> None:
    before = state_of(graph)
    another_picture(graph)
    publish = graph.queue.publish

    def die(*_: object) -> None:
        raise Killed

    graph.queue.publish = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        graph.sync()
    graph.queue.publish = publish  # type: ignore[method-assign]
    assert state_of(graph)[0] != before[0]
    graph.clock.now += 1000
    graph.stop.clear()
    graph.sync()
    taken_back(graph, "run 3")

    assert state_of(graph) == before
    assert replace(RevertResult()) == taken_back(graph, "run 3")
