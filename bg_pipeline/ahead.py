"""Threads that work on what comes next, while what came before is used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def ahead(work: Callable[[A], B], things: Iterable[A], *, threads: int, waiting: int) -> Iterator[B]:
    """
    What `work` returns for each thing, in their order.

    Args:
        work: called in several threads at once; what it raises is raised here, in its turn.
        things: taken one after the other, as there is room for them.
        threads: how many.
        waiting: things that are begun, or done and not taken yet, at the most.
    """
    begun: deque[Future[B]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ahead")
    try:
        for thing in things:
            begun.append(pool.submit(work, thing))
            if len(begun) == waiting:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
