"""Rows as people have them: what becomes an item, and what is left out by name while the others go on."""

import time
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bg_pipeline.core.records import NO_PRIORITY
from bg_pipeline.errors import ConfigurationError, ItemBlocked, ItemUnreadable, SourceUnreadable
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.stores.locations import CatalogueLocations
from bg_pipeline.stores.sql import listing
from bg_pipeline.stores.sql.keys import kind_of, value_of
from bg_pipeline.stores.sql.source import SqlSource
from bg_pipeline_tests.adapters.databases import Database, items, source_of
from bg_pipeline_tests.adapters.server import Vendor
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

_UUIDS = ("b0000000-0000-4000-8000-00000000000a", "0b000000-0000-4000-8000-000000000001")


def _picture(number: int) -> str:
    return f"'{number}', NULL, 'https://cdn.example.com/{number}', '1', {number}"


def test_whole_numbers_are_keys_in_the_order_of_their_text(database: Database) -> None:
    url = database(*items(*map(_picture, (9, 10, 100, -2, 2))))
    source = source_of(url, "SELECT number AS key, url FROM items", str.encode)

    assert [row.key for row in source.list()] == ["-2", "10", "100", "2", "9"]
    assert source.read("10") == b"https://cdn.example.com/10"
    assert [source.exists(key) for key in ("100", "3", "0100", "10.0", "shoes/1.jpg", "")] == [True] + [False] * 5


def test_uuids_are_keys_in_the_order_of_their_text(database: Database) -> None:
    url = database("CREATE TABLE items (id TEXT, url TEXT)")
    of_its_own = "UUID" if not url.startswith("sqlite") else "TEXT"
    database("DROP TABLE items", f"CREATE TABLE items (id {of_its_own}, url TEXT)")
    database(*(f"INSERT INTO items VALUES ('{each}', '{each}')" for each in _UUIDS))
    source = source_of(url, "SELECT id AS key, url FROM items", lambda address: address.encode())

    assert [row.key for row in source.list()] == sorted(_UUIDS)
    assert [source.exists(key) for key in (_UUIDS[0], _UUIDS[0].replace("-", ""), "shoes/1.jpg")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("key", [10.5, True, b"10", Decimal("10.250"), Decimal("NaN"), object()])
def test_a_value_without_one_text_is_no_key(key: object) -> None:
    assert kind_of(key) is None


def test_a_number_of_an_exact_type_is_a_whole_number() -> None:
    kind = kind_of(Decimal(250))
    assert kind is not None
    assert [value_of(key, kind) for key in ("250", "+250", "250 ", "2_50", "x")] == [250, None, None, None, None]


def test_a_row_without_a_key_or_with_the_key_of_another_is_left_out_and_the_others_go_on(database: Database) -> None:
    rows = [_picture(number) for number in range(2000)]
    url = database(
        *items(*rows, _picture(7), "NULL, NULL, 'u', '1', 1", "NULL, NULL, 'u', '1', 1", "'', NULL, 'u', '1', 1")
    )
    listed = list(source_of(url, "SELECT sku AS key, url, changed AS version FROM items").list())

    assert [(row.key, row.problem) for row in listed if row.problem] == [
        ("(no key)", "3 of its rows have no key: NULL or empty text"),
        ("7", "2 rows have this key, and only one may: which picture is meant is not known"),
    ]
    assert len(listed) == 2001
    assert {row.fingerprint for row in listed if not row.problem} == {"1"}


def test_none_of_two_pictures_with_one_key_is_read(database: Database) -> None:
    source = source_of(database(*items(_picture(7), _picture(7))), "SELECT sku AS key, url FROM items", str.encode)

    assert source.exists("7")
    with pytest.raises(ItemBlocked, match="2 rows have this key"):
        source.read("7")


def test_a_key_that_two_rows_have_keeps_its_cutout_and_buys_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shop.db"
    engine = create_engine(url)
    with engine.begin() as conn:
        conn.execute(text("CREATE TABLE items (key TEXT, image BLOB, version INTEGER)"))
        for number in range(3):
            conn.execute(
                text("INSERT INTO items VALUES (:key, :image, 1)"), {"key": f"{number}.png", "image": product(number)}
            )
    graph = Graph()
    graph.source = SqlSource(url, "SELECT key, image, version FROM items")  # type: ignore[assignment]
    assert graph.sync().summary.purchases == 3
    before = dict(graph.outputs.blobs)

    with engine.begin() as conn:
        for key, number in (("1.png", 11), ("new.png", 12), ("new.png", 13), ("other.png", 14)):
            conn.execute(text("INSERT INTO items VALUES (:key, :image, 2)"), {"key": key, "image": product(number)})
        conn.execute(text("UPDATE items SET version = 3 WHERE key = '1.png'"))
    engine.dispose()
    second = graph.sync()

    assert second.summary.purchases == 1
    assert sorted(second.scan.not_looked) == ["1.png", "new.png"]
    assert second.scan.absent == []
    assert {name: graph.outputs.blobs[name] for name in before} == before
    assert graph.outputs.blobs.keys() - before.keys() == {"other.png"}


def test_keys_of_two_types_in_one_column_are_told_apart_by_name(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    with engine.begin() as conn:
        conn.execute(text("CREATE TABLE items (key, url)"))
        conn.execute(text("INSERT INTO items VALUES ('a', 'u'), (10, 'u'), ('b', 'u'), (CAST(x'61ff' AS TEXT), 'u')"))
    engine.dispose()
    listed = list(SqlSource(f"sqlite:///{tmp_path}/shop.db", "SELECT key, url FROM items").list())

    assert [row.key for row in listed] == ["10", "a", "a\udcff", "b"]
    assert "of another type (int)" in listed[0].problem
    assert [row.problem for row in listed[1:]] == ["", "its key is not UTF-8", ""]


def test_names_of_columns_may_be_in_upper_case(database: Database) -> None:
    url = database(*items("'a', NULL, 'https://cdn.example.com/a', 'monday', 1"))
    quote = "`" if url.startswith("mysql") else '"'
    query = f"SELECT sku AS {quote}KEY{quote}, url AS {quote}URL{quote}, changed AS {quote}VERSION{quote} FROM items"
    source = SqlSource(url, query, str.encode)

    assert [(row.key, row.fingerprint) for row in source.list()] == [("a", "monday")]
    assert source.read("a") == b"https://cdn.example.com/a"


@pytest.mark.parametrize(
    "end",
    [
        ";",
        " ; \n",
        " -- all of them",
        "; -- all; of them",
        "\n;;\n/* all\n of them */ -- really\n",
        "; /* a */ /* ; */ ",
    ],
)
def test_a_query_may_end_as_in_a_console(end: str, database: Database) -> None:
    url = database(*items(_picture(1), "'; -- x', NULL, 'u', '1', 1"))

    assert len(list(source_of(url, f"SELECT sku AS key, url FROM items{end}").list())) == 2
    only = f"SELECT sku AS key, url FROM items WHERE sku = '; -- x'{end}"
    assert [row.key for row in source_of(url, only).list()] == ["; -- x"]


def test_a_semicolon_in_a_text_stays_though_a_comment_seems_to_follow(database: Database) -> None:
    url = database(*items("'; -- x', NULL, 'u', '1', 1"))

    assert len(list(source_of(url, "SELECT sku AS key, url FROM items WHERE sku = '; -- x'").list())) == 1


def test_a_server_of_pictures_that_is_trusted_is_asked_over_http(
    database: Database, vendor: Vendor, elsewhere: Vendor
) -> None:
    vendor.say("/a.jpg", body=b"picture")
    vendor.say("/b.jpg", 302, headers={"Location": f"{elsewhere.base_url}/secret"})
    elsewhere.say("/secret", body=b"secret")
    base, other = vendor.base_url, elsewhere.base_url
    row = "'{}', NULL, '{}', '1', 1".format
    url = database(*items(row("a", f"{base}/a.jpg"), row("b", f"{base}/b.jpg"), row("c", f"{other}/secret")))
    source = source_of(url, "SELECT sku AS key, url FROM items", hosts=(base,))

    assert source.read("a") == b"picture"
    for key in ("b", "c"):
        with pytest.raises(ItemUnreadable, match=r"not requested: not https; .* add it to BG_SOURCE_HOSTS"):
            source.read(key)
    with pytest.raises(ItemUnreadable, match="BG_SOURCE_HOSTS"):
        source_of(url, "SELECT sku AS key, url FROM items", hosts=(base.replace("http:", "https:"),)).read("a")
    assert elsewhere.seen == []


@pytest.mark.parametrize("address", ["images/a.jpg?sig=canary", "/a.jpg", "a.jpg", "//cdn.example.com/a.jpg"])
def test_a_url_without_a_host_is_named_as_one(address: str, database: Database) -> None:
    source = source_of(database(*items(f"'a', NULL, '{address}', '1', 1")), "SELECT sku AS key, url FROM items")

    with pytest.raises(ItemUnreadable, match=r"not a whole URL: '[^?]*a\.jpg' does not begin with https://"):
        source.read("a")


def test_a_priority_is_a_number_of_any_type_and_anything_else_comes_last(database: Database) -> None:
    url = database(*items(*map(_picture, (9, 10))))
    by_number = source_of(url, "SELECT number AS key, url, number AS priority FROM items", str.encode)
    by_text = source_of(url, "SELECT number AS key, url, '2.5' AS PRIORITY FROM items", str.encode)

    assert {row.key: row.priority for row in by_number.list()} == {"9": 9.0, "10": 10.0}
    assert {row.priority for row in by_text.list()} == {2.5}
    for text_ in ("'high'", "NULL", "'nan'", "'1e999'"):
        source = source_of(url, f"SELECT number AS key, url, {text_} AS priority FROM items", str.encode)
        assert {row.priority for row in source.list()} == {NO_PRIORITY}


def test_a_disk_without_room_for_the_listing_is_named() -> None:
    rows = listing.SortedRows()
    rows._file.execute("PRAGMA max_page_count = 3")
    with rows, pytest.raises(SourceUnreadable, match=r"cannot be sorted in .* full.* make room there, or set TMPDIR"):
        rows.add((f"{number}", 0, "v" * 100, None) for number in range(1000))


def test_whatever_a_driver_raises_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise TypeError("connect() got 'canary-1' as an argument\nand more")

    monkeypatch.setattr("bg_pipeline.stores.sql.source.open_engine", refuse)
    source = SqlSource("sqlite:///shop.db?password=canary-1", "SELECT key, url FROM items")

    for call in (lambda: list(source.list()), lambda: source.read("a"), lambda: source.exists("a")):
        with pytest.raises(SourceUnreadable) as caught:
            call()
        assert "cannot be read: connect() got '***' as an argument. Nothing" in str(caught.value)


@pytest.mark.mariadb
def test_a_client_that_reads_slowly_is_not_cut_off(mariadb_url: str) -> None:
    """As the server does it after 60 seconds; pictures are read between two rows."""
    engine = create_engine(mariadb_url)
    with engine.begin() as conn:
        conn.execute(text("SET GLOBAL net_write_timeout = 1"))
        conn.execute(text("CREATE TABLE rows_ (sku TEXT, url TEXT, changed TEXT)"))
        conn.execute(text("INSERT INTO rows_ SELECT seq, 'u', REPEAT('x', 2000) FROM seq_1_to_50000"))
    engine.dispose()
    slow = SqlSource(mariadb_url, "SELECT sku AS `key`, url, changed AS version FROM rows_").list()
    next(slow)
    time.sleep(3)

    assert sum(1 for _ in slow) == 49_999


def _settings(hosts: str, url: str = "sqlite:///shop.db") -> RawSettings:
    query = "SELECT sku AS key, url FROM items"
    return RawSettings({"bg_source": url, "bg_source_query": query, "bg_source_hosts": hosts})


@pytest.mark.parametrize(
    "hosts",
    ["images.shop.lan", "ftp://a", "http://", "http://a/b", "http://me:canary@a", "http://a:99999", "http://a?b"],
)
def test_a_host_that_is_not_an_origin_is_a_wrong_setting(hosts: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^BG_SOURCE_HOSTS: must be scheme, host") as caught:
        _settings(f"https://10.0.0.8, {hosts}").part(CatalogueLocations)
    assert "canary" not in str(caught.value)


def test_the_hosts_of_the_settings_are_those_that_are_trusted(tmp_path: Path, vendor: Vendor) -> None:
    vendor.say("/a.jpg", body=b"picture")
    url = f"sqlite:///{tmp_path}/shop.db"
    engine = create_engine(url)
    with engine.begin() as conn:
        conn.execute(text("CREATE TABLE items (sku TEXT, url TEXT)"))
        conn.execute(text("INSERT INTO items VALUES ('a', :url)"), {"url": f"{vendor.base_url}/a.jpg"})
    engine.dispose()
    raw = _settings(f"https://10.0.0.8, {vendor.base_url}", url)

    assert raw.part(CatalogueLocations).open_source(raw).read("a") == b"picture"
