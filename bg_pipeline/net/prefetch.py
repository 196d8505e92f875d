"""Compute the next results in threads while the caller uses the last one."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def prefetch(work: Callable[[A], B], inputs: Iterable[A], *, threads: int, waiting: int) -> Iterator[B]:
    """
    Yield the result of `work` for each input, in the order of the inputs.

    Args:
        work: called in several threads at once; its errors are raised here, in order.
        inputs: taken one after the other, as results are yielded.
        threads: number of threads.
        waiting: most inputs in work, or finished and not yet yielded.
    """
    futures: deque[Future[B]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="prefetch")
    try:
        for each in inputs:
            futures.append(pool.submit(work, each))
            if len(futures) == waiting:
                yield futures.popleft().result()
        while futures:
            yield futures.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
