"""Copies of the manifest, and a damaged one."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bg_pipeline.core.records import Observation
from bg_pipeline.errors import StateError
from bg_pipeline.manifest import backup as backups
from bg_pipeline.manifest.backup import backup, copy, refuse_damaged
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.items import SqlItems
from bg_pipeline.manifest.observations import SqlObservations

DAY_S = 86_400.0
NOON = 1_700_049_600.0  # 2023-11-15, 12:00 UTC


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "manifest.db"


@pytest.fixture
def database(file: Path) -> Database:
    refuse_damaged.cache_clear()  # what this process has seen to be sound it does not look at again
    made = Database(f"sqlite:///{file}")
    keys = [f"shoes/{n}.jpg" for n in range(3000)]
    seen = [Observation(k, "shoes", "e", "h" * 64, 1, "image/jpeg") for k in keys]
    SqlObservations(made, catalogue_id(made)).observe(seen)
    return made


def rows(file: Path) -> int:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as conn:
        return int(conn.execute("SELECT count(*) FROM items").fetchone()[0])


def test_a_backup_holds_what_is_committed_while_another_run_writes(database: Database, file: Path) -> None:
    with database.write():
        made = backup(database, NOON)

    assert made == file.parent / "backups" / "manifest-2023-11-15.db"
    assert rows(made) == 3000
    assert made.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in made.parent.iterdir()] == [made.name]
    database.close()


def test_one_backup_a_day_is_made_and_seven_are_kept(database: Database, file: Path) -> None:
    (file.parent / "backups").mkdir()
    foreign = file.parent / "backups" / "manifest-before-the-move.db"
    foreign.touch()
    for day in range(9):
        assert backup(database, NOON + day * DAY_S)
        assert backup(database, NOON + day * DAY_S + 60) is None

    kept = sorted(path.name for path in foreign.parent.iterdir())
    assert kept == [*(f"manifest-2023-11-{day}.db" for day in range(17, 24)), foreign.name]
    database.close()


def test_a_backup_opens_as_a_manifest(database: Database) -> None:
    made = backup(database, NOON)
    database.close()
    restored = Database(f"sqlite:///{made}")

    assert len(list(SqlItems(restored, catalogue_id(restored)).entries())) == 3000
    restored.close()


def test_a_backup_that_cannot_be_made_is_an_error_and_leaves_no_part(
    database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "_damage", lambda _conn: "a page is missing")

    with pytest.raises(StateError, match="a page is missing"):
        backup(database, NOON)
    assert list((file.parent / "backups").iterdir()) == []
    database.close()


def test_what_is_not_there_is_not_copied(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="could not be made"):
        copy(tmp_path / "none.db", tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_a_server_is_left_to_its_own_tools(postgres_url: str) -> None:
    database = Database(postgres_url)

    assert backup(database, NOON) is None
    database.close()


@pytest.mark.parametrize("copies", [0, 2])
def test_a_damaged_database_is_refused_with_the_newest_copy_and_what_to_do(
    database: Database, file: Path, copies: int
) -> None:
    for day in range(copies):
        backup(database, NOON + day * DAY_S)
    database.close()
    damaged = bytearray(file.read_bytes())
    for start in range(4096 * 20, len(damaged), 4096):
        damaged[start : start + 64] = b"\xa5" * 64
    file.write_bytes(damaged)
    refuse_damaged.cache_clear()

    with pytest.raises(StateError, match="Nothing was bought") as caught:
        Database(f"sqlite:///{file}")
    assert "`bg-pipeline rebuild`" in str(caught.value)
    assert ("manifest-2023-11-16.db, the newest copy" if copies else "there is no copy") in str(caught.value)
    assert file.read_bytes() == damaged


def test_two_runs_of_the_same_second_can_both_make_the_copy(
    database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, real, inside = file.parent / "copy.db", backups._damage, []

    def meanwhile(conn: sqlite3.Connection) -> str:
        if not inside:
            inside.append(True)
            copy(file, target)
        return real(conn)

    monkeypatch.setattr(backups, "_damage", meanwhile)
    copy(file, target)

    assert rows(target) == 3000
    assert not list(file.parent.glob(".*"))
    database.close()


def test_what_a_killed_run_left_of_a_copy_goes_with_a_later_one(database: Database, file: Path) -> None:
    folder = file.parent / "backups"
    folder.mkdir()
    for name, age_s in ((".old.part", 2 * DAY_S), (".new.part", 60.0)):
        (folder / name).touch()
        os.utime(folder / name, (NOON - age_s, NOON - age_s))
    backup(database, NOON)

    assert {path.name for path in folder.glob(".*")} == {".new.part"}
    database.close()
