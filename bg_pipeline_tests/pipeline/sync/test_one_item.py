"""One item that a working store or source refuses: it waits or fails under its own name, the others go on."""

from collections.abc import Callable
from typing import Any

import pytest

from bg_pipeline.core.keys import master_name
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Cause, Exit
from bg_pipeline.errors import ItemError, ItemRejected, PaidResultLost, SourceUnreadable, StoreError
from bg_pipeline.ports.purchasing import CutRequest
from bg_pipeline.ports.single import one_blob
from bg_pipeline_tests.fakes import MemoryStore
from bg_pipeline_tests.graph import Graph, Synced
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.states import state_of

BAD = "shoes/0.png"


def refusing(method: Callable[..., Any], names: set[str], error: Exception) -> Callable[..., Any]:
    """The method, except for these names."""

    def call(name: str, *args: Any) -> Any:
        if name in names:
            raise error
        return method(name, *args)

    return call


def failures(done: Synced) -> list[tuple[str, State, Cause]]:
    return [(failure.key, failure.state, failure.cause) for failure in done.summary.failures]


def test_an_output_that_cannot_be_written_waits_and_is_never_paid_for_again(graph: Graph) -> None:
    real = graph.outputs.write
    graph.outputs.write = refusing(real, {BAD}, StoreError("Permission denied"))  # type: ignore[method-assign]
    first, second = graph.sync(), graph.sync()

    assert (first.summary.published, first.summary.exit_code) == (3, Exit.SOME_FAILED)
    assert failures(first) == failures(second) == [(BAD, State.PENDING, Cause.STORE)]
    assert "Permission denied; the next sync tries again" in first.summary.failures[0].detail

    graph.outputs.write = real  # type: ignore[method-assign]
    assert (graph.sync().summary.published, len(graph.remover.requests)) == (1, 4)


def test_an_output_whose_name_is_at_fault_fails_alone(graph: Graph) -> None:
    error = ItemError("shoes/0.png cannot be written: File name too long")
    graph.outputs.write = refusing(graph.outputs.write, {BAD}, error)  # type: ignore[method-assign]
    done = graph.sync()

    assert (done.summary.published, failures(done)) == (3, [(BAD, State.FAILED, Cause.PICTURE)])


def test_nothing_is_bought_for_an_output_that_the_store_would_refuse(graph: Graph) -> None:
    graph.outputs.validate_name = refusing(  # type: ignore[method-assign]
        graph.outputs.validate_name, {BAD}, ItemError("a folder has this name")
    )
    done = graph.sync()

    assert (done.summary.published, failures(done)) == (3, [(BAD, State.FAILED, Cause.PICTURE)])
    assert len(graph.remover.requests) == 3


@pytest.mark.parametrize("error", [StoreError("Permission denied"), ItemError("Is a directory")])
def test_the_copies_of_a_picture_are_published_though_one_of_them_cannot_be_written(
    graph: Graph, error: Exception
) -> None:
    for name in ("hats/a.png", "hats/b.png", "hats/c.png"):
        graph.source.put(name, product(70))
    graph.outputs.write = refusing(graph.outputs.write, {"hats/b.png"}, error)  # type: ignore[method-assign]
    done = graph.sync()

    assert (done.summary.published, [key for key, _, _ in failures(done)]) == (6, ["hats/b.png"])
    assert {state_of(graph, f"hats/{name}.png") for name in "ac"} == {State.PUBLISHED}


def test_a_copy_that_changed_does_not_end_the_run_when_the_other_one_fails(graph: Graph) -> None:
    for name in ("hats/a.png", "hats/b.png"):
        graph.source.put(name, product(70))
    real = graph.source.read

    def read(key: str) -> bytes:
        if key == "hats/a.png" and graph.source.reads.count(key) == 1:
            graph.source.files[key] = product(71)
        return real(key)

    def refuse_hats(request: CutRequest) -> None:
        if request.collection == "hats":
            raise ItemRejected("no subject")

    graph.source.read = read  # type: ignore[method-assign]
    graph.remover.before = refuse_hats
    done = graph.sync()

    assert {key: state for key, state, _ in failures(done)} == {
        "hats/a.png": State.PENDING,
        "hats/b.png": State.FAILED,
    }
    assert done.summary.published == 4


def test_a_store_that_fails_its_probe_ends_the_run(graph: Graph) -> None:
    def full(_name: str, _data: bytes) -> None:
        graph.outputs.full = True
        raise StoreError("No space left on device")

    graph.outputs.write = full  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="No space left"):
        graph.sync()


def test_the_probe_is_as_large_as_the_output(graph: Graph) -> None:
    """A full disk may still have room for a small file."""
    graph.source.put("large/1.png", product(3, (600, 600)))
    refuse = refusing(graph.outputs.write, {"large/1.png"}, StoreError("No space left on device"))
    sizes = []

    def write(name: str, data: bytes) -> None:
        sizes.append(len(data))
        refuse(name, b"x" * 200_000 if name == "large/1.png" else data)

    graph.outputs.write = write  # type: ignore[method-assign]
    graph.sync()

    assert max(sizes) in graph.outputs.probed


def test_a_lost_master_is_not_bought_again_and_holds_up_only_its_own_item(graph: Graph) -> None:
    graph.sync()
    entry = graph.items.entry(BAD)
    assert entry is not None
    lost = master_name(entry.purchase_id)
    data = graph.masters.blobs.pop(lost)
    graph.outputs.blobs.clear()
    done = graph.sync()

    assert (done.summary.published, failures(done)) == (3, [(BAD, State.PENDING, Cause.STORE)])
    assert f"the master {lost} is on record but not in the store" in done.summary.failures[0].detail
    assert "restore the file" in done.summary.failures[0].detail
    assert "only if `bg-pipeline review redo KEY` asks for it" in done.summary.failures[0].detail

    graph.masters.blobs[lost] = data
    assert (graph.sync().summary.published, len(graph.remover.requests)) == (1, 4)


@pytest.mark.parametrize("error", [StoreError("Input/output error"), ItemError("Is a directory")])
def test_a_master_that_cannot_be_read_holds_up_only_its_own_item(graph: Graph, error: Exception) -> None:
    graph.sync()
    entry = graph.items.entry(BAD)
    assert entry is not None
    graph.outputs.blobs.clear()
    names = {master_name(entry.purchase_id)}
    graph.masters.read = refusing(graph.masters.read, names, error)  # type: ignore[method-assign]
    done = graph.sync()

    assert (done.summary.published, [key for key, _, _ in failures(done)]) == (3, [BAD])
    assert len(graph.remover.requests) == 4


def test_a_source_that_cannot_give_one_picture_is_asked_for_the_others(graph: Graph) -> None:
    """An object that is always cut off, or answered by 503."""
    real = graph.source.read
    graph.source.read = refusing(real, {BAD}, SourceUnreadable("503 Slow Down"))  # type: ignore[method-assign]
    done = graph.sync()

    assert (done.summary.published, done.summary.exit_code) == (3, Exit.SOME_FAILED)
    assert done.summary.not_looked == {BAD: "503 Slow Down"}

    graph.source.read = real  # type: ignore[method-assign]
    assert graph.sync().summary.published == 1


def test_a_source_that_gives_nothing_ends_the_scan(graph: Graph) -> None:
    def read(_key: str) -> bytes:
        graph.source.fail_after = 0
        raise SourceUnreadable("not mounted")

    graph.source.read = read  # type: ignore[method-assign]
    with pytest.raises(SourceUnreadable):
        graph.sync()


def test_a_picture_that_cannot_be_read_any_more_after_the_scan_waits(graph: Graph) -> None:
    real, seen = graph.source.read, set[str]()

    def read(key: str) -> bytes:
        if key == BAD and key in seen:
            raise SourceUnreadable("503 Slow Down")
        seen.add(key)
        return real(key)

    graph.source.read = read  # type: ignore[method-assign]
    done = graph.sync()

    assert (done.summary.published, failures(done)) == (3, [(BAD, State.PENDING, Cause.STORE)])
    assert len(graph.remover.requests) == 3


def test_an_attempt_whose_answer_cannot_be_read_stays_open_and_is_not_repeated(graph: Graph) -> None:
    def kill(*_args: object) -> None:
        raise KeyboardInterrupt

    real_keep, graph.purchases.keep = graph.purchases.keep, kill  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        graph.sync(collection="bags")
    graph.stop.clear()
    graph.purchases.keep = real_keep  # type: ignore[method-assign]
    (kept,) = graph.spool.blobs
    graph.masters.blobs.clear()
    real_read = graph.spool.read
    graph.spool.read = refusing(real_read, {kept}, StoreError("Input/output error"))  # type: ignore[method-assign]
    done = graph.sync()

    assert (done.summary.published, [key for key, _, _ in failures(done)]) == (3, ["bags/9.png"])
    assert done.summary.in_doubt == 0
    graph.spool.read = real_read  # type: ignore[method-assign]
    assert (graph.sync().summary.published, len(graph.remover.requests)) == (1, 4)


def test_a_lost_paid_result_is_no_item_s_fault() -> None:
    with pytest.raises(PaidResultLost), one_blob(MemoryStore()):
        raise PaidResultLost("no store took it")


def leave_an_answer_in_the_spool(graph: Graph) -> str:
    real_write = graph.masters.write

    def no_masters(name: str, data: bytes) -> None:
        raise StoreError("503")

    graph.masters.write = no_masters  # type: ignore[method-assign]
    graph.sync(collection="bags")
    graph.masters.write = real_write  # type: ignore[method-assign]
    (kept,) = graph.spool.blobs
    return kept


def test_an_answer_that_cannot_be_read_from_the_spool_ends_no_night(graph: Graph) -> None:
    kept = leave_an_answer_in_the_spool(graph)
    real_read = graph.spool.read
    graph.spool.read = refusing(real_read, {kept}, StoreError("Input/output error"))  # type: ignore[method-assign]
    done = graph.sync()

    assert (done.summary.published, [key for key, _, _ in failures(done)]) == (3, ["bags/9.png"])
    graph.spool.read = real_read  # type: ignore[method-assign]
    assert (graph.sync().summary.published, len(graph.remover.requests)) == (1, 4)


def test_an_answer_that_another_worker_makes_a_master_of_meanwhile_is_not_missed(graph: Graph) -> None:
    kept = leave_an_answer_in_the_spool(graph)
    real_read = graph.spool.read
    reads = []

    def read(name: str) -> bytes | None:
        reads.append(name)
        if reads.count(kept) <= 2:  # so that both recoveries of a sync leave it to its item
            raise StoreError("Input/output error")
        graph.spool.read = real_read  # type: ignore[method-assign]
        graph.accounts.answers.resume(graph.ledger.answered()[0])
        return real_read(name)

    graph.spool.read = read  # type: ignore[method-assign]
    done = graph.sync(collection="bags")

    assert (done.summary.published, failures(done)) == (1, [])
    assert (len(reads), len(graph.remover.requests)) == (3, 1)
