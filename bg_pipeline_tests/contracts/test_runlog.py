"""One suite for the run log: in memory, in SQLite, in PostgreSQL."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bg_pipeline.core.claims import AskedBy
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Cause, Failure, Summary
from bg_pipeline.core.runlog import (
    BalanceRecord,
    ClearOutRecord,
    DetectRecord,
    FailureKind,
    FailureRecord,
    ProcessRecord,
    Record,
    RehashRecord,
    RetryRecord,
    ScanRecord,
    Stage,
)
from bg_pipeline_tests.contracts.manifest import Manifest

BY = {"run_id": "run 1", "job": "sync", "collections": ("c", "%FF"), "started_at": 1.5}
SUMMARY = Summary(published=2, credits=Decimal("0.25"), bought_from={"bgeraser": 1})
FAILURE = Failure("c/\udcff.jpg", State.FAILED, "corrupt", Cause.PICTURE)

EVERY_KIND: list[Record] = [
    ScanRecord(complete=True, listed=3, sentinel_seen=False, **BY),
    RehashRecord(day=20_000, slice=3, **BY),
    DetectRecord(
        counts={"new": 1}, rows=({"class": "new", "credits": 1.5},), work=1, purchases=1, credits=Decimal("1.5"), **BY
    ),
    ClearOutRecord(moved=1, purged=2, stopped="too many", **BY),
    ProcessRecord(asked_by=AskedBy.BACKFILL, everything=False, summary=replace(SUMMARY, failures=[FAILURE]), **BY),
    RetryRecord(items=4, **BY),
    FailureRecord(stage=Stage.DETECTION, failure=FailureKind.GUARD, cause="was c/\udcff\0.jpg", **BY),
    BalanceRecord(account="bgeraser", balance=Decimal("7.5"), drift=None, **BY | {"collections": None}),
]


@pytest.mark.parametrize("record", EVERY_KIND, ids=lambda record: record.kind)
def test_a_record_is_read_as_it_was_written_with_the_moment_of_its_end(manifest: Manifest, record: Record) -> None:
    for each in EVERY_KIND:
        manifest.run_log.write(each)

    assert manifest.run_log.read(type(record), limit=9) == [replace(record, ended_at=manifest.clock.now)]


def test_records_are_read_newest_first_since_a_moment_and_no_more_than_asked_for(manifest: Manifest) -> None:
    assert manifest.run_log.read(RetryRecord) == []
    manifest.run_log.write(RetryRecord(items=1, **BY))
    first = manifest.clock.now
    manifest.clock.now += 5
    manifest.run_log.write(RetryRecord(items=2, **BY))
    manifest.run_log.write(RehashRecord(day=1, slice=1, **BY))

    assert [(r.items, r.ended_at) for r in manifest.run_log.read(RetryRecord)] == [(2, first + 5)]
    assert [r.items for r in manifest.run_log.read(RetryRecord, since=first, limit=9)] == [2, 1]
    assert [r.items for r in manifest.run_log.read(RetryRecord, since=first + 5, limit=9)] == [2]
    assert manifest.run_log.read(RetryRecord, since=first + 6) == []


def test_the_steps_of_one_run_have_one_record_which_is_the_newest_and_the_sum(manifest: Manifest) -> None:
    night = {"asked_by": AskedBy.NIGHT, "everything": True}
    failed = Failure("c/\udcff.jpg", State.PENDING, "the vendor did not answer", Cause.SERVICE)
    one = replace(SUMMARY, pending=9, seconds=3.0, failures=[failed])
    two = replace(SUMMARY, pending=4, seconds=2.0, failures=[replace(failed, detail="again")])
    manifest.run_log.add(ProcessRecord(summary=one, shown=("c/1", "c/2", "c/\udcff"), **night, **BY))
    manifest.run_log.write(ProcessRecord(summary=SUMMARY, **night, **BY | {"run_id": "run 2"}))
    manifest.clock.now += 5
    manifest.run_log.add(ProcessRecord(summary=two, shown=("d/1",), **night, **BY | {"started_at": 4.0}))
    of_both, other = manifest.run_log.read(ProcessRecord, limit=9)

    assert (of_both.run_id, of_both.started_at, of_both.ended_at) == ("run 1", 1.5, manifest.clock.now)
    assert (of_both.summary.published, of_both.summary.credits) == (4, Decimal("0.50"))
    assert of_both.summary.bought_from == {"bgeraser": 2}
    assert of_both.summary.pending == 4, "what the last one left"
    assert of_both.summary.seconds == 4.5, "from the first begin to the last end"
    assert [failure.detail for failure in of_both.summary.failures] == ["again"]
    assert of_both.shown == ("c/1", "d/1", "c/2", "c/\udcff")
    assert other.summary == SUMMARY
