"""Compare published outputs and paid masters with the manifest."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import TypeVar

from bg_pipeline.core.keys import key_bytes, master_name
from bg_pipeline.core.outputs import all_outputs
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Entry, Master, Published
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
        for (entry, output), problem in _examine(
            pool, _published(catalogue, chosen), lambda each: _problem_of_output(catalogue, each[1])
        ):
            result.outputs += 1
            run.progress.advance()
            if problem:
                next_step = _mark_for_rendering(catalogue, accounts, entry, output, problem)
                result.damaged.append(Damage(entry.key, output.output_name, problem, next_step))
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
    drawn: list[tuple[str, str]] = []
    # Reservoir sampling: every name has the same chance, and the names are never all in memory.
    for seen, published in enumerate(catalogue.deltas.published_names()):
        if seen < count:
            drawn.append(published)
        elif (position := random.randrange(seen + 1)) < count:  # noqa: S311  not a secret
            drawn[position] = published
    entries = catalogue.deltas.get_many(sorted({key for _, key in drawn}, key=key_bytes))
    outputs = (each for each in _with_outputs(catalogue, entries) if (each[1].output_name, each[0].key) in drawn)
    return {
        entry.key: f"{output.output_name} is {problem}; `bg-pipeline check` lists all damaged outputs and what to do"
        for entry, output in outputs
        if (problem := _problem_of_output(catalogue, output))
    }


_MASTER_ADVICE = {
    Problem.MISSING: "what is made from it waits: check that BG_MASTERS is the right location, or restore the file; "
    "`bg-pipeline review redo KEY` buys a new one",
    Problem.ALTERED: "restore the file; otherwise it is bought again when an output is made from it",
    Problem.UNREADABLE: "check that BG_MASTERS is readable",
}


def _published(catalogue: Catalogue, chosen: Slice | None) -> Iterator[tuple[Entry, Published]]:
    """Yield all published outputs of the listed items."""
    entries = (
        entry
        for entry in catalogue.items.entries()
        if not entry.absent and (chosen is None or chosen.holds(key_bytes(entry.key)))
    )
    while batch := list(islice(entries, _BATCH)):
        yield from _with_outputs(catalogue, batch)


def _with_outputs(catalogue: Catalogue, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Published]]:
    others = catalogue.items.outputs([entry.key for entry in entries])
    for entry in entries:
        for output in all_outputs(entry, others.get(entry.key, ())):
            if output.published.output_name:
                yield entry, output.published


def _examine(
    pool: ThreadPoolExecutor, records: Iterable[T], find_problem: Callable[[T], Problem | None]
) -> Iterator[tuple[T, Problem | None]]:
    """Yield each record with its problem, in order; hold at most one batch in memory."""
    rest = iter(records)
    while batch := list(islice(rest, _BATCH)):
        yield from zip(batch, pool.map(find_problem, batch), strict=True)


def _problem_of_output(catalogue: Catalogue, output: Published) -> Problem | None:
    return _problem(catalogue.outputs, output.output_name, output.output_digest)


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


def _mark_for_rendering(
    catalogue: Catalogue, accounts: Accounts, entry: Entry, output: Published, problem: Problem
) -> str:
    """Make an altered output pending if its master is intact; return the next step."""
    if problem is Problem.UNREADABLE:
        return "check that BG_OUTPUT is readable"
    master = accounts.purchases.find([output.purchase_id])
    master_problem = None if master is None else _problem_of_master(accounts, master)
    if master_problem in {Problem.MISSING, Problem.UNREADABLE}:
        return f"its master is {master_problem} too, so nothing was changed: {_MASTER_ADVICE[master_problem]}"
    if master is None or master_problem:
        obstacle = "it has no master" if master is None else f"its master is {master_problem} too"
        if problem is Problem.MISSING:
            return f"{obstacle}: `bg-pipeline plan` shows what the next sync does"
        return f"{obstacle}, so nothing was changed; delete the output to buy it again"
    if problem is Problem.ALTERED and not catalogue.items.mark_stale(entry.key, output.output_digest):
        return f"nothing was changed: the item is {entry.state}, or was just published again"
    return "the next sync renders it again from its master, free of charge"
