"""Child processes that decode pictures: a hostile or huge file can end only its worker."""

import contextlib
import ctypes
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.process import AuthenticationString  # type: ignore[attr-defined]
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from pebble import ProcessExpired, ProcessPool
from PIL import Image

from bg_pipeline.errors import BgPipelineError, ItemBlocked, ItemUnreadable

T = TypeVar("T")

_LONGEST_REASON = 200
"""Most characters of a library's error text: some quote the bytes of the picture."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Numbers in malloc.h; setting one disables glibc's own adjustments: mallopt(3)."""

_MOST_KEPT = 192 << 20
"""Memory that a worker may have between two pictures: a little more than one of 2,000 px needs."""

_PR_SET_PDEATHSIG = 1
"""Number of PR_SET_PDEATHSIG in linux/prctl.h: the signal that a process gets when its parent ends."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one worker. They follow from the largest picture that it has to decode."""

    max_pixels: int = 120_000_000
    """More than the largest picture of the usual medium format cameras, 102 megapixels."""

    @property
    def memory_bytes(self) -> int:
        """
        Return its address space.

        At 102 megapixels, preparing and rendering took 5 to 11 bytes a pixel, most for grey of 16 bits.
        """
        return 2**30 + 24 * self.max_pixels

    @property
    def timeout_s(self) -> float:
        """Return the time for one call. At 102 megapixels the slowest took 0.7 s a megapixel, on two busy cores."""
        return 30 + 2.4 * self.max_pixels / 1e6


class Workers:
    """
    A pool that calls functions of `imaging` in separate processes.

    They get no environment. The limits are those of each worker.
    """

    def __init__(self, count: int | None = None, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        _give_back_large_buffers()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["bg_pipeline.imaging.forked", "bg_pipeline.imaging.pictures"])
        _allow_children()
        _start_forkserver()
        self.count = count or os.cpu_count() or 1
        self._turns = _Turns()
        self._pool = ProcessPool(max_workers=self.count, context=context, initializer=confine, initargs=(self._limits,))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._pool.close()  # type: ignore[no-untyped-call]
        else:  # no caller waits for the pictures that are being decoded
            self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """
        Raises:
            ItemUnreadable: the picture crashed its worker or took too long, or a library raised an error.
            ItemBlocked: the worker was killed from outside twice, the second time without others beside it.
        """
        try:
            with self._turns.shared():
                return self._call(function, *args)
        except _Killed:
            pass
        try:
            with self._turns.alone():
                return self._call(function, *args)
        except _Killed as error:
            raise ItemBlocked(
                "its decoder was killed twice, although it ran alone the second time: this machine has too little "
                "memory for this picture, or a person ends its processes"
            ) from error

    def _call(self, function: Callable[..., T], *args: Any) -> T:
        timeout_s = self._limits.timeout_s
        try:
            result: T = self._pool.schedule(in_worker, args=(function, *args), timeout=timeout_s).result()
        except ProcessExpired as error:
            if error.exitcode == -signal.SIGKILL:
                raise _Killed from error
            raise ItemUnreadable("the picture crashed its decoder") from error
        except FutureTimeout as error:
            raise ItemUnreadable(f"the picture took its decoder more than {timeout_s:.0f} s") from error
        return result


class _Killed(Exception):
    """The worker was killed, most likely by the system for lack of memory: not the picture's own doing."""


class _Turns:
    """Lets calls run side by side, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._waiting = 0

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting)
            self._running += 1
        try:
            yield
        finally:
            self._change(running=-1)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        self._change(waiting=1)
        try:
            with self._changed:
                self._changed.wait_for(lambda: not self._running)
                self._running += 1
            try:
                yield
            finally:
                self._change(running=-1)
        finally:
            self._change(waiting=-1)

    def _change(self, *, running: int = 0, waiting: int = 0) -> None:
        with self._changed:
            self._running += running
            self._waiting += waiting
            self._changed.notify_all()


def in_worker(function: Callable[..., T], *args: Any) -> T:
    """Run `for_one_picture` in a process that `confine` has prepared."""
    try:
        return for_one_picture(function, *args)
    finally:
        _give_back_the_rest()


def for_one_picture(function: Callable[..., T], *args: Any) -> T:
    """
    Call a function of `imaging` about one picture, whatever its libraries raise.

    Raises:
        ItemUnreadable: a library raised an error, for which it could not be prepared.
    """
    try:
        return function(*args)
    except BgPipelineError:
        raise
    except MemoryError as error:
        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        raise ItemUnreadable(f"the picture needs more than {most >> 20} MiB to be decoded") from error
    except Exception as error:  # a damaged picture makes libraries raise any exception
        raise ItemUnreadable(f"the picture cannot be processed: {_in_words(error)}") from error


def _in_words(error: Exception) -> str:
    """Return class and text of a library's error on one line, without addresses in memory."""
    words = " ".join(f"{type(error).__name__}: {error}".partition("<_io")[0].split())
    return words[:_LONGEST_REASON].rstrip(": ")


def _give_back_large_buffers() -> None:
    """
    Make glibc return whole pictures to the system when they are freed.

    After the first large buffer is freed, glibc keeps all buffers of that size, for each thread: with 16 workers that
    was a third of all memory.
    """
    with contextlib.suppress(AttributeError, OSError):  # other systems have no mallopt
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 1 << 20)


def _keep_buffers() -> None:
    """
    Make glibc use freed buffers again, up to the 32 MB that it allows: in a worker one follows the other.

    For each new one from the system the kernel clears all its pages, a tenth to a fifth of the time for a picture.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        ctypes.CDLL(None).mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def _give_back_the_rest() -> None:
    """Return free memory to the system after a large picture."""
    with contextlib.suppress(AttributeError, OSError):
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
        if resident > _MOST_KEPT:
            ctypes.CDLL(None).malloc_trim(0)


def _allow_children() -> None:
    """
    Let this process have children also if it is daemonic, such as a worker of Celery.

    The rule against them keeps children from outliving a parent that is killed. These end with it: see `confine`.
    """
    config = multiprocessing.current_process()._config  # type: ignore[attr-defined]  # noqa: SLF001  no public way
    config["daemon"] = False
    # Celery's own kind of key cannot be sent to a child of another library.
    config["authkey"] = AuthenticationString(config["authkey"])


def _start_forkserver() -> None:
    """
    Start the parent of all workers with SIGINT and SIGTERM blocked, which they inherit.

    Ctrl-C goes to a whole process group, but only the main process decides when its workers end.
    """
    # Started here, because it unblocks the signals at its end.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def confine(limits: Limits) -> None:
    """Prepare this process for decoding pictures, and nothing else."""
    # The forkserver ends with the main process, however that ends; this worker then ends with the forkserver.
    with contextlib.suppress(AttributeError, OSError):  # other systems have no prctl
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _keep_buffers()
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    Image.MAX_IMAGE_PIXELS = limits.max_pixels
    os.environ.clear()
