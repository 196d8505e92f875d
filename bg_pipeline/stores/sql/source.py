"""A catalogue in a database: a query gives a row for each picture."""

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Never
from urllib.parse import quote

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    Subquery,
    bindparam,
    case,
    column,
    create_engine,
    event,
    false,
    func,
    literal_column,
    null,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import NullType

from bg_pipeline.core import sources
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import Listed
from bg_pipeline.errors import FetchFailed, ItemChanged, ItemUnreadable, SourceUnreadable
from bg_pipeline.net.fetch import fetch
from bg_pipeline.ports.catalogue import SplitPoints, no_split_points

_BYTE_ORDER = {"postgresql": "C", "sqlite": "BINARY"}
"""Collations that sort text by its bytes. Another database must do so by default."""

_STATEMENT_S = 300.0
_BUSY_S = 30
_ROWS = 1000
"""Rows fetched at a time."""

_FETCH_S = 120.0

Fetch = Callable[[str], bytes]


class SqlSource:
    """
    `ports.ImageSource` over the rows of a query. Nothing is ever written.

    Without a `version`, a row has no fingerprint and its bytes are read each time.

    Args:
        url: any URL that SQLAlchemy knows and whose driver is installed.
        query: a SELECT of `key` (text, unique) and `image` (bytes) or `url`, and optionally `version`: any value that
            changes whenever the picture does.
        fetch_url: returns the bytes at a URL; raises FetchFailed.
    """

    def __init__(self, url: str, query: str, fetch_url: Fetch | None = None) -> None:
        self._url = make_url(url)
        self.name = self._url.set(query={}).render_as_string()
        self._query = query.strip().rstrip(";")
        self._fetch = fetch_url or _fetch
        self._engine_and_rows: tuple[Engine, Subquery] | None = None

    def list(self, split_points: SplitPoints = no_split_points) -> Iterator[Listed]:  # noqa: ARG002  one statement
        with self._errors(), self._snapshot() as (conn, rows):
            key: ColumnElement[Any] = rows.c.key
            if order := _BYTE_ORDER.get(conn.dialect.name):
                key = key.collate(order)
            size = _length(conn)(rows.c.image) if "image" in rows.c else null()
            version = rows.c.version if "version" in rows.c else null()
            statement = select(rows.c.key, size, version).order_by(key)
            last: bytes | None = None
            # One statement sees one snapshot. Paging by key would sort the whole catalogue again for every page unless
            # an index has just this byte order, which few have.
            with conn.execution_options(yield_per=_ROWS).execute(statement) as result:
                for item_key, size_bytes, item_version in result:
                    last = self._next(item_key, last)
                    yield Listed(item_key, _fingerprint(item_version), size_bytes or 0)

    def read(self, key: str) -> bytes:
        rows = self._rows(key, "image", "url")
        if not rows:
            raise ItemChanged(f"{key} is not there any more")
        image, url, size = (getattr(rows[0], name, None) for name in ("image", "url", "image_size"))
        sources.require_size(size or 0)
        if image is not None:
            if not isinstance(image, bytes | bytearray | memoryview):
                raise ItemUnreadable(f"cannot be read: its `image` is {type(image).__name__}, not bytes")
            return bytes(image)
        if not url:
            raise ItemUnreadable("cannot be read: its row has neither `image` nor `url`")
        try:
            return self._fetch(str(url))
        except FetchFailed as error:
            raise ItemUnreadable(f"cannot be read: {error}") from error

    def exists(self, key: str) -> bool:
        return bool(self._rows(key))

    def _rows(self, key: str, *names: str) -> Sequence[Row[Any]]:
        with self._errors(), self._snapshot() as (conn, rows):
            wanted = bindparam("key", key, type_=NullType())
            columns: list[ColumnElement[Any]] = [rows.c[name] for name in ("key", *names) if name in rows.c]
            if "image" in names and "image" in rows.c:
                size = _length(conn)(rows.c.image)
                within = case((size <= sources.MAX_SOURCE_BYTES, rows.c.image))
                columns = [each for each in columns if each.key != "image"]
                columns += [size.label("image_size"), within.label("image")]
            # A database may treat `a` and `A` as equal.
            return [row for row in conn.execute(select(*columns).where(rows.c.key == wanted)) if row.key == key]

    def _next(self, key: Any, last: bytes | None) -> bytes:
        if not isinstance(key, str) or not key:
            self._fail(f"gives a key that is not text: {key!r}. Cast it to text in the query")
        this = key_bytes(key)
        if this == last:
            self._fail(f"gives the key {key!r} twice")
        if last is not None and this < last:
            self._fail(f"is not sorted by bytes: {key!r} came after {last.decode(errors='replace')!r}")
        return this

    def _fail(self, why: str) -> Never:
        raise SourceUnreadable(f"BG_SOURCE_QUERY {why}. Nothing was changed or deleted")

    @contextmanager
    def _snapshot(self) -> Iterator[tuple[Connection, Subquery]]:
        engine, rows = self._engine_and_rows = self._engine_and_rows or self._open()
        with engine.connect() as conn, conn.begin():
            yield conn, rows

    def _open(self) -> tuple[Engine, Subquery]:
        engine = _engine(self._url)
        weakref.finalize(self, engine.dispose)
        # A colon in the query is a cast or part of a text, never a parameter.
        query = text(self._query.replace(":", r"\:"))
        with engine.connect() as conn:
            no_rows: Select[Any] = (
                select(literal_column("*")).select_from(query.columns().subquery("catalogue")).where(false())
            )
            names = list(conn.execute(no_rows).keys())
        if "key" not in names or not {"image", "url"} & set(names):
            self._fail(f"must give `key`, and `image` or `url`; it gives {', '.join(names)}")
        return engine, query.columns(*(column(name) for name in names)).subquery("catalogue")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ModuleNotFoundError as error:
            raise SourceUnreadable(f"BG_SOURCE: the driver of {self.name} is not installed ({error.name})") from error
        except SQLAlchemyError as error:
            why = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            raise SourceUnreadable(
                f"the catalogue {self.name} cannot be read: {why}. Nothing was changed or deleted; "
                "check BG_SOURCE and BG_SOURCE_QUERY"
            ) from error


def _engine(url: Any) -> Engine:
    if url.get_backend_name() == "sqlite" and url.database:
        # Read only; a missing file is not created.
        url = url.set(database=f"file:{quote(str(Path(url.database).resolve()))}", query={"mode": "ro", "uri": "true"})
        return create_engine(url, connect_args={"timeout": _BUSY_S})
    engine = create_engine(url, pool_timeout=_STATEMENT_S)
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(postgresql_readonly=True)

        @event.listens_for(engine, "begin")
        def limit(conn: Connection) -> None:
            conn.exec_driver_sql(f"SET LOCAL statement_timeout = {int(_STATEMENT_S * 1000)}")

    return engine


def _length(conn: Connection) -> Callable[..., Any]:
    # Both read only the header of a value; on SQLite, `length` counts the bytes of a blob.
    return func.length if conn.dialect.name == "sqlite" else func.octet_length


def _fingerprint(version: Any) -> str:
    if version is None:
        return ""
    return version.hex() if isinstance(version, bytes) else str(version)


def _fetch(url: str) -> bytes:
    return fetch(url, max_bytes=sources.MAX_SOURCE_BYTES, total_s=_FETCH_S)
