"""Pending work in the hands of one run, and of several."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from bg_pipeline.core.claims import LEASE_S, Ask, AskedBy, Claim, Claimed, Only, Selection
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.recipes import Recipes
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Cause
from bg_pipeline.errors import BeingBought, ItemUnreadable, StoreError
from bg_pipeline.imaging.rendering import render
from bg_pipeline.pipeline.detect import detect, scan
from bg_pipeline.pipeline.feed import Feed
from bg_pipeline.pipeline.process import Processing, Scope
from bg_pipeline.ports.purchasing import CutReply, CutRequest
from bg_pipeline.purchasing.tally import CollectionResult
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph, call_here
from bg_pipeline_tests.pictures import product


def shop(collections: int, each: int, **options: Any) -> Graph:
    graph = Graph(**options)
    for c in range(collections):
        for n in range(each):
            graph.source.put(f"c{c}/{n}.png", product(c * 100 + n))
    scan(graph.catalogue, graph.policy, graph.run)
    detect(*graph.pipeline.context)
    return graph


def processing(graph: Graph, cap: int | None = None, scope: Scope | None = None) -> Processing:
    ask = Ask(AskedBy.NIGHT, Budget("a night", None if cap is None else Decimal(cap)))
    return Processing(*graph.pipeline.context, ask, scope or Scope())


def published(results: list[CollectionResult]) -> int:
    return sum(result.summary.published for result in results)


class Gathering(FakeRemover):
    """Answers when so many requests are in flight together."""

    def __init__(self, together: int) -> None:
        super().__init__()
        self._all_here = threading.Barrier(together)

    def cut(self, request: CutRequest) -> CutReply:
        self._all_here.wait(timeout=30)
        return super().cut(request)


def test_small_collections_keep_every_slot_busy() -> None:
    graph = shop(8, 1, concurrency=4, remover=Gathering(4))

    assert published(list(processing(graph).results())) == 8


def test_each_collection_is_told_of_once_when_its_last_item_is_done() -> None:
    graph = shop(3, 4, concurrency=2)
    results = list(processing(graph).results())

    assert sorted((r.collection, r.summary.published) for r in results) == [("c0", 4), ("c1", 4), ("c2", 4)]
    (first,) = [r.published for r in results if r.collection == "c0"]
    assert first == ("c0/0.png", "c0/1.png", "c0/2.png", "c0/3.png")


def test_two_runs_share_one_huge_collection_and_neither_does_what_the_other_has() -> None:
    graph = shop(1, 40, concurrency=2)
    both_at_work = threading.Barrier(2)
    met = threading.Event()

    def meet(_request: CutRequest) -> None:
        if not met.is_set():
            both_at_work.wait(timeout=30)
            met.set()

    graph.remover.before = meet
    done: list[list[CollectionResult]] = []
    pipelines = [processing(graph) for _ in range(2)]
    runs = [threading.Thread(target=lambda p=p: done.append(list(p.results()))) for p in pipelines]
    for run in runs:
        run.start()
    for run in runs:
        run.join()

    assert all(published(results) for results in done)
    assert sum(map(published, done)) == len(graph.remover.requests) == 40


def test_items_of_a_run_that_died_are_taken_over_and_its_open_attempt_is_ended_first() -> None:
    graph = shop(1, 3)
    graph.remover = FakeRemover([KeyboardInterrupt()])
    dead = processing(graph)
    real_release = graph.queue.release
    graph.queue.release = lambda _claim: None  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        list(dead.results())
    graph.queue.release = real_release  # type: ignore[method-assign]
    graph.stop.clear()
    graph.clock.now += 1000
    after = processing(graph)

    assert published(list(after.results())) == 3
    assert after.summary.in_doubt == 1


def test_the_open_attempt_of_a_run_that_dies_meanwhile_is_ended_before_its_item_is_bought() -> None:
    graph = shop(1, 6)
    graph.remover = FakeRemover([KeyboardInterrupt()])
    real_release = graph.queue.release
    graph.queue.release = lambda _claim: None  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        list(processing(graph, scope=Scope(keys=["c0/5.png"])).results())
    graph.queue.release = real_release  # type: ignore[method-assign]
    graph.stop.clear()

    def die(_request: CutRequest) -> None:
        graph.clock.now += 1000
        graph.remover.before = lambda _request: None

    graph.remover.before = die
    after = processing(graph)

    assert published(list(after.results())) == 6
    assert after.summary.in_doubt == 1


@pytest.mark.parametrize("when", ["between two looks for work", "after the last look for work"])
def test_what_a_dead_run_held_is_done_by_a_run_that_had_passed_by_it(when: str) -> None:
    graph = shop(1, 4)
    graph.claim("c0/0.png", "c0/1.png", owner="a killed run")
    real_claim = graph.queue.claim_pending

    def claim_pending(*args: Any, bought: bool, **options: Any) -> Claimed:
        claimed = real_claim(*args, bought=bought, **options)
        if (claimed.claim is None) is (when == "after the last look for work") and not bought:
            graph.clock.now += 1000
        return claimed

    graph.queue.claim_pending = claim_pending  # type: ignore[method-assign]
    after = processing(graph)

    assert published(list(after.results())) == 4


def test_a_run_waits_for_what_another_has_until_that_is_done_or_let_go_of() -> None:
    graph = shop(1, 4)
    first, second = graph.claim("c0/0.png", "c0/1.png"), graph.claim("c0/2.png")

    def go_on() -> None:
        if len(graph.slept) == 2:
            graph.queue.set_state("c0/0.png", State.FAILED, "no subject", "", first)
            graph.queue.release(first)
        if len(graph.slept) == 4:
            graph.queue.release(second)

    graph.while_asleep = go_on
    assert published(list(processing(graph).results())) == 3
    assert len(graph.slept) == 4


def test_what_another_run_took_and_let_go_of_during_one_pass_is_done() -> None:
    graph = shop(1, 40, concurrency=1)
    taken: list[Claim] = []

    def stop_another(_request: CutRequest) -> None:
        number = len(graph.remover.requests)
        if number == 2:
            taken.append(graph.claim("c0/20.png", "c0/21.png", owner="a run that is stopped"))
        if number == 35:
            graph.queue.release(taken.pop())

    graph.remover.before = stop_another

    assert published(list(processing(graph).results())) == 40
    assert not taken


def test_two_runs_that_put_the_same_picture_back_both_end() -> None:
    graph = shop(1, 2)
    graph.source.files["c0/0.png"] = b"changed since"
    one, other = processing(graph), processing(graph)
    threads = [threading.Thread(target=lambda run=run: list(run.results())) for run in (one, other)]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert not any(thread.is_alive() for thread in threads)
    assert graph.queue.pending() == {"c0": 1}


def test_a_cap_holds_for_all_collections_together() -> None:
    graph = shop(6, 1, concurrency=4)

    assert published(list(processing(graph, cap=3).results())) == 3


def test_a_stop_leaves_no_claim_behind() -> None:
    graph = shop(2, 20, concurrency=2)
    graph.remover.before = lambda _request: graph.stop.set()
    run = processing(graph)
    results = list(run.results())

    assert 0 < published(results) < 40
    assert run.summary.paused == "stopped on request"
    assert graph.queue.claims() == []
    graph.stop.clear()
    graph.remover.before = lambda _request: None
    assert published(results) + published(list(processing(graph).results())) == 40
    assert len(graph.remover.requests) == 40


def test_a_store_that_cannot_be_written_stops_the_run_before_anything_is_bought() -> None:
    graph = shop(6, 2, concurrency=2)

    def full() -> None:
        raise StoreError("the disk is full")

    graph.outputs.probe = full  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="the disk is full"):
        list(processing(graph).results())

    assert graph.remover.requests == []


def test_an_error_of_one_worker_stops_the_others_and_is_raised() -> None:
    graph = shop(6, 2, concurrency=2)

    def full(_name: str, _data: bytes) -> None:
        graph.outputs.full = True
        raise StoreError("the disk is full")

    graph.outputs.write = full  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="No space left"):
        list(processing(graph).results())

    assert graph.stop.is_set()
    assert len(graph.remover.requests) <= 4
    assert graph.queue.claims() == []


def test_a_reader_that_stops_gets_control_back_when_all_that_was_begun_is_kept() -> None:
    graph = shop(6, 1, concurrency=2)
    reading = processing(graph).results()
    next(reading)
    reading.close()  # type: ignore[attr-defined]

    assert graph.stop.is_set()
    assert len(graph.remover.requests) == len(graph.outputs.blobs)
    assert graph.queue.claims() == []


def test_only_the_chosen_collections_are_worked_on() -> None:
    graph = shop(3, 2)
    scope = Scope(Selection(frozenset({"c1"})))

    assert [r.collection for r in processing(graph, scope=scope).results()] == ["c1"]
    assert graph.queue.pending() == {"c0": 2, "c2": 2}


def test_what_a_cap_leaves_of_a_changed_recipe_is_held_again() -> None:
    """Asked for once, with a limit: nothing may buy the rest unasked, neither the next sync nor the dispatcher."""
    graph = shop(2, 3)
    list(processing(graph).results())
    graph.change_recipe(side_px=40)
    done = graph.sync(cap=2, apply_recipe_change=True, without_canary=True)
    assert (done.summary.purchases, done.summary.budget_reached) == (2, True)

    assert graph.queue.pending() == {}
    assert graph.sync().summary.purchases == 0
    assert graph.process().summary.purchases == 0
    assert graph.sync(apply_recipe_change=True).summary.purchases == 4


def test_what_a_sample_leaves_of_a_changed_recipe_is_held_again() -> None:
    graph = shop(2, 3)
    list(processing(graph).results())
    graph.change_recipe(side_px=40)

    assert graph.sync(sample=1, apply_recipe_change=True).summary.purchases == 2
    assert graph.sync().summary.purchases == 0
    assert graph.sync().delta.held.items == 4


def test_a_requested_purchase_that_fails_for_now_stays_held_and_published_as_it_was() -> None:
    graph = shop(1, 1)
    list(processing(graph).results())
    graph.change_recipe(side_px=40)
    graph.remover = FakeRemover([BeingBought("another worker is buying the same picture")] * 9)
    done = graph.sync(apply_recipe_change=True)

    assert [(f.state, f.cause) for f in done.summary.failures] == [(State.PENDING, Cause.ELSEWHERE)]
    entry = graph.items.entry("c0/0.png")
    assert entry is not None
    assert entry.state is State.PUBLISHED


def test_a_sample_takes_so_many_of_each_collection() -> None:
    graph = Graph()
    for c in range(2):
        for n in range(3):
            graph.source.put(f"c{c}/{n}.png", product(c * 100 + n))

    assert graph.sync(sample=2).summary.published == 4


def test_only_what_failed_is_tried_again_and_nothing_else_that_is_pending() -> None:
    graph = shop(1, 2)
    graph.source.put("c0/1.png", b"no picture")
    graph.source.put("c0/9.png", product(9)[:-25])
    graph.sync()
    graph.source.put("c0/new.png", product(77))
    graph.source.put("c0/9.png", product(9)[:-25])
    done = graph.sync(only=Only.FAILED)

    assert (done.summary.published, [f.key for f in done.summary.failures]) == (0, ["c0/9.png"])
    assert graph.queue.pending() == {"c0": 1}


def test_one_pass_ends_though_items_become_free_behind_it() -> None:
    """Two items wait for one purchase: each of them, put back, must not lead the pass back to the other."""
    graph = Graph()
    for key, shade in {"c/1.png": 1, "c/2.png": 2, "c/7.png": 1}.items():
        graph.source.put(key, product(shade))
    scan(graph.catalogue, graph.policy, graph.run)
    detect(*graph.pipeline.context)
    other = graph.claim("c/7.png", owner="another run")
    ask = Ask(AskedBy.NIGHT, Budget("a night"))
    feed = Feed(graph.queue, ask, "a test", Recipes(graph.recipe).goals(), claim_limit=1)
    taken = []
    for claimed in feed.pending(Selection(), bought=False):
        assert claimed.claim is not None
        taken.append([e.key for e in claimed.entries])
        graph.queue.release(claimed.claim)
        graph.queue.release(other)
        assert len(taken) < 9, taken

    assert taken == [["c/1.png"], ["c/2.png"], ["c/1.png", "c/7.png"]]


def test_a_master_that_was_just_stored_is_not_read_back() -> None:
    graph = shop(1, 3)

    def read(name: str) -> bytes | None:
        assert name not in graph.masters.blobs, f"{name} was read"
        return None

    graph.masters.read = read  # type: ignore[method-assign]

    assert published(list(processing(graph).results())) == 3


def test_a_run_whose_claim_was_taken_over_overwrites_no_output() -> None:
    """It was suspended while it rendered; the other run has published since."""
    graph = Graph()
    graph.source.put("c0/0.png", product(1))

    def call(function: Callable[..., Any], *args: Any) -> Any:
        result = call_here(function, *args)
        if function is render:
            graph.clock.now += 2 * LEASE_S
            graph.claim("c0/0.png", owner="another run")
            graph.outputs.write("c0/0.png", b"of the other run")
            graph.stop.set()
        return result

    graph.call = call
    graph.sync()

    assert graph.outputs.read("c0/0.png") == b"of the other run"


def test_a_run_goes_on_whose_claim_was_taken_over_before_it_could_record_a_failure() -> None:
    """It was suspended while the picture failed. It waits for the other run, and does what that let go of."""
    graph = Graph()
    graph.source.put("c0/0.png", product(1))
    graph.source.put("c0/1.png", product(2))

    def call(function: Callable[..., Any], *args: Any) -> Any:
        if function is render and not taken_over:
            taken_over.append(True)
            graph.clock.now += 2 * LEASE_S
            graph.claim("c0/0.png", "c0/1.png", owner="another run")
            raise ItemUnreadable("its decoder crashed")
        return call_here(function, *args)

    taken_over: list[bool] = []
    graph.call = call
    graph.sync()

    states = {entry.state for entry in map(graph.items.entry, ("c0/0.png", "c0/1.png")) if entry}
    assert (taken_over, states, len(graph.remover.requests)) == ([True], {State.PUBLISHED}, 2)
