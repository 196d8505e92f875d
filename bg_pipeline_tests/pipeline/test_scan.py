"""What a scan looks at, what it leaves alone, and what it makes of a listing that is wrong."""

import gc
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from threading import Barrier, BrokenBarrierError

import pytest

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.records import Listed, Reason
from bg_pipeline.core.rehash import Slice
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import GuardStopped, SourceUnreadable, StoreError
from bg_pipeline.pipeline.detect import detect, scan
from bg_pipeline_tests.fakes import MemorySource
from bg_pipeline_tests.graph import Graph, Synced
from bg_pipeline_tests.pictures import noisy, product

_DAY = 86_400.0


@pytest.fixture
def graph() -> Graph:
    made = Graph(deletes=DeletePolicy(trash=True))
    for n in range(3):
        made.source.put(f"shoes/{n}.png", product(n))
    made.source.put("bags/9.png", product(9))
    return made


def reread(graph: Graph) -> tuple[Synced, list[str]]:
    """Which keys a sync reads, beside those it cuts."""
    graph.source.reads.clear()
    done = graph.sync()
    return done, sorted(graph.source.reads)


def test_a_file_that_changed_just_now_is_hashed_again_next_time(graph: Graph) -> None:
    """It may be written to once more within the same tick of its clock, and look the same."""
    graph.source.modified_at = {"shoes/0.png": graph.clock.now - 2.9, "shoes/1.png": graph.clock.now - 3.1}
    graph.sync()
    graph.source.files["shoes/0.png"] = product(70)
    graph.source.files["shoes/1.png"] = product(71)
    graph.clock.now += 100
    done, _ = reread(graph)

    assert done.scan.hashed == 1
    assert [(c.key, c.reason) for c in done.delta.changes] == [("shoes/0.png", Reason.CHANGED)]


def test_a_young_file_that_stays_as_it_is_is_hashed_once_more_and_then_left_alone(graph: Graph) -> None:
    graph.source.modified_at = dict.fromkeys(graph.source.files, graph.clock.now)
    graph.sync()
    graph.clock.now += 100

    assert [graph.sync().scan.hashed for _ in range(2)] == [4, 0]


def test_dates_are_compared_for_equality_and_never_for_newness(graph: Graph) -> None:
    """A restored file is older than what it replaces, and its clock may be wrong by years."""
    graph.source.modified_at["shoes/0.png"] = 500_000.0
    graph.sync()
    graph.source.put("shoes/0.png", product(50))
    graph.source.modified_at["shoes/0.png"] = 1.0

    assert graph.sync().summary.by_reason == {Reason.CHANGED: 1}


def test_a_file_that_is_being_written_to_is_left_as_it_is_and_is_not_gone(graph: Graph) -> None:
    graph.sync()
    graph.source.put("shoes/0.png", product(50)[:40])
    graph.source.put("shoes/new.png", product(51)[:40])
    graph.source.unsettled = {"shoes/0.png", "shoes/new.png"}

    def write_on() -> None:
        graph.source.files |= {"shoes/0.png": product(50), "shoes/new.png": product(51)}

    graph.while_asleep = write_on
    done = graph.sync()

    assert (set(done.scan.still_written), done.scan.absent) == ({"shoes/0.png", "shoes/new.png"}, [])
    assert done.summary.published == 0
    assert graph.items.entry("shoes/new.png") is None

    graph.source.unsettled = set()
    assert graph.sync().summary.by_reason == {Reason.CHANGED: 1, Reason.NEW: 1}


def test_a_young_file_that_stays_the_same_is_taken_after_one_wait(graph: Graph) -> None:
    graph.source.unsettled = set(graph.source.files)
    graph.slept.clear()
    done = graph.sync()

    assert (done.summary.published, graph.slept) == (4, [5.0])
    assert sorted(graph.source.reads)[:4] == ["bags/9.png"] * 3 + ["shoes/0.png"]


def test_a_known_file_that_only_looks_young_waits_for_nothing(graph: Graph) -> None:
    graph.sync()
    graph.source.unsettled = set(graph.source.files)
    graph.slept.clear()
    _, read = reread(graph)

    assert (read, graph.slept) == ([], [])


def test_a_scan_that_is_asked_to_stop_takes_nothing_that_has_not_settled(graph: Graph) -> None:
    graph.source.unsettled = {"shoes/0.png"}
    graph.while_asleep = graph.stop.set
    done = scan(graph.catalogue, graph.policy, graph.run)

    assert set(done.still_written) == {"shoes/0.png"}
    assert graph.items.entry("shoes/0.png") is None


@pytest.mark.parametrize("kind", ["WEBP", "BMP", "TIFF", "JPEG", "PNG", "GIF"])
def test_a_copy_that_set_its_length_first_is_neither_bought_nor_failed(graph: Graph, kind: str) -> None:
    """Explorer on a share, rsync --preallocate: what is not written yet is zeros. Some formats decode all the same."""
    whole = noisy(kind)
    graph.source.put("shoes/half", whole[: len(whole) * 2 // 5].ljust(len(whole), b"\0"))
    graph.source.modified_at["shoes/half"] = graph.clock.now - 60
    done = graph.sync()

    assert (done.scan.still_written.keys(), len(graph.remover.requests)) == ({"shoes/half"}, 4)
    assert graph.items.entry("shoes/half") is None

    graph.source.put("shoes/half", whole)
    done = graph.sync()
    assert (done.scan.still_written, done.summary.by_reason) == ({}, {Reason.NEW: 1})


@pytest.mark.parametrize(("kind", "bought"), [("WEBP", 0), ("JPEG", 0), ("TIFF", 1), ("BMP", 1)])
def test_a_copy_that_nobody_goes_on_with_is_bought_only_if_zeros_may_be_its_colours(
    graph: Graph, kind: str, bought: int
) -> None:
    whole = noisy(kind)
    graph.source.put("shoes/half", whole[: len(whole) * 2 // 5].ljust(len(whole), b"\0"))
    graph.source.modified_at["shoes/half"] = graph.clock.now - 2 * 3600
    done = graph.sync()

    assert (done.scan.still_written, len(graph.remover.requests)) == ({}, 4 + bought)
    assert len(done.scan.unreadable) == 1 - bought


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_zeros_after_the_end_of_a_picture_are_no_copy_that_goes_on(graph: Graph, kind: str) -> None:
    """Some cameras fill the last block of a file."""
    graph.source.put("shoes/padded", noisy(kind) + bytes(8192))
    graph.source.modified_at["shoes/padded"] = graph.clock.now - 60

    assert graph.sync().summary.published == 5


def test_a_change_that_leaves_no_trace_is_found_within_a_round(graph: Graph) -> None:
    graph.rehash_nights = 7
    graph.sync()
    graph.source.files["shoes/0.png"] = product(50)
    found, hashed = [], 0
    for _ in range(7):
        graph.clock.now += _DAY
        done = graph.sync()
        hashed += done.scan.hashed
        found += [c.key for c in done.delta.changes]

    assert found == ["shoes/0.png"]
    assert hashed == 4


@pytest.mark.parametrize("is_proof", [True, False])
def test_unless_a_person_says_otherwise_only_what_a_listing_can_hide_is_hashed_again(
    graph: Graph, is_proof: bool
) -> None:
    graph.rehash_nights, graph.source.listing_is_proof = None, is_proof
    graph.sync()
    read = len(graph.source.reads)
    again = 0
    for _ in range(7):
        graph.clock.now += _DAY
        again += graph.sync().scan.rehashed

    assert again == (0 if is_proof else 4)
    assert len(graph.source.reads) - read == again


def test_what_is_hashed_only_by_the_calendar_is_counted_apart(graph: Graph) -> None:
    graph.sync()
    graph.rehash_nights, graph.clock.now = 1, graph.clock.now + _DAY
    graph.source.put("shoes/0.png", product(50))
    done = graph.sync()

    assert (done.scan.hashed, done.scan.rehashed) == (4, 3)


class MeetingReaders(MemorySource):
    """Each read ends only when so many have begun."""

    def __init__(self, readers: int, timeout_s: float = 10) -> None:
        super().__init__({f"shoes/{number}.png": product(number) for number in range(2 * readers)})
        self._meet, self._timeout_s = Barrier(readers), timeout_s

    def read(self, key: str) -> bytes:
        self._meet.wait(timeout=self._timeout_s)
        return super().read(key)


@pytest.mark.parametrize(("wanted", "suits", "readers"), [(None, 5, 5), (5, 2, 5)])
def test_a_scan_reads_as_many_pictures_at_once_as_suit_its_source_or_a_person_says(
    wanted: int | None, suits: int, readers: int
) -> None:
    source = MeetingReaders(readers)
    source.reads_at_once = suits
    graph = Graph(source=source, reads_at_once=wanted)

    assert scan(graph.catalogue, graph.policy, graph.run).hashed == 2 * readers


def test_the_pictures_that_are_read_at_once_fit_into_the_memory_of_a_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three readers meet only if nothing keeps the third one out."""
    source = MeetingReaders(3, timeout_s=0.5)
    monkeypatch.setattr("bg_pipeline.pipeline.detect._MOST_BYTES", 2 * max(map(len, source.files.values())))

    graph = Graph(source=source, reads_at_once=3)

    with pytest.raises(BrokenBarrierError):
        scan(graph.catalogue, graph.policy, graph.run)


def test_a_slice_is_hashed_once_a_day_however_often_the_sync_runs(graph: Graph) -> None:
    graph.rehash_nights = 1
    graph.sync()
    assert graph.sync().scan.hashed == 0

    graph.clock.now += _DAY
    assert [graph.sync().scan.hashed for _ in range(2)] == [4, 0]


def test_a_scan_that_broke_off_leaves_its_slice_to_the_next(graph: Graph) -> None:
    graph.sync()
    graph.rehash_nights, graph.clock.now = 1, graph.clock.now + _DAY
    graph.source.fail_after = 2
    with pytest.raises(SourceUnreadable):
        graph.sync()
    graph.source.fail_after = None

    assert graph.sync().scan.hashed == 4


def test_a_plan_hashes_no_slice(graph: Graph) -> None:
    graph.sync()
    graph.rehash_nights, graph.clock.now = 1, graph.clock.now + _DAY

    assert scan(graph.catalogue, graph.policy, graph.run).hashed == 0
    assert scan(graph.catalogue, graph.policy, graph.run, Slice(0, 1)).hashed == 4


def test_another_collection_depth_reaches_known_items_without_reading_them(graph: Graph) -> None:
    graph.source.put("shoes/red/1.png", product(30))
    graph.sync()
    graph.collection_depth = 2
    done, read = reread(graph)

    assert (done.scan.moved, done.delta.changes, read) == (1, (), [])
    assert graph.items.collections() == {"bags": 1, "shoes": 3, "shoes/red": 1}
    assert graph.sync().scan.moved == 0


def test_a_file_replaced_while_it_is_hashed_is_looked_at_again(graph: Graph) -> None:
    """The fingerprint is of the listing, the hash of the bytes read: what came between differs in the next listing."""
    real = graph.source.read

    def read(key: str) -> bytes:
        data = real(key)
        if key == "shoes/0.png" and graph.source.versions[key] == 1:
            graph.source.put(key, product(50))
            return data[:40] + b"half old, half new"
        return data

    graph.source.read = read  # type: ignore[method-assign]
    torn = graph.sync()
    assert [f.key for f in torn.summary.failures] == ["shoes/0.png"]

    done = graph.sync()
    assert (done.summary.published, len(graph.remover.requests)) == (1, 4)


def test_a_folder_that_cannot_be_looked_at_keeps_all_that_is_known_of_it(graph: Graph) -> None:
    """And the rest of the catalogue has its night."""
    graph.sync()
    before = {e.key: e for e in graph.items.entries() if e.key != "bags/9.png"}
    graph.source.locked = {"shoes/"}
    graph.source.put("ties/1.png", product(40))
    del graph.source.files["bags/9.png"]
    done = graph.sync()

    assert (done.summary.published, done.scan.absent, done.delta.counts["deleted"]) == (1, ["bags/9.png"], 1)
    assert done.summary.not_looked == done.scan.not_looked == {"shoes/": "Permission denied"}
    assert done.summary.exit_code is Exit.SOME_FAILED
    assert {key: graph.items.entry(key) for key in before} == before

    graph.source.locked = set()
    done = graph.sync()
    assert (done.summary.not_looked, done.summary.exit_code, done.delta.counts["new"]) == ({}, Exit.DONE, 0)


def test_a_folder_that_cannot_be_looked_at_has_nothing_in_it_deleted(graph: Graph) -> None:
    """Not what was gone before either: only two listings that looked there may say so."""
    graph.sync()
    del graph.source.files["shoes/0.png"]
    graph.sync()
    graph.source.locked = {"shoes/"}
    for _ in range(3):
        graph.clock.now += 2 * _DAY
        assert graph.sync().trash.moved == []
    graph.source.locked = set()

    assert graph.sync().trash.moved == ["shoes/0.png"]


def _repeats_a_page(listed: Iterator[Listed]) -> Iterator[Listed]:
    page = list(listed)
    yield from page[:2]
    yield from page[:2]
    yield from page[2:]


def _unsorted(listed: Iterator[Listed]) -> Iterator[Listed]:
    yield from reversed(list(listed))


def _twice(listed: Iterator[Listed]) -> Iterator[Listed]:
    for one in listed:
        yield one
        yield one._replace(fingerprint="another")


def _ends_early(listed: Iterator[Listed]) -> Iterator[Listed]:
    yield next(listed)
    raise SourceUnreadable("the bucket said there was more, and gave no more")


def _empty(listed: Iterator[Listed]) -> Iterator[Listed]:
    yield from ()


@pytest.mark.parametrize(
    ("wrong", "error", "why"),
    [
        (_repeats_a_page, SourceUnreadable, "not in order"),
        (_unsorted, SourceUnreadable, "not in order"),
        (_twice, SourceUnreadable, "not in order"),
        (_ends_early, SourceUnreadable, "there was more"),
        (_empty, GuardStopped, "empty"),
    ],
)
def test_a_listing_that_is_wrong_fails_the_sync_and_deletes_nothing(
    graph: Graph,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Callable[[Iterator[Listed]], Iterator[Listed]],
    error: type[Exception],
    why: str,
) -> None:
    graph.sync()
    before = {e.key: (e.state, e.absent) for e in graph.items.entries()}, dict(graph.outputs.blobs)
    real = MemorySource.list
    with monkeypatch.context() as broken:
        broken.setattr(MemorySource, "list", lambda source, _landmarks: wrong(real(source)))
        for _ in range(3):
            graph.clock.now += 2 * _DAY
            with pytest.raises(error, match=why):
                graph.sync()

    assert ({e.key: (e.state, e.absent) for e in graph.items.entries()}, graph.outputs.blobs) == before
    assert graph.sync().delta.changes == ()


def test_a_source_without_its_sentinel_stops_the_sync(graph: Graph) -> None:
    """Another share, mounted in its place, is not empty."""
    graph.deletes = DeletePolicy(sentinel="bags/9.png")
    graph.sync()
    del graph.source.files["bags/9.png"]
    with pytest.raises(GuardStopped, match=r"BG_SENTINEL \(bags/9.png\)"):
        graph.sync()

    assert not any(e.absent for e in graph.items.entries())


@pytest.mark.parametrize("fails", [False, True])
def test_garbage_is_collected_after_a_detection(graph: Graph, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    seen: list[bool] = []

    def count() -> int:
        seen.append(gc.isenabled())
        if fails:
            raise StoreError("away")
        return 0

    monkeypatch.setattr(graph.deltas, "count", count)
    with pytest.raises(StoreError) if fails else nullcontext():
        detect(*graph.pipeline.context)

    assert (seen, gc.isenabled()) == ([False], True)
