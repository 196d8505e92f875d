"""A database as a catalogue: what is asked of it, and what is said of a query that does not fit."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, text

from bg_pipeline.errors import FetchFailed, ItemChanged, ItemUnreadable, SourceUnreadable
from bg_pipeline_tests.adapters.databases import Database, items, source_of


def _refuse(url: str) -> bytes:
    raise FetchFailed("cdn.example.com answered 404", status=404)


def test_a_row_without_a_version_has_no_fingerprint(database: Database) -> None:
    url = database(*items("'a', NULL, NULL, 'monday', 1", "'b', NULL, NULL, NULL, 2"))

    with_version = source_of(url, "SELECT sku AS key, image, changed AS version FROM items")
    assert [listed.fingerprint for listed in with_version.list()] == ["monday", ""]
    assert [listed.fingerprint for listed in source_of(url, "SELECT sku AS key, image FROM items").list()] == ["", ""]


def test_a_listing_moves_no_picture(database: Database) -> None:
    url = database(*items("'a', NULL, NULL, '1', 1"), "UPDATE items SET image = CAST('12345' AS BYTES)")
    source = source_of(url, "SELECT sku AS key, image FROM items;  ")
    (listed,) = source.list()
    assert listed.size_bytes == 5
    assert source._engine_and_columns is not None
    asked: list[str] = []

    @event.listens_for(source._engine_and_columns[0], "before_cursor_execute")
    def remember(*args: object) -> None:
        asked.append(str(args[2]))

    list(source.list())
    columns = [statement.partition(" FROM ")[0] for statement in asked if statement.startswith("SELECT")]
    assert len(columns) == 1
    assert "length(catalogue.image)" in columns[0]
    assert "catalogue.image," not in columns[0]


def test_pictures_behind_urls_are_fetched(database: Database) -> None:
    url = database(*items("'a', NULL, 'https://cdn.example.com/a.jpg', '1', 1"))
    fetched: list[str] = []

    def fetch(address: str) -> bytes:
        fetched.append(address)
        return b"picture"

    source = source_of(url, "SELECT sku AS key, url, changed AS version FROM items", fetch)
    assert [listed.key for listed in source.list()] == ["a"]
    assert fetched == []
    assert source.read("a") == b"picture"
    assert fetched == ["https://cdn.example.com/a.jpg"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("'a', NULL, 'https://cdn.example.com/a.jpg', '1', 1", "cdn.example.com answered 404"),
        ("'a', NULL, NULL, '1', 1", "neither `image` nor `url`"),
        ("'a', NULL, '', '1', 1", "neither `image` nor `url`"),
    ],
)
def test_a_row_without_a_picture_is_blamed_alone(row: str, said: str, database: Database) -> None:
    source = source_of(database(*items(row)), "SELECT sku AS key, image, url FROM items", _refuse)

    assert [listed.key for listed in source.list()] == ["a"]
    with pytest.raises(ItemUnreadable, match=said):
        source.read("a")


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:9/a.jpg",
        "https://localhost/a.jpg",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
    ],
)
def test_a_url_that_leads_inside_is_not_fetched(address: str, database: Database) -> None:
    source = source_of(database(*items(f"'a', NULL, '{address}', '1', 1")), "SELECT sku AS key, url FROM items")

    with pytest.raises(ItemUnreadable, match=r"not requested|not a valid URL"):
        source.read("a")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT sku AS id, image FROM items", "must give `key`"),
        ("SELECT sku AS key FROM items", "and `image` or `url`"),
        ("SELECT sku AS key, image FROM nowhere", "cannot be read: .*nowhere"),
        ("SELECT 10.5 AS key, image FROM items", "no row with a usable key: .* cast it to text"),
        ("SELECT NULLIF(sku, 'a') AS key, image FROM items", "no row with a usable key: 1 of its rows has no key"),
        ("DELETE FROM items", "cannot be read"),
    ],
)
def test_a_query_that_does_not_fit_is_refused(query: str, said: str, database: Database) -> None:
    url = database(*items("'a', NULL, NULL, '1', 1"))

    with pytest.raises(SourceUnreadable, match=said):
        list(source_of(url, query).list())


def test_nothing_can_be_written(database: Database) -> None:
    source = source_of(database(*items("'a', NULL, NULL, '1', 1")), "SELECT sku AS key, image FROM items")
    with (
        pytest.raises(SourceUnreadable, match=r"(?i)read.?only"),
        source._errors(),
        source._snapshot() as (conn, _),
    ):
        conn.execute(text("UPDATE items SET sku = 'b'"))


def test_a_colon_and_a_percent_sign_are_part_of_the_query(database: Database) -> None:
    url = database(*items("'a:b%c', NULL, NULL, '1', 1", "'b', NULL, NULL, '1', 1"))
    source = source_of(url, "SELECT sku AS key, image FROM items WHERE sku LIKE '%:b%' AND sku <> '%(x)s'")

    assert [listed.key for listed in source.list()] == ["a:b%c"]
    with pytest.raises(ItemUnreadable, match="neither"):
        source.read("a:b%c")


def test_keys_are_told_apart_where_the_database_does_not(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shop.db"
    engine = create_engine(url)
    with engine.begin() as conn:
        conn.execute(text("CREATE TABLE items (key TEXT COLLATE NOCASE, image BLOB)"))
        conn.execute(text("INSERT INTO items VALUES ('b', x'01'), ('B', x'02'), ('a', x'03')"))
    engine.dispose()
    source = source_of(url, "SELECT key, image FROM items")

    assert [listed.key for listed in source.list()] == ["B", "a", "b"]
    assert [source.read(key) for key in ("B", "b")] == [b"\x02", b"\x01"]
    with pytest.raises(ItemChanged):
        source.read("A")


@pytest.mark.parametrize(
    ("server", "wait"),
    [
        ("postgres_url", "SELECT pg_sleep(60)::text AS key, NULL AS url"),
        pytest.param("mariadb_url", "SELECT SLEEP(60) AS key, NULL AS url", marks=pytest.mark.mariadb),
    ],
)
def test_a_query_that_takes_for_ever_is_ended(
    server: str, wait: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bg_pipeline.stores.sql.engine._STATEMENT_S", 0.1)

    with pytest.raises(SourceUnreadable, match=r"statement timeout|max_statement_time"):
        list(source_of(request.getfixturevalue(server), wait).list())


def test_a_listing_is_one_snapshot(postgres_url: str) -> None:
    """Rows that move while it goes on would be missing, or come twice."""
    engine = create_engine(postgres_url)
    with engine.begin() as conn:
        conn.execute(text("DROP TABLE IF EXISTS items"))
        conn.execute(text("CREATE TABLE items (key TEXT PRIMARY KEY, image BYTEA)"))
        conn.execute(text("INSERT INTO items SELECT 'k' || lpad(n::text, 5, '0'), '' FROM generate_series(1, 3000) n"))
    listing = source_of(postgres_url, "SELECT key, image FROM items").list()
    first = next(listing).key
    with engine.begin() as conn:
        conn.execute(text("UPDATE items SET key = 'a' || key WHERE key > 'k02000'"))
        conn.execute(text("DELETE FROM items WHERE key < 'k01000'"))
    engine.dispose()

    assert [first, *(listed.key for listed in listing)] == [f"k{n:05}" for n in range(1, 3001)]


def test_a_listing_is_over_for_the_database_before_its_first_row_is_used(database: Database) -> None:
    """The rows are used while pictures are read, for hours; a table stays as free for others as without a listing."""
    url = database(*items(*(f"'{number:05}', NULL, NULL, '1', 1" for number in range(2500))))
    listing = source_of(url, "SELECT sku AS key, image FROM items").list()
    first = next(listing)
    # Dropping a table waits for all who read it.
    patience = {"postgresql": "SET lock_timeout = '1s'", "mysql": "SET lock_wait_timeout = 1"}
    database(patience.get(url.partition("+")[0], "PRAGMA busy_timeout = 1000"), "DROP TABLE items")

    assert [first.key, *(row.key for row in listing)] == [f"{number:05}" for number in range(2500)]


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="unable to open"):
        list(source_of(f"sqlite:///{tmp_path}/shop.db", "SELECT 1 AS key, 2 AS image").list())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:canary-1@127.0.0.1:1/shop?password=canary-2",
        "postgresql+psycopg://me@127.0.0.1:1/shop?password=canary-2",
        "mysql+mysqldb://me:canary-1@127.0.0.1:1/shop",
        "mysql+pymysql://me:canary-1@127.0.0.1:1/shop?password=canary-2",
        "mysql+pymysql://me@127.0.0.1:1/shop?ssl_ca=canary-2",
        "mysql+pymysql://me@127.0.0.1:1/shop?charset=canary-2",
    ],
)
def test_no_password_is_shown(url: str) -> None:
    with pytest.raises(SourceUnreadable) as caught:
        list(source_of(url, "SELECT key, image FROM items").list())

    assert "canary" not in f"{caught.value}"
    assert "127.0.0.1:1/shop" in f"{caught.value}"


def test_two_columns_with_one_name_are_refused(postgres_url: str) -> None:
    query = """SELECT 'a' AS key, 'b' AS "KEY", 'u' AS url"""

    with pytest.raises(SourceUnreadable, match="two columns of the same name: key, KEY, url"):
        list(source_of(postgres_url, query).list())
