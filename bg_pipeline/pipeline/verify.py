"""Compare published outputs and paid masters with the manifest."""

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
from bg_pipeline.ports.context import Accounts, Catalogue, Run
from bg_pipeline.ports.stores import BlobStore

T = TypeVar("T")

_BATCH = 256
_READERS = 4
"""Hashing releases the interpreter lock; the rest of the time a reader waits for the disk."""


class Problem(StrEnum):
    """A kind of damage to stored bytes."""

    MISSING = "missing"
    ALTERED = "altered"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Damage:
    """Stored bytes that differ from the record."""

    name: str
    """Key of the item or purchase id of the master."""
    where: str
    """Name of the file in the store."""
    problem: Problem
    then: str
    """The next step, automatic or by a person."""


@dataclass(slots=True)
class VerifyResult:
    """Outputs and masters that were read, and the damaged ones."""

    outputs: int = 0
    masters: int = 0
    damaged: list[Damage] = field(default_factory=list)
    damaged_masters: list[Damage] = field(default_factory=list)


def verify(
    catalogue: Catalogue, accounts: Accounts, run: Run, chosen: Slice | None = None, *, masters: bool = False
) -> VerifyResult:
    """
    Read and hash every published output. An altered output becomes pending if there is an intact master to make it
    from; the next sync detects a missing one anyway. A check never leads to a purchase.

    Args:
        catalogue: owner of the outputs.
        accounts: access to their masters.
        run: progress is one step per output or master.
        chosen: the part of the keys and purchases to check.
        masters: also read the masters.
    """
    result = VerifyResult()
    with ThreadPoolExecutor(_READERS, thread_name_prefix="check") as pool:
        run.progress.start("checking outputs", None)
        for entry, problem in _judged(
            pool, _published(catalogue, chosen), lambda e: _problem(catalogue.outputs, *_output(e))
        ):
            result.outputs += 1
            run.progress.advance()
            if problem:
                then = _mend(catalogue, accounts, entry, problem)
                result.damaged.append(Damage(entry.key, _output(entry)[0], problem, then))
        run.progress.done()
        if masters:
            run.progress.start("checking masters", None)
            chosen_masters = (
                m for m in accounts.purchases.masters() if chosen is None or chosen.holds(m.purchase_id.encode())
            )
            for master, problem in _judged(pool, chosen_masters, lambda m: _problem_of_master(accounts, m)):
                result.masters += 1
                run.progress.advance()
                if problem:
                    name = master_name(master.purchase_id)
                    result.damaged_masters.append(Damage(master.purchase_id, name, problem, _MASTER_ADVICE[problem]))
            run.progress.done()
    return result


def sample(catalogue: Catalogue, count: int) -> dict[str, str]:
    """Read that many published outputs, drawn at random; return the problem of each damaged one, by key."""
    drawn: list[str] = []
    # Reservoir sampling: every key has the same chance, and the names are never all in memory.
    for seen, (_, key) in enumerate(catalogue.deltas.published_names()):
        if seen < count:
            drawn.append(key)
        elif (position := random.randrange(seen + 1)) < count:  # noqa: S311  not a secret
            drawn[position] = key
    entries = filter(None, map(catalogue.items.entry, drawn))
    wrong = {entry: problem for entry in entries if (problem := _problem(catalogue.outputs, *_output(entry)))}
    return {
        entry.key: f"{_output(entry)[0]} is {problem}; `bg-pipeline check` finds all, and says what comes of it"
        for entry, problem in wrong.items()
    }


_MASTER_ADVICE = {
    Problem.MISSING: "a sync that needs it will stop there: see that BG_MASTERS is the right place, or restore it",
    Problem.ALTERED: "restore the file; else it is bought again when an output has to be made from it",
    Problem.UNREADABLE: "see that BG_MASTERS can be read",
}


def _published(catalogue: Catalogue, chosen: Slice | None) -> Iterator[Entry]:
    for entry in catalogue.items.entries():
        if not entry.absent and _output(entry)[0] and (chosen is None or chosen.holds(key_bytes(entry.key))):
            yield entry


def _judged(
    pool: ThreadPoolExecutor, things: Iterable[T], judge: Callable[[T], Problem | None]
) -> Iterator[tuple[T, Problem | None]]:
    """Yield each with its problem, in order; never hold more than a batch at once."""
    rest = iter(things)
    while batch := list(islice(rest, _BATCH)):
        yield from zip(batch, pool.map(judge, batch), strict=True)


def _output(entry: Entry) -> tuple[str, str]:
    return (entry.published.output_name, entry.published.output_digest) if entry.published else ("", "")


def _problem(store: BlobStore, name: str, digest: str) -> Problem | None:
    try:
        data = store.read(name)
    except StoreError:
        return Problem.UNREADABLE
    if data is None:
        return Problem.MISSING
    return None if digest_of(data) == digest else Problem.ALTERED


def _problem_of_master(accounts: Accounts, master: Master) -> Problem | None:
    return _problem(accounts.masters, master_name(master.purchase_id), master.digest)


def _mend(catalogue: Catalogue, accounts: Accounts, entry: Entry, problem: Problem) -> str:
    assert entry.published is not None
    if problem is Problem.UNREADABLE:
        return "see that BG_OUTPUT can be read"
    master = accounts.purchases.find([entry.published.purchase_id])
    why = "it has no master" if master is None else _problem_of_master(accounts, master)
    if why:
        without = why if master is None else f"its master is {why} too"
        if problem is Problem.MISSING:
            return f"{without}: `bg-pipeline plan` tells what the next sync does about it"
        return f"{without}, so it was left alone; remove it to have it bought again"
    if problem is Problem.ALTERED and not catalogue.items.mark_stale(entry.key, entry.published.output_digest):
        return f"nothing was done: the item is {entry.state} for another reason, or was published at this moment"
    return "the next sync makes it again from its master, free"
