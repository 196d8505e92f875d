"""Copy an SQLite manifest, and check its file for damage. PostgreSQL has its own tools for both."""

import os
import secrets
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from bg_pipeline.errors import StateError

if TYPE_CHECKING:
    from bg_pipeline.manifest.database import Database

COPIES = 7
"""Number of daily copies to keep."""

_PART = ".part"
_LEFTOVER_S = 86_400.0
"""Seconds after which an unfinished copy belongs to a killed run."""

_BUSY_TIMEOUT_S = 30.0


def backup(database: "Database", now: float) -> Path | None:
    """
    Make today's copy (UTC), `backups/manifest-YYYY-MM-DD.db` beside the manifest; keep the last seven.

    Args:
        database: the manifest; nothing is done for PostgreSQL, which has `pg_dump`.
        now: epoch seconds.

    Returns:
        The copy, or None if there was nothing to do.

    Raises:
        StateError: the copy could not be made, or is damaged. The older copies still exist.
    """
    if database.file is None:
        return None
    folder = _folder(database.file)
    target = folder / f"{database.file.stem}-{datetime.fromtimestamp(now, UTC):%Y-%m-%d}.db"
    if target.exists():
        return None
    copy(database.file, target)
    for old in _backups(database.file)[:-COPIES]:
        old.unlink(missing_ok=True)
    for left in folder.glob(f".*{_PART}"):
        if left.stat().st_mtime < now - _LEFTOVER_S:
            left.unlink(missing_ok=True)
    return target


def copy(file: Path, target: Path) -> None:
    """
    Make a consistent copy while others read and write; `target` appears complete or not at all, private to its owner.

    Raises:
        StateError: the copy failed; `target` is as it was before.
    """
    # A name of its own: two runs that begin in the same second make the same copy.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{_PART}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            with closing(_connect(file)) as source, closing(_connect(temporary)) as destination:
                source.backup(destination)
                destination.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
                if why := _damage(destination):
                    raise sqlite3.DatabaseError(why)
            _sync(temporary)
            temporary.replace(target)
            _sync(target.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        raise StateError(f"{target}, a copy of the manifest database, could not be made: {error}") from error


@cache  # a process that lives for months opens the database twice a minute; a run is a process of its own
def refuse_damaged(file: Path) -> None:
    """
    Check every page of a database before it is used; a file that does not exist yet is sound.

    Raises:
        StateError: the file is damaged; the message says what to do.
    """
    if not file.exists() or not file.stat().st_size:
        return
    try:
        with closing(_connect(file)) as conn:
            why = _damage(conn)
    except sqlite3.OperationalError as error:
        raise StateError(f"the manifest database {file} cannot be read: {error}") from error
    except sqlite3.DatabaseError as error:
        why = str(error)
    if why:
        newest = next(reversed(_backups(file)), None)
        restore = f"put {newest}, the newest copy, in its place" if newest else "there is no copy of it"
        raise StateError(
            f"the manifest database {file} is damaged ({why}). Nothing was bought or changed. What to do: move it and "
            f"the files {file.name}-wal and {file.name}-shm away; {restore}; then run `bg-pipeline rebuild`, which "
            "restores the records of masters and outputs, and buys nothing"
        )


def _damage(conn: sqlite3.Connection) -> str:
    (result,) = conn.execute("PRAGMA quick_check(1)").fetchone()
    return "" if result == "ok" else str(result).replace("\n", " ")


def _connect(file: Path) -> sqlite3.Connection:
    # mode=rw: a file that vanished is an error, not a new database.
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True, timeout=_BUSY_TIMEOUT_S)


def _folder(file: Path) -> Path:
    return file.parent / "backups"


def _backups(file: Path) -> list[Path]:
    """Return the backups, oldest first."""
    return sorted(_folder(file).glob(f"{escape(file.stem)}-????-??-??.db"))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
