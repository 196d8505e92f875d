"""What the canaries on record say about the cuts of changed recipes."""

from collections.abc import Callable, Sequence

from bg_pipeline.core.canary import Extent, refusal
from bg_pipeline.core.records import Change
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


def require_canary(run_log: RunLog, extent: Extent, requested: Sequence[Change], cut_of: Callable[[str], str]) -> None:
    """
    Check that the requested purchases of a changed recipe were tried on a few pictures.

    Args:
        run_log: has the canaries.
        extent: the part that is requested.
        requested: purchases that only the changed recipe needs.
        cut_of: returns the digest of the cut that a key is bought with.

    Raises:
        GuardStopped: they were not, and are more than a few.
    """
    if extent.without_canary or not requested:
        return
    if why := refusal(extent.of(requested), cut_of, accepted_cuts(run_log)):
        raise GuardStopped(why)
