"""The clock, workers and progress display of a run, and requests to end it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Now = Callable[[], float]
"""A clock in epoch seconds."""

BYTES_PER_DECODER = 20 * 2**20
"""Originals that workers may hold for each decoder. More would only wait and keep their answers in memory."""


class Call(Protocol):
    """A caller that isolates functions of `imaging`: a crash ends only the call."""

    def __call__(self, function: Callable[..., T], *args: Any) -> T:
        """
        Raises:
            ItemUnreadable: it crashed, used more time or memory than it may, or a library raised any other error.
            ItemBlocked: it was killed from outside, and again when it ran alone.
        """
        ...


class Progress(Protocol):
    """A display of the progress of a stage."""

    def start(self, what: str, total: int | None) -> None: ...

    def advance(self, count: int = 1) -> None: ...

    def done(self) -> None: ...


class Silent:
    """The progress of a stage that is not watched."""

    def start(self, what: str, total: int | None) -> None:
        pass

    def advance(self, count: int = 1) -> None:
        pass

    def done(self) -> None:
        pass


class Stops(Protocol):
    """Requests to end runs, by their names: a run sees its own within seconds, in every process that works for it."""

    def ask(self, run: str, by: str) -> None:
        """Ask a run to end. The first who asks stays on record."""
        ...

    def asked_by(self, run: str) -> str:
        """Return who asked this run to end; empty if that was not asked."""
        ...


class UselessInARow:
    """Purchases in a row without a usable result, by account, over all workers of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._useless: Counter[str] = Counter()

    def count(self, account: str) -> int:
        """Count one more; return the number in a row."""
        with self._lock:
            self._useless[account] += 1
            return self._useless[account]

    def end(self, account: str) -> None:
        """Reset the count after a usable result."""
        with self._lock:
            self._useless[account] = 0


class ByteBudget:
    """A limit on the bytes of originals that the workers of a process hold at once; one original of any size fits."""

    def __init__(self, limit_bytes: int = BYTES_PER_DECODER) -> None:
        self._limit_bytes = limit_bytes
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def holding(self, size_bytes: int) -> Iterator[None]:
        """Wait until this number of bytes is free, and hold them."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + size_bytes <= self._limit_bytes)
            self._held += size_bytes
        try:
            yield
        finally:
            with self._changed:
                self._held -= size_bytes
                self._changed.notify_all()
