"""No store writes, reads or lists through a symbolic link, and a source is read to its limit only."""

import io
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bg_pipeline.core import sources
from bg_pipeline.errors import ItemBlocked, ItemUnreadable
from bg_pipeline.ports.source import ImageSource
from bg_pipeline.stores.file.blobs import FolderStore
from bg_pipeline.stores.file.source import FolderSource
from bg_pipeline.stores.s3.source import S3Source
from bg_pipeline.stores.sql.source import SqlSource


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """A store with a folder that is a link to another disk, and a file that is a link."""
    store = FolderStore(tmp_path / "cutouts")
    store.write("bags/1.png", b"bag")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "1.png").write_bytes(b"source")
    (tmp_path / "cutouts/shoes").symlink_to(elsewhere)
    (tmp_path / "cutouts/bags/loop").symlink_to(tmp_path / "cutouts")
    (tmp_path / "cutouts/bags/2.png").symlink_to(elsewhere / "1.png")
    return store


@pytest.mark.parametrize("name", ["shoes/1.png", "shoes/deep/1.png", "bags/2.png", "bags/loop/1.png"])
def test_what_a_link_leads_to_is_neither_read_nor_changed(name: str, store: FolderStore, tmp_path: Path) -> None:
    for do in (lambda: store.write(name, b"new"), lambda: store.read(name), lambda: store.validate_name(name)):
        with pytest.raises(ItemBlocked, match="symbolic link"):
            do()
    if name != "bags/2.png":
        with pytest.raises(ItemBlocked, match="mount its folder there"):
            store.remove(name)
    assert {path.name: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()} == {"1.png": b"source"}


def test_links_are_not_listed_as_they_are_not_written(store: FolderStore) -> None:
    assert list(store.list()) == ["bags/1.png"]


def test_the_location_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "cutouts").symlink_to(tmp_path / "disk")
    store = FolderStore(tmp_path / "cutouts")
    store.write("shoes/1.png", b"shoe")

    assert (list(store.list()), (tmp_path / "disk/shoes/1.png").read_bytes()) == (["shoes/1.png"], b"shoe")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")

    assert FolderStore(tmp_path).read("a.png") == b""


Make = Callable[[bytes], ImageSource]


@pytest.fixture(params=["folder", "S3", "SQLite", "PostgreSQL"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes a source with one picture, `a.jpg`."""

    def folder(data: bytes) -> ImageSource:
        (tmp_path / "a.jpg").write_bytes(data)
        return FolderSource(tmp_path)

    def bucket(data: bytes) -> ImageSource:
        s3 = request.getfixturevalue("s3")
        name = s3.new_bucket()
        s3.put(name, "a.jpg", data)
        return S3Source(name, s3.endpoint)

    def database(data: bytes) -> ImageSource:
        url = f"sqlite:///{tmp_path}/p.db" if request.param == "SQLite" else request.getfixturevalue("postgres_url")
        engine = create_engine(url)
        kind = "BLOB" if request.param == "SQLite" else "BYTEA"
        with engine.begin() as conn:
            conn.execute(text(f"CREATE TABLE p (key TEXT, image {kind})"))
            conn.execute(text("INSERT INTO p VALUES ('a.jpg', :data)"), {"data": data})
        engine.dispose()
        return SqlSource(url, "SELECT key, image FROM p")

    return {"folder": folder, "S3": bucket}.get(request.param, database)


def test_every_source_stops_reading_at_the_limit(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make(b"x" * 1001)
    assert len(source.read("a.jpg")) == 1001

    monkeypatch.setattr(sources, "MAX_SOURCE_BYTES", 1000)
    with pytest.raises(ItemUnreadable, match="larger than"):
        source.read("a.jpg")


def test_a_stated_size_is_not_relied_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_SOURCE_BYTES", 1000)
    parts = iter([b"x" * 600] * 1000)
    with pytest.raises(ItemUnreadable, match="larger than"):
        sources.read_source(lambda _size: next(parts))

    assert len(list(parts)) == 998


@pytest.mark.parametrize("stated", [0, 1, 999, 1000, 1001, 5000])
def test_what_is_read_is_whole_whatever_was_stated(stated: int) -> None:
    content = random.Random(1).randbytes(1000)
    for most in (1, 7, 1000, 5000):
        rest = io.BytesIO(content)
        assert sources.read_source(lambda size, rest=rest, most=most: rest.read(min(size, most)), stated) == content


def test_a_file_of_64_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(64 * 2**30)

    with pytest.raises(ItemUnreadable, match="larger than 256 MiB"):
        FolderSource(tmp_path).read("a.jpg")
