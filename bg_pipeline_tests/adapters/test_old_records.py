"""What version 0004 had on record, as the present version reads it."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bg_pipeline.core.claims import AskedBy
from bg_pipeline.core.records import Lease, State
from bg_pipeline.core.report import Cause, Failure, Summary
from bg_pipeline.core.runlog import (
    BalanceRecord,
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
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.leases import SqlLeases
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.manifest.runlog import SqlRunLog
from bg_pipeline_tests.adapters.old_manifests import filled, picture, plain, tables

OLD_SUMMARY = {
    **dict.fromkeys(("published", "purchases", "in_doubt", "wasted", "duplicates", "renamed", "failed"), 1),
    "quarantined": 0,
    "pending": 2,
    "credits": 1.25,
    "saved": 2.0,
    "credits_in_doubt": 1.0,
    "seconds": 3.5,
    "bought_from": {"bgeraser": 1},
    "paused": None,
    "budget_reached": True,
    "busy": "",
    "by_reason": {"new": 1},
    "failures": [
        {"key": "c/a.jpg", "state": "failed", "detail": "corrupt"},
        {"key": "c/b.jpg", "state": "quarantined", "detail": "empty"},
        {"key": "c/c.jpg", "state": "pending", "detail": "another run buys it"},
        {"key": "c/d.jpg", "state": "pending", "detail": "503"},
    ],
}

SUMMARY = Summary(
    **dict.fromkeys(("published", "purchases", "in_doubt", "wasted", "duplicates", "renamed", "failed"), 1),
    pending=2,
    credits=Decimal("1.25"),
    saved=Decimal(2),
    credits_in_doubt=Decimal(1),
    seconds=3.5,
    bought_from={"bgeraser": 1},
    budget_reached=True,
    by_reason={"new": 1},
    failures=[
        Failure("c/a.jpg", State.FAILED, "corrupt", Cause.PICTURE),
        Failure("c/b.jpg", State.QUARANTINED, "empty", Cause.SUSPICIOUS),
        Failure("c/c.jpg", State.PENDING, "another run buys it", Cause.ELSEWHERE),
        Failure("c/d.jpg", State.PENDING, "503", Cause.SERVICE),
    ],
)

OF_RUN: dict[str, Any] = {"run_id": "", "job": "", "collections": None, "started_at": 1.0, "ended_at": 2.0}

LOGGED: list[tuple[str, dict[str, object], Record]] = [
    (
        "scan",
        {"complete": True, "listed": 9, "sentinel_seen": True},
        ScanRecord(**OF_RUN, complete=True, listed=9, sentinel_seen=True),
    ),
    ("rehash", {"day": 20_000, "slice": 3}, RehashRecord(**OF_RUN, day=20_000, slice=3)),
    (
        "detect",
        {"counts": {"new": 2}, "rows": [{"class": "new", "items": 2}], "work": 2, "purchases": 2, "credits": 2.5},
        DetectRecord(
            **OF_RUN,
            counts={"new": 2},
            rows=({"class": "new", "items": 2},),
            work=2,
            purchases=2,
            credits=Decimal("2.5"),
        ),
    ),
    ("retry", {"items": 4}, RetryRecord(**OF_RUN, items=4)),
    ("sync", OLD_SUMMARY, ProcessRecord(**OF_RUN, asked_by=AskedBy.SYNC, everything=True, summary=SUMMARY)),
    ("process", OLD_SUMMARY, ProcessRecord(**OF_RUN, asked_by=AskedBy.BACKFILL, everything=False, summary=SUMMARY)),
    (
        "process",
        OLD_SUMMARY | {"everything": True},
        ProcessRecord(**OF_RUN, asked_by=AskedBy.NIGHT, everything=True, summary=SUMMARY),
    ),
    (
        "failure",
        {"collection": None, "cause": "no disk", "guard": False, "run_id": "r1"},
        FailureRecord(**OF_RUN | {"run_id": "r1"}, stage=Stage.DETECTION, failure=FailureKind.ERROR, cause="no disk"),
    ),
    (
        "failure",
        {"collection": "a,b", "cause": "too many", "guard": True, "run_id": ""},
        FailureRecord(
            **OF_RUN | {"collections": ("a%2Cb",)},
            stage=Stage.PROCESSING,
            failure=FailureKind.GUARD,
            cause="too many",
        ),
    ),
    (
        "balance",
        {"provider": "bgeraser", "balance": 90.5},
        BalanceRecord(**OF_RUN, account="bgeraser", balance=Decimal("90.5")),
    ),
    (
        "balance",
        {"provider": "bgeraser", "balance": 80.0, "drift": -1.5, "sound": False, "because": "it fell"},
        BalanceRecord(
            **OF_RUN,
            account="bgeraser",
            balance=Decimal("80.0"),
            drift=Decimal("-1.5"),
            sound=False,
            because="it fell",
        ),
    ),
]


@pytest.mark.parametrize(("kind", "facts", "record"), LOGGED)
def test_what_was_logged_before_0005_is_read_as_typed_records(
    tmp_path: Path, kind: str, facts: dict[str, object], record: Record
) -> None:
    row: dict[str, object] = {"id": 7, "kind": kind, "started_at": 1.0, "ended_at": 2.0, "facts": facts}
    database = Database(filled(f"sqlite:///{tmp_path}/manifest.db", "0004", syncs=[row]))

    assert SqlRunLog(database, 1).read(type(record), limit=9) == [record]
    database.close()


def test_a_record_that_lacks_all_that_was_added_later_is_read_all_the_same(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": number, "kind": kind, "started_at": 1.0, "ended_at": 2.0, "facts": {}}
        for number, kind in enumerate(
            ("scan", "rehash", "detect", "process", "sync", "retry", "failure", "balance"), start=1
        )
    ]
    database = Database(filled(f"sqlite:///{tmp_path}/manifest.db", "0004", syncs=rows))
    log = SqlRunLog(database, 1)

    kinds = (ScanRecord, RehashRecord, DetectRecord, ProcessRecord, RetryRecord, FailureRecord, BalanceRecord)
    assert [len(log.read(kind, limit=9)) for kind in kinds] == [1, 1, 1, 2, 1, 1, 1]
    database.close()


def attempt(number: int, collection: bytes) -> dict[str, object]:
    held = {"work_id": f"w{number}", "provider": "bgeraser", "collection": collection, "state": "charged"}
    return held | {"id": number, "credits_expected": 1000, "started_at": 1.0, "item_key": b"a.jpg"}


def test_before_0005_leases_were_named_after_collections(url: str) -> None:
    names = [b"collection c/\xff", b"collection .", b"collection collection x"]
    leases = [*names, b"detection", b"run 7"]
    database = Database(
        filled(
            url,
            "0004",
            attempts=[attempt(n, name) for n, name in enumerate(names, 1)],
            leases=[{"name": name, "owner": "me", "token": 3, "ends_at": 110.0} for name in leases],
        )
    )
    told = [each.collection for each in SqlLedger(database).log(0.0)]
    held = [lease for lease, _ in SqlLeases(database, 1, lambda: 100.0).leases()]
    database.close()

    assert told == ["c/\udcff", "", "collection x"]
    assert held == [Lease("detection", "me", 3), Lease("run 7", "me", 3)]


def test_numbers_go_on_behind_those_of_before_0005(url: str) -> None:
    log: dict[str, object] = {"id": 9, "kind": "retry", "started_at": 1.0, "ended_at": 2.0, "facts": {"items": 1}}
    database = Database(filled(url, "0004", attempts=[attempt(7, b"collection c")], syncs=[log]))
    SqlRunLog(database, 1).write(RetryRecord(**OF_RUN, items=2))
    row = {name: held for name, held in picture(url)["attempts"][0].items() if name != "id"}
    with plain(url) as conn:
        table = next(each for each in tables(conn) if each.name == "attempts")
        conn.execute(table.insert().values(row))
    after = picture(url)
    other = catalogue_id(database, "another shop")
    database.close()

    assert [each["id"] for each in after["attempts"]] == [7, 8]
    assert [each["id"] for each in after["run_log"]] == [9, 10]
    assert other == 2
