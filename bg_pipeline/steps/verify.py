"""Hold what is on show, and what was paid for, against what the manifest says of it."""

import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import TypeVar

from bg_pipeline.core.keys import key_bytes, master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Entry, Master
from bg_pipeline.core.rehash import Slice
from bg_pipeline.errors import StoreError
from bg_pipeline.ports import BlobStore, Progress
from bg_pipeline.steps.parts import Parts

T = TypeVar("T")

_BATCH = 256
_READERS = 4
"""Hashing releases the interpreter lock; the rest of the time a reader waits for the disk."""


class Problem(StrEnum):
    """What is wrong with stored bytes."""

    MISSING = "missing"
    ALTERED = "altered"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Damage:
    """Stored bytes that are not what is on record."""

    name: str
    """Key of the item, or work id of the master."""
    where: str
    """Name in the store."""
    problem: Problem
    then: str
    """What happens next, or what to do."""


@dataclass(slots=True)
class Verified:
    """What a check looked at and found."""

    outputs: int = 0
    masters: int = 0
    damaged: list[Damage] = field(default_factory=list)
    damaged_masters: list[Damage] = field(default_factory=list)


def verify(parts: Parts, progress: Progress, chosen: Slice | None = None, *, masters: bool = False) -> Verified:
    """
    Read and hash every published output. One that was altered becomes pending, if an intact master is there to make
    it from; one that is missing is found by the next sync anyway. Nothing is ever bought because of a check.

    Args:
        parts: where everything is.
        progress: one step an output or master.
        chosen: only this part of the keys, and of the works.
        masters: read the masters as well.
    """
    found = Verified()
    with ThreadPoolExecutor(_READERS, thread_name_prefix="check") as pool:
        progress.start("checking outputs", None)
        for entry, problem in _judged(pool, _shown(parts, chosen), lambda e: _wrong(parts.outputs, *_output(e))):
            found.outputs += 1
            progress.step()
            if problem:
                found.damaged.append(Damage(entry.key, _output(entry)[0], problem, _mend(parts, entry, problem)))
        progress.done()
        if masters:
            progress.start("checking masters", None)
            chosen_masters = (m for m in parts.ledger.masters() if chosen is None or chosen.holds(m.work_id.encode()))
            for master, problem in _judged(pool, chosen_masters, lambda m: _wrong_master(parts, m)):
                found.masters += 1
                progress.step()
                if problem:
                    found.damaged_masters.append(
                        Damage(master.work_id, master_name(master.work_id), problem, _MASTER_ADVICE[problem])
                    )
            progress.done()
    return found


def sample(parts: Parts, count: int) -> dict[str, str]:
    """Read that many published outputs, drawn at random; returns what is wrong with which key."""
    drawn: list[str] = []
    # Reservoir sampling: every key has the same chance, and the names are never all in memory.
    for seen, (_, key) in enumerate(parts.manifest.published_names()):
        if seen < count:
            drawn.append(key)
        elif (place := random.randrange(seen + 1)) < count:  # noqa: S311  not a secret
            drawn[place] = key
    entries = filter(None, map(parts.manifest.entry, drawn))
    wrong = {entry: problem for entry in entries if (problem := _wrong(parts.outputs, *_output(entry)))}
    return {
        entry.key: f"{_output(entry)[0]} is {problem}; `bg-pipeline check` finds all, and says what comes of it"
        for entry, problem in wrong.items()
    }


_MASTER_ADVICE = {
    Problem.MISSING: "a sync that needs it will stop there: see that BG_MASTERS is the right place, or restore it",
    Problem.ALTERED: "restore the file; else it is bought again when an output has to be made from it",
    Problem.UNREADABLE: "see that BG_MASTERS can be read",
}


def _shown(parts: Parts, chosen: Slice | None) -> Iterator[Entry]:
    for entry in parts.manifest.entries():
        if not entry.absent and _output(entry)[0] and (chosen is None or chosen.holds(key_bytes(entry.key))):
            yield entry


def _judged(
    pool: ThreadPoolExecutor, things: Iterable[T], judge: Callable[[T], Problem | None]
) -> Iterator[tuple[T, Problem | None]]:
    """Each with its problem, in order; never more than a batch of them at once."""
    rest = iter(things)
    while batch := list(islice(rest, _BATCH)):
        yield from zip(batch, pool.map(judge, batch), strict=True)


def _output(entry: Entry) -> tuple[str, str]:
    return (entry.published.output_name, entry.published.output_digest) if entry.published else ("", "")


def _wrong(store: BlobStore, name: str, digest: str) -> Problem | None:
    try:
        data = store.read(name)
    except StoreError:
        return Problem.UNREADABLE
    if data is None:
        return Problem.MISSING
    return None if digest_of(data) == digest else Problem.ALTERED


def _wrong_master(parts: Parts, master: Master) -> Problem | None:
    return _wrong(parts.masters, master_name(master.work_id), master.digest)


def _mend(parts: Parts, entry: Entry, problem: Problem) -> str:
    assert entry.published is not None
    if problem is Problem.UNREADABLE:
        return "see that BG_OUTPUT can be read"
    master = parts.ledger.master(entry.published.work_id)
    why = "it has no master" if master is None else _wrong_master(parts, master)
    if why:
        without = why if master is None else f"its master is {why} too"
        if problem is Problem.MISSING:
            return f"{without}: `bg-pipeline plan` tells what the next sync does about it"
        return f"{without}, so it was left alone; remove it to have it bought again"
    if problem is Problem.ALTERED and not parts.manifest.spoil(entry.key, entry.published.output_digest):
        return f"nothing was done: the item is {entry.state} for another reason, or was published at this moment"
    return "the next sync makes it again from its master, free"
