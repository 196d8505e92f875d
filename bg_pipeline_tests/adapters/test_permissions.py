"""What is paid for and what is known of the catalogue can be read by no other user, whatever the umask."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bg_pipeline.manifest.database import Database
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.stores.locations import open_blobs


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def readable_by_others(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]


def test_no_other_user_can_read_the_manifest(tmp_path: Path) -> None:
    """Also in a folder that was there before, as a mounted one is."""
    database = Database(f"sqlite:///{tmp_path}/manifest.db")
    with database.write():
        assert {path.name for path in tmp_path.iterdir()} >= {"manifest.db", "manifest.db-wal"}
        assert readable_by_others(tmp_path) == []
    database.close()


def test_a_new_folder_of_the_manifest_is_private_too(tmp_path: Path) -> None:
    Database(f"sqlite:///{tmp_path}/state/manifest.db").close()

    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_no_other_user_can_read_masters_or_paid_answers(tmp_path: Path) -> None:
    store = open_blobs(str(tmp_path / "masters"), RawSettings({}), masters=True)
    store.write("ab/abc", b"1")

    assert readable_by_others(tmp_path) == []
    assert (tmp_path / "masters/ab").stat().st_mode & 0o777 == 0o700
