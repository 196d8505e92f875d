"""Steps of several workers, taken as one: each step is a journey to a server."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")

MOST = 100
"""Most steps that are taken as one: others wait until all of it is done."""


class Together(Generic[A, R]):
    """
    Calls that come while one is under way wait for it, and are then made as one, by one of the workers that wait.

    A call that comes alone is made at once. What it sees is not older than the call.

    Args:
        step: takes what several calls were given, and returns the result of each, in the same order. A result that is
            an error is raised by its call alone; what the step raises, by all of them.
    """

    def __init__(self, step: Callable[[Sequence[A]], Sequence[R | Exception]]) -> None:
        self._step = step
        self._lock = threading.Lock()
        self._waiting: list[_Call] = []
        self._has_leader = False

    def __call__(self, asked: A) -> R:
        mine = _Call(asked)
        with self._lock:
            self._waiting.append(mine)
            leads, self._has_leader = not self._has_leader, True
        try:
            if not leads:
                mine.woken.acquire()
        except BaseException:  # an interrupt: others may wait for this one to lead
            mine.woken.acquire()
            raise
        finally:
            if not mine.is_made:
                self._lead()
        if isinstance(mine.result, BaseException):
            raise mine.result
        result: R = mine.result
        return result

    def _lead(self) -> None:
        """Make the calls that wait, and let the first that came meanwhile lead next."""
        with self._lock:
            calls, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            results: Sequence[Any] = self._step([call.asked for call in calls])
        except BaseException as error:  # noqa: BLE001  each call raises it
            results = [error] * len(calls)
        for call, result in zip(calls, results, strict=True):
            call.result, call.is_made = result, True
        with self._lock:
            following = self._waiting[:1]
            self._has_leader = bool(following)
        for call in (*calls, *following):
            call.woken.release()


class _Call:
    """A call that waits."""

    __slots__ = ("asked", "is_made", "result", "woken")

    def __init__(self, asked: Any) -> None:
        self.asked = asked
        self.is_made = False
        self.result: Any = None
        self.woken = threading.Lock()
        self.woken.acquire()
