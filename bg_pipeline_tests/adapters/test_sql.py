"""A database as a catalogue: what is asked of it, and what is said of a query that does not fit."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, text

from bg_pipeline.errors import FetchFailed, ItemChanged, ItemUnreadable, SourceUnreadable
from bg_pipeline.stores.sql.source import SqlSource

Database = Callable[..., str]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Runs statements on a fresh database and gives its URL."""
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/shop.db" if sqlite else request.getfixturevalue("postgres_url")

    def run(*statements: str) -> str:
        engine = create_engine(url)
        with engine.begin() as conn:
            for statement in statements:
                conn.execute(text(statement.replace("BYTES", "BLOB" if sqlite else "BYTEA")))
        engine.dispose()
        return url

    run("DROP TABLE IF EXISTS items")
    return run


def _rows(*rows: str) -> list[str]:
    return [
        "CREATE TABLE items (sku TEXT, image BYTES, url TEXT, changed TEXT, number INTEGER)",
        *(f"INSERT INTO items (sku, image, url, changed, number) VALUES ({row})" for row in rows),
    ]


def _refuse(url: str) -> bytes:
    raise FetchFailed("cdn.example.com answered 404", status=404)


def test_a_row_without_a_version_has_no_fingerprint(database: Database) -> None:
    url = database(*_rows("'a', NULL, NULL, 'monday', 1", "'b', NULL, NULL, NULL, 2"))

    with_version = SqlSource(url, "SELECT sku AS key, image, changed AS version FROM items")
    assert [listed.fingerprint for listed in with_version.list()] == ["monday", ""]
    assert [listed.fingerprint for listed in SqlSource(url, "SELECT sku AS key, image FROM items").list()] == ["", ""]


def test_a_listing_moves_no_picture(database: Database) -> None:
    url = database(*_rows("'a', NULL, NULL, '1', 1"), "UPDATE items SET image = CAST('12345' AS BYTES)")
    source = SqlSource(url, "SELECT sku AS key, image FROM items;  ")
    (listed,) = source.list()
    assert listed.size_bytes == 5
    assert source._engine_and_rows is not None
    asked: list[str] = []

    @event.listens_for(source._engine_and_rows[0], "before_cursor_execute")
    def remember(*args: object) -> None:
        asked.append(str(args[2]))

    list(source.list())
    columns = [statement.partition(" FROM ")[0] for statement in asked if statement.startswith("SELECT")]
    assert len(columns) == 1
    assert "length(catalogue.image)" in columns[0]
    assert "catalogue.image," not in columns[0]


def test_pictures_behind_urls_are_fetched(database: Database) -> None:
    url = database(*_rows("'a', NULL, 'https://cdn.example.com/a.jpg', '1', 1"))
    fetched: list[str] = []

    def fetch(address: str) -> bytes:
        fetched.append(address)
        return b"picture"

    source = SqlSource(url, "SELECT sku AS key, url, changed AS version FROM items", fetch)
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
    source = SqlSource(database(*_rows(row)), "SELECT sku AS key, image, url FROM items", _refuse)

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
    source = SqlSource(database(*_rows(f"'a', NULL, '{address}', '1', 1")), "SELECT sku AS key, url FROM items")

    with pytest.raises(ItemUnreadable, match=r"not requested|not a valid URL"):
        source.read("a")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT sku AS id, image FROM items", "must give `key`"),
        ("SELECT sku AS key FROM items", "and `image` or `url`"),
        ("SELECT sku AS key, image FROM nowhere", "cannot be read: .*nowhere"),
        ("SELECT sku AS key, image FROM items UNION ALL SELECT sku AS key, image FROM items", "the key 'a' twice"),
        ("SELECT number AS key, image FROM items", "not text|type integer"),
        ("SELECT NULLIF(sku, 'a') AS key, image FROM items", "not text: None"),
        ("DELETE FROM items", "cannot be read"),
    ],
)
def test_a_query_that_does_not_fit_is_refused(query: str, said: str, database: Database) -> None:
    url = database(*_rows("'a', NULL, NULL, '1', 1"))

    with pytest.raises(SourceUnreadable, match=said):
        list(SqlSource(url, query).list())


def test_nothing_can_be_written(database: Database) -> None:
    source = SqlSource(database(*_rows("'a', NULL, NULL, '1', 1")), "SELECT sku AS key, image FROM items")
    with (
        pytest.raises(SourceUnreadable, match=r"(?i)read.?only"),
        source._errors(),
        source._snapshot() as (conn, _),
    ):
        conn.execute(text("UPDATE items SET sku = 'b'"))


def test_a_colon_and_a_percent_sign_are_part_of_the_query(database: Database) -> None:
    url = database(*_rows("'a:b%c', NULL, NULL, '1', 1", "'b', NULL, NULL, '1', 1"))
    source = SqlSource(url, "SELECT sku AS key, image FROM items WHERE sku LIKE '%:b%' AND sku <> '%(x)s'")

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
    source = SqlSource(url, "SELECT key, image FROM items")

    assert [listed.key for listed in source.list()] == ["B", "a", "b"]
    assert [source.read(key) for key in ("B", "b")] == [b"\x02", b"\x01"]
    with pytest.raises(ItemChanged):
        source.read("A")


def test_a_database_that_does_not_sort_by_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Collations are known for two databases; another one is held to the order all the same."""
    monkeypatch.setattr("bg_pipeline.stores.sql.source._BYTE_ORDER", {})
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    with engine.begin() as conn:
        conn.execute(text("CREATE TABLE items (key TEXT COLLATE NOCASE, image BLOB)"))
        conn.execute(text("INSERT INTO items VALUES ('a', x'01'), ('B', x'02')"))
    engine.dispose()

    with pytest.raises(SourceUnreadable, match="not sorted by bytes: 'B' came after 'a'"):
        list(SqlSource(f"sqlite:///{tmp_path}/shop.db", "SELECT key, image FROM items").list())


def test_a_query_that_takes_for_ever_is_ended(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bg_pipeline.stores.sql.source._STATEMENT_S", 0.1)

    with pytest.raises(SourceUnreadable, match="statement timeout"):
        list(SqlSource(postgres_url, "SELECT pg_sleep(60)::text AS key, NULL AS url").list())


def test_a_listing_is_one_snapshot(postgres_url: str) -> None:
    """Rows that move while it goes on would be missing, or come twice."""
    engine = create_engine(postgres_url)
    with engine.begin() as conn:
        conn.execute(text("DROP TABLE IF EXISTS items"))
        conn.execute(text("CREATE TABLE items (key TEXT PRIMARY KEY, image BYTEA)"))
        conn.execute(text("INSERT INTO items SELECT 'k' || lpad(n::text, 5, '0'), '' FROM generate_series(1, 3000) n"))
    listing = SqlSource(postgres_url, "SELECT key, image FROM items").list()
    first = next(listing).key
    with engine.begin() as conn:
        conn.execute(text("UPDATE items SET key = 'a' || key WHERE key > 'k02000'"))
        conn.execute(text("DELETE FROM items WHERE key < 'k01000'"))
    engine.dispose()

    assert [first, *(listed.key for listed in listing)] == [f"k{n:05}" for n in range(1, 3001)]


def test_a_listing_that_is_left_early_leaves_the_database_alone(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with engine.begin() as conn:
        conn.execute(text("DROP TABLE IF EXISTS items"))
        conn.execute(text("CREATE TABLE items (key TEXT, image BYTEA)"))
        conn.execute(text("INSERT INTO items VALUES ('a', ''), ('b', '')"))
    listing = SqlSource(postgres_url, "SELECT key, image FROM items").list()
    next(listing)
    listing.close()

    with engine.connect() as conn:
        open_now = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
        assert conn.execute(text(open_now)).scalar_one() == 0
    engine.dispose()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="unable to open"):
        list(SqlSource(f"sqlite:///{tmp_path}/shop.db", "SELECT 1 AS key, 2 AS image").list())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:canary-1@127.0.0.1:1/shop?password=canary-2",
        "postgresql+psycopg://me@127.0.0.1:1/shop?password=canary-2",
        "mysql+mysqldb://me:canary-1@127.0.0.1:1/shop",
    ],
)
def test_no_password_is_shown(url: str) -> None:
    with pytest.raises(SourceUnreadable) as caught:
        list(SqlSource(url, "SELECT key, image FROM items").list())

    assert "canary" not in f"{caught.value}"
    assert "127.0.0.1:1/shop" in f"{caught.value}"
