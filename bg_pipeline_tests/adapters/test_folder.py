"""A folder as a catalogue: links, uploads that go on, and fingerprint."""

import errno
import os
import shutil
import socket
from pathlib import Path

import pytest

from bg_pipeline.core.blocks import ROWS
from bg_pipeline.core.filters import Filter
from bg_pipeline.errors import ItemChanged, ItemUnreadable, SourceUnreadable
from bg_pipeline.stores.file.source import FolderSource


def _keys(source: FolderSource) -> list[str]:
    return [listed.key for listed in source.list()]


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_folder_that_is_not_there_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="BG_SOURCE"):
        list(FolderSource(tmp_path / "unmounted").list())


def test_links_and_what_is_no_file_are_not_listed(tmp_path: Path) -> None:
    """A link may lead out of the folder, or round in circles."""
    (tmp_path / "a.jpg").write_bytes(b"1")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "out.jpg").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.jpg")

    assert _keys(FolderSource(tmp_path)) == ["a.jpg"]


def test_links_are_followed_when_asked_for_but_never_out_or_round(tmp_path: Path) -> None:
    root = tmp_path / "images"
    (root / "shoes/left").mkdir(parents=True)
    (root / "shoes/left/a.jpg").write_bytes(b"1")
    (tmp_path / "private").mkdir()
    (tmp_path / "private/secret.jpg").write_bytes(b"secret")
    (root / "again").symlink_to(root / "shoes")
    (root / "b.jpg").symlink_to("shoes/left/a.jpg")
    (root / "shoes/left/up").symlink_to(root / "shoes")
    (root / "shoes/root").symlink_to(root)
    (root / "gone.jpg").symlink_to("nowhere.jpg")
    (root / "out").symlink_to(tmp_path / "private")
    (root / "out.jpg").symlink_to(tmp_path / "private/secret.jpg")
    (root / "sibling").symlink_to(tmp_path / "images-old")
    source = FolderSource(root, follow_links=True)

    assert _keys(source) == ["again/left/a.jpg", "b.jpg", "shoes/left/a.jpg"]
    assert source.read("again/left/a.jpg") == b"1"
    for key in ("out.jpg", "out/secret.jpg"):
        with pytest.raises(ItemUnreadable, match="leads out"):
            source.read(key)


@pytest.mark.parametrize("key", ["folder/a.jpg", "b.jpg"])
def test_a_link_that_is_planted_after_the_listing_is_not_read(key: str, tmp_path: Path) -> None:
    root = tmp_path / "images"
    root.mkdir()
    (tmp_path / "private").mkdir()
    (tmp_path / "private/a.jpg").write_bytes(b"secret")
    (root / "folder").symlink_to(tmp_path / "private")
    (root / "b.jpg").symlink_to(tmp_path / "private/a.jpg")

    with pytest.raises((ItemUnreadable, ItemChanged)):
        FolderSource(root).read(key)


@pytest.mark.parametrize("key", ["../private.jpg", "/etc/passwd", "a/../../private.jpg", ""])
def test_a_key_that_leads_out_is_not_read(key: str, tmp_path: Path) -> None:
    (tmp_path / "images/a").mkdir(parents=True)
    (tmp_path / "private.jpg").write_bytes(b"secret")

    with pytest.raises(ItemUnreadable):
        FolderSource(tmp_path / "images").read(key)


def test_what_is_no_file_any_more_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.jpg"))

        for key in ("pipe.jpg", "folder.jpg", "socket.jpg"):
            with pytest.raises(ItemUnreadable):
                FolderSource(tmp_path).read(key)


def test_an_edit_that_restores_size_and_time_still_changes_the_fingerprint(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"1111")
    before, listed = file.stat(), next(FolderSource(tmp_path).list())
    file.write_bytes(b"2222")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert next(FolderSource(tmp_path).list()).fingerprint != listed.fingerprint


@pytest.mark.parametrize(
    ("age_s", "settles_in_s"), [(0.5, 4.5), (4.0, 1.0), (5.0, 0.0), (3600, 0.0), (-2.0, 3.0), (-3600, 0.0)]
)
def test_a_file_settles_with_time_and_one_from_the_future_too(
    age_s: float, settles_in_s: float, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"1")
    os.utime(tmp_path / "a.jpg", (1000, 1000 - age_s))
    (listed,) = FolderSource(tmp_path, now=lambda: 1000.0, stable_s=5).list()

    assert (listed.settles_in_s, listed.modified_at) == (settles_in_s, 1000 - age_s)


def test_a_file_with_the_date_of_its_original_is_as_young_as_its_last_write(tmp_path: Path) -> None:
    """Explorer on a share sets the old date first, and then writes."""
    (tmp_path / "a.jpg").write_bytes(b"1")
    os.utime(tmp_path / "a.jpg", (1000, 1000))
    written = (tmp_path / "a.jpg").stat().st_ctime
    (listed,) = FolderSource(tmp_path, now=lambda: written + 1, stable_s=5).list()

    assert listed.settles_in_s == pytest.approx(4)


def test_a_folder_that_is_left_out_is_one_row_and_is_not_walked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.jpg", "b/1.jpg", "b/@eaDir/1.jpg/x.jpg", "c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    opened: list[str] = []
    real = os.open

    def noting(path: str, *args: int, **more: int) -> int:
        opened.append(str(path))
        return real(path, *args, **more)

    monkeypatch.setattr(os, "open", noting)
    source = FolderSource(tmp_path, leaves_out=Filter(exclude=["@eaDir/"]).leaves_out)

    assert _keys(source) == ["a.jpg", "b/1.jpg", "b/@eaDir/", "c.jpg"]
    assert "@eaDir" not in opened


def _not_looked(source: FolderSource) -> dict[str, str]:
    return {listed.key: listed.problem for listed in source.list() if listed.problem}


def test_a_folder_that_vanishes_during_the_listing_is_no_empty_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(b"1")
    listing = FolderSource(tmp_path).list()
    next(listing)
    (tmp_path / "b/1.jpg").unlink()
    (tmp_path / "b").rmdir()

    assert [(listed.key, listed.problem) for listed in listing] == [("b/", "No such file or directory")]


def test_a_folder_that_vanishes_while_it_is_listed_leaves_a_row_for_each_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a/d").mkdir(parents=True)
    for name in ("a/1.jpg", "a/2.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"1")
    listing = FolderSource(tmp_path).list()
    next(listing)
    shutil.rmtree(tmp_path / "a")

    gone = "No such file or directory"
    assert [(row.key, row.problem) for row in listing] == [("a/2.jpg", gone), ("a/d/", gone), ("b.jpg", "")]


def test_a_disk_that_goes_away_during_the_listing_is_no_locked_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.jpg", "b/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    listing = FolderSource(tmp_path).list()
    next(listing)

    def fail(*_args: object, **_more: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "open", fail)
    monkeypatch.setattr(os, "scandir", fail)
    with pytest.raises(SourceUnreadable, match="Input/output error"):
        list(listing)


def test_a_link_that_leads_to_itself_is_named_and_the_others_are_listed(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "a.jpg").write_bytes(b"1")
    source = FolderSource(tmp_path, follow_links=True)

    assert _not_looked(source) == dict.fromkeys(["loop", "loop/"], "Too many levels of symbolic links")
    assert "a.jpg" in _keys(source)


def test_a_bad_sector_may_be_the_disk_s_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(b"1")

    def fail(*_args: object, **_more: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(SourceUnreadable, match=r"a\.jpg cannot be read: Input/output error"):
        FolderSource(tmp_path).read("a.jpg")


def test_a_root_that_vanishes_during_the_listing_is_no_end_of_it(tmp_path: Path) -> None:
    root = tmp_path / "images"
    root.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (root / name).write_bytes(b"1")
    listing = FolderSource(root).list()
    next(listing)
    shutil.rmtree(root)

    with pytest.raises(SourceUnreadable, match="BG_SOURCE"):
        list(listing)


def test_a_file_that_vanishes_during_the_listing_is_left_out(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(b"1")
    listing = FolderSource(tmp_path).list()
    next(listing)
    (tmp_path / "b.jpg").unlink()

    assert [listed.key for listed in listing] == ["c.jpg"]


def test_a_listing_that_is_left_early_leaves_no_descriptor_open(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/1.jpg").write_bytes(b"1")
    before = _descriptors()
    listing = FolderSource(tmp_path).list()
    next(listing)
    listing.close()

    assert _descriptors() == before


def test_a_file_more_changes_only_the_block_that_it_is_in(tmp_path: Path) -> None:
    for number in range(3 * ROWS):
        (tmp_path / f"{number:06}.png").touch()
    source = FolderSource(tmp_path)
    before = list(source.blocks([]))
    starts = [block.first for block in before]
    (tmp_path / "000000a.png").touch()

    after = [block.digest for block in source.blocks(starts)]
    assert [one.digest == other for one, other in zip(before, after, strict=True)] == [False, True, True]


def test_blocks_have_the_rows_of_the_listing_also_of_what_cannot_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "left").mkdir()
    for name in ("a.jpg", "b/1.jpg", "left/1.jpg", "z.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    options = {"now": lambda: 0.0, "follow_links": True, "leaves_out": lambda key: "left/" if key == "left/" else ""}
    source = FolderSource(tmp_path, **options)
    before = [block.digest for block in source.blocks(["b/", "m"])]

    assert [row for block in source.blocks(["b/", "m"]) for row in block.rows()] == list(source.list())
    (tmp_path / "loop").unlink()
    after = [block.digest for block in source.blocks(["b/", "m"])]
    assert (len(after), after[0], after[2]) == (3, before[0], before[2])
    assert after[1] != before[1]
