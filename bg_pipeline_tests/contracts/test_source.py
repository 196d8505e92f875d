"""One suite for every source of pictures."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bg_pipeline.core.keys import key_bytes
from bg_pipeline.errors import ItemChanged, ItemUnreadable, SourceUnreadable
from bg_pipeline.ports import ImageSource
from bg_pipeline.sources.folder import FolderSource
from bg_pipeline_tests.fakes import MemorySource


@dataclass
class Catalogue:
    source: ImageSource
    put: Callable[[str, bytes], None]
    remove: Callable[[str], None]
    lock: Callable[[str], None]
    break_listing: Callable[[], None]


def _folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    def put(key: str, data: bytes) -> None:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(data)

    def lock(key: str) -> None:
        # Root reads any file, so permissions alone would prove nothing here.
        real = Path.read_bytes
        refused = PermissionError(13, "Permission denied")

        def read(path: Path) -> bytes:
            if path == root / key:
                raise refused
            return real(path)

        monkeypatch.setattr(Path, "read_bytes", read)

    def break_listing() -> None:
        real = os.scandir

        def scandir(path: Path) -> object:
            if Path(path) != root:
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)

    return Catalogue(FolderSource(root), put, lambda key: (root / key).unlink(), lock, break_listing)


def _memory() -> Catalogue:
    source = MemorySource()

    def break_listing() -> None:
        source.fail_after = 1

    return Catalogue(
        source, source.put, lambda key: source.files.pop(key, None) and None, source.unreadable.add, break_listing
    )


@pytest.fixture(params=["memory", "folder"])
def catalogue(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    (tmp_path / "images").mkdir()
    return _memory() if request.param == "memory" else _folder(tmp_path / "images", monkeypatch)


def test_every_item_is_listed_once_in_byte_order(catalogue: Catalogue) -> None:
    names = ["b.jpg", "a/2.jpg", "a/1.jpg", "a.jpg", "a-b/1.jpg", "é/ö.jpg", "B.jpg", "a/b/c/d.jpg", "a/\udcff.jpg"]
    for name in names:
        catalogue.put(name, b"1")

    assert [listed.key for listed in catalogue.source.list()] == sorted(names, key=key_bytes)


def test_what_is_read_is_what_is_there_now(catalogue: Catalogue) -> None:
    catalogue.put("a/1.jpg", b"old")
    catalogue.put("a/1.jpg", b"new")

    assert catalogue.source.read("a/1.jpg") == b"new"


def test_evidence_stays_while_nothing_changes_and_differs_after_a_change(catalogue: Catalogue) -> None:
    catalogue.put("a.jpg", b"1234")
    first, again = (next(catalogue.source.list()) for _ in range(2))
    catalogue.put("a.jpg", b"5678")
    changed = next(catalogue.source.list())

    assert first == again
    assert first.size_bytes == 4
    assert changed.evidence != first.evidence


def test_an_item_that_went_is_changed_not_unreadable(catalogue: Catalogue) -> None:
    catalogue.put("a.jpg", b"1")
    catalogue.remove("a.jpg")

    with pytest.raises(ItemChanged):
        catalogue.source.read("a.jpg")


def test_an_item_that_cannot_be_read_says_so(catalogue: Catalogue) -> None:
    catalogue.put("a.jpg", b"1")
    catalogue.lock("a.jpg")

    with pytest.raises(ItemUnreadable, match="Permission denied"):
        catalogue.source.read("a.jpg")


def test_whether_an_item_is_there_can_be_asked_for_by_itself(catalogue: Catalogue) -> None:
    catalogue.put("a/1.jpg", b"1")
    assert catalogue.source.exists("a/1.jpg")
    catalogue.remove("a/1.jpg")

    assert [catalogue.source.exists(key) for key in ("a/1.jpg", "no/such.jpg", "a/1.jpg/x.jpg")] == [False] * 3


def test_a_listing_that_cannot_be_finished_fails(catalogue: Catalogue) -> None:
    """Swallowed, the items below would look deleted."""
    catalogue.put("a.jpg", b"1")
    catalogue.put("b/1.jpg", b"1")
    catalogue.break_listing()

    with pytest.raises(SourceUnreadable):
        list(catalogue.source.list())


def test_a_folder_that_is_not_there_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="BG_SOURCE"):
        list(FolderSource(tmp_path / "unmounted").list())


def test_links_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    """A link may lead out of the folder, or round in circles."""
    (tmp_path / "a.jpg").write_bytes(b"1")
    (tmp_path / ".DS_Store").write_bytes(b"1")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "out.jpg").symlink_to("/etc/passwd")

    assert [listed.key for listed in FolderSource(tmp_path).list()] == ["a.jpg"]


def test_an_edit_that_restores_size_and_time_still_changes_the_evidence(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"1111")
    before, listed = file.stat(), next(FolderSource(tmp_path).list())
    file.write_bytes(b"2222")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert next(FolderSource(tmp_path).list()).evidence != listed.evidence


def test_a_folder_that_is_not_there_cannot_tell_what_is_in_it(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable):
        FolderSource(tmp_path / "unmounted").exists("a.jpg")
