"""One suite for every source of pictures."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import create_engine, text

from bg_pipeline.core import blocks
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.errors import ItemChanged, ItemUnreadable, SourceUnreadable
from bg_pipeline.ports.source import ImageSource, ListsBlocks
from bg_pipeline.stores.file.source import FolderSource
from bg_pipeline.stores.registry import kind_of
from bg_pipeline.stores.s3.source import S3Source
from bg_pipeline.stores.sql.source import SqlSource
from bg_pipeline_tests.fakes import MemorySource
from bg_pipeline_tests.s3 import CONTROL_KEYS, NASTY_KEYS, S3Server, answer_instead, error_body


@dataclass
class Catalogue:
    source: ImageSource
    put: Callable[[str, bytes], None]
    remove: Callable[[str], None]
    lock: Callable[[str], None]
    break_listing: Callable[[], None]
    take_away: Callable[[], None] | None = None
    """The whole location, as when a share is not mounted; None where it cannot happen."""
    refuses: Callable[[str], bool] = lambda _key: False
    """Keys that this kind of location cannot hold."""
    lock_folder: Callable[[str], None] | None = None
    """None where there are no folders that could be locked."""


def _memory() -> Catalogue:
    source = MemorySource()

    def break_listing() -> None:
        source.fail_after = 1

    return Catalogue(
        source,
        source.put,
        lambda key: source.files.pop(key, None) and None,
        source.unreadable.add,
        break_listing,
        lock_folder=source.locked.add,
    )


def _folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    root.mkdir()

    def put(key: str, data: bytes) -> None:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(data)

    def lock(key: str) -> None:
        # Root reads any file, so permissions alone would prove nothing here.
        real = os.open

        def refuse(path: str, *args: int, **more: int) -> int:
            if path == Path(key).name:
                raise PermissionError(13, "Permission denied")
            return real(path, *args, **more)

        monkeypatch.setattr(os, "open", refuse)

    def break_listing() -> None:
        def refuse(_path: object) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "scandir", refuse)

    def refuses(key: str) -> bool:
        return bool({".", ".."} & set(key.split("/"))) or "//" in key or key.startswith("/") or len(key) > 255

    def take_away() -> None:
        root.rename(root.parent / "unmounted")

    return Catalogue(
        FolderSource(root), put, lambda key: (root / key).unlink(), lock, break_listing, take_away, refuses, lock
    )


def _s3(server: S3Server) -> Catalogue:
    bucket = server.new_bucket("catalogue/img 1/")
    server.put(bucket, "", b"")  # what a console leaves behind for a folder
    source = S3Source(bucket, server.endpoint)
    refused = error_body("AccessDenied")
    taken: dict[str, bool] = {}

    def refuses(key: str) -> bool:
        if key in CONTROL_KEYS and key not in taken:
            try:
                server.put(bucket, key, b"1")
            except server.client.exceptions.ClientError:
                taken[key] = False
            else:
                taken[key] = True
        return "\udcff" in key or not taken.get(key, True)

    return Catalogue(
        source,
        lambda key, data: server.put(bucket, key, data),
        lambda key: server.remove(bucket, key),
        lambda key: answer_instead(source._objects, "GetObject", 403, refused, lambda url: url.endswith(key)),
        lambda: answer_instead(source._objects, "ListObjectsV2", 403, refused, lambda _url: True),
        lambda: server.remove_bucket(bucket),
        refuses,
    )


def _sql(url: str) -> Catalogue:
    engine = create_engine(url)
    mysql = engine.dialect.name == "mysql"
    image = {"postgresql": "BYTEA", "mysql": "LONGBLOB"}.get(engine.dialect.name, "BLOB")
    # Where the database does not compare text by its bytes, it has to be told for each statement that writes.
    same = "BINARY sku = :key" if mysql else "sku = :key"
    with engine.begin() as conn:
        conn.execute(text("DROP TABLE IF EXISTS catalogue"))
        conn.execute(text(f"CREATE TABLE catalogue (sku TEXT, picture {image}, changes INTEGER)"))
    engine.dispose()
    key = "`key`" if mysql else "key"
    query = f"SELECT sku AS {key}, picture AS image, changes AS version FROM catalogue WHERE sku <> ':none'"

    def execute(statement: str, **values: object) -> None:
        with engine.begin() as conn:
            conn.execute(text(statement), values)
        engine.dispose()

    def put(key: str, data: bytes) -> None:
        before = f"SELECT 1 + count(*) FROM catalogue WHERE {same}"
        with engine.begin() as conn:
            version = conn.execute(text(before), {"key": key}).scalar_one()
        execute(f"DELETE FROM catalogue WHERE {same}", key=key)
        execute("INSERT INTO catalogue VALUES (:key, :data, :version)", key=key, data=data, version=version)

    return Catalogue(
        SqlSource(url, query),
        put,
        lambda key: execute(f"DELETE FROM catalogue WHERE {same}", key=key),
        lambda key: execute(f"UPDATE catalogue SET picture = NULL WHERE {same}", key=key),
        lambda: execute("DROP TABLE catalogue"),
        lambda: execute("DROP TABLE catalogue"),
        lambda key: "\udcff" in key,
    )


def _parquet(file: Path) -> Catalogue:
    """A file of rows, written again after each change."""
    rows: dict[str, tuple[bytes | None, int]] = {}

    def write() -> None:
        with duckdb.connect() as conn:
            conn.execute("CREATE TABLE rows (sku TEXT, picture BLOB, changes INTEGER)")
            for key, (data, changes) in rows.items():
                conn.execute("INSERT INTO rows VALUES (?, ?, ?)", [key, data, changes])
            conn.execute(f"COPY rows TO '{file}' (FORMAT parquet)")

    def put(key: str, data: bytes | None) -> None:
        rows[key] = (data, rows.get(key, (None, 0))[1] + 1)
        write()

    def remove(key: str) -> None:
        del rows[key]
        write()

    write()
    query = f"SELECT sku AS key, picture AS image, changes AS version FROM '{file.name}'"
    return Catalogue(
        SqlSource("duckdb:///:memory:", query, folder=file.parent),
        put,
        remove,
        lambda key: put(key, None),
        lambda: file.write_bytes(b"no parquet"),
        file.unlink,
        lambda key: "\udcff" in key,
    )


def _of_another_package(location: str) -> Catalogue:
    kind = kind_of(location)
    assert kind is not None
    source = kind.open_source(location, kind.settings())
    shelf = source.shelf
    return Catalogue(
        source,
        shelf.put,
        shelf.remove,
        lambda key: shelf.put(key, None),
        lambda: shelf.file.write_bytes(b"no database"),
        shelf.file.unlink,
    )


KINDS = [
    *("memory", "folder", "s3", "sqlite", "postgresql", "parquet", "plugin"),
    *(pytest.param(kind, marks=getattr(pytest.mark, kind)) for kind in ("mariadb", "radosgw")),
]


@pytest.fixture(params=KINDS)
def catalogue(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    match request.param:
        case "memory":
            return _memory()
        case "folder":
            return _folder(tmp_path / "images", monkeypatch)
        case "sqlite" | "postgresql" | "mariadb":
            server = {"postgresql": "postgres_url", "mariadb": "mariadb_url"}.get(request.param)
            return _sql(request.getfixturevalue(server) if server else f"sqlite:///{tmp_path}/shop.db")
        case "plugin":
            request.getfixturevalue("plugin")
            return _of_another_package(f"shelf://{tmp_path}/shelf.db")
        case "parquet":
            return _parquet(tmp_path / "shop.parquet")
        case _:
            return _s3(request.getfixturevalue(request.param))


def test_every_item_is_listed_once_in_byte_order(catalogue: Catalogue) -> None:
    names = ["b.jpg", "a/2.jpg", "a/1.jpg", "a.jpg", "a-b/1.jpg", "é/ö.jpg", "B.jpg", "a/b/c/d.jpg", "a/\udcff.jpg"]
    names = [name for name in names if not catalogue.refuses(name)]
    for name in names:
        catalogue.put(name, b"1")

    assert [listed.key for listed in catalogue.source.list()] == sorted(names, key=key_bytes)


def test_keys_are_listed_and_read_as_they_are_spelled(catalogue: Catalogue) -> None:
    names = [name for name in NASTY_KEYS + CONTROL_KEYS if not catalogue.refuses(name)]
    for name in names:
        catalogue.put(name, name.encode())

    listed = [found.key for found in catalogue.source.list()]
    assert listed == sorted(names, key=key_bytes)
    assert len(listed) > 25
    assert [catalogue.source.read(key) for key in listed] == [key.encode() for key in listed]


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
    assert not first.settles_in_s
    assert first.size_bytes == 4
    assert changed.fingerprint != first.fingerprint


def test_an_item_that_went_is_changed_not_unreadable(catalogue: Catalogue) -> None:
    catalogue.put("a.jpg", b"1")
    catalogue.put("b.jpg", b"1")
    catalogue.remove("a.jpg")

    with pytest.raises(ItemChanged):
        catalogue.source.read("a.jpg")


def test_an_item_can_be_looked_for_by_itself(catalogue: Catalogue) -> None:
    for name in ("a/1.jpg", "a/1.jpg.txt", "gone.jpg", "empty.jpg"):
        catalogue.put(name, b"" if name == "empty.jpg" else b"1")
    catalogue.remove("gone.jpg")

    there = [
        catalogue.source.exists(key) for key in ("a/1.jpg", "empty.jpg", "gone.jpg", "a/1", "A/1.jpg", "a/1.jpg/b")
    ]
    assert there == [True, True, False, False, False, False]


def test_an_item_that_cannot_be_read_says_so(catalogue: Catalogue) -> None:
    catalogue.put("a.jpg", b"1")
    catalogue.lock("a.jpg")

    with pytest.raises(ItemUnreadable, match=r"cannot be read: .*(Permission denied|not allowed|neither)"):
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


def test_a_locked_folder_is_a_row_in_its_place_and_ends_no_listing(catalogue: Catalogue) -> None:
    if catalogue.lock_folder is None:
        return
    for key in ("a.jpg", "b.jpg", "b/1.jpg", "b/c/2.jpg", "b0.jpg", "d/3.jpg"):
        catalogue.put(key, b"1")
    catalogue.lock_folder("b/")

    listed = [(row.key, row.problem) for row in catalogue.source.list()]
    assert listed == [
        *(("a.jpg", ""), ("b.jpg", "")),
        ("b/", "Permission denied"),
        *(("b0.jpg", ""), ("d/3.jpg", "")),
    ]


def test_a_place_that_is_not_there_is_neither_empty_nor_does_it_lack_an_item(catalogue: Catalogue) -> None:
    if catalogue.take_away is None:
        return
    catalogue.put("a.jpg", b"1")
    catalogue.take_away()

    with pytest.raises(SourceUnreadable):
        list(catalogue.source.list())
    with pytest.raises(SourceUnreadable):
        catalogue.source.exists("a.jpg")


def test_blocks_are_the_listing_divided_where_known_blocks_begin(catalogue: Catalogue) -> None:
    source = _in_blocks(catalogue)
    names = ["b.jpg", "a/2.jpg", "a/1.jpg", "a.jpg", "a-b/1.jpg", "é/ö.jpg", "a/b/c/d.jpg", "a/3.jpg", "z/1.jpg"]
    for name in names:
        catalogue.put(name, b"1")
    keys = [row.key for row in catalogue.source.list()]
    starts = ["a/0.jpg", "a/2.jpg", "a/2.jpg0", "b.jpg", "c", "z/"]

    divided = [[row.key for row in block.rows()] for block in source.blocks(starts)]
    assert [key for block in divided for key in block] == keys
    assert [block.first for block in source.blocks(starts)] == [block[0] for block in divided]
    begins = [next(key for key in keys if key_bytes(key) >= key_bytes(start)) for start in starts]
    assert {block[0] for block in divided} == {keys[0], *begins}


def test_the_digest_of_a_block_tells_each_change_of_its_rows_and_no_other(catalogue: Catalogue) -> None:
    source = _in_blocks(catalogue)
    for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"):
        catalogue.put(name, b"1")

    def digests() -> dict[str, str]:
        return {block.first: block.digest for block in source.blocks(["b/"])}

    before = digests()
    assert digests() == before
    for change in (
        lambda: catalogue.put("b/1.jpg", b"2"),
        lambda: catalogue.put("b/3.jpg", b"1"),
        lambda: catalogue.remove("b/2.jpg"),
        lambda: catalogue.put("b/1.jpg0", b"2"),
    ):
        change()
        after = digests()
        assert after["a/1.jpg"] == before["a/1.jpg"]
        assert after["b/1.jpg"] != before["b/1.jpg"]
        before = after


def test_a_block_ends_after_so_many_rows(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "ROWS", 2)
    monkeypatch.setattr(blocks, "MOST_ROWS", 3)
    source = _in_blocks(catalogue)
    for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg", "b/3.jpg", "c.jpg", "d.jpg"):
        catalogue.put(name, b"1")

    def sizes(*starts: str) -> list[int]:
        return [len(list(block.rows())) for block in source.blocks(starts)]

    assert sizes() == [2, 2, 2, 1]
    assert sizes("a/2.jpg") == [1, 3, 3]
    assert sizes("b/2.jpg", "d.jpg") == [3, 3, 1]


def test_a_listing_in_blocks_that_breaks_off_is_an_error(catalogue: Catalogue) -> None:
    source = _in_blocks(catalogue)
    for name in ("a/1.jpg", "b/1.jpg"):
        catalogue.put(name, b"1")
    catalogue.break_listing()
    with pytest.raises(SourceUnreadable):
        list(source.blocks(()))


def test_what_cannot_be_looked_at_is_a_row_of_its_block(catalogue: Catalogue) -> None:
    if catalogue.lock_folder is None:
        pytest.skip("it has no folders")
    source = _in_blocks(catalogue)
    for name in ("a/1.jpg", "b/1.jpg", "b/2.jpg"):
        catalogue.put(name, b"1")
    (before,) = source.blocks(())
    catalogue.lock_folder("b/")

    (block,) = source.blocks(())
    assert [(row.key, bool(row.problem)) for row in block.rows()] == [("a/1.jpg", False), ("b/", True)]
    assert block.digest != before.digest


def _in_blocks(catalogue: Catalogue) -> ListsBlocks:
    if not isinstance(catalogue.source, ListsBlocks):
        pytest.skip("it is read row by row")
    return catalogue.source
