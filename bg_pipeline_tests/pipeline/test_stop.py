"""A run that is asked to end while it lists the source or plans the work."""

import threading
import time
from collections.abc import Iterator

import pytest

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.records import Listed
from bg_pipeline.core.report import Exit, exit_code_of
from bg_pipeline.core.runlog import DetectRecord, ScanRecord
from bg_pipeline.errors import Stopped
from bg_pipeline.pipeline.detect import detect, scan
from bg_pipeline.ports.source import SplitPoints, no_split_points
from bg_pipeline_tests.fakes import MemorySource
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product


class StoppedWhileListing(MemorySource):
    """Asks the run to end just before it gives its last row."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.files, self.versions = dict(graph.source.files), dict(graph.source.versions)

    def list(self, split_points: SplitPoints = no_split_points) -> Iterator[Listed]:
        for n, listed in enumerate(super().list(split_points)):
            if n == len(self.files) - 1:
                while not self.reads:
                    time.sleep(0.001)
                self.graph.stop.set()
            yield listed


@pytest.fixture
def graph() -> Graph:
    made = Graph(deletes=DeletePolicy(trash=True))
    for n in range(4):
        made.source.put(f"shoes/{n}.png", product(n))
    return made


def test_a_run_that_is_asked_to_end_lists_no_further_and_misses_no_item(graph: Graph) -> None:
    graph.sync()
    graph.source.put("shoes/0.png", product(9))
    before, source = graph.items.states(), graph.source
    graph.source = StoppedWhileListing(graph)
    del graph.source.files["shoes/1.png"]
    with pytest.raises(Stopped, match=r"stopped on request: the source was not listed to its end") as stopped:
        graph.sync()

    assert exit_code_of(stopped.value) is Exit.PAUSED
    assert graph.items.states() == before
    assert not graph.run_log.read(ScanRecord)[0].complete

    graph.source = source
    graph.stop.clear()
    assert graph.sync().summary.purchases == 1


def test_what_was_hashed_until_then_is_not_hashed_again(graph: Graph) -> None:
    source = graph.source
    graph.source = StoppedWhileListing(graph)
    with pytest.raises(Stopped):
        scan(graph.catalogue, graph.policy, graph.run)
    graph.source = source
    graph.stop.clear()

    assert scan(graph.catalogue, graph.policy, graph.run).hashed < 4


class Hanging(MemorySource):
    """Gives no row, or no bytes, after the first until it is let go."""

    def __init__(self, graph: Graph, *, reads: bool) -> None:
        super().__init__()
        self.graph, self.hangs_in_reads, self.go_on = graph, reads, threading.Event()
        self.files, self.versions = dict(graph.source.files), dict(graph.source.versions)
        self.reads_at_once = 1

    def list(self, split_points: SplitPoints = no_split_points) -> Iterator[Listed]:
        for n, listed in enumerate(super().list(split_points)):
            if n and not self.hangs_in_reads:
                self._hang()
            yield listed

    def read(self, key: str) -> bytes:
        if self.reads and self.hangs_in_reads:
            self._hang()
        return super().read(key)

    def _hang(self) -> None:
        if not self.go_on.is_set():
            self.graph.stop.set()
            if not self.go_on.wait(10):
                raise AssertionError("the run waits for it")


@pytest.mark.parametrize("reads", [False, True])
def test_a_listing_or_a_read_that_hangs_does_not_keep_a_run_that_is_asked_to_end(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, reads: bool
) -> None:
    monkeypatch.setattr("bg_pipeline.pipeline.interruptible.GRACE_S", 0.1)
    source = graph.source
    graph.source = hanging = Hanging(graph, reads=reads)
    with pytest.raises(Stopped, match="the source was not listed to its end"):
        graph.sync()

    assert not hanging.go_on.is_set(), "it hangs still"
    assert not graph.run_log.read(ScanRecord)[0].complete
    assert not graph.run_log.read(DetectRecord)
    hanging.go_on.set()
    graph.source = source
    graph.stop.clear()
    assert graph.sync().summary.published == 4


def test_a_run_that_is_asked_to_end_while_its_work_is_recorded_records_no_further_and_none_of_it_counts(
    graph: Graph,
) -> None:
    scan(graph.catalogue, graph.policy, graph.run)
    graph.deltas.batch_size = 1
    recorded = iter(range(2))
    graph.deltas.before_batch = lambda: None if next(recorded, None) is not None else graph.stop.set()
    with pytest.raises(Stopped, match="the work was not recorded to its end, so none of it counts") as stopped:
        detect(*graph.pipeline.context)

    assert exit_code_of(stopped.value) is Exit.PAUSED
    assert [entry.reason is not None for entry in graph.items.entries()] == [True, True, False, False]
    assert (graph.queue.pending(), graph.run_log.read(DetectRecord)) == ({}, [])

    graph.stop.clear()
    graph.deltas.before_batch = lambda: None
    assert graph.sync().summary.purchases == 4


def test_a_run_that_is_asked_to_end_plans_nothing(graph: Graph) -> None:
    scan(graph.catalogue, graph.policy, graph.run)
    graph.stop.set()
    with pytest.raises(Stopped, match="the work was not planned"):
        detect(graph.catalogue, graph.accounts, graph.policy, graph.run)

    assert graph.run_log.read(DetectRecord) == []
