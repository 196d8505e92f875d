"""Many collections at once."""

import threading
from decimal import Decimal

import pytest

from bg_pipeline.core.credits import Budget
from bg_pipeline.errors import StoreError
from bg_pipeline.ports import CutReply, CutRequest, Silent
from bg_pipeline.steps import wave as module
from bg_pipeline.steps.detect import detect, scan
from bg_pipeline.steps.process import lease_name
from bg_pipeline.steps.wave import Worked, wave
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product


def shop(collections: int, each: int, **options: object) -> Graph:
    graph = Graph(**options)  # type: ignore[arg-type]
    for c in range(collections):
        for n in range(each):
            graph.source.put(f"c{c}/{n}.png", product(c * 100 + n))
    scan(graph.parts, "a test", Silent())
    detect(graph.parts, "a test")
    return graph


def run(graph: Graph, cap: int | None = None) -> list[Worked]:
    parts = graph.parts
    counts = parts.manifest.pending_collections()
    budget = Budget("a night", None if cap is None else Decimal(cap))
    return list(wave(parts, dict.fromkeys(counts), counts, "a wave", budget, Silent()))


def published(found: list[Worked]) -> int:
    return sum(worked.summary.published for worked in found)


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

    assert published(run(graph)) == 8


def test_a_collection_that_another_run_works_on_is_left_out_and_told() -> None:
    graph = shop(3, 1, concurrency=2)
    graph.control.acquire(lease_name("c1"), "another", 60)
    found = run(graph)

    assert published(found) == 2
    assert [w.collection for w in found if "another" in w.summary.busy] == ["c1"]


def test_a_huge_collection_gives_up_its_lease_between_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    graph = shop(1, 5, concurrency=2)
    parts = graph.parts
    found = []
    for worked in wave(parts, {"c0": None}, {"c0": 5}, "the first", Budget(None), Silent()):
        found.append(worked)
        graph.stop.set()
    assert 0 < published(found) < 5

    graph.stop.clear()
    assert published(found) + published(run(graph)) == 5
    assert len(graph.remover.requests) == 5


def test_a_cap_holds_for_all_collections_together() -> None:
    graph = shop(6, 1, concurrency=4)

    assert published(run(graph, cap=3)) == 3


def test_an_error_that_nobody_can_work_around_stops_the_others_and_is_raised() -> None:
    graph = shop(6, 2, concurrency=2)

    def full() -> None:
        raise StoreError("the disk is full")

    graph.outputs.probe = full  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="the disk is full"):
        run(graph)

    assert graph.stop.is_set()
    assert graph.remover.requests == []


def test_whoever_stops_reading_gets_control_back_when_all_that_was_begun_is_kept() -> None:
    graph = shop(6, 1, concurrency=2)
    parts = graph.parts
    counts = parts.manifest.pending_collections()
    reading = wave(parts, dict.fromkeys(counts), counts, "a wave", Budget(None), Silent())
    next(reading)
    reading.close()  # type: ignore[attr-defined]

    assert graph.stop.is_set()
    assert len(graph.remover.requests) == len(graph.outputs.blobs)
    assert len(graph.control.leases()) == 0
