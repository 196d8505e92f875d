"""
Marks that transactions leave in PostgreSQL, to know whether one was committed if the answer to that was lost.

The server's own word, `txid_status`, is not true of each: a server that crashed gives the number of a transaction that
it lost to another.
"""

import uuid

from sqlalchemy import Connection, text

_LAST = "bg_last_mark"
"""Name under which a connection keeps the mark of its last transaction, which the next one takes away."""

_KEPT_S = 86_400
"""Seconds for which the last mark of a connection that is gone stays: much longer than one may be asked for."""

_NOW = "extract(epoch FROM clock_timestamp())"

_LEAVE_UNDONE = text(
    f"INSERT INTO commits (mark, is_done, made_at) VALUES (:mark, false, {_NOW})"  # noqa: S608  no value of a user
    " ON CONFLICT (mark) DO UPDATE SET is_done = commits.is_done RETURNING is_done"
)


def new_mark() -> str:
    return uuid.uuid4().hex


def leaving(mark: str | None, conn: Connection) -> str:
    """Return the beginning of a statement that leaves a mark, and takes away the one before it."""
    if not mark:
        return ""
    last = conn.info.get(_LAST)
    # Rows that another transaction takes away are left to it: to wait for it could be to wait for each other.
    old = f"SELECT mark FROM commits WHERE made_at < {_NOW} - {_KEPT_S} FOR UPDATE SKIP LOCKED"  # noqa: S608
    gone = f"'{last}'" if last else old
    return (
        f"WITH gone AS (DELETE FROM commits WHERE mark IN ({gone})),"  # noqa: S608
        f" left_now AS (INSERT INTO commits (mark, is_done, made_at) VALUES ('{mark}', true, {_NOW}))"
    )


def keep(conn: Connection, mark: str | None) -> None:
    """Let the next transaction of this connection take a mark away; it was committed."""
    conn.info[_LAST] = mark


def is_done(conn: Connection, mark: str) -> bool:
    """
    Return True if the transaction that left this mark was committed, and see to it that it is not if it was not yet.

    It waits for one that is under way. One that comes later finds its mark taken, and fails.
    """
    return bool(conn.scalar(_LEAVE_UNDONE, {"mark": mark}))
