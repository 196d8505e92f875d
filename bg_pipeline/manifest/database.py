"""One database, SQLite or PostgreSQL, upgraded to the present schema when it is opened."""

import hashlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from bg_pipeline.errors import ConnectionLost, StateError
from bg_pipeline.manifest import commits
from bg_pipeline.manifest.backup import copy, refuse_damaged
from bg_pipeline.manifest.engines import open_engine
from bg_pipeline.manifest.pipelining import pipelined, transaction
from bg_pipeline.manifest.schema import VERSION
from bg_pipeline.manifest.statements import Statements, parts
from bg_pipeline.manifest.steps import Steps

T = TypeVar("T")

_MIGRATIONS = Path(__file__).parent / "migrations"
_PAUSE_S = 0.11
"""Pause between two batches: a process that waits for SQLite's lock checks it ten times a second."""

_WRITE_LOCK = 4_703_001
"""Key of the advisory lock: any number not used for anything else in this database."""

WRITER_IS_GONE = {
    "idle_in_transaction_session_timeout": 6_000,
    "lock_timeout": 3_000,
    "tcp_keepalives_idle": 2,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 2,
    "tcp_user_timeout": 6_000,
}
"""PostgreSQL's limits for a writer that stands still, or is on a host that lost its power or its network. By default it
keeps its locks for two hours. When one session of such a host is ended, another that waited for the same lock may get
it; both together take less than a lease, so that no other host loses a claim while it waits."""

STANDS_STILL_S = 5.0
"""Seconds after which a writer in whose pipeline nothing comes any more stands still."""

REPEATS_S = 60.0
"""Seconds for which a lost transaction is repeated: a server that restarts is back within them."""

_MET = {"40001", "40P01"}
"""SQLSTATE of a transaction that waited for another that waited for it."""

_ENDED = ("08", "57P", "25P03")
"""SQLSTATE, or its beginning, of a session that was ended: by a failure, by a person or a restart, or because it stood
still. The connection may break a moment later."""

_WAITED = "55P03"
"""SQLSTATE of a transaction that waited for a lock for longer than `lock_timeout`."""

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 5.0
"""Seconds before a repetition; doubled each time."""


_LOG = logging.getLogger(__name__)


class _Waited(ConnectionLost):
    """A transaction waited for a lock; its holder works, or was ended."""


class Database(Statements):
    """
    An engine whose writing transactions are serial and durable.

    A server that restarts, and a pooler that gives each transaction another of its sessions, are no failure: nothing is
    kept in a session, each connection is proved before it is used, and `repeat` repeats what was certainly not done.

    Args:
        url: as SQLAlchemy writes it.
        sleep: waits that many seconds.

    Raises:
        ConfigurationError: the URL is wrong, or its driver is not installed.
        StateError: the database cannot be reached, is damaged, or a newer version of this package wrote it.
    """

    def __init__(self, url: str, sleep: Callable[[float], object] = time.sleep) -> None:
        self.engine = open_engine(url)
        self._unpooled = open_engine(url, poolclass=NullPool)
        self._sleep = sleep
        self._was_reached = False
        self.take = Steps(lambda: self.write(locks=()), lambda together: self.read(together=together)).take
        self.losses = 0
        """Number of connections that broke. After a crash, the last commits that were not durable may be missing."""
        event.listen(self.engine, "invalidate", self._count_loss)
        # The query of a URL can hold a password too.
        self.name = self.engine.url.set(query={}).render_as_string(hide_password=True)
        on_disk = self.engine.dialect.name == "sqlite" and self.engine.url.database not in {None, "", ":memory:"}
        # The driver then begins no transaction of its own.
        self._alone = {} if self.engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
        self.file = Path(str(self.engine.url.database)).resolve() if on_disk else None
        """Path of the SQLite file; None if there is no file."""
        try:
            if self.file:
                refuse_damaged(self.file)
            with self._errors():
                self.repeat(self._upgrade)
            self._was_reached = True
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def write(
        self, *, durable: bool = True, alone: bool = False, locks: Collection[str] | None = None
    ) -> Iterator[Connection]:
        """
        Open a transaction that owns the write lock from its start; commit it durably at the end.

        Args:
            durable: False for data that a power cut may take, and that must not wait for the disk.
            alone: True for one statement that needs no other; in PostgreSQL it does not wait for other writers.
            locks: in PostgreSQL, share the write lock with all that also name locks, and wait only for those that name
                one of these. What such a transaction decides on is under its locks, or in rows that it compares and
                sets. None keeps out every other writer.
        """
        options = {"bg_write": True, "bg_synchronous": "FULL" if durable else "NORMAL"} | self._alone
        with self._errors(), self._connected(**options) as conn, conn.begin() as outer:
            mark = commits.new_mark() if self._was_reached and self.engine.dialect.name == "postgresql" else None
            is_ended = False
            try:
                with self._begin(conn, mark, durable=durable, alone=alone, locks=locks):
                    yield conn
                    is_ended = True
                outer.commit()
                commits.keep(conn, mark)
            except (DBAPIError, self.engine.dialect.loaded_dbapi.Error) as error:
                # Only the answer to the commit was lost, perhaps: the server knows.
                if not (mark and is_ended and self._is_loss(error)):
                    raise
                with suppress(DBAPIError):
                    outer.rollback()
                if not self._is_committed(mark):
                    raise

    def repeat(self, step: Callable[[], T]) -> T:
        """
        Take a step that is one transaction, or that may be taken again from its start; repeat it while its connection
        is lost, and as long as it has to wait for others that work.

        Raises:
            StateError: the database did not come back within `REPEATS_S`.
        """
        ends_at, wait_s = 0.0, _FIRST_WAIT_S
        while True:
            try:
                return step()
            except _Waited:
                continue
            except ConnectionLost as error:
                ends_at = ends_at or time.monotonic() + REPEATS_S
                if time.monotonic() >= ends_at:
                    raise StateError(str(error)) from error
            self._sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def batches(self, values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
        """Yield batches of `size` values, one per transaction, so that no other writer waits for all of them."""
        for number, part in enumerate(parts(values, size)):
            if number and self.engine.dialect.name == "sqlite":
                # PostgreSQL serves waiting writers in turn.
                time.sleep(_PAUSE_S)
            yield part

    @contextmanager
    def read(self, *, streams: bool = False, together: bool = False) -> Iterator[Connection]:
        """
        Read; in PostgreSQL each statement sees a snapshot of its own.

        Args:
            streams: large results are streamed, from one snapshot.
            together: queries that are asked together are sent together.
        """
        # A transaction around a statement is two more waits for a server that is far away.
        alone = {} if streams else self._alone
        with self._errors(), self._connected(**alone) as conn, conn.begin(), pipelined(conn, together=together):
            yield conn

    def server_time(self) -> float:
        """Return a PostgreSQL server's time in epoch seconds. Its connection is its own: all others may be in use."""
        with self._errors(), self._unpooled.connect() as conn:
            return float(conn.scalar(text("SELECT extract(epoch FROM clock_timestamp())")))

    def _connected(self, **options: Any) -> Connection:
        try:
            return self.engine.execution_options(**options).connect()
        except OperationalError as error:
            # A first connection that fails is a wrong setting rather than a restart.
            if self._was_reached and self.engine.dialect.name == "postgresql":
                raise ConnectionLost(self._in_words(error)) from error
            raise

    @contextmanager
    def _begin(
        self, conn: Connection, mark: str | None, *, durable: bool, alone: bool, locks: Collection[str] | None
    ) -> Iterator[None]:
        """Let no other writer come between reading and writing, and leave a mark."""
        if self.engine.dialect.name != "postgresql":
            yield  # BEGIN IMMEDIATE has done it
            return
        wanted = [f"set_config('{name}', '{value}', true)" for name, value in WRITER_IS_GONE.items()]
        if not durable:
            wanted.append("set_config('synchronous_commit', 'off', true)")
        if not alone:
            wanted.append(f"pg_advisory_xact_lock{'' if locks is None else '_shared'}({_WRITE_LOCK})")
        if locks:
            # In order, so that no two transactions wait for each other.
            keys = ", ".join(map(str, sorted(map(_lock_key, locks))))
            lock = f"pg_advisory_xact_lock({_WRITE_LOCK}, key)"
            wanted.append(f"(SELECT count({lock}::text) FROM unnest(ARRAY[{keys}]) AS key)")  # noqa: S608  numbers
        if locks is None:  # it changes tables perhaps, whose readers may take long
            wanted.append("set_config('lock_timeout', '0', true)")
        driver: Any = conn.connection.driver_connection
        with transaction(
            driver, f"{commits.leaving(mark, conn)} SELECT {', '.join(wanted)}", together=locks is not None
        ):
            yield

    def _is_committed(self, mark: str) -> bool:
        def committed() -> bool:
            with self.read() as conn:
                return commits.is_done(conn, mark)

        return self.repeat(committed)

    def _count_loss(self, *_: object) -> None:
        self.losses += 1

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, self.engine.dialect.loaded_dbapi.Error) as error:
            kind: type[StateError] = ConnectionLost if self._is_loss(error) else StateError
            if _sqlstate(error) == _WAITED:
                self._end_those_that_stand_still()
                kind = _Waited
            raise kind(self._in_words(error)) from error

    def _end_those_that_stand_still(self) -> None:
        """
        End the writers in whose pipeline nothing comes any more, and with them their locks: their process is frozen.

        The server itself takes them for active, and its limit for those that are idle does not end them. One that
        copies rows waits for its client too, and may take long: it is not ended.
        """
        query = text(
            "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity JOIN pg_locks USING (pid)"
            " WHERE locktype = 'advisory' AND (classid, objid, objsubid) = (0, :lock, 1) AND granted"
            " AND datname = current_database() AND wait_event = 'ClientRead' AND NOT starts_with(query, 'COPY ')"
            " AND query_start < clock_timestamp() - make_interval(secs => :stands_still_s)"
        )
        with suppress(DBAPIError), self._unpooled.connect() as conn:
            for pid, _ in conn.execute(query, {"lock": _WRITE_LOCK, "stands_still_s": STANDS_STILL_S}):
                _LOG.warning("ended session %s of %s: it kept locks, and its process stands still", pid, self.name)

    def _is_loss(self, error: Exception) -> bool:
        """Return True if the connection broke, or two transactions met: the server rolled this one back."""
        state = _sqlstate(error)
        if state and (state in _MET or state.startswith(_ENDED)):
            return True
        if isinstance(error, DBAPIError):
            return error.connection_invalidated
        # A driver's error, of a copy or a BEGIN, which SQLAlchemy did not see.
        return isinstance(error, self.engine.dialect.loaded_dbapi.OperationalError) and state is None

    def _in_words(self, error: Exception) -> str:
        cause = error.orig if isinstance(error, DBAPIError) else error
        first_line = self._without_secrets(str(cause).strip().partition("\n")[0])
        return f"the manifest database {self.name} failed: {first_line}"

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


def _sqlstate(error: Exception) -> str | None:
    state: str | None = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
    return state


def _lock_key(name: str) -> int:
    """Return a number of 32 bits; two names with the same one only wait for each other."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:4], "big", signed=True)


def _migrate(conn: Connection) -> None:
    # Imported here, because loading it takes longer than most commands need for everything else.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
