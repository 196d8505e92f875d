"""Work on the next things in threads while the caller uses the last one."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def prefetch(work: Callable[[A], B], things: Iterable[A], *, threads: int, waiting: int) -> Iterator[B]:
    """
    Yield what `work` returns for each thing, in the order of the things.

    Args:
        work: called in several threads at once; its errors are raised here, in order.
        things: taken one after the other, when there is room.
        threads: number of threads.
        waiting: most things that are in work, or done and not yet yielded.
    """
    begun: deque[Future[B]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="prefetch")
    try:
        for thing in things:
            begun.append(pool.submit(work, thing))
            if len(begun) == waiting:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
