"""Failed runs: what is noted of them, and when they are over."""

from collections.abc import Callable

import pytest

from bg_pipeline.core.alerts import REPEAT_S, Kind
from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.runlog import DetectRecord, FailureKind, FailureRecord, Stage
from bg_pipeline.errors import (
    BgPipelineError,
    GuardStopped,
    LeaseHeld,
    NoCredits,
    SourceUnreadable,
    StateError,
    Stopped,
    StoreError,
)
from bg_pipeline.pipeline.alerting.failures import note_failure
from bg_pipeline.pipeline.alerting.notify import after_sync
from bg_pipeline.pipeline.process import Scope
from bg_pipeline.pipeline.trash import clear_out
from bg_pipeline.ports.context import RunName
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.alerting.shop import backfill, dagster_id, fail, kinds, lines, only_detect, put


def test_a_failed_run_is_told_with_stage_collection_job_cause_and_link(pending: Graph) -> None:
    failed = RunName(dagster_id(7), "process_delta")
    fail(pending, StoreError("the disk is full\nand more"), Stage.PROCESSING, "shoes", failed=failed)
    title, advice, when, link = lines(pending, Kind.RUN_FAILED).splitlines()

    assert title == "a store failed in processing shoes: the disk is full"
    assert advice.startswith("make the store writable")
    assert "Dagster starts another run" in advice
    assert when.startswith("at 1970-")
    assert when.endswith(" in process_delta")
    assert link == f"http://dagster.test/runs/{dagster_id(7)}"


def test_a_failed_night_is_told_as_what_it_is_and_over_when_its_repeat_succeeded(pending: Graph) -> None:
    """It was told as a failed detection, which no repetition ended."""
    fail(pending, StoreError("the disk is full"), Stage.PROCESSING)
    assert lines(pending, Kind.RUN_FAILED).startswith("a store failed in processing: the disk is full")
    only_detect(pending)
    assert kinds(pending) == [Kind.RUN_FAILED]

    pending.remover = FakeRemover([NoCredits("empty")])
    pending.process()
    put(pending, Gate("bgeraser"))
    assert pending.queue.pending()
    assert kinds(pending) == []


def test_a_failed_backfill_is_over_when_a_later_run_covered_its_collection(pending: Graph) -> None:
    fail(pending, "lost its worker", Stage.PROCESSING, "shoes")
    assert kinds(pending) == [Kind.RUN_FAILED]
    pending.remover = FakeRemover([NoCredits("empty")])
    pending.process(scope=backfill("shoes"))
    put(pending, Gate("bgeraser"))

    assert "shoes" in pending.queue.pending()
    assert kinds(pending) == []


def test_a_failed_backfill_is_over_when_nothing_of_its_collections_is_pending(pending: Graph) -> None:
    fail(pending, "lost its worker", Stage.PROCESSING, "shoes")
    pending.process(scope=Scope(keys=[f"shoes/{n}.png" for n in range(4)]))

    assert set(pending.queue.pending()) == {"bags"}
    assert kinds(pending) == []


def test_a_run_that_failed_in_another_collection_stays_told(pending: Graph) -> None:
    for name in ("bags", "shoes"):
        fail(pending, "lost its worker", Stage.PROCESSING, name)
    pending.process(scope=backfill("bags"))

    assert lines(pending, Kind.RUN_FAILED).startswith("run failed: processing shoes: lost its worker")


def test_a_run_over_single_items_covers_no_collection(pending: Graph) -> None:
    fail(pending, "lost its worker", Stage.PROCESSING)
    fail(pending, "lost its worker", Stage.PROCESSING, "shoes")
    pending.process(scope=Scope(keys=["shoes/0.png"]))

    assert kinds(pending) == [Kind.RUN_FAILED, Kind.RUN_FAILED]


def test_the_newest_failure_of_the_same_work_is_told(pending: Graph) -> None:
    fail(pending, "the first", Stage.PROCESSING, "shoes")
    fail(pending, "the second", Stage.PROCESSING, "shoes")

    assert "the second" in lines(pending, Kind.RUN_FAILED)


def test_a_failed_detection_is_told_until_one_succeeds(shop: Graph) -> None:
    fail(shop, StateError("the database failed"))
    assert lines(shop, Kind.RUN_FAILED).startswith("run failed: detection: the database failed")

    shop.sync()
    assert kinds(shop) == []


def test_a_failure_of_something_else_is_told_for_a_day(shop: Graph) -> None:
    """Nothing on record tells that a gallery was drawn again."""
    fail(shop, "no such font", Stage.OTHER, failed=RunName(dagster_id(1), "review"))
    assert lines(shop, Kind.RUN_FAILED).startswith("run failed: job review: no such font")
    shop.clock.now += REPEAT_S

    assert kinds(shop) == []


def test_a_guard_is_told_as_such_by_error_or_by_kind(pending: Graph) -> None:
    fail(pending, GuardStopped("the source is empty"))
    assert lines(pending, Kind.GUARD).startswith("a guard stopped detection: the source is empty")

    only_detect(pending)
    note_failure(pending.pipeline.monitor, pending.run.name, FailureKind.GUARD, "the source is empty", Stage.DETECTION)
    assert kinds(pending) == [Kind.GUARD]


def stopped_by_a_guard(graph: Graph) -> None:
    """Clearing out without a listing, as a night would do it."""
    graph.deletes = DeletePolicy(trash=True)
    with pytest.raises(GuardStopped):
        clear_out(graph.catalogue, graph.policy, graph.run)


def test_a_guard_that_stops_the_clearing_out_is_told_until_one_is_not_stopped(shop: Graph) -> None:
    stopped_by_a_guard(shop)
    assert lines(shop, Kind.GUARD).startswith("a guard stopped clearing out: no cutout was moved to the trash")
    only_detect(shop)
    assert kinds(shop) == [Kind.GUARD]

    clear_out(shop.catalogue, shop.policy, shop.run)
    assert kinds(shop) == []


def test_where_cutouts_are_kept_no_stopped_clearing_out_is_told(shop: Graph) -> None:
    stopped_by_a_guard(shop)
    fail(shop, "not mounted", Stage.CLEAR_OUT)
    shop.deletes = DeletePolicy()

    assert kinds(shop) == []


def test_a_failed_clearing_out_is_over_only_after_one_that_no_guard_stopped(shop: Graph) -> None:
    stopped_by_a_guard(shop)
    fail(shop, SourceUnreadable("not mounted"), Stage.CLEAR_OUT)
    stopped_by_a_guard(shop)
    assert lines(shop, Kind.RUN_FAILED).startswith("the source failed in clearing out: not mounted")

    only_detect(shop)
    clear_out(shop.catalogue, shop.policy, shop.run)
    assert kinds(shop) == []


@pytest.mark.parametrize("end", [LeaseHeld("another run works on it"), Stopped("stopped on request")])
def test_an_end_that_is_no_failure_is_not_noted(shop: Graph, end: BgPipelineError) -> None:
    fail(shop, end)
    fail(shop, NoCredits("empty"))

    assert kinds(shop) == []


def test_after_a_sync_what_ended_it_is_told_at_once(shop: Graph) -> None:
    assert after_sync(shop.pipeline, GuardStopped("the source is empty")) == []

    assert [notification.title for _, notification in shop.sink.got] == [
        "bg_pipeline: a guard stopped detection: the source is empty"
    ]


def one_note(graph: Graph) -> FailureRecord:
    (record,) = graph.run_log.read(FailureRecord, limit=9)
    return record


def failing_sync(
    graph: Graph, where: object, name: str, cause: BgPipelineError, monkeypatch: pytest.MonkeyPatch
) -> FailureRecord:
    """A sync that ends with an error, and the note that it leaves."""

    def failing(*_: object, **__: object) -> None:
        raise cause

    graph.deletes = DeletePolicy(trash=True)
    with monkeypatch.context() as broken:
        broken.setattr(where, name, failing)
        with pytest.raises(type(cause)):
            graph.sync()
    assert after_sync(graph.pipeline, cause) == []
    return one_note(graph)


def _source(graph: Graph) -> object:
    return graph.source


def _trash(graph: Graph) -> object:
    return graph.trash


def _masters(graph: Graph) -> object:
    return graph.masters


@pytest.mark.parametrize(
    ("where", "name", "stage"),
    [
        (_source, "list", Stage.DETECTION),
        (_trash, "gone_since", Stage.CLEAR_OUT),
        (_masters, "probe", Stage.PROCESSING),
    ],
)
def test_after_a_sync_the_stage_that_failed_is_on_record(
    shop: Graph, monkeypatch: pytest.MonkeyPatch, where: Callable[[Graph], object], name: str, stage: Stage
) -> None:
    shop.sync()
    shop.clock.now += 60.0
    shop.source.put("shoes/new.png", product(30))
    note = failing_sync(shop, where(shop), name, StoreError("not mounted"), monkeypatch)

    assert (note.stage, note.failure, note.cause) == (stage, FailureKind.STORE, "not mounted")
    assert (note.run_id, note.job, note.collections) == ("run 2", "sync", None)


def test_a_detection_of_another_run_is_not_taken_for_that_of_the_failed_sync(shop: Graph) -> None:
    shop.runs = 5
    only_detect(shop)
    shop.runs = 6
    after_sync(shop.pipeline, StoreError("not mounted"), collection="shoes")
    assert one_note(shop).stage is Stage.DETECTION

    shop.runs = 5
    after_sync(shop.pipeline, StoreError("not mounted"), everything=False, collection="shoes")
    note = shop.run_log.read(FailureRecord)[0]
    assert (note.stage, note.collections) == (Stage.PROCESSING, ("shoes",))
    assert shop.run_log.read(DetectRecord)[0].run_id == "run 5"


def test_a_sync_of_a_part_that_failed_did_not_fail_in_clearing_out(shop: Graph) -> None:
    shop.deletes = DeletePolicy(trash=True)
    only_detect(shop)
    after_sync(shop.pipeline, StoreError("not mounted"), everything=False)

    assert one_note(shop).stage is Stage.PROCESSING
