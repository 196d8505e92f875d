"""Workers side by side: memory, progress, and one that cannot go on."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bg_pipeline.core.claims import Selection
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import StoreError
from bg_pipeline.pipeline.process import Scope
from bg_pipeline.ports.running import ByteBudget, Silent
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import encoded, opened, product


class Counting(Silent):
    """Progress that adds up."""

    def __init__(self) -> None:
        self.count = 0

    def advance(self, count: int = 1) -> None:
        self.count += count


def test_progress_counts_every_item_once_also_those_in_quarantine(graph: Graph) -> None:
    answer = opened(product(9)).convert("RGBA")
    answer.putalpha(0)
    graph.remover = FakeRemover([encoded(answer)])
    graph.sync(cap=0)
    graph.progress = watched = Counting()
    summary = graph.process(scope=Scope(Selection(frozenset({"bags"})))).summary

    assert (summary.quarantined, watched.count) == (1, 1)


def test_lanes_hold_no_more_originals_than_there_is_room_for() -> None:
    room, most, held = ByteBudget(10), 0, 0
    lock = threading.Lock()

    def lane(size: int) -> None:
        nonlocal most, held
        for _ in range(50):
            with room.holding(size):
                with lock:
                    held += size
                    most = max(most, held)
                with lock:
                    held -= size

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lane, [3, 4, 5, 3, 4, 5]))

    assert 0 < most <= 10


def test_a_picture_that_is_larger_than_all_room_has_its_turn(graph: Graph) -> None:
    graph.concurrency = 4
    graph.room = ByteBudget(1)

    assert graph.sync().summary.published == 4


def test_a_stop_ends_also_what_costs_nothing(graph: Graph) -> None:
    graph.sync()
    graph.change_recipe(background="white")
    write = graph.outputs.write

    def stopping(name: str, data: bytes) -> None:
        write(name, data)
        graph.stop.set()

    graph.outputs.write = stopping  # type: ignore[method-assign]
    done = graph.sync()

    assert (done.summary.paused, done.summary.exit_code) == ("stopped on request", Exit.PAUSED)
    assert done.summary.published < 4
    assert done.summary.pending == 4 - done.summary.published


def test_one_lane_that_cannot_go_on_stops_the_others_from_buying(graph: Graph) -> None:
    for n in range(40):
        graph.source.put(f"ties/{n}.png", product(100 + n))
    write, failures = graph.outputs.write, iter([StoreError("No space left on device")])

    def failing(name: str, data: bytes) -> None:
        # Not in the lane that is waited for first: its end is noticed anyway.
        if not threading.current_thread().name.endswith("_0"):
            for error in failures:
                graph.outputs.full = True
                raise error
        write(name, data)

    graph.outputs.write = failing  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        graph.sync(collection="ties")

    assert len(graph.remover.requests) < 40


def test_what_is_free_is_published_though_the_cap_is_reached(graph: Graph) -> None:
    graph.sync()
    for n in range(5):
        graph.source.put(f"bags/{n}.png", product(60 + n))
    graph.source.put("bags/copy.png", product(9))
    done = graph.sync(cap=0)

    assert (done.summary.published, done.summary.purchases, done.summary.pending) == (1, 0, 5)
