"""Claim items for as long as a block runs, so that no two runs work on them at the same time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bg_pipeline.core.claims import Ask, AskedBy, Claimed
from bg_pipeline.core.credits import Budget
from bg_pipeline.errors import LeaseHeld
from bg_pipeline.ports.context import Catalogue, Run, kept_alive

ELSEWHERE = "another run has claimed it"


@contextmanager
def claimed_items(catalogue: Catalogue, run: Run, keys: Sequence[str], ask: Ask | None = None) -> Iterator[Claimed]:
    """Claim those items that no other run has, and release them at the end; without `ask`, for maintenance."""
    ask = ask or Ask(AskedBy.MAINTENANCE, Budget(run.name.run_id))
    claimed = catalogue.queue.claim_items(ask, run.name.owner, dict.fromkeys(keys))
    claim = claimed.claim
    if claim is None:
        yield claimed
        return
    try:
        with kept_alive(ask.asked_by, lambda: catalogue.queue.heartbeat([claim])):
            yield claimed
    finally:
        catalogue.queue.release(claim)


@contextmanager
def all_claimed(catalogue: Catalogue, run: Run, keys: Sequence[str]) -> Iterator[Claimed]:
    """
    Claim all these items for a decision, and release them at the end.

    Raises:
        LeaseHeld: another run has one of them.
    """
    with claimed_items(catalogue, run, keys) as claimed:
        mine = {entry.key for entry in claimed.entries}
        for key in keys:
            if key not in mine:
                raise LeaseHeld(f"{key}: {ELSEWHERE}; nothing was changed. Decide again when that run has ended")
        yield claimed
