"""Work through many collections at once, so that small ones keep every slot busy and a huge one is no single point."""

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

from bg_pipeline.core.credits import Budget
from bg_pipeline.core.report import Summary
from bg_pipeline.errors import LeaseHeld
from bg_pipeline.ports import Progress
from bg_pipeline.steps.parts import Parts
from bg_pipeline.steps.process import process

CHUNK = 1_000
"""Items of one collection between two releases of its lease: what a reader waits for until it sees progress, and
another run until it can take over."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What became of one collection, or of one chunk of a huge one."""

    collection: str
    summary: Summary
    published: Sequence[str]


def wave(
    parts: Parts,
    chosen: Mapping[str, Sequence[str] | None],
    counts: Mapping[str, int],
    owner: str,
    budget: Budget,
    progress: Progress,
) -> Iterator[Worked]:
    """
    Process collections beside each other; yields each as it ends.

    A pause, a spent budget or `parts.stop` lets none begin any more. Whoever stops reading gets control back when all
    that was begun is finished and kept.

    Args:
        parts: where everything is.
        chosen: collections, each with the keys to be done; None for all that is pending.
        counts: how many items are pending in each.
        owner: who holds the leases.
        budget: shared by all.
        progress: one step an item.

    Raises:
        LeaseLost, StateError, StoreError: it cannot go on; what was paid for is kept. A collection that another run
            works on is only told of in its summary.
    """
    steps = _Steps(progress)
    results: SimpleQueue[Worked | BaseException | int] = SimpleQueue()
    waiting = deque(sorted(chosen, key=lambda name: -counts.get(name, 0)))
    free, running = parts.concurrency, 0

    def work(name: str, lanes: int) -> None:
        try:
            for worked in _collection(parts, name, chosen[name], counts.get(name, 0), owner, budget, steps):
                results.put(worked)
        except BaseException as error:  # noqa: BLE001  it is raised where the results are read
            results.put(error)
        finally:
            results.put(lanes)

    progress.start("cutting", sum(counts.get(name, 0) for name in chosen))
    halted = False
    with ThreadPoolExecutor(parts.concurrency, thread_name_prefix="collection") as pool:
        try:
            while running or (waiting and not halted):
                while waiting and not (halted or parts.stop.is_set()) and free > 0:
                    name = waiting.popleft()
                    lanes = max(1, min(counts.get(name, 0), parts.concurrency))
                    free, running = free - lanes, running + 1
                    pool.submit(work, name, lanes)
                if not running:
                    break
                found = results.get()
                if isinstance(found, int):
                    free, running = free + found, running - 1
                elif isinstance(found, BaseException):
                    raise found
                else:
                    halted = halted or bool(found.summary.paused or found.summary.budget_reached)
                    yield found
        except BaseException:
            parts.stop.set()
            raise
    progress.done()


def _collection(
    parts: Parts, name: str, keys: Sequence[str] | None, count: int, owner: str, budget: Budget, progress: Progress
) -> Iterator[Worked]:
    if keys is None and count > CHUNK:
        keys = [entry.key for entry in parts.manifest.pending(name)]
    chunks = [None] if keys is None else [keys[at : at + CHUNK] for at in range(0, len(keys), CHUNK)]
    for chunk in chunks:
        only = None if chunk is None else frozenset(chunk)
        try:
            summary, published = process(parts, name, owner, budget, progress, keys=only)
        except LeaseHeld as error:
            yield Worked(name, Summary(busy=str(error)), [])
            return
        yield Worked(name, summary, published)
        if summary.paused or summary.budget_reached or parts.stop.is_set():
            return


class _Steps:
    """Progress of one collection as part of the whole."""

    def __init__(self, whole: Progress) -> None:
        self._whole = whole
        self._lock = threading.Lock()

    def start(self, what: str, total: int | None) -> None:
        pass

    def step(self, count: int = 1) -> None:
        with self._lock:
            self._whole.step(count)

    def done(self) -> None:
        pass
