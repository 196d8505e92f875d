"""
Entry point of `bg-pipeline`: handle signals first, then load the commands, which takes seconds.

    before a command runs      the first signal ends the process at once: it holds nothing yet
    in most commands           the first signal interrupts it, so that it releases what it holds; the second ends it
    in `sync` and `retry`      the first signal asks it to stop; the second ends it (`stop_on_signal`)
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPED = 3
"""Exit code of a command that was stopped: `core.report.Exit.PAUSED`, which would load too much here."""

_Handler = Callable[[int, FrameType | None], None]
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run() -> None:
    """Run the command line."""
    for number in _SIGNALS:
        # An ignored signal, as under nohup, stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end_at_once)
    from bg_pipeline.cli.main import main  # noqa: PLC0415

    main()


def end_at_once(_number: int, _frame: FrameType | None) -> None:
    """End this process: no message, no traceback, and no wait for threads or children."""
    os._exit(STOPPED)


def interrupt(number: int, _frame: FrameType | None) -> None:
    """Interrupt the command; the next signal ends the process."""
    signal.signal(number, end_at_once)
    raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Interrupt the block on the first signal, in a process that `run` started."""
    _replace(end_at_once, interrupt)
    try:
        yield
    finally:
        _replace(interrupt, end_at_once)


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C or SIGTERM sets; the second ends the process."""
    from bg_pipeline.settings.logs import line_for_stderr  # noqa: PLC0415  as above

    stop = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, end_at_once)
        stop.set()
        # Not by print: the signal may have interrupted one, and its lock cannot be taken twice.
        os.write(2, f"{line_for_stderr('stopping: requests in flight are finished and kept')}\n".encode())

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _replace(old: _Handler, new: _Handler) -> None:
    for number in _SIGNALS:
        if signal.getsignal(number) is old:
            signal.signal(number, new)
