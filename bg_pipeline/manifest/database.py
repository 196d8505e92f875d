"""One database, SQLite or PostgreSQL, upgraded to the present schema when it is opened."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Table,
    any_,
    create_engine,
    event,
    func,
    inspect,
    literal,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from bg_pipeline.errors import ConfigurationError, StateError
from bg_pipeline.manifest.backup import copy, refuse_damaged
from bg_pipeline.manifest.schema import VERSION

T = TypeVar("T")

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_MS = 30_000
_PAUSE_S = 0.11
"""Pause between two batches: a process that waits for SQLite's lock checks it ten times a second."""

_MAX_BOUND = 500
"""Most values in one IN list: SQLite takes more, but gains nothing from it."""

_MAX_IN_ARRAY = 20_000
"""Most values in one array."""

_WRITE_LOCK = 4_703_001
"""Key of the advisory lock: any number not used for anything else in this database."""


class Database:
    """
    An engine whose writing transactions are serial and durable.

    Raises:
        ConfigurationError: the URL is wrong, or its driver is not installed.
        StateError: the database cannot be reached, is damaged, or a newer version of this package wrote it.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        # The query of a URL can hold a password too.
        self.name = self.engine.url.set(query={}).render_as_string(hide_password=True)
        on_disk = self.engine.dialect.name == "sqlite" and self.engine.url.database not in {None, "", ":memory:"}
        self.file = Path(str(self.engine.url.database)).resolve() if on_disk else None
        """Path of the SQLite file; None if there is no file."""
        try:
            if self.file:
                refuse_damaged(self.file)
            with self._errors():
                self._upgrade()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """
        Open a transaction that owns the write lock from its start; commit it durably at the end.

        Args:
            durable: False for data that a power cut may take, and that must not wait for the disk.
        """
        writing = self.engine.execution_options(bg_write=True, bg_synchronous="FULL" if durable else "NORMAL")
        with self._errors(), writing.connect() as conn, conn.begin():
            if self.engine.dialect.name == "postgresql":
                # Like SQLite's BEGIN IMMEDIATE: no other writer may come between reading and writing.
                conn.execute(text(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})"))
                if not durable:
                    conn.execute(text("SET LOCAL synchronous_commit = off"))
            yield conn

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """Return an insert that supports a conflict clause."""
        if self.engine.dialect.name == "postgresql":
            return postgresql.insert(table)
        return sqlite.insert(table)

    def among(self, column: Column[Any], values: Sequence[Any]) -> Iterator[ColumnElement[bool]]:
        """Yield conditions that together match these values of a column; use them one after the other."""
        if self.engine.dialect.name == "sqlite":
            yield from (column.in_(part) for part in _parts(values, _MAX_BOUND))
        else:
            # One array is one value: many values in a statement slow down PostgreSQL's driver.
            arrays = postgresql.ARRAY(column.type)
            yield from (column == any_(literal(part, arrays)) for part in _parts(values, _MAX_IN_ARRAY))

    def at_least(self, conn: Connection, column: Column[Any], values: Sequence[Any]) -> Iterator[ColumnElement[bool]]:
        """Yield conditions like `among` that may match more: a column with fewer values than these is read whole."""
        rows = select(literal(1)).where(column.is_not(None)).limit(len(values)).subquery()
        if conn.scalar(select(func.count()).select_from(rows)) == len(values):
            yield from self.among(column, values)
        else:
            yield column.is_not(None)

    def batches(self, values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
        """Yield batches of `size` values, one per transaction, so that no other writer waits for all of them."""
        for number, part in enumerate(_parts(values, size)):
            if number and self.engine.dialect.name == "sqlite":
                # PostgreSQL serves waiting writers in turn.
                time.sleep(_PAUSE_S)
            yield part

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open one snapshot; large results may be streamed from it."""
        with self._errors(), self.engine.connect() as conn, conn.begin():
            yield conn

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, self.engine.dialect.loaded_dbapi.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            first_line = self._without_secrets(str(cause).strip().partition("\n")[0])
            raise StateError(f"the manifest database {self.name} failed: {first_line}") from error

    def _without_secrets(self, text: str) -> str:
        """Return a driver's text without the values of the URL that may be secret."""
        url = self.engine.url
        values = [str(url.password or ""), *(str(value) for name, value in url.query.items() if "pass" in name)]
        for value in filter(None, values):
            text = text.replace(value, "***")
        return text

    def _upgrade(self) -> None:
        with self.read() as conn:
            if self._version(conn) == VERSION:
                return
        with self.write() as conn:
            version = self._version(conn)
            if version != VERSION:
                if self.file and version is not None:
                    copy(self.file, self.file.with_name(f"{self.file.name}.before-{VERSION}"))
                _migrate(conn)

    def _version(self, conn: Connection) -> str | None:
        has_version = inspect(conn).has_table("alembic_version")
        version = conn.scalar(text("SELECT version_num FROM alembic_version")) if has_version else None
        if version is not None and version > VERSION:
            raise StateError(
                f"the manifest database {self.name} has schema {version}, this version knows {VERSION}: "
                "install the newer bg-pipeline again, or point BG_STATE at another database"
            )
        return version


def _parts(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _migrate(conn: Connection) -> None:
    # Imported here, because loading it takes longer than most commands need for everything else.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        engine = create_engine(parsed)
    except (ArgumentError, ModuleNotFoundError, ValueError) as error:
        raise ConfigurationError(
            "BG_STATE is not a usable database URL; try sqlite:///./.bg_pipeline/manifest.db "
            f"or postgresql+psycopg://USER:***@HOST/DATABASE ({type(error).__name__})"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"BG_STATE: its folder cannot be created: {error}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name != "postgresql":
        raise ConfigurationError(f"BG_STATE: {engine.dialect.name} is neither sqlite nor postgresql")
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN comes late and is deferred: a second writer then fails at once with
    # "database is locked" instead of waiting.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "cache_size=-65536",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(conn: Connection) -> None:
    options = conn.get_execution_options()
    if not options.get("bg_write"):
        conn.exec_driver_sql("BEGIN")
        return
    conn.exec_driver_sql(f"PRAGMA synchronous={options['bg_synchronous']}")
    conn.exec_driver_sql("BEGIN IMMEDIATE")
