"""End a loop over values that may take long to come, soon after the run is asked to end."""

import contextlib
import threading
import time
from collections.abc import Generator, Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

from bg_pipeline.ports.context import Run

A = TypeVar("A")

_POLL_S = 0.2

GRACE_S = 3.0
"""Seconds for which values still come after a request to end: what is at work ends by itself, and is kept."""

_AHEAD = 64
"""Most values that wait for the loop."""


def until_asked(run: Run, values: Generator[A, None, None], so_far: str) -> Iterator[A]:
    """
    Yield the values of a generator, which a thread of its own takes.

    A listing or a read that hangs cannot be ended: the thread is left to it, and ends with the next value.

    Args:
        run: the run that may be asked to end.
        values: the generator; its errors are raised here.
        so_far: see `Run.end_if_asked`.

    Raises:
        Stopped: the run was asked to end, and the values did not.
    """
    taken: Queue[tuple[A] | BaseException | None] = Queue(_AHEAD)
    left = threading.Event()
    thread = threading.Thread(target=_take, args=(values, taken, left), name="until asked", daemon=True)
    thread.start()
    ends_at: float | None = None
    try:
        while True:
            if run.stop.is_set():
                ends_at = ends_at or time.monotonic() + GRACE_S
                if time.monotonic() >= ends_at:
                    run.end_if_asked(so_far)
            try:
                each = taken.get(timeout=_POLL_S)
            except Empty:
                continue
            if each is None:
                return
            if isinstance(each, BaseException):
                raise each
            yield each[0]
    finally:
        left.set()
        thread.join(GRACE_S)


def _take(
    values: Generator[A, None, None], taken: Queue[tuple[A] | BaseException | None], left: threading.Event
) -> None:
    """Hand over each value, then None or the error that ended them."""
    last: BaseException | None = None
    try:
        for value in values:
            _put((value,), taken, left)
            if left.is_set():
                break
        values.close()
    except BaseException as error:  # noqa: BLE001  raised where the values are used
        last = error
    _put(last, taken, left)


def _put(each: A, taken: Queue[A], left: threading.Event) -> None:
    """Hand something over, unless it is no longer wanted."""
    while not left.is_set():
        with contextlib.suppress(Full):
            taken.put(each, timeout=_POLL_S)
            return
