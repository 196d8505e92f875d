"""Connections to databases that belong to others: read only, and with an end to every statement."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, event, func
from sqlalchemy.sql.functions import Function

_STATEMENT_S = 300.0
_BUSY_S = 30

_LENGTHS = {"sqlite": "length", "oracle": "length", "mssql": "datalength"}
"""Functions that count the bytes of a value where `octet_length`, of the SQL standard, does not."""

_NOT_FROM_THE_NETWORK = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
"""DuckDB downloads code for a query that needs it, unless this forbids it; the URL of BG_SOURCE can allow it again."""


def open_engine(url: URL, folder: Path | None) -> Engine:
    """
    Return an engine that only reads. Its pool is chosen here: those that dialects choose take different arguments.

    Args:
        url: where the database is.
        folder: start of the relative paths in a query of DuckDB; None for the working directory.
    """
    url, connect_args = _read_only(url, folder)
    pool: dict[str, Any] = {"poolclass": QueuePool, "pool_timeout": _STATEMENT_S, "pool_pre_ping": True}
    if url.get_backend_name() == "duckdb":
        # Its file cannot be written to by others while a connection is open.
        pool = {"poolclass": NullPool}
    engine = create_engine(url, connect_args=connect_args, **pool)
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(postgresql_readonly=True)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def accept_any_bytes(connection: Any, _record: object) -> None:
            # One text that is not UTF-8 would end the statement.
            connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")

    @event.listens_for(engine, "begin")
    def limit(conn: Connection) -> None:
        for statement in _limits(conn):
            conn.exec_driver_sql(statement)

    return engine


def length(conn: Connection, value: Any) -> Function[Any]:
    """Return the expression for the number of bytes of a value; the value itself is not sent."""
    expression: Function[Any] = getattr(func, _LENGTHS.get(conn.dialect.name, "octet_length"))(value)
    return expression


def _read_only(url: URL, folder: Path | None) -> tuple[URL, dict[str, Any]]:
    """Return the URL and the arguments with which a driver opens files for reading; a missing one is not created."""
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database:
        file = quote(str(Path(url.database).resolve()))
        return url.set(database=f"file:{file}", query={"mode": "ro", "uri": "true"}), {"timeout": _BUSY_S}
    if backend == "duckdb":
        config = {**_NOT_FROM_THE_NETWORK, "file_search_path": str(folder or Path.cwd())}
        is_file = url.database not in {None, "", ":memory:"}
        return url, {"config": config} | ({"read_only": True} if is_file else {})
    return url, {}


def _limits(conn: Connection) -> tuple[str, ...]:
    """Return the statements that begin a transaction."""
    milliseconds = int(_STATEMENT_S * 1000)
    match conn.dialect.name:
        case "postgresql":
            return (f"SET LOCAL statement_timeout = {milliseconds}",)
        case "mysql" | "mariadb":
            # https://mariadb.com/kb/en/server-system-variables/#max_statement_time, in seconds;
            # https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_max_execution_time, in ms
            of_mariadb = getattr(conn.dialect, "is_mariadb", False)
            most = f"max_statement_time = {_STATEMENT_S}" if of_mariadb else f"max_execution_time = {milliseconds}"
            return "SET SESSION TRANSACTION READ ONLY", f"SET SESSION {most}"
    return ()
