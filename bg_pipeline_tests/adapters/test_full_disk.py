"""Stores whose room ends, on a file system that others made."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bg_pipeline.cli.doctor import diagnose
from bg_pipeline.errors import StoreError
from bg_pipeline.stores.file.blobs import FolderStore

SIZE_BYTES = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_probe_of_a_full_disk_fails_though_an_empty_file_can_be_written(disk: Path) -> None:
    store = FolderStore(disk / "masters")
    store.write("a", b"1")
    free = store.free_bytes()
    assert free is not None
    (disk / "fill").write_bytes(b"x" * free)
    (disk / "empty").write_bytes(b"")

    with pytest.raises(StoreError, match="No space left"):
        store.probe()
    assert store.free_bytes() == 0
    assert [path.name for path in (disk / "masters").iterdir()] == ["a"]


def test_a_probe_larger_than_the_room_fails_and_leaves_the_room_as_it_was(disk: Path) -> None:
    store = FolderStore(disk / "masters")
    store.probe(SIZE_BYTES // 2)
    free = store.free_bytes()
    with pytest.raises(StoreError, match="No space left"):
        store.probe(2 * SIZE_BYTES)

    assert store.free_bytes() == free


def test_the_doctor_sees_that_a_store_which_does_not_exist_yet_has_no_room(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    monkeypatch.setenv("BG_MASTERS", str(disk / "masters"))
    monkeypatch.setattr("bg_pipeline.cli.doctor._dagster", lambda: iter(()))

    def about_masters() -> tuple[bool, str]:
        (found,) = (each for each in diagnose() if each.check == "masters")
        return found.ok, found.detail

    assert about_masters() == (True, f"{disk}/masters does not exist yet; the first sync creates it")
    (disk / "fill").write_bytes(b"x" * (SIZE_BYTES - 4096))
    has_room, told = about_masters()
    assert not has_room
    assert "its disk has no room left (4096 bytes): make room" in told
    assert sorted(each.name for each in disk.iterdir()) == ["fill"]
