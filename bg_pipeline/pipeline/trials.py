"""What the canaries on record say about the cuts of changed recipes."""

from collections.abc import Callable

from bg_pipeline.core.canary import refusal
from bg_pipeline.core.delta import Delta
from bg_pipeline.core.runlog import CanaryRecord
from bg_pipeline.errors import GuardStopped
from bg_pipeline.ports.catalogue import RunLog

MOST_READ = 1000
"""Canaries that are read, the newest first."""


def accepted_cuts(run_log: RunLog) -> frozenset[str]:
    """Return the cuts whose canary a person accepted."""
    records = run_log.read(CanaryRecord, limit=MOST_READ)
    return frozenset(cut for each in records if each.accepted_by for cut in each.cuts)


def cuts_on_trial(run_log: RunLog) -> frozenset[str]:
    """Return the cuts that a canary tried, and that no person has accepted."""
    records = run_log.read(CanaryRecord, limit=MOST_READ)
    return frozenset(cut for each in records for cut in each.cuts) - accepted_cuts(run_log)


def require_canary(
    run_log: RunLog, delta: Delta, cut_of: Callable[[str], str], collections: frozenset[str] | None = None
) -> None:
    """
    Check that the requested purchases of a changed recipe were tried on a few pictures.

    Args:
        run_log: has the canaries.
        delta: has the purchases.
        cut_of: returns the digest of the cut that a key is bought with.
        collections: those of which they are requested; None for all.

    Raises:
        GuardStopped: they were not, and are more than a few.
    """
    requested = [each for each in delta.requested if collections is None or each.collection in collections]
    if why := refusal(requested, cut_of, accepted_cuts(run_log)):
        raise GuardStopped(why)
