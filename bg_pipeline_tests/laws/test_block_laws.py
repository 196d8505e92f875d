"""A scan that skips what is unchanged says and records the same as one that reads every row."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from bg_pipeline.core import blocks as blocks_module
from bg_pipeline.core.blocks import Block, divided, in_ranges
from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.filters import Filter
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import Listed, State
from bg_pipeline.core.rehash import Slice
from bg_pipeline.errors import BgPipelineError, ItemBlocked, StateError
from bg_pipeline.pipeline import blocks as of_scan
from bg_pipeline.pipeline.blocks import BlocksOfScan
from bg_pipeline.pipeline.detect import scan
from bg_pipeline_tests.fakes import MemorySource
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.laws.strategies import keys

KEYS = [f"{folder}/{name}.png" for folder in "abc" for name in "01234"]
FILTERS = [Filter(), Filter(exclude=["a/1*"]), Filter(include=["a", "b"], exclude=["*2.png"])]


class Shelf(MemorySource):
    """Some of its keys cannot be looked at, only for now."""

    def __init__(self) -> None:
        super().__init__()
        self.blocked: set[str] = set()

    def read(self, key: str) -> bytes:
        if key in self.blocked:
            raise ItemBlocked("not now")
        return super().read(key)


class InBlocks(Shelf):
    """Lists blocks, and counts those whose rows were asked for."""

    looked_into = 0

    def blocks(self, starts: Sequence[str]) -> Iterator[Block]:
        for block in divided(self.list(), starts):
            yield block._replace(rows=lambda block=block: self._rows(block))

    def _rows(self, block: Block) -> Sequence[Listed]:
        self.looked_into += 1
        return list(block.rows())


@pytest.fixture(autouse=True, scope="module")
def _small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks_module, "ROWS", 3)
        patch.setattr(blocks_module, "MOST_ROWS", 6)
        patch.setattr(of_scan, "ROWS", 3)
        yield


class Nights(RuleBasedStateMachine):
    """The same things happen to two catalogues, of which one lists blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.graphs = [Graph(source=Shelf()), Graph(source=InBlocks())]
        self.rehash: Slice | None = None

    @initialize(present=st.sets(st.sampled_from(KEYS), min_size=1))
    def some_pictures(self, present: set[str]) -> None:
        self._each(lambda g: [g.source.put(key, key.encode()) for key in sorted(present)])
        self.a_night()

    @rule(key=st.sampled_from(KEYS), data=st.binary(max_size=1))
    def it_is_written(self, key: str, data: bytes) -> None:
        self._each(lambda g: g.source.put(key, data))

    @rule(key=st.sampled_from(KEYS))
    def an_earlier_version_is_put_back(self, key: str) -> None:
        self._each(lambda g: g.source.versions.update({key: 1}))

    @rule(key=st.sampled_from(KEYS))
    def it_is_removed(self, key: str) -> None:
        self._each(lambda g: g.source.files.pop(key, None))

    @rule(old=st.sampled_from(KEYS), new=st.sampled_from(KEYS))
    def it_is_renamed(self, old: str, new: str) -> None:
        self._each(lambda g: g.source.put(new, g.source.files.pop(old, b"?")))

    @rule(key=st.sampled_from(KEYS), priority=st.floats(0, 3))
    def it_has_another_priority(self, key: str, priority: float) -> None:
        self._each(lambda g: g.source.priorities.update({key: priority}))

    @rule(folder=st.sampled_from(["a/", "b/", "c/"]))
    def a_folder_is_locked_or_unlocked(self, folder: str) -> None:
        self._each(lambda g: setattr(g.source, "locked", g.source.locked ^ {folder}))

    @rule(key=st.sampled_from(KEYS))
    def it_cannot_be_read_or_can_again(self, key: str) -> None:
        self._each(lambda g: setattr(g.source, "unreadable", g.source.unreadable ^ {key}))

    @rule(key=st.sampled_from(KEYS))
    def it_is_blocked_or_no_longer(self, key: str) -> None:
        self._each(lambda g: setattr(g.source, "blocked", g.source.blocked ^ {key}))

    @rule(key=st.sampled_from(KEYS))
    def it_has_to_be_hashed_again(self, key: str) -> None:
        self._each(lambda g: key in g.database.entries and g.observations.invalidate_hash(key))

    @rule(key=st.sampled_from(KEYS))
    def it_is_written_a_moment_before_the_scan(self, key: str) -> None:
        self._each(lambda g: g.source.modified_at.update({key: g.clock() + 10}))

    @rule(key=st.sampled_from(KEYS))
    def it_is_forgotten(self, key: str) -> None:
        self._each(lambda g: key in g.database.entries and g.database.update(key, state=State.FORGOTTEN))

    @rule(key=st.sampled_from(KEYS))
    def it_is_allowed_again(self, key: str) -> None:
        self._each(lambda g: g.erasures.lift(key))

    @rule(chosen=st.sampled_from(FILTERS))
    def other_patterns_are_set(self, chosen: Filter) -> None:
        self._each(lambda g: setattr(g, "filter", chosen))

    @rule(depth=st.integers(0, 2))
    def another_depth_is_set(self, depth: int) -> None:
        self._each(lambda g: setattr(g, "collection_depth", depth))

    @rule(sentinel=st.sampled_from(["", KEYS[0], KEYS[-1]]))
    def another_sentinel_is_set(self, sentinel: str) -> None:
        self._each(lambda g: setattr(g, "deletes", DeletePolicy(sentinel=sentinel)))

    @rule(number=st.integers(0, 1))
    def a_slice_is_due(self, number: int) -> None:
        self.rehash = Slice(number, 2)

    @rule(rows=st.integers(0, 10))
    def the_listing_breaks_off(self, rows: int) -> None:
        self._each(lambda g: setattr(g.source, "fail_after", rows))
        self._each(lambda g: _outcome(g, None))
        self._each(lambda g: setattr(g.source, "fail_after", None))
        # It may have hashed more of one than of the other.
        self._each(lambda g: _outcome(g, None))

    @rule(step=st.sampled_from(["observe", "set_places", "mark_absent", "set_blocks"]))
    def the_scan_dies(self, step: str) -> None:
        for graph in self.graphs:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(graph.observations, step, _dies)
                _outcome(graph, None)

    @rule(key=st.sampled_from(KEYS))
    def the_scan_dies_after_a_version_that_goes_again(self, key: str) -> None:
        before = [(dict(g.source.files), dict(g.source.versions)) for g in self.graphs]
        self.it_is_written(key, b"not for long")
        self.the_scan_dies("mark_absent")
        for graph, (files, versions) in zip(self.graphs, before, strict=True):
            graph.source.files, graph.source.versions = files, versions

    @rule()
    def a_night(self) -> None:
        plain, in_blocks = (_outcome(graph, self.rehash) for graph in self.graphs)
        assert in_blocks == plain
        plain, in_blocks = (_on_record(graph) for graph in self.graphs)
        assert in_blocks == plain
        self.rehash = None

    def teardown(self) -> None:
        self.a_night()
        self.a_night()

    def _each(self, change: Callable[[Graph], object]) -> None:
        for graph in self.graphs:
            change(graph)


TestNights = Nights.TestCase
TestNights.settings = settings(max_examples=150, stateful_step_count=20, deadline=None)


def _dies(*_: object) -> None:
    raise StateError("killed")


def _outcome(graph: Graph, rehash: Slice | None) -> dict[str, Any] | str:
    try:
        result = scan(graph.catalogue, graph.policy, graph.run, rehash)
    except BgPipelineError as error:
        return str(error)
    return asdict(result)


def _on_record(graph: Graph) -> list[tuple[Any, ...]]:
    fingerprints = graph.database.fingerprint
    return [
        (e.key, e.collection, e.content_hash, e.problem, e.absent, e.priority, e.state, fingerprints[e.key])
        for e in graph.items.entries()
    ]


@given(present=st.sets(keys, max_size=30), starts=st.sets(keys, max_size=10))
def test_blocks_hold_every_row_once_and_their_ranges_every_key(present: set[str], starts: set[str]) -> None:
    rows = [Listed(key, "v", 1) for key in sorted(present, key=key_bytes)]
    ranges = list(in_ranges(divided(rows, sorted(starts, key=key_bytes))))

    assert [row for _, block, _ in ranges for row in block.rows()] == rows
    assert [end for _, _, end in ranges] == [*(first for first, *_ in ranges[1:]), None]
    assert ranges[0][0] == b""
    for first, block, end in ranges:
        assert all(first <= key_bytes(row.key) and (end is None or key_bytes(row.key) < end) for row in block.rows())


def test_a_night_without_a_change_looks_into_no_block_and_one_change_into_one() -> None:
    source = InBlocks()
    graph = Graph(source=source)
    for key in KEYS:
        source.put(key, key.encode())
    assert _outcome(graph, None) == _outcome(graph, None) | {"hashed": len(KEYS)}
    source.looked_into = 0
    _outcome(graph, None)
    assert source.looked_into == 0

    source.put(KEYS[6], b"another")
    del source.files[KEYS[13]]
    _outcome(graph, None)
    assert source.looked_into == 2
    _outcome(graph, None)
    assert source.looked_into == 2


def test_another_version_looks_at_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph(source=InBlocks())
    graph.source.put(KEYS[0], b"1")
    _outcome(graph, None)
    graph.source.looked_into = 0
    monkeypatch.setattr(of_scan, "__version__", "another")
    _outcome(graph, None)
    _outcome(graph, None)
    assert graph.source.looked_into == 1


def test_after_a_killed_scan_a_source_is_divided_at_keys_that_are_known() -> None:
    graph = Graph(source=InBlocks())
    for key in KEYS:
        graph.source.put(key, key.encode())
    assert BlocksOfScan(graph.observations, graph.policy, whole=False).starts == []
    _outcome(graph, None)
    known = BlocksOfScan(graph.observations, graph.policy, whole=False).starts
    graph.source.put(KEYS[1], b"another")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph.observations, "mark_absent", _dies)
        _outcome(graph, None)

    assert not graph.observations.blocks()
    assert len(BlocksOfScan(graph.observations, graph.policy, whole=False).starts) == len(known) + 1


def test_blocks_that_are_out_of_order_are_no_listing() -> None:
    with pytest.raises(ValueError, match="out of order"):
        list(in_ranges(iter([Block("b", "", tuple), Block("a", "", tuple)])))
