"""The end of an exchange that takes too long."""

import socket
import threading
import time
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Self

CHUNK_BYTES = 1 << 15
"""Bytes per read: few, because a compressed chunk may expand a thousandfold before it is counted."""

STALL_S = 20.0
"""Seconds in which at least one chunk of a body must arrive: slower ones would occupy a worker for minutes."""


class Deadline:
    """
    Shuts every connection that this thread uses in the block after `total_s` seconds.

    A read timeout starts again with every byte, so a peer that sends one byte at a time could hold a slot forever.
    Only connections of `EndingAdapter` are shut.
    """

    def __init__(self, total_s: float) -> None:
        self.passed = False
        self.why = self._too_long = f"took longer than {total_s:g} s"
        self._ends_at = time.monotonic() + total_s
        self._renewed_at = 0.0
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = self._start(total_s)

    def __enter__(self) -> Self:
        self._token = _DEADLINE.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        _DEADLINE.reset(self._token)

    def expect_progress(self) -> None:
        """Shut the connections after `STALL_S` already, unless this is called again before."""
        now = time.monotonic()
        if now - self._renewed_at < STALL_S / 20:  # a timer is a thread, and a large body has thousands of chunks
            return
        self._renewed_at = now
        left_s = self._ends_at - now
        stalls = left_s > STALL_S
        self.why = f"sent less than {CHUNK_BYTES >> 10} KiB in {STALL_S:g} s" if stalls else self._too_long
        self._timer.cancel()
        self._timer = self._start(STALL_S if stalls else max(0.0, left_s))

    def watch(self, sock: socket.socket) -> None:
        """Shut this socket when the time is over, or now if it is already over."""
        with self._lock:
            self._sockets.append(sock)
            if self.passed:
                _shut(sock)

    def _start(self, seconds: float) -> threading.Timer:
        timer = threading.Timer(seconds, self._end)
        timer.daemon = True
        timer.start()
        return timer

    def _end(self) -> None:
        with self._lock:
            self.passed = True
            for sock in self._sockets:
                _shut(sock)


_DEADLINE: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):  # already closed
        # Not the TLS socket's own `shutdown`: it drops the encryption first, and another thread may be sending.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def watch(sock: socket.socket) -> None:
    """Let the deadline of this thread, if there is one, shut this socket."""
    if deadline := _DEADLINE.get():
        deadline.watch(sock)
