"""What a delta judged is left out of the next one, until its row or the settings change: in memory and in databases."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event

from bg_pipeline.core.delta import Goal
from bg_pipeline.core.records import Observation, Reason, State
from bg_pipeline.core.review import DecisionPlan, DecisionRecord, ReviewDecision, Seen
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.deltas import SqlDeltas
from bg_pipeline_tests.contracts.manifest import Manifest, seen, shown, work
from bg_pipeline_tests.rows import fill_items

GOAL = Goal(("cut",), ("rendition",), ("cut",))
NONE = Goal((), (), ())
KEY = "c/a.jpg"
DECISION = DecisionRecord(KEY, ReviewDecision.REDO, "a person", "", Seen("h", "digest"))

WRITES: dict[str, Callable[[Manifest], object]] = {
    "other bytes": lambda m: m.observations.observe([seen(KEY, "other")]),
    "another kind of picture": lambda m: m.observations.observe([replace(seen(KEY), media_type="image/avif")]),
    "a problem": lambda m: m.observations.observe([Observation(KEY, "c", "", "", 7, "", problem="locked")]),
    "an absence": lambda m: m.observations.mark_absent([KEY]),
    "a state": lambda m: m.set_state(KEY, State.FAILED, "corrupt"),
    "a publication": lambda m: m.publish(KEY, shown("c/a.webp")),
    "a delta": lambda m: m.record(work(KEY, Reason.CHANGED, stem="")),
    "a stale output": lambda m: m.items.mark_stale(KEY, "digest"),
    "no output": lambda m: m.trash.unpublish(KEY),
    "a move to the trash": lambda m: m.trash.begin_trash(KEY, "trash/a.png"),
    "a restored output": lambda m: m.trash.end_trash(KEY, "c/b.png"),
    "an erasure": lambda m: m.erasures.begin(KEY, m.claim(KEY)),
    "a decision": lambda m: m.reviews.record([DECISION], {KEY: DecisionPlan(becomes=State.PENDING)}, m.claim(KEY)),
}


def published(manifest: Manifest, *keys: str) -> None:
    manifest.see_work(*keys)
    for key in keys:
        manifest.publish(key, shown(key.replace(".jpg", ".png")))


def to_judge(manifest: Manifest, settings: str = "now", goal: Goal = NONE) -> Sequence[str]:
    """By default nothing is up to date, so that all that is not judged is named."""
    return [entry.key for entry in manifest.deltas.out_of_date(goal, settings)]


@pytest.mark.parametrize("name", WRITES)
def test_every_write_that_a_delta_would_see_makes_the_item_one_to_judge(manifest: Manifest, name: str) -> None:
    published(manifest, KEY)
    manifest.deltas.judge(GOAL, "now", [])
    assert to_judge(manifest) == []
    WRITES[name](manifest)

    assert to_judge(manifest) == [KEY]


def test_a_retry_makes_a_failed_item_one_to_judge(manifest: Manifest) -> None:
    manifest.see_work(KEY)
    manifest.set_state(KEY, State.FAILED, "corrupt")
    manifest.deltas.judge(NONE, "now", [(KEY, manifest.entry(KEY).revision)])
    assert (to_judge(manifest), manifest.deltas.judged("now")) == ([], {State.FAILED: (1, KEY)})

    assert manifest.items.retry() == [KEY]
    assert (to_judge(manifest), manifest.deltas.judged("now")) == ([KEY], {})


def test_what_was_seen_again_unchanged_stays_judged(manifest: Manifest) -> None:
    published(manifest, KEY)
    manifest.deltas.judge(GOAL, "now", [])
    manifest.see(KEY)
    manifest.observations.set_places({KEY: ("d", 3.0)})

    assert to_judge(manifest) == []


def test_up_to_date_items_those_done_with_and_the_given_ones_are_judged(manifest: Manifest) -> None:
    published(manifest, "c/a.jpg", "c/b.jpg", "c/c.jpg")
    manifest.see_work("c/d.jpg", "c/e.jpg")
    manifest.set_state("c/d.jpg", State.SKIPPED, "a mask")
    manifest.set_state("c/e.jpg", State.FAILED, "corrupt")
    manifest.publish("c/b.jpg", replace(shown("c/b.png"), cut_digest="another"))
    manifest.observations.mark_absent(["c/c.jpg"])
    manifest.record(work("c/c.jpg", Reason.DELETED, becomes=State.DELETED, stem=""))
    manifest.deltas.judge(GOAL, "now", [(key, manifest.entry(key).revision) for key in ("c/d.jpg", "c/e.jpg")])

    assert to_judge(manifest) == ["c/b.jpg"]
    assert manifest.deltas.judged("now") == {State.SKIPPED: (1, "c/d.jpg"), State.FAILED: (1, "c/e.jpg")}


def test_an_item_that_changed_after_it_was_looked_at_is_not_judged(manifest: Manifest) -> None:
    manifest.see_work(KEY)
    manifest.set_state(KEY, State.FAILED, "corrupt")
    revision = manifest.entry(KEY).revision
    manifest.items.retry()
    manifest.deltas.judge(NONE, "now", [(KEY, revision)])

    assert to_judge(manifest) == [KEY]


def test_other_settings_judge_everything_and_keep_what_they_accept_too(manifest: Manifest) -> None:
    published(manifest, "c/a.jpg", "c/b.jpg")
    manifest.publish("c/b.jpg", replace(shown("c/b.png"), cut_digest="older"))
    manifest.see_work("c/c.jpg")
    manifest.set_state("c/c.jpg", State.FAILED, "corrupt")
    failed = [("c/c.jpg", manifest.entry("c/c.jpg").revision)]
    manifest.deltas.judge(replace(GOAL, cuts=("cut", "older")), "before", failed)
    assert to_judge(manifest, "before") == []
    assert (to_judge(manifest), manifest.deltas.judged("now")) == (["c/a.jpg", "c/b.jpg", "c/c.jpg"], {})

    manifest.deltas.judge(GOAL, "now", [])
    assert (to_judge(manifest), manifest.deltas.judged("now")) == (["c/b.jpg", "c/c.jpg"], {})
    assert to_judge(manifest, "before") == ["c/a.jpg", "c/b.jpg", "c/c.jpg"]


def test_a_process_that_dies_while_it_judges_leaves_nothing_judged(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    deltas, items = _ten_items(database)
    deltas.judge(GOAL, "before", items)
    assert list(deltas.out_of_date(NONE, "before")) == []
    with monkeypatch.context() as patch:
        patch.setattr(deltas, "_set_judged", _dies)
        with pytest.raises(KeyboardInterrupt):
            deltas.judge(GOAL, "now", [])

    assert len(list(deltas.out_of_date(NONE, "before"))) == len(list(deltas.out_of_date(NONE, "now"))) == 10


def test_a_process_that_others_overtook_with_other_settings_judges_nothing_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    deltas, items = _ten_items(database)
    deltas.judge(GOAL, "of others", [])
    with monkeypatch.context() as patch:
        patch.setattr(deltas, "_judged_under", lambda _conn: "now")
        deltas.judge(GOAL, "now", items)

    assert len(list(deltas.out_of_date(NONE, "of others"))) == 10


def _ten_items(database: Database) -> tuple[SqlDeltas, list[tuple[str, int]]]:
    number = catalogue_id(database)
    fill_items(database, number, pending=10, published=0, collections=2)
    deltas = SqlDeltas(database, number)
    return deltas, [(entry.key, entry.revision) for entry in deltas.out_of_date(NONE)]


def test_a_delta_reads_only_what_it_has_to_judge(database: Database) -> None:
    number = catalogue_id(database)
    fill_items(database, number, pending=100, published=20_000, collections=10)
    judged = "UPDATE items SET judged = revision WHERE state = 'published'"
    with database.write() as conn:
        conn.exec_driver_sql(judged)
        conn.exec_driver_sql("UPDATE catalogues SET judged_under = 'now'")
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        # As autovacuum does: an index full of dead rows looks expensive to a planner.
        conn.exec_driver_sql("ANALYZE items" if database.engine.dialect.name == "sqlite" else "VACUUM ANALYZE items")
    deltas, asked = SqlDeltas(database, number), list[tuple[str, Any]]()

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_conn: Connection, _cursor: object, statement: str, parameters: Any, *_more: object) -> None:
        asked.append((statement, parameters))

    try:
        assert len(list(deltas.out_of_date(GOAL, "now"))) == 100
        assert deltas.judged("now") == {}
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN" if database.engine.dialect.name == "sqlite" else "EXPLAIN"
    with database.read() as conn:
        raw: Any = conn.connection.driver_connection
        if database.engine.dialect.name != "sqlite":
            # Twenty thousand rows are few: by the sample of its statistics it may read them all.
            raw.execute("SET enable_seqscan = off")
        plans = [str(raw.execute(f"{explain} {each}", values).fetchall()) for each, values in asked]
    for index in ("items_to_judge", "items_set_aside"):
        assert any(index in plan for plan in plans), plans


def _dies(*_: object) -> None:
    raise KeyboardInterrupt
