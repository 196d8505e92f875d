"""A catalogue in a database: a query gives a row for each picture."""

import re
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Never
from urllib.parse import urlsplit

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    bindparam,
    case,
    column,
    false,
    literal_column,
    null,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.types import NullType

from bg_pipeline.core import sources
from bg_pipeline.core.blocks import Block, divided
from bg_pipeline.core.records import Listed
from bg_pipeline.errors import (
    BgPipelineError,
    FetchFailed,
    FetchRefused,
    ItemBlocked,
    ItemChanged,
    ItemUnreadable,
    SourceUnreadable,
)
from bg_pipeline.net.fetch import fetch
from bg_pipeline.net.hosts import Fetch, HostedPictures
from bg_pipeline.net.settings import DIRECT, Egress
from bg_pipeline.ports.source import SplitPoints, no_split_points
from bg_pipeline.redaction import redacted
from bg_pipeline.stores.sql.engine import length, open_engine
from bg_pipeline.stores.sql.keys import KeyKind, kind_of, value_of
from bg_pipeline.stores.sql.listing import SortedRows

_ROWS = 1000
"""Rows fetched at a time."""

_FETCH_S = 120.0
_SHORTEST_SECRET = 4

_END = re.compile(r"(?:;\s*)+(?=(?:\s|--[^\n]*(?:\n|\Z)|/\*(?:(?!\*/).)*\*/)*\Z)", re.DOTALL)
"""A semicolon with nothing but comments behind it: the end of a query, or a part of its last text."""

Columns = Mapping[str, ColumnElement[Any]]
"""The columns of the query, by name in lower case."""


class SqlSource:
    """
    `ports.ImageSource` over the rows of a query. Nothing is ever written.

    Without a `version`, a row has no fingerprint and its bytes are read each time.

    Args:
        url: any URL that SQLAlchemy knows and whose driver is installed.
        query: a SELECT of `key` (text, whole number or UUID; unique) and `image` (bytes) or `url`, and optionally
            `version`: any value that changes whenever the picture does, and `priority`: a number, lower ones are bought
            first. Names in upper case are the same.
        fetch_url: returns the bytes at a URL; raises FetchFailed. None for a GET that `hosts` allows.
        hosts: see `allowed_origins` of `net.fetch.fetch`.
        egress: how hosts of pictures are reached.
        folder: start of relative paths in the query.
    """

    def __init__(
        self,
        url: str,
        query: str,
        fetch_url: Fetch | None = None,
        *,
        hosts: Collection[str] = (),
        egress: Egress = DIRECT,
        folder: Path | None = None,
    ) -> None:
        self._url = make_url(url)
        self.name = self._url.set(query={}).render_as_string()
        self._query = _without_end(query)
        over_http = partial(
            fetch, allowed_origins=hosts, max_bytes=sources.MAX_SOURCE_BYTES, total_s=_FETCH_S, egress=egress
        )
        self._pictures = HostedPictures(fetch_url or over_http)
        self._folder = folder
        self._engine_and_columns: tuple[Engine, Columns] | None = None
        self._key_kind: KeyKind | None = None

    @property
    def listing_is_proof(self) -> bool:
        return True  # of rows with a version; all others are read each time

    @property
    def reads_at_once(self) -> int:
        return 8  # a picture host or a database may serve others too

    def list(self, split_points: SplitPoints = no_split_points) -> Iterator[Listed]:  # noqa: ARG002  one statement
        with SortedRows() as rows:
            with self._errors(), self._snapshot() as (conn, columns):
                size = length(conn, columns["image"]) if "image" in columns else null()
                statement = select(
                    columns["key"], size, columns.get("version", null()), columns.get("priority", null())
                )
                # One statement sees one snapshot. It ends here, before the first picture is read: a server closes the
                # connection of a client that reads slowly, or keeps the old versions of all rows for it.
                with conn.execution_options(yield_per=_ROWS).execute(statement) as result:
                    for batch in result.partitions():
                        rows.add(tuple(row) for row in batch)
            if rows.problem and not rows.usable:
                self._fail(f"gives no row with a usable key: {rows.problem}")
            yield from rows

    def blocks(self, starts: Sequence[str]) -> Iterator[Block]:
        return divided(self.list(), starts)

    def read(self, key: str) -> bytes:
        rows = self._rows(key, with_picture=True)
        if not rows:
            raise ItemChanged(f"{key} is not there any more")
        if len(rows) > 1:
            raise ItemBlocked(f"cannot be read: {len(rows)} rows have this key, and only one may")
        _, image, url, size = tuple(rows[0])
        sources.require_size(size or 0)
        if image is not None:
            if not isinstance(image, bytes | bytearray | memoryview):
                raise ItemUnreadable(f"cannot be read: its `image` is {type(image).__name__}, not bytes")
            return bytes(image)
        if not url:
            raise ItemUnreadable("cannot be read: its row has neither `image` nor `url`")
        return self._fetched(str(url).strip())

    def exists(self, key: str) -> bool:
        return bool(self._rows(key))

    def _fetched(self, url: str) -> bytes:
        if "://" not in url:
            raise ItemUnreadable(
                f"cannot be read: its `url` is not a whole URL: {urlsplit(url).path!r} does not begin with https:// "
                "and a host; add them in BG_SOURCE_QUERY"
            )
        try:
            return self._pictures.fetch(url)
        except FetchRefused as error:
            advice = "if this host is your own, add it to BG_SOURCE_HOSTS"
            raise ItemUnreadable(f"cannot be read: {error}; {advice}") from error
        except FetchFailed as error:
            raise ItemUnreadable(f"cannot be read: {error}") from error

    def _rows(self, key: str, *, with_picture: bool = False) -> Sequence[Row[Any]]:
        with self._errors(), self._snapshot() as (conn, columns):
            value = value_of(key, self._kind(conn, columns["key"]))
            if value is None:
                return []
            wanted = [columns["key"], *(_picture(conn, columns) if with_picture else ())]
            same = columns["key"] == bindparam("key", value, type_=NullType())
            # A database may treat `a` and `A`, or `a` and `a ` as equal.
            return [row for row in conn.execute(select(*wanted).where(same)) if str(row[0]) == key]

    def _kind(self, conn: Connection, key: ColumnElement[Any]) -> KeyKind:
        """Return the kind of the keys, of any row: an index on numbers does not serve a comparison with text."""
        if self._key_kind is None:
            self._key_kind = kind_of(conn.execute(select(key).where(key.is_not(None)).limit(1)).scalar())
        return self._key_kind or str

    def _fail(self, why: str) -> Never:
        raise SourceUnreadable(f"BG_SOURCE_QUERY {why}. Nothing was changed or deleted")

    @contextmanager
    def _snapshot(self) -> Iterator[tuple[Connection, Columns]]:
        engine, columns = self._engine_and_columns = self._engine_and_columns or self._open()
        with engine.connect() as conn, conn.begin():
            yield conn, columns

    def _open(self) -> tuple[Engine, Columns]:
        engine = open_engine(self._url, self._folder)
        weakref.finalize(self, engine.dispose)
        # A colon in the query is a cast or part of a text, never a parameter.
        query = text(self._query.replace(":", r"\:"))
        with engine.connect() as conn:
            rows = query.columns().subquery("catalogue")
            names = list(conn.execute(select(literal_column("*")).select_from(rows).where(false())).keys())
        lower = [name.lower() for name in names]
        if "key" not in lower or not {"image", "url"} & set(lower):
            self._fail(f"must give `key`, and `image` or `url`; it gives {', '.join(names)}")
        if len(set(lower)) < len(lower):
            self._fail(f"gives two columns of the same name: {', '.join(names)}")
        rows = query.columns(*(column(name) for name in names)).subquery("catalogue")
        return engine, {name.lower(): rows.c[name] for name in names}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except BgPipelineError:
            raise
        except ModuleNotFoundError as error:
            raise SourceUnreadable(
                f"BG_SOURCE: the driver of {self.name} is not installed ({error.name}). Install it, or name another in "
                "the URL, such as mysql+pymysql://…"
            ) from error
        except Exception as error:  # dialects and drivers raise what they like
            why = str(getattr(error, "orig", None) or error).strip().partition("\n")[0] or type(error).__name__
            raise SourceUnreadable(
                f"the catalogue {self.name} cannot be read: {redacted(why, *self._secrets())}. Nothing was changed or "
                "deleted; check BG_SOURCE and BG_SOURCE_QUERY"
            ) from error

    def _secrets(self) -> Iterator[str]:
        texts = (str(self._url.password or ""), *chain.from_iterable(self._url.normalized_query.values()))
        return (each for each in texts if len(each) >= _SHORTEST_SECRET)


def _picture(conn: Connection, columns: Columns) -> Sequence[ColumnElement[Any]]:
    """Return image, URL and size of the image; the image is null if it is too large to be read."""
    image, url = columns.get("image"), columns.get("url", null())
    if image is None:
        return [null(), url, null()]
    size = length(conn, image)
    return [case((size <= sources.MAX_SOURCE_BYTES, image)), url, size]


def _without_end(query: str) -> str:
    """Return a query that can stand between parentheses: a comment at its end does not hide the closing one."""
    for end in _END.finditer(query):
        # After an odd number of quotes it is part of a text.
        if query.count("'", 0, end.start()) % 2 == 0:
            query = query[: end.start()] + query[end.end() :]
            break
    return f"{query.strip()}\n"
