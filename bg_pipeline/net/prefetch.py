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
        inputs: taken one after the other, as results are yielded. An error of theirs is raised after the results that
            were in work or finished by then.
        threads: number of threads.
        waiting: most inputs in work, or finished and not yet yielded.
    """
    futures: deque[Future[B]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="prefetch")
    source, failure = iter(inputs), None
    try:
        while True:
            try:
                each = next(source)
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001  raised below
                failure = error
                pool.shutdown(cancel_futures=True)
                break
            futures.append(pool.submit(work, each))
            if len(futures) == waiting:
                yield futures.popleft().result()
        while futures:
            if not (future := futures.popleft()).cancelled():
                yield future.result()
        if failure:
            raise failure
    finally:
        pool.shutdown(cancel_futures=True)
