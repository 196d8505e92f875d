"""Engines of SQLAlchemy for the two databases that a manifest can be in."""

import time
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from bg_pipeline.errors import ConfigurationError

_BUSY_TIMEOUT_MS = 30_000

_CONNECTIONS = 15
"""Most connections of a process to a server. Each stays open: to open one takes longer than what it is opened for."""

_IDLE_SINCE = "bg_idle_since"

_IDLE_S = 2.0
"""Seconds after which an idle connection is proved: a server that restarts is away for longer than most."""

_SERVER_IS_GONE = {
    "connect_timeout": 5,
    "keepalives_idle": 3,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""libpq's limits for a server that lost its power or its network, which ends no connection: half of a lease. By default
an answer is awaited for two hours."""


def open_engine(url: str, **options: Any) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            _make_private(parsed.database)
        # A pooler may give each transaction another session, which does not know the statements prepared in the last.
        if parsed.get_backend_name() == "postgresql" and parsed.get_driver_name() == "psycopg":
            from bg_pipeline.manifest.cursors import PipelinedCursor  # noqa: PLC0415  psycopg takes 9 MB

            patience = {name: value for name, value in _SERVER_IS_GONE.items() if name not in parsed.query}
            options["connect_args"] = {"prepare_threshold": None, "cursor_factory": PipelinedCursor, **patience}
            if "poolclass" not in options:
                options |= {"pool_size": _CONNECTIONS, "max_overflow": 0}
        engine = create_engine(parsed, **options)
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
    elif engine.dialect.name == "postgresql":
        event.listen(engine, "checkin", _note_idle)
        event.listen(engine, "checkout", partial(_prove, engine))
    else:
        raise ConfigurationError(f"BG_STATE: {engine.dialect.name} is neither sqlite nor postgresql")
    return engine


def _make_private(database: str) -> None:
    """Make the file of a new database, for this user alone; SQLite gives those beside it the same permissions."""
    file = Path(database)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not file.exists() and database != ":memory:":
        file.touch(mode=0o600)


def _note_idle(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info[_IDLE_SINCE] = time.monotonic()


def _prove(engine: Engine, connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Ask the server before a connection is used that may be gone; one that has just been used is not proved again."""
    if time.monotonic() - record.info.get(_IDLE_SINCE, time.monotonic()) < _IDLE_S:
        return
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise DisconnectionError("the connection is gone") from error  # the pool opens another


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN comes late and is deferred: a second writer then fails at once with
    # "database is locked" instead of waiting.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "cache_size=-16384",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(conn: Connection) -> None:
    options = conn.get_execution_options()
    if not options.get("bg_write"):
        conn.exec_driver_sql("BEGIN")
        return
    conn.exec_driver_sql(f"PRAGMA synchronous={options['bg_synchronous']}")
    conn.exec_driver_sql("BEGIN IMMEDIATE")
