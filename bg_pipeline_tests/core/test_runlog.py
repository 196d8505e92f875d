"""Records of the run log are read as they were written, by this version and by later ones."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bg_pipeline.core.canary import Difference, Trial
from bg_pipeline.core.claims import AskedBy
from bg_pipeline.core.hosts import HostOutage
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Cause, Failure, Summary
from bg_pipeline.core.runlog import (
    RECORDS,
    BalanceRecord,
    CanaryRecord,
    ClearOutRecord,
    DetectRecord,
    ExportRecord,
    FailureKind,
    FailureRecord,
    Look,
    LookRecord,
    ProcessRecord,
    PruneRecord,
    Record,
    RehashRecord,
    RetryRecord,
    ScanRecord,
    Stage,
    from_json,
    to_json,
)

BY: Mapping[str, Any] = {
    "run_id": "5b0",
    "job": "nightly_cutouts",
    "collections": ("bags", "%FF"),
    "started_at": 1.5,
    "ended_at": 3.25,
}

GOLDEN: list[tuple[Record, str]] = [
    (
        ScanRecord(
            complete=True,
            listed=3,
            sentinel_seen=False,
            not_looked={"c/\udcff/": "Permission denied"},
            left_out={".*": 2},
            hosts_down=(HostOutage("cdn.example.com", 20, "cdn.example.com answered 503"),),
            **BY,
        ),
        """
        {"run_id": "5b0", "job": "nightly_cutouts", "collections": ["bags", "%FF"], "started_at": 1.5, "ended_at": 3.25,
         "complete": true, "listed": 3, "sentinel_seen": false, "not_looked": [["c/\\udcff/", "Permission denied"]],
         "more_not_looked": 0, "left_out": {".*": 2},
         "hosts_down": [{"host": "cdn.example.com", "items": 20, "why": "cdn.example.com answered 503"}]}
        """,
    ),
    (
        LookRecord(stores={"outputs": Look((".", "c/\udcff"), "d1")}, **BY),
        """
        {"run_id": "5b0", "job": "nightly_cutouts", "collections": ["bags", "%FF"], "started_at": 1.5, "ended_at": 3.25,
         "stores": {"outputs": {"folders": [".", "c/\\udcff"], "state": "d1"}}}
        """,
    ),
    (
        RehashRecord(day=20400, slice=2, **BY),
        """
        {"run_id": "5b0", "job": "nightly_cutouts", "collections": ["bags", "%FF"], "started_at": 1.5, "ended_at": 3.25,
         "day": 20400, "slice": 2}
        """,
    ),
    (
        DetectRecord(
            counts={"new": 2, "unchanged": 7},
            rows=({"class": "new", "items": 2, "to_buy": 1, "credits": 0.25, "why": "bags/1.jpg: not seen before"},),
            work=2,
            purchases=1,
            credits=Decimal("0.25"),
            **BY,
        ),
        """
        {"run_id": "5b0", "job": "nightly_cutouts", "collections": ["bags", "%FF"], "started_at": 1.5, "ended_at": 3.25,
         "counts": {"new": 2, "unchanged": 7},
         "rows": [{"class": "new", "items": 2, "to_buy": 1, "credits": 0.25, "why": "bags/1.jpg: not seen before"}],
         "work": 2, "purchases": 1, "credits": "0.25"}
        """,
    ),
    (
        ClearOutRecord(moved=4, purged=1, stopped="too many would go", **BY),
        """
        {"run_id": "5b0", "job": "nightly_cutouts", "collections": ["bags", "%FF"], "started_at": 1.5, "ended_at": 3.25,
         "moved": 4, "purged": 1, "stopped": "too many would go"}
        """,
    ),
    (
        PruneRecord(unused=7, removed=2, stopped="too many would go", **BY),
        """
        {"run_id": "5b0", "job": "nightly_cutouts", "collections": ["bags", "%FF"], "started_at": 1.5, "ended_at": 3.25,
         "unused": 7, "removed": 2, "stopped": "too many would go"}
        """,
    ),
    (
        ProcessRecord(
            asked_by=AskedBy.NIGHT,
            everything=True,
            summary=Summary(
                published=5,
                purchases=3,
                credits=Decimal("2.75"),
                saved=Decimal(2),
                in_doubt=1,
                credits_in_doubt=Decimal("0.25"),
                wasted=1,
                awaited=2,
                bought_from={"bgeraser": 3},
                credits_at={"bgeraser": Decimal("2.75")},
                duplicates=1,
                renamed=1,
                failed=1,
                quarantined=1,
                pending=2,
                paused="no credits are left",
                budget_reached=True,
                seconds=12.5,
                by_reason={"new": 5},
                failures=[Failure("bags/\udcff.jpg", State.FAILED, "it is corrupt", Cause.PICTURE)],
                not_looked={"lost+found/": "Permission denied"},
            ),
            shown=("bags/\udcff.png",),
            **BY,
        ),
        """
        {"run_id": "5b0", "job": "nightly_cutouts", "collections": ["bags", "%FF"], "started_at": 1.5, "ended_at": 3.25,
         "asked_by": "night", "everything": true,
         "summary": {"published": 5, "purchases": 3, "credits": "2.75", "saved": "2", "in_doubt": 1,
                     "credits_in_doubt": "0.25", "wasted": 1, "awaited": 2,
                     "bought_from": {"bgeraser": 3}, "credits_at": {"bgeraser": "2.75"}, "duplicates": 1,
                     "renamed": 1, "failed": 1, "quarantined": 1, "pending": 2, "paused": "no credits are left",
                     "budget_reached": true, "window_ended": false, "left_before": null,
                     "seconds": 12.5,
                     "by_reason": {"new": 5}, "not_looked": [["lost+found/", "Permission denied"]],
                     "hosts_down": [], "standing": 0,
                     "failures": [{"key": "bags/\\udcff.jpg", "state": "failed", "detail": "it is corrupt",
                                   "cause": "picture"}]},
         "shown": ["bags/\\udcff.png"]}
        """,
    ),
    (
        RetryRecord(items=6, **BY),
        """
        {"run_id": "5b0", "job": "nightly_cutouts", "collections": ["bags", "%FF"], "started_at": 1.5, "ended_at": 3.25,
         "items": 6}
        """,
    ),
    (
        ExportRecord(location="/shop/.bg-pipeline/cutouts.csv", digest="ab", problem="no space", **BY),
        """
        {"run_id": "5b0", "job": "nightly_cutouts", "collections": ["bags", "%FF"], "started_at": 1.5, "ended_at": 3.25,
         "location": "/shop/.bg-pipeline/cutouts.csv", "digest": "ab", "problem": "no space"}
        """,
    ),
    (
        FailureRecord(stage=Stage.CLEAR_OUT, failure=FailureKind.GUARD, cause="the sentinel is gone", **BY),
        """
        {"run_id": "5b0", "job": "nightly_cutouts", "collections": ["bags", "%FF"], "started_at": 1.5, "ended_at": 3.25,
         "stage": "clear_out", "failure": "guard", "cause": "the sentinel is gone"}
        """,
    ),
    (
        CanaryRecord(
            cuts=("cut",),
            trials=(
                Trial("c/\udcff.png", "cut", Difference(0.25, 1.5, 0.125, 0.5), "the cutout is empty"),
                Trial("c/a.png", "cut", problem="refused"),
            ),
            accepted_by="ana@shop",
            reason="good edges",
            **BY,
        ),
        """
        {"run_id": "5b0", "job": "nightly_cutouts", "collections": ["bags", "%FF"], "started_at": 1.5, "ended_at": 3.25,
         "cuts": ["cut"],
         "trials": [{"key": "c/\\udcff.png", "cut_digest": "cut", "problem": "the cutout is empty",
                     "difference": {"alpha": 0.25, "colour": 1.5, "changed": 0.125, "moved": 0.5}},
                    {"key": "c/a.png", "cut_digest": "cut", "difference": null, "problem": "refused"}],
         "accepted_by": "ana@shop", "reason": "good edges"}
        """,
    ),
    (
        BalanceRecord(
            account="bgeraser",
            balance=Decimal("120.5"),
            drift=Decimal("-1.25"),
            sound=False,
            because="the balance fell by 3, the ledger says 4.25",
            **BY | {"collections": None},
        ),
        """
        {"run_id": "5b0", "job": "nightly_cutouts", "collections": null, "started_at": 1.5, "ended_at": 3.25,
         "account": "bgeraser", "balance": "120.5", "drift": "-1.25", "sound": false,
         "because": "the balance fell by 3, the ledger says 4.25"}
        """,
    ),
]
by_kind = pytest.mark.parametrize(("record", "row"), GOLDEN, ids=[record.kind for record, _ in GOLDEN])


def test_every_kind_has_a_golden_row() -> None:
    assert {type(record) for record, _ in GOLDEN} == set(RECORDS.values())


@by_kind
def test_a_record_is_written_as_its_golden_row(record: Record, row: str) -> None:
    assert to_json(record) == json.loads(row)
    assert json.loads(json.dumps(to_json(record))) == json.loads(row)


@by_kind
def test_a_golden_row_is_read_as_its_record(record: Record, row: str) -> None:
    assert from_json(type(record), json.loads(row)) == record


def test_a_field_that_a_later_version_added_is_left_out() -> None:
    facts = to_json(RetryRecord(items=6, **BY)) | {"new": 1}

    assert from_json(RetryRecord, facts) == RetryRecord(items=6, **BY)


def test_a_balance_without_an_earlier_reading_has_no_drift() -> None:
    first = BalanceRecord(account="bgeraser", balance=Decimal(7), **BY)

    assert from_json(BalanceRecord, to_json(first)) == replace(first, drift=None, sound=True, because="")


@pytest.mark.parametrize(
    "garbage",
    [
        {},
        {"collections": "bags"},
        {"asked_by": "somebody"},
        {"started_at": "yesterday"},
        {"summary": {"credits": "a few"}},
        {"summary": {"failures": [{"key": "a.jpg", "state": "failed", "detail": "", "cause": "another run …"}]}},
    ],
)
def test_what_is_no_record_of_its_kind_is_refused(garbage: Mapping[str, Any]) -> None:
    whole = to_json(ProcessRecord(asked_by=AskedBy.NIGHT, everything=True, summary=Summary(), **BY))

    with pytest.raises(ValueError, match="validation error"):
        from_json(ProcessRecord, whole | garbage if garbage else garbage)
