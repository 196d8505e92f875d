"""The database: from nothing to now, and from every earlier version with data in it."""

import gc
import itertools
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event, text

from bg_pipeline.core.alerts import NotificationPlan
from bg_pipeline.core.claims import EVERYTHING, Ask, AskedBy, Selection
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.recipe import purchase_id
from bg_pipeline.core.records import Change, Observation, Published, Reason, State, Use
from bg_pipeline.errors import ConfigurationError, StateError
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.deltas import SqlDeltas
from bg_pipeline.manifest.failures import SqlFailures
from bg_pipeline.manifest.items import SqlItems
from bg_pipeline.manifest.observations import SqlObservations
from bg_pipeline.manifest.outbox import SqlOutbox
from bg_pipeline.manifest.purchases import SqlPurchases
from bg_pipeline.manifest.queue import SqlWorkQueue
from bg_pipeline.manifest.schema import VERSION, metadata
from bg_pipeline.manifest.trash import SqlTrash
from bg_pipeline_tests.adapters.old_manifests import VERSIONS, built, filled, picture

NOW_CALLED = {
    "items": {"evidence": "fingerprint", "work_id": "purchase_id"},
    "masters": {"work_id": "purchase_id", "cut_hash": "cut_digest"},
    "attempts": {"work_id": "purchase_id", "cut_hash": "cut_digest", "provider": "account"},
    "gates": {"provider": "account", "episode": "pause", "held_open": "forced_open"},
    "limits": {"provider": "account"},
    "syncs": {"facts": "record"},
    "episodes": {"told_at": "notified_at"},
}
"""Columns of versions before 0005."""

NOW_IN = {"masters": "purchases", "syncs": "run_log", "episodes": "incidents"}

OF_PUBLICATIONS = {
    "published_work_id": "purchase_id",
    "published_cut_hash": "cut_digest",
    "published_rendition_hash": "rendition_digest",
    "published_content_hash": "content_hash",
    **{name: name for name in ("output_name", "output_digest", "published_at", "trash_name", "trashed_at")},
}
"""What was in the row of an item before 0005."""


def test_the_schema_names_the_newest_migration() -> None:
    assert VERSIONS[-1] == VERSION


def assert_as_the_code_wants_it(database: Database) -> None:
    with database.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []


def expected(table: str, row: dict[str, object]) -> list[tuple[str, dict[str, object]]]:
    """Where the values of an old row are now: tables, and what their row has among other things."""
    if table == "syncs":
        facts = row["facts"]
        assert isinstance(facts, dict)
        kept = {name: row[name] for name in ("id", "kind", "started_at", "ended_at")}
        whole = {"run_id": "", "job": "", "collections": None, **{n: row[n] for n in ("started_at", "ended_at")}}
        return [("run_log", kept | {"record": whole | facts})]
    names = NOW_CALLED.get(table, {})
    moved = OF_PUBLICATIONS if table == "items" else {}
    kept = {names.get(name, name): held for name, held in row.items() if name not in moved}
    shown = {new: row[old] for old, new in moved.items() if old in row}
    found = [(NOW_IN.get(table, table), kept)]
    return [*found, ("publications", shown | {"key": row["key"], "rendition": "main"})] if shown else found


@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_every_earlier_version_is_brought_up_with_its_rows_intact(url: str, version: str) -> None:
    built(url, version)
    before = picture(url)
    database = Database(url)
    assert_as_the_code_wants_it(database)
    after = picture(url)

    assert after.pop("alembic_version") == [{"version_num": VERSIONS[-1]}]
    del before["alembic_version"]
    if version >= "0005":
        for table, rows in before.items():
            assert rows == [{name: new[name] for name in rows[0]} for new in after[table]]
    else:
        for place, values in [each for table, rows in before.items() for row in rows for each in expected(table, row)]:
            assert values in [{name: new[name] for name in values} for new in after[place]], place
        entries = list(SqlItems(database, 1).entries())
        assert [(e.key, e.published is not None) for e in entries] == [("key/\udcff1", True), ("key/\udcff2", True)]
    database.close()


@pytest.mark.processes
@pytest.mark.parametrize("version", [None, "0004"])
def test_a_migration_that_dies_at_any_statement_leaves_the_old_version_as_it_was(url: str, version: str | None) -> None:
    if version:
        built(url, version)
    before = picture(url)
    for survived in itertools.count():
        try:
            with dying_after(survived):
                database = Database(url)
        except Killed:
            assert picture(url) == before
        else:
            break

    assert survived > 3
    assert_as_the_code_wants_it(database)
    database.close()


class Killed(BaseException):
    """Stands for a process that ends here."""


@contextmanager
def dying_after(statements: int) -> Iterator[None]:
    """Kill the process at any change after the first `statements`."""
    left = itertools.count(statements, -1)

    def before(_conn: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.lstrip().startswith(("CREATE", "ALTER", "INSERT", "UPDATE", "DELETE", "DROP")) and not next(left):
            raise Killed

    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    gc.freeze()  # else each collection below goes through all that was there before, for longer than a migration takes
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", before)
        with warnings.catch_warnings():
            # A process that is killed closes nothing; here what it left open would be found in another test.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        gc.unfreeze()


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_an_sqlite_database_is_copied_before_it_is_migrated(tmp_path: Path, version: str) -> None:
    url = f"sqlite:///{tmp_path}/manifest.db"
    built(url, version)
    before = picture(url)
    Database(url).close()

    copy = tmp_path / f"manifest.db.before-{VERSIONS[-1]}"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert picture(f"sqlite:///{copy}") == before


def test_a_new_database_and_one_of_now_are_not_copied(tmp_path: Path) -> None:
    for _ in range(2):
        Database(f"sqlite:///{tmp_path}/manifest.db").close()

    assert [path.name for path in tmp_path.iterdir()] == ["manifest.db"]


def test_no_copy_no_migration(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/manifest.db"
    built(url, VERSIONS[0])
    before = picture(url)
    (tmp_path / f"manifest.db.before-{VERSIONS[-1]}").mkdir()

    with pytest.raises(StateError, match="could not be made"):
        Database(url)
    assert picture(url) == before


def test_the_migrations_lead_to_the_tables_that_the_code_uses(url: str) -> None:
    database = Database(url)
    with database.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []
    database.close()


def test_what_was_published_before_0003_is_still_as_published_and_nothing_is_taken_for_long_gone(url: str) -> None:
    """Taken for changed, the whole catalogue would be rendered again; taken for long gone, cutouts would go."""
    rows: list[dict[str, object]] = [
        {"key": b"changed", "content_hash": "2", "published_work_id": purchase_id("1", "cut"), "absent": False},
        {"key": b"gone", "content_hash": "1", "published_work_id": purchase_id("1", "cut"), "absent": True},
        {"key": b"new", "content_hash": "1", "published_work_id": "", "absent": False},
        {"key": b"same", "content_hash": "1", "published_work_id": purchase_id("1", "cut"), "absent": False},
    ]
    for row in rows:
        row |= {"collection": b"", "state": "published", "changed_at": 1.0, "published_cut_hash": "cut"}
    filled(url, "0002", items=rows)
    before = time.time()
    database = Database(url)
    entries = {e.key: e for e in SqlItems(database, 1).entries()}
    database.close()

    assert {key: e.published.content_hash for key, e in entries.items() if e.published} == {
        "changed": "",
        "gone": "1",
        "same": "1",
    }
    assert entries["same"].absent_since is None
    assert (entries["gone"].absent_since or 0.0) >= before


def test_opening_a_database_again_changes_nothing(url: str) -> None:
    for _ in range(2):
        Database(url).close()


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/manifest.db"
    database = Database(url)
    with database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()

    with pytest.raises(StateError, match="newer bg-pipeline"):
        Database(url)


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/db", "oracle+odd://host/db"])
def test_a_url_that_cannot_be_used_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match="BG_STATE"):
        Database(url)


def test_a_server_that_cannot_be_reached_is_named_without_its_password() -> None:
    with pytest.raises(StateError) as caught:
        Database("postgresql+psycopg://me:hunter2@127.0.0.1:1/db")
    assert "127.0.0.1:1" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "manifest.db"
    file.write_bytes(b"this is a photograph, not a database" * 100)

    with pytest.raises(StateError, match="not a database"):
        Database(f"sqlite:///{file}")
    assert file.read_bytes().startswith(b"this is a photograph")


def test_nothing_goes_through_the_whole_catalogue_that_is_asked_for_many_times(tmp_path: Path) -> None:
    """Asked for in hundreds of parts, it would take the square of the catalogue's size."""
    database = Database(f"sqlite:///{tmp_path}/manifest.db")
    number = catalogue_id(database)
    deltas, queue = SqlDeltas(database, number), SqlWorkQueue(database, number)
    ask = Ask(AskedBy.NIGHT, Budget("a run"))
    keys = ("a", "b", "shown")
    SqlObservations(database, number).observe([Observation(key, "c", "e", "h", 1, "image/png") for key in keys])
    taken = queue.claim_items(ask, "me", {"shown": None}).claim
    assert taken is not None
    queue.publish("shown", Published("w", "cut", "rendition", "shown.png", "digest", "h"), taken)
    deltas.record([Change(key, "c", Reason.NEW, "", purchase_id="w", stem=key) for key in ("a", "b")], 0.0)
    plans: list[tuple[str, str]] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _(conn: sa.Connection, _cursor: object, statement: str, parameters: Any, *_more: object) -> None:
        # What only counts stops at the number of what was asked for.
        if statement.startswith(("SELECT items", "SELECT holder", "SELECT publ", "UPDATE", "DELETE")):
            raw: Any = conn.connection.driver_connection
            plans.append((statement, str(raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())))

    deltas.record([Change("b", "c", Reason.CHANGED, "", purchase_id="w", revision=1)], 0.0)
    SqlObservations(database, number).set_places({"a": ("d", 1.0), "b": ("d", 1.0)})
    deltas.publishing_keys(["w"])
    deltas.taken_stems(["a"])
    deltas.get_many(["a"])
    SqlTrash(database, number).is_published("a.png")
    SqlTrash(database, number).copies(["w"])
    SqlTrash(database, number).returned()
    SqlFailures(database, number).standing()
    SqlFailures(database, number).accept(["a"], "a reason")
    claimed = queue.claim_pending(ask, "me", EVERYTHING, limit=1, bought=False, after=(0, 1.0, "a"))
    only = Selection(frozenset({"d"}))
    queue.claim_pending(ask, "me", only, limit=1, bought=True, after=None)
    assert claimed.claim is not None
    queue.set_state("a", State.FAILED, "", "w", claimed.claim)
    queue.release(claimed.claim)
    database.close()

    assert len(plans) > 12
    for statement, plan in plans:
        assert "SCAN items" not in plan, statement
        assert "SCAN publications" not in plan, statement
        assert "(catalogue_id=?)" not in plan, statement
        assert "BLOOM FILTER ON items" not in plan, statement  # made of all of them
        if "LIMIT" in statement:
            assert "TEMP B-TREE" not in plan, statement


def test_the_picture_of_a_master_before_0008_is_that_of_its_publication_or_not_known(url: str) -> None:
    """Not known, it is never pruned; a wrong one would let a master go that is used."""
    master: dict[str, object] = {"digest": "d", "width_px": 1, "height_px": 1, "stored_at": 1.0}
    filled(
        url,
        "0006",
        purchases=[{**master, "purchase_id": "published"}, {**master, "purchase_id": "replaced"}],
        publications=[
            {"catalogue_id": 1, "key": b"a", "rendition": "main", "purchase_id": "published", "content_hash": "h"}
        ],
    )
    database = Database(url)
    masters = {master.purchase_id: master.content_hash for master in SqlPurchases(database).masters()}
    database.close()

    assert masters == {"published": "h", "replaced": ""}


def test_of_the_masters_before_0010_those_that_were_adopted_keep_their_own_colours(url: str) -> None:
    """The others were sent, or attempted before the digest of what is sent was on record."""
    master: dict[str, object] = {"digest": "d", "width_px": 1, "height_px": 1, "stored_at": 1.0}
    names = {"adopted": "", "attempted": "", "sent": "s"}
    attempt = {"account": "a", "catalogue_id": 1, "collection": b"c", "purchase_id": "attempted", "state": "charged"}
    filled(
        url,
        "0008",
        purchases=[{**master, "purchase_id": name, "sent_digest": sent} for name, sent in names.items()],
        attempts=[{**attempt, "id": 1, "credits_expected": 10000, "started_at": 1.0}],
    )
    database = Database(url)
    uses = {master.purchase_id: master.use for master in SqlPurchases(database).masters()}
    database.close()

    assert uses == {"adopted": Use.UNDECLARED, "attempted": None, "sent": None}


def test_open_incidents_of_before_catalogues_go_on_and_those_of_accounts_are_shared(url: str) -> None:
    """A person would else be told of each again, and of none that it is over."""
    incident: dict[str, object] = {"subject": b"s", "title": "t", "began_at": 1.0, "seen_at": 2.0, "notified_at": 2.0}
    filled(
        url,
        "0008",
        catalogues=[{"id": 3, "name": "shop"}],
        run_log=[{"kind": "detect", "catalogue_id": 3, "started_at": 1.0, "ended_at": 2.0, "record": {}}],
        incidents=[{**incident, "kind": "credits"}, {**incident, "kind": "no_night"}],
    )
    database = Database(url)
    seen: list[list[str]] = []
    for number in (3, 4):
        SqlOutbox(database, number).note(
            lambda known: seen.append([each.kind for each in known]) or NotificationPlan((), tuple(known)),  # type: ignore[func-returns-value]
            [],
        )
    database.close()

    assert [sorted(kinds) for kinds in seen] == [["credits", "no_night"], ["credits"]]
