"""Masters that no item uses go after their time, and no other."""

import pytest

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.records import State
from bg_pipeline.core.retention import excess
from bg_pipeline.core.runlog import PruneRecord
from bg_pipeline.errors import SourceUnreadable, StoreError
from bg_pipeline.pipeline.detect import scan
from bg_pipeline.pipeline.prune import PruneResult, find_due, prune
from bg_pipeline_tests.fakes import MemoryStore
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.states import state_of
from bg_pipeline_tests.pipeline.test_erase import killed

DAY_S = 86_400.0

WAITING = 10
"""Nights after a change: the first sees that the old master is not used any more, and the last is before ten days."""


@pytest.fixture
def graph() -> Graph:
    """Five pictures; a trash of two days, and masters for ten."""
    made = Graph(deletes=DeletePolicy(trash=True, days=2), keep_masters_days=10)
    for n in range(5):
        made.source.put(f"shoes/{n}.png", product(n))
    made.sync()
    return made


def nights(graph: Graph, count: int) -> list[PruneResult]:
    """One sync a day; what each pruned."""
    done = []
    for _ in range(count):
        graph.clock.now += DAY_S
        done.append(graph.sync().pruned)
    return done


def pruned(graph: Graph, allow: int = 0) -> PruneResult:
    return prune(graph.catalogue, graph.accounts, graph.policy, graph.run, allow=allow)


def test_the_master_of_a_changed_picture_is_kept_for_its_days_and_then_pruned(graph: Graph) -> None:
    (old,) = [name for name, m in graph.database.masters.items() if m.content_hash == hash_of(graph, "shoes/0.png")]
    graph.source.put("shoes/0.png", product(50))
    graph.sync()
    before = nights(graph, WAITING)
    assert (sum(len(n.removed) for n in before), before[-1].unused, len(graph.masters.blobs)) == (0, 1, 6)

    assert [name for night in nights(graph, 2) for name in night.removed] == [old]
    assert master_name(old) not in graph.masters.blobs
    assert len(graph.masters.blobs) == 5
    assert sum(record.removed for record in graph.run_log.read(PruneRecord, limit=99)) == 1
    assert graph.sync().delta.purchases == 0


def hash_of(graph: Graph, key: str) -> str:
    return graph.database.entries[key].content_hash


def test_the_master_of_a_deleted_picture_is_kept_while_its_cutout_is_in_the_trash_and_its_days_after(
    graph: Graph,
) -> None:
    del graph.source.files["shoes/0.png"]
    graph.sync()
    (moved, *_) = nights(graph, 1)
    assert moved.unused == 0
    # Two days in the trash, then ten.
    waiting = nights(graph, 11)
    assert (sum(len(n.removed) for n in waiting), waiting[-1].unused) == (0, 1)
    assert len(nights(graph, 1)[0].removed) == 1


def test_with_no_days_set_no_master_ever_goes(graph: Graph) -> None:
    graph.keep_masters_days = 0
    graph.source.put("shoes/0.png", product(50))
    nights(graph, 40)

    assert len(graph.masters.blobs) == 6
    assert len(graph.run_log.read(PruneRecord, limit=99)) == 1  # of the night before


def test_a_picture_that_comes_back_within_its_days_costs_nothing_and_has_all_its_days_again(graph: Graph) -> None:
    first, requests = graph.source.files["shoes/0.png"], len(graph.remover.requests)
    graph.source.put("shoes/0.png", product(50))
    nights(graph, 9)
    graph.source.put("shoes/0.png", first)
    nights(graph, 1)
    graph.source.put("shoes/0.png", product(50))
    nights(graph, 9)
    graph.source.put("shoes/0.png", first)
    nights(graph, 30)

    assert len(graph.remover.requests) == requests + 1
    assert state_of(graph, "shoes/0.png") is State.PUBLISHED


def test_a_picture_that_comes_back_after_its_days_is_a_purchase_with_its_history(graph: Graph) -> None:
    first = graph.source.files["shoes/0.png"]
    graph.source.put("shoes/0.png", product(50))
    nights(graph, WAITING + 2)
    when = graph.clock.now
    graph.source.put("shoes/0.png", first)
    delta = graph.sync().delta

    assert delta.purchases == 1
    (wanted,) = [change.purchase_id for change in delta.work]
    assert graph.retention.pruned_at([wanted])[wanted] <= when


def test_more_than_a_share_waits_for_a_person(graph: Graph) -> None:
    for n in range(3):
        graph.source.put(f"shoes/{n}.png", product(50 + n))
    graph.sync()
    *_, night = nights(graph, WAITING + 2)
    assert "3 of 8 masters would be pruned, and at most 2 may go" in night.stopped
    assert len(graph.masters.blobs) == 8
    assert graph.run_log.read(PruneRecord)[0].stopped == night.stopped

    assert find_due(graph.accounts, graph.policy, graph.run) == sorted(pruned(graph, allow=3).removed)
    assert len(graph.masters.blobs) == 5


def test_a_share_of_many_masters_is_a_twentieth() -> None:
    assert excess(50, 1000, 0) == ""
    assert "51 of 1000" in excess(51, 1000, 0)
    assert excess(51, 1000, 51) == ""


def test_after_a_listing_that_broke_off_nothing_is_pruned_or_counted(graph: Graph) -> None:
    graph.source.put("shoes/0.png", product(50))
    nights(graph, WAITING)
    graph.clock.now += 2 * DAY_S
    graph.source.fail_after = 1
    with pytest.raises(SourceUnreadable):
        scan(graph.catalogue, graph.policy, graph.run)

    result = pruned(graph, allow=99)
    assert "missing or incomplete" in result.stopped
    assert (result.removed, len(graph.masters.blobs)) == ([], 6)


def test_a_sync_of_a_part_prunes_nothing(graph: Graph) -> None:
    graph.source.put("shoes/0.png", product(50))
    nights(graph, WAITING)
    graph.clock.now += 2 * DAY_S

    assert graph.sync(collection="shoes").pruned.removed == []
    assert len(graph.sync().pruned.removed) == 1


def test_a_master_that_cannot_be_removed_is_tried_again_and_is_not_on_record(graph: Graph) -> None:
    class Kept(MemoryStore):
        """Without the right to delete."""

        def remove(self, name: str) -> None:
            raise StoreError("Access Denied")

    graph.source.put("shoes/0.png", product(50))
    nights(graph, WAITING)
    store, kept = graph.masters, Kept()
    kept.blobs = store.blobs
    graph.masters = kept
    (*_, night) = nights(graph, 2)
    assert list(night.left.values()) == ["Access Denied"]
    assert (len(graph.purchases._db.masters), len(store.blobs)) == (5, 6)

    graph.masters = store
    assert len(nights(graph, 1)[0].removed) == 1
    assert len(store.blobs) == 5


def test_a_run_that_is_asked_to_end_removes_no_further_master_and_the_next_removes_the_rest(graph: Graph) -> None:
    class Ending(MemoryStore):
        """Asks the run to end at the first removal."""

        def remove(self, name: str) -> None:
            super().remove(name)
            graph.stop.set()

    for n in (0, 1):
        graph.source.put(f"shoes/{n}.png", product(50 + n))
    nights(graph, WAITING + 1)
    store, ending = graph.masters, Ending()
    ending.blobs = store.blobs
    graph.masters = ending
    graph.clock.now += DAY_S
    assert len(pruned(graph, allow=2).removed) == 1
    assert len(store.blobs) == 6

    graph.stop.clear()
    graph.masters = store
    assert len(nights(graph, 1)[0].removed) == 1
    assert len(store.blobs) == 5


def test_bytes_that_a_killed_run_left_are_used_if_the_picture_comes_back(graph: Graph) -> None:
    """Its record is gone and its bytes are not: bought again, they would be paid for twice."""
    first, requests = graph.source.files["shoes/0.png"], len(graph.remover.requests)
    graph.source.put("shoes/0.png", product(50))
    graph.sync()
    nights(graph, 5)
    assert len(graph.retention.retire(graph.clock.now)) == 1  # and the process dies
    graph.source.put("shoes/0.png", first)
    nights(graph, 2)

    assert state_of(graph, "shoes/0.png") is State.PUBLISHED
    assert len(graph.remover.requests) == requests + 1
    assert graph.retention.leftovers() == []


@pytest.mark.every_call
@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
def test_wherever_pruning_is_killed_nothing_is_bought_for_it_and_the_next_night_ends_it(after: bool) -> None:
    """The picture comes back at once: bytes that are left of its master are used, and no record is without bytes."""
    kills, bought_again = 0, set()
    while True:
        graph = Graph(deletes=DeletePolicy(trash=True), keep_masters_days=1)
        first = product(0, size=(48, 32))
        for picture in (first, product(1, size=(48, 32))):
            graph.source.put("shoes/0.png", picture)
            graph.sync()
        graph.retention.mark_unused()
        graph.clock.now += 2 * DAY_S
        if not killed(graph, MemoryStore(), lambda graph, _: pruned(graph, allow=9), kills + 1, after):
            break
        kills += 1
        stored, requests = len(graph.masters.blobs), len(graph.remover.requests)
        graph.source.put("shoes/0.png", first)
        graph.sync()
        nights(graph, 1)

        where = f"killed at call {kills}"
        assert state_of(graph, "shoes/0.png") is State.PUBLISHED, where
        assert len(graph.remover.requests) - requests == 2 - stored, where  # only if its bytes were gone
        assert {master_name(each.purchase_id) for each in graph.purchases.masters()} <= set(graph.masters.blobs), where
        assert graph.retention.leftovers() == [], where
        bought_again.add(2 - stored)
    assert kills > 8
    assert bought_again == {0, 1}
