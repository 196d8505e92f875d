"""The time that all processes of a manifest compare."""

import threading
import time

from bg_pipeline.errors import StateError
from bg_pipeline.manifest.database import Database
from bg_pipeline.ports.running import Now

ASK_EVERY_S = 10.0
"""Seconds between two questions for the server's time; in between, a clock of this process counts on."""


class DatabaseClock:
    """
    Epoch seconds: a PostgreSQL server's, so that the clocks of the machines do not matter; with SQLite, which one
    machine works on, those of the machine.

    Args:
        database: the manifest.
        own: the clock of this machine, in epoch seconds.
        monotonic: seconds by a clock that only counts on.

    Raises:
        StateError: the server could not be asked at the start. Later the last answer counts on.
    """

    def __init__(self, database: Database, own: Now = time.time, monotonic: Now = time.monotonic) -> None:
        self._db = database
        self._own = own
        self._monotonic = monotonic
        self._is_servers = database.engine.dialect.name == "postgresql"
        self._asking = threading.Lock()
        self._asked_at = 0.0
        self._offset_s = self._ask() if self._is_servers else 0.0

    def __call__(self) -> float:
        if not self._is_servers:
            return self._own()
        if self._monotonic() - self._asked_at > ASK_EVERY_S and self._asking.acquire(blocking=False):
            try:
                self._offset_s = self._ask()
            except StateError:
                self._asked_at = self._monotonic()
            finally:
                self._asking.release()
        return self._offset_s + self._monotonic()

    @property
    def ahead_s(self) -> float:
        """Return the seconds by which this machine's clock is ahead of the time that counts; negative if behind."""
        return self._own() - self()

    def _ask(self) -> float:
        """Return the server's time minus the monotonic clock of this process."""
        before = self._monotonic()
        now = self._db.server_time()
        self._asked_at = self._monotonic()
        return now - (before + self._asked_at) / 2
