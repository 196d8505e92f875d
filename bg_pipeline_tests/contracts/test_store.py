"""One suite for every store of outputs and masters."""

import errno
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from bg_pipeline.core.keys import key_bytes
from bg_pipeline.errors import ItemBlocked, ItemError, StoreError
from bg_pipeline.ports.stores import BlobStore
from bg_pipeline.stores.file.blobs import FolderStore
from bg_pipeline.stores.registry import kind_of
from bg_pipeline.stores.s3.blobs import S3Store
from bg_pipeline_tests.fakes import MemoryStore

KINDS = ["memory", "folder", "s3", "s3-masters", "plugin"]


@pytest.fixture(params=[*KINDS, *(pytest.param(k, marks=pytest.mark.radosgw) for k in ("radosgw", "radosgw-masters"))])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "folder":
        return FolderStore(tmp_path / "cutouts")
    if request.param == "plugin":
        request.getfixturevalue("plugin")
        location = f"shelf://{tmp_path}/shelf.db"
        kind = kind_of(location)
        return kind.open_blobs(location, kind.settings(), False)
    name, _, masters = request.param.partition("-")
    server = request.getfixturevalue(name)
    return S3Store(server.new_bucket("cutouts 1/"), server.endpoint, write_once=bool(masters))


def test_what_is_written_can_be_read_and_is_replaced_by_the_next(store: BlobStore) -> None:
    store.write("shoes/a.png", b"1")
    store.write("shoes/a.png", b"2")
    store.write("shoes/a.png", b"2")

    assert store.read("shoes/a.png") == b"2"
    assert store.read("shoes/b.png") is None


def test_names_are_listed_in_byte_order(store: BlobStore) -> None:
    names = ["b.png", "a/1.png", "a.png", "a-b/1.png", "é.png", "+ %/1.png", "\U0001f45f.png"]
    for name in names:
        store.write(name, b"")

    assert list(store.list()) == sorted(names, key=key_bytes)


def test_a_name_that_is_no_utf8_is_listed_as_it_is_or_refused_for_this_item_alone(store: BlobStore) -> None:
    store.write("a.png", b"")
    with pytest.raises(ItemError, match="rename") if isinstance(store, S3Store) else nullcontext():
        store.write("a/\udcff.png", b"")

    assert list(store.list()) in (["a.png"], ["a.png", "a/\udcff.png"])


def test_what_is_removed_is_gone_and_may_be_gone_already(store: BlobStore) -> None:
    store.write("a/1.png", b"1")
    store.write("a/2.png", b"2")
    for _ in range(2):
        store.remove("a/1.png")
    store.remove("never/there.png")

    assert list(store.list()) == ["a/2.png"]
    assert store.read("a/1.png") is None


def test_hidden_names_are_kept_and_not_listed(store: BlobStore) -> None:
    for name in (".trash/a.png", "a/.b.png", "a/c.png"):
        store.write(name, b"1")

    assert list(store.list()) == ["a/c.png"]
    assert store.read(".trash/a.png") == b"1"


def test_a_store_that_was_never_written_to_is_empty(store: BlobStore) -> None:
    assert list(store.list()) == []


@pytest.mark.parametrize("name", ["../a.png", "a/../../b.png"])
def test_a_name_that_leads_out_is_refused(name: str, store: BlobStore) -> None:
    with pytest.raises(StoreError, match="outside"):
        store.write(name, b"1")


def test_what_is_removed_is_gone_and_removing_it_again_does_no_harm(store: BlobStore) -> None:
    store.write("c/a.png", b"1")
    store.write("c/b.png", b"2")
    store.remove("c/a.png")
    store.remove("c/a.png")
    store.remove("never/there.png")

    assert (store.read("c/a.png"), list(store.list())) == (None, ["c/b.png"])


def test_the_trash_is_kept_in_the_store_and_is_not_listed(store: BlobStore) -> None:
    store.write(".trash/2026-11-24/c/a.png", b"1")
    store.write("c/a.png", b"2")

    assert list(store.list()) == ["c/a.png"]
    assert store.read(".trash/2026-11-24/c/a.png") == b"1"
    store.remove(".trash/2026-11-24/c/a.png")
    assert store.read(".trash/2026-11-24/c/a.png") is None


@pytest.mark.parametrize("size_bytes", [1, 3 << 20])
def test_a_probe_leaves_nothing_behind(store: BlobStore, size_bytes: int) -> None:
    store.probe(size_bytes)

    assert list(store.list()) == []


def test_a_store_tells_its_free_bytes_or_that_it_cannot(store: BlobStore) -> None:
    free = store.free_bytes()

    assert free is None or free > 0


def test_a_store_has_the_owner_that_was_set_last_and_no_listing_shows_it(store: BlobStore) -> None:
    assert store.owner() == ""
    store.set_owner("a" * 32)
    store.set_owner("b" * 32)

    assert store.owner() == "b" * 32
    assert list(store.list()) == []


def test_nothing_is_left_half_written(store: BlobStore) -> None:
    store.write("a.png", b"1")

    assert store.sweep(older_than=0.0) == 0
    assert store.read("a.png") == b"1"


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_bytes_and_no_temporary_file(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path)
    store.write("a.png", b"old")

    def fail(*_args: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    where = {"write": (os, "fdopen"), "fsync": (os, "fsync"), "replace": (Path, "replace")}[call]
    with monkeypatch.context() as broken:
        broken.setattr(*where, fail)
        with pytest.raises(StoreError, match="No space left on device"):
            store.write("a.png", b"new")

    assert store.read("a.png") == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_bytes_and_name_are_on_the_disk_before_a_write_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut must not lose what the manifest already refers to: file, then name."""
    order: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        order.append("folder" if Path(f"/proc/self/fd/{descriptor}").is_dir() else "file")
        real_sync(descriptor)

    def replace(path: Path, target: Path) -> Path:
        order.append("rename")
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    FolderStore(tmp_path).write("a.png", b"1")

    assert order == ["file", "rename", "folder"]


def test_a_link_in_the_place_of_an_output_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_bytes(b"precious")
    root = tmp_path / "cutouts"
    root.mkdir()
    (root / "a.png").symlink_to(outside)

    with pytest.raises(ItemBlocked, match="symbolic link"):
        FolderStore(root).write("a.png", b"1")
    assert outside.read_bytes() == b"precious"


def _a_file_for_a_folder(root: Path) -> str:
    (root / "a").write_bytes(b"")
    return "a/1.png"


def _a_folder(root: Path) -> str:
    (root / "a.png").mkdir()
    return "a.png"


def _a_loop(root: Path) -> str:
    (root / "a").symlink_to("a")
    return "a/1.png"


@pytest.mark.parametrize("spoil", [_a_file_for_a_folder, _a_folder, _a_loop, lambda _root: "x" * 252 + ".png"])
def test_a_name_that_is_taken_or_too_long_is_the_item_s_fault_before_it_is_paid_for(
    spoil: Callable[[Path], str], tmp_path: Path
) -> None:
    store = FolderStore(tmp_path)
    name = spoil(tmp_path)

    for use in (store.validate_name, lambda name: store.write(name, b"1"), store.read):
        with pytest.raises(ItemBlocked, match=r"cannot be (written|read): .*rename the picture|is a symbolic link"):
            use(name)
    store.probe()
    assert not any(path.name.startswith(".bgp") for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "kind"),
    [(number, ItemBlocked) for number in (errno.EINVAL, errno.EISDIR, errno.EILSEQ)]
    + [(number, StoreError) for number in (errno.ENOSPC, errno.EROFS, errno.EIO, errno.ESTALE, errno.EACCES)],
)
def test_what_the_system_says_tells_a_name_from_the_store(
    number: int, kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A colon on NTFS is EINVAL. A probe fails in both cases: its own name is never at fault."""

    def fail(_path: Path, _target: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(kind, match=os.strerror(number)):
        FolderStore(tmp_path).write("a.png", b"1")
    with pytest.raises(StoreError, match=os.strerror(number)):
        FolderStore(tmp_path).probe()


@pytest.mark.parametrize("name", ["a:b.png", "c:/1.png", "c/d/" + "x" * 150 + ".png"])
def test_a_name_that_the_file_system_looks_up_but_does_not_store_is_refused_before_it_is_paid_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAT and NTFS have no colon, eCryptfs has 143 bytes."""

    def refuse(path: Path) -> None:
        if ":" in path.name or len(path.name) > 143:
            raise OSError(errno.EINVAL, "Invalid argument")

    real_mkdir, real_touch = Path.mkdir, Path.touch
    monkeypatch.setattr(Path, "mkdir", lambda path, *args, **more: (refuse(path), real_mkdir(path, *args, **more)))
    monkeypatch.setattr(Path, "touch", lambda path, *args, **more: (refuse(path), real_touch(path, *args, **more)))
    store = FolderStore(tmp_path)
    with pytest.raises(ItemBlocked, match="rename the picture"):
        store.validate_name(name)
    store.validate_name("c/d/" + "x" * 130 + ".png")

    assert list(tmp_path.iterdir()) == []


def test_a_disk_s_own_folder_is_no_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FolderStore(tmp_path).write("a.png", b"1")
    (tmp_path / "lost+found").mkdir()
    real = os.scandir

    def scandir(folder: Path) -> object:
        if folder.name == "lost+found":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    assert list(FolderStore(tmp_path).list()) == ["a.png"]


def test_only_our_own_leftovers_are_swept_and_only_old_ones(tmp_path: Path) -> None:
    for name, age in ((".bgp-x-1", 100), (".bgp-x-2", 10), (".foreign", 100), ("a.png", 100)):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (1000 - age, 1000 - age))

    (tmp_path / ".bgp-name-1").mkdir()
    (tmp_path / ".bgp-name-1/a.png").touch()
    os.utime(tmp_path / ".bgp-name-1", (900, 900))

    assert FolderStore(tmp_path).sweep(older_than=950) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == [".bgp-x-2", ".foreign", "a.png"]


def test_masters_can_be_read_by_nobody_else(tmp_path: Path) -> None:
    FolderStore(tmp_path / "masters", mode=0o600).write("ab/abc", b"1")

    assert (tmp_path / "masters/ab/abc").stat().st_mode & 0o077 == 0
    assert (tmp_path / "masters/ab").stat().st_mode & 0o077 == 0


def test_a_name_of_the_greatest_length_can_be_written(tmp_path: Path) -> None:
    name = "x" * 251 + ".png"
    FolderStore(tmp_path).write(name, b"1")

    assert (tmp_path / name).read_bytes() == b"1"
