"""The database: from nothing to now, and from every earlier version with data in it."""

import gc
import itertools
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, text

from bg_pipeline.core.claims import EVERYTHING, Ask, AskedBy, Selection
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.recipe import purchase_id
from bg_pipeline.core.records import Change, Lease, Observation, Published, Reason, State
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
from bg_pipeline.errors import ConfigurationError, StateError
from bg_pipeline.manifest import migrations
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.deltas import SqlDeltas
from bg_pipeline.manifest.items import SqlItems
from bg_pipeline.manifest.leases import SqlLeases
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.manifest.observations import SqlObservations
from bg_pipeline.manifest.queue import SqlWorkQueue
from bg_pipeline.manifest.runlog import SqlRunLog
from bg_pipeline.manifest.schema import VERSION, metadata
from bg_pipeline.manifest.trash import SqlTrash

CONFIG = Config()
CONFIG.set_main_option("script_location", str(Path(migrations.__file__).parent))
VERSIONS = [script.revision for script in ScriptDirectory.from_config(CONFIG).walk_revisions()][::-1]
"""Oldest first; a new migration is tested without a word about it here."""

MEANT = {
    ("items", "state"): "published",
    ("items", "reason"): "new",
    ("attempts", "state"): "charged",
    ("gates", "state"): "closed",
    ("gates", "reason"): "low_credits",
}
"""Columns in which not every text makes sense."""

NOW_CALLED = {
    "items": {"evidence": "fingerprint", "work_id": "purchase_id"},
    "masters": {"work_id": "purchase_id", "cut_hash": "cut_digest"},
    "attempts": {"work_id": "purchase_id", "cut_hash": "cut_digest", "provider": "account"},
    "gates": {"provider": "account"},
    "limits": {"provider": "account"},
    "syncs": {"facts": "record"},
}
"""Columns of versions before 0005."""

NOW_IN = {"masters": "purchases", "syncs": "run_log"}

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


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/folder/manifest.db"
    server = sa.make_url(request.getfixturevalue("postgres_url"))
    name = f"migrations_{uuid.uuid4().hex}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


@contextmanager
def plain(url: str) -> Iterator[sa.Connection]:
    """A transaction that knows nothing of our code."""
    made = sa.make_url(url)
    if made.get_backend_name() == "sqlite":
        Path(str(made.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(made)
    with engine.begin() as conn:
        yield conn
    engine.dispose()


def built(url: str, version: str) -> None:
    """A database as that version left it, with two rows in every table."""
    with plain(url) as conn:
        CONFIG.attributes["connection"] = conn
        command.upgrade(CONFIG, version)
        for table in tables(conn):
            if table.name != "alembic_version":
                conn.execute(table.delete())
                conn.execute(table.insert(), [{c.name: value(table.name, c, n) for c in table.c} for n in (1, 2)])


def tables(conn: sa.Connection) -> list[sa.Table]:
    found = sa.MetaData()
    found.reflect(conn)
    return found.sorted_tables


def value(table: str, column: sa.Column[Any], number: int) -> object:
    by_type: dict[type, object] = {
        bytes: f"{column.name}/".encode() + bytes([0xFF, 0x30 + number]),
        object: {"published": number},  # JSON
        bool: number == 2,
        float: number + 0.5,
        int: number,
        str: MEANT.get((table, column.name), f"{column.name}{number}"),
    }
    return by_type[column.type.python_type]


def picture(url: str) -> dict[str, list[dict[str, object]]]:
    """Everything in a database: rows by table, values by column."""
    with plain(url) as conn:
        return {
            table.name: [dict(row._mapping) for row in conn.execute(sa.select(table).order_by(*table.primary_key))]
            for table in tables(conn)
        }


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
    if version == VERSIONS[-1]:
        assert after == before
    else:
        for place, values in [each for table, rows in before.items() for row in rows for each in expected(table, row)]:
            assert values in [{name: new[name] for name in values} for new in after[place]], place
        entries = list(SqlItems(database, 1).entries())
        assert [(e.key, e.published is not None) for e in entries] == [("key/\udcff1", True), ("key/\udcff2", True)]
    database.close()


@pytest.mark.parametrize("version", [None, VERSIONS[-2]])
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
    """Every change but the first so many kills whoever wants to make it."""
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
    """Taken for changed, the whole catalogue would be rendered anew; taken for long gone, cutouts would go."""
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


def filled(url: str, version: str, **rows: list[dict[str, object]]) -> str:
    """A database as that version left it, with these rows by table; returns its URL."""
    with plain(url) as conn:
        CONFIG.attributes["connection"] = conn
        command.upgrade(CONFIG, version)
        for table in tables(conn):
            if table.name in rows:
                conn.execute(table.insert(), rows[table.name])
    return url


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
            leases=[{"name": name, "owner": "me", "token": 3, "ends_at": 9e9} for name in leases],
        )
    )
    told = [each.collection for each in SqlLedger(database).log(0.0)]
    held = [lease for lease, _ in SqlLeases(database, 1).leases()]
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
    taken = queue.claim_items(ask, "me", 9.0, {"shown": None}).claim
    assert taken is not None
    queue.publish("shown", Published("w", "cut", "rendition", "shown.png", "digest", "h"), taken)
    deltas.record([Change(key, "c", Reason.NEW, "", purchase_id="w", stem=key) for key in ("a", "b")])
    plans: list[tuple[str, str]] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _(conn: sa.Connection, _cursor: object, statement: str, parameters: Any, *_more: object) -> None:
        # What only counts stops at the number of what was asked for.
        if statement.startswith(("SELECT items", "SELECT holder", "SELECT publ", "UPDATE", "DELETE")):
            raw: Any = conn.connection.driver_connection
            plans.append((statement, str(raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())))

    deltas.record([Change("b", "c", Reason.CHANGED, "", purchase_id="w", revision=1)])
    SqlObservations(database, number).set_collections({"a": "d", "b": "d"})
    deltas.carriers(["w"])
    deltas.taken_stems(["a"])
    deltas.get_many(["a"])
    SqlTrash(database, number).is_published("a.png")
    claimed = queue.claim_pending(ask, "me", 9.0, EVERYTHING, limit=1, bought=False, after=("c", "a"))
    only = Selection(frozenset({"d"}))
    queue.claim_pending(ask, "me", 9.0, only, limit=1, bought=True, after=None)
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
