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
from bg_pipeline.errors import ItemError, StoreError
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
    next_step: str
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
    Read and hash every published output. An altered output becomes pending if its master is intact; the next sync
    detects a missing one anyway. Nothing is bought because of this check.

    Args:
        catalogue: owner of the outputs.
        accounts: access to their masters.
        run: its progress advances by one per output or master.
        chosen: the slice of keys and purchases to read; None for all.
        masters: also read the masters.
    """
    result = VerifyResult()
    with ThreadPoolExecutor(_READERS, thread_name_prefix="check") as pool:
        run.progress.start("checking outputs", None)
        for entry, problem in _examine(
            pool, _published(catalogue, chosen), lambda e: _problem(catalogue.outputs, *_output(e))
        ):
            result.outputs += 1
            run.progress.advance()
            if problem:
                next_step = _mark_for_rendering(catalogue, accounts, entry, problem)
                result.damaged.append(Damage(entry.key, _output(entry)[0], problem, next_step))
        run.progress.done()
        if masters:
            run.progress.start("checking masters", None)
            chosen_masters = (
                m for m in accounts.purchases.masters() if chosen is None or chosen.holds(m.purchase_id.encode())
            )
            for master, problem in _examine(pool, chosen_masters, lambda m: _problem_of_master(accounts, m)):
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
    damaged = {entry: problem for entry in entries if (problem := _problem(catalogue.outputs, *_output(entry)))}
    return {
        entry.key: f"{_output(entry)[0]} is {problem}; `bg-pipeline check` lists all damaged outputs and what to do"
        for entry, problem in damaged.items()
    }


_MASTER_ADVICE = {
    Problem.MISSING: "what is made from it waits: check that BG_MASTERS is the right location, or restore the file",
    Problem.ALTERED: "restore the file; otherwise it is bought again when an output is made from it",
    Problem.UNREADABLE: "check that BG_MASTERS is readable",
}


def _published(catalogue: Catalogue, chosen: Slice | None) -> Iterator[Entry]:
    for entry in catalogue.items.entries():
        if not entry.absent and _output(entry)[0] and (chosen is None or chosen.holds(key_bytes(entry.key))):
            yield entry


def _examine(
    pool: ThreadPoolExecutor, records: Iterable[T], find_problem: Callable[[T], Problem | None]
) -> Iterator[tuple[T, Problem | None]]:
    """Yield each record with its problem, in order; hold at most one batch in memory."""
    rest = iter(records)
    while batch := list(islice(rest, _BATCH)):
        yield from zip(batch, pool.map(find_problem, batch), strict=True)


def _output(entry: Entry) -> tuple[str, str]:
    return (entry.published.output_name, entry.published.output_digest) if entry.published else ("", "")


def _problem(store: BlobStore, name: str, digest: str) -> Problem | None:
    try:
        data = store.read(name)
    except (StoreError, ItemError):
        return Problem.UNREADABLE
    if data is None:
        return Problem.MISSING
    return None if digest_of(data) == digest else Problem.ALTERED


def _problem_of_master(accounts: Accounts, master: Master) -> Problem | None:
    return _problem(accounts.masters, master_name(master.purchase_id), master.digest)


def _mark_for_rendering(catalogue: Catalogue, accounts: Accounts, entry: Entry, problem: Problem) -> str:
    """Make an altered output pending if its master is intact; return the next step."""
    assert entry.published is not None
    if problem is Problem.UNREADABLE:
        return "check that BG_OUTPUT is readable"
    master = accounts.purchases.find([entry.published.purchase_id])
    master_problem = "it has no master" if master is None else _problem_of_master(accounts, master)
    if master_problem:
        obstacle = master_problem if master is None else f"its master is {master_problem} too"
        if problem is Problem.MISSING:
            return f"{obstacle}: `bg-pipeline plan` shows what the next sync does"
        return f"{obstacle}, so nothing was changed; delete the output to buy it again"
    if problem is Problem.ALTERED and not catalogue.items.mark_stale(entry.key, entry.published.output_digest):
        return f"nothing was changed: the item is {entry.state}, or was just published again"
    return "the next sync renders it again from its master, free of charge"
