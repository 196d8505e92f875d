"""Outputs and masters held against the record."""

import pytest

from bg_pipeline.core.keys import key_bytes, master_name
from bg_pipeline.core.records import State
from bg_pipeline.core.rehash import Slice
from bg_pipeline.core.review import ReviewDecision
from bg_pipeline.errors import ItemBlocked, StoreError
from bg_pipeline.pipeline.review import decide
from bg_pipeline.pipeline.verify import Problem, VerifyResult, sample, verify
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

pytestmark = pytest.mark.pictures


@pytest.fixture
def graph() -> Graph:
    made = Graph()
    for n in range(40):
        made.source.put(f"shoes/{n}.png", product(n))
    made.sync()
    return made


def check(graph: Graph, chosen: Slice | None = None, *, masters: bool = False) -> VerifyResult:
    return verify(graph.catalogue, graph.accounts, graph.run, chosen, masters=masters)


def flip(blobs: dict[str, bytes], name: str) -> None:
    """One bit, somewhere in the middle."""
    data = bytearray(blobs[name])
    data[len(data) // 2] ^= 1
    blobs[name] = bytes(data)


def purchase_ids(graph: Graph) -> dict[str, str]:
    return {e.key: e.published.purchase_id for e in graph.items.entries() if e.published}


def test_a_sound_store_is_read_and_left_alone(graph: Graph) -> None:
    graph.outputs.writes.clear()

    assert check(graph, masters=True) == VerifyResult(outputs=40, masters=40)
    assert graph.sync().summary.published == 0
    assert graph.outputs.writes == []


def test_of_twenty_flipped_bits_all_are_found_and_made_good_by_the_next_sync_for_nothing(graph: Graph) -> None:
    before = dict(graph.outputs.blobs)
    for n in range(20):
        flip(graph.outputs.blobs, f"shoes/{n}.png")
    found = check(graph)
    assert {(d.name, d.problem) for d in found.damaged} == {(f"shoes/{n}.png", Problem.ALTERED) for n in range(20)}

    done = graph.sync()
    assert (done.summary.published, done.summary.purchases, len(graph.remover.requests)) == (20, 0, 40)
    assert graph.outputs.blobs == before
    assert check(graph) == VerifyResult(outputs=40)


def test_a_missing_output_is_found_and_made_again_for_nothing(graph: Graph) -> None:
    before = graph.outputs.blobs.pop("shoes/7.png")
    (damage,) = check(graph).damaged

    assert (damage.name, damage.where, damage.problem) == ("shoes/7.png", "shoes/7.png", Problem.MISSING)
    assert "free" in damage.next_step
    assert graph.sync().summary.purchases == 0
    assert graph.outputs.blobs["shoes/7.png"] == before


def test_the_slices_together_are_the_whole_and_none_has_a_key_twice(graph: Graph) -> None:
    seen = [
        entry.key
        for number in range(7)
        for entry in graph.items.entries()
        if Slice(number, 7).holds(key_bytes(entry.key))
    ]
    looked_at = [check(graph, Slice(number, 7)).outputs for number in range(7)]

    assert sorted(seen) == sorted(purchase_ids(graph))
    assert sum(looked_at) == 40
    assert max(looked_at) < 40


def test_an_altered_output_is_left_alone_if_making_it_again_would_cost_something(graph: Graph) -> None:
    """Somebody may have shrunk the files: that must not buy a catalogue again."""
    flip(graph.outputs.blobs, "shoes/1.png")
    flip(graph.outputs.blobs, "shoes/2.png")
    flip(graph.outputs.blobs, "shoes/3.png")
    flip(graph.masters.blobs, master_name(purchase_ids(graph)["shoes/1.png"]))
    del graph.masters.blobs[master_name(purchase_ids(graph)["shoes/2.png"])]
    graph.purchases.forget(purchase_ids(graph)["shoes/3.png"])
    said = {d.name: d.next_step for d in check(graph).damaged}

    assert "its master is altered too" in said["shoes/1.png"]
    assert "its master is missing too" in said["shoes/2.png"]
    assert "it has no master" in said["shoes/3.png"]
    assert graph.items.states()["pending"] == 0
    assert graph.sync().summary.purchases == 0


def test_what_is_said_about_an_altered_output_without_a_usable_master_leads_to_a_new_one(graph: Graph) -> None:
    for key in ("shoes/1.png", "shoes/2.png"):
        flip(graph.outputs.blobs, key)
    flip(graph.masters.blobs, master_name(purchase_ids(graph)["shoes/1.png"]))
    del graph.masters.blobs[master_name(purchase_ids(graph)["shoes/2.png"])]
    said = {d.name: d.next_step for d in check(graph).damaged}

    assert "delete the output to buy it again" in said["shoes/1.png"]
    del graph.outputs.blobs["shoes/1.png"]
    assert graph.sync().summary.purchases == 1
    assert "`bg-pipeline review redo KEY` buys a new one" in said["shoes/2.png"]
    assert "delete the output" not in said["shoes/2.png"]
    decide(graph.pipeline, ReviewDecision.REDO, "shoes/2.png", "a person")
    assert graph.sync().summary.purchases == 1
    assert check(graph).damaged == []


def test_damaged_masters_are_named_and_nothing_is_bought_for_it(graph: Graph) -> None:
    flip(graph.masters.blobs, master_name(purchase_ids(graph)["shoes/1.png"]))
    del graph.masters.blobs[master_name(purchase_ids(graph)["shoes/2.png"])]
    found = check(graph, masters=True)

    assert found.damaged == []
    assert {(d.name, d.problem) for d in found.damaged_masters} == {
        (purchase_ids(graph)["shoes/1.png"], Problem.ALTERED),
        (purchase_ids(graph)["shoes/2.png"], Problem.MISSING),
    }
    assert graph.sync().summary.purchases == 0


@pytest.mark.parametrize("error", [StoreError("Input/output error"), ItemBlocked("Is a directory")])
def test_what_cannot_be_read_is_not_taken_for_altered(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def read(name: str) -> bytes | None:
        raise error

    monkeypatch.setattr(graph.outputs, "read", read)

    damaged = check(graph).damaged
    assert {(d.problem, d.next_step) for d in damaged} == {(Problem.UNREADABLE, "check that BG_OUTPUT is readable")}
    assert graph.items.states()["pending"] == 0


def test_an_output_that_was_published_during_the_check_is_not_marked_stale(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list(graph.items.entries())
    graph.change_recipe(background="white")
    graph.sync()
    monkeypatch.setattr(graph.items, "entries", lambda: iter(seen))
    check(graph)

    assert graph.items.states()["pending"] == 0


def test_an_item_that_waits_already_is_told_of_and_stays_as_it_is(graph: Graph) -> None:
    claim = graph.claim("shoes/1.png")
    graph.queue.set_state("shoes/1.png", State.FAILED, "rejected", "another purchase", claim)
    flip(graph.outputs.blobs, "shoes/1.png")
    (damage,) = check(graph).damaged

    assert "the item is failed" in damage.next_step
    entry = graph.items.entry("shoes/1.png")
    assert entry is not None
    assert entry.state is State.FAILED


def test_a_sample_tells_what_is_wrong(graph: Graph) -> None:
    assert sample(graph.catalogue, 10) == {}
    flip(graph.outputs.blobs, "shoes/1.png")
    del graph.outputs.blobs["shoes/2.png"]

    assert {key: why.partition(";")[0] for key, why in sample(graph.catalogue, 40).items()} == {
        "shoes/1.png": "shoes/1.png is altered",
        "shoes/2.png": "shoes/2.png is missing",
    }
