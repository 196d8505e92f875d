"""Wait for other runs of the catalogue: for their detection, and for the items that they work on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bg_pipeline.core.claims import Selection
from bg_pipeline.core.records import Change, State
from bg_pipeline.core.runlog import DetectRecord, ScanRecord
from bg_pipeline.errors import LeaseHeld
from bg_pipeline.pipeline.feed import Feed
from bg_pipeline.pipeline.listing import ScanResult
from bg_pipeline.ports.catalogue import Deltas
from bg_pipeline.ports.context import DETECTION, Catalogue, Run

POLL_S = 1.0
"""Seconds between two looks at the claims of other runs."""

NIGHT = "night"
"""The lease of a run from its listing to its recorded delta: between the two, `DETECTION` is free for a moment."""

_SAME_S = 60.0
"""Seconds by which the listing of another run may be older than a run that takes it for its own: hosts with one cron
line begin that close to each other."""


@dataclass(frozen=True, slots=True)
class OtherRuns:
    """
    The other runs, as one run sees them.

    Args:
        feed: the claims of this run.
        deltas: the present entries.
        run: this run.
        selection: the pending items that it works on; None if all of them were requested by key.
        state: state of those that were requested by key.
    """

    feed: Feed
    deltas: Deltas
    run: Run
    selection: Selection | None
    state: State

    def still_wanted(self, keys: Sequence[str], requested: Sequence[Change]) -> tuple[list[str], list[Change]]:
        """Return the parts of a request that are as they were: another run has done the others."""
        entries = self.deltas.get_many(sorted({*keys, *(change.key for change in requested)}))
        known = {entry.key: entry for entry in entries}
        return (
            [key for key in keys if key in known and known[key].state is self.state],
            [each for each in requested if each.key in known and known[each.key].revision == each.revision],
        )

    def holding(self, *, missed: bool) -> dict[int, str]:
        """Return the claims of others, with their owners, that hold items of this run; all if it missed some."""
        if missed:
            return self.feed.others(None)
        return {} if self.selection is None else self.feed.others(self.selection)

    def let_go(self, before: Mapping[int, str], *, missed: bool) -> bool:
        """
        Wait until a claim that held items of this run is gone.

        Args:
            before: those that did before this run last tried to claim.
            missed: True if items that were requested by key could not be claimed.

        Returns:
            False if there is none, or the run was asked to stop.
        """
        while not self.run.stop.is_set():
            now = self.holding(missed=missed)
            if before.keys() - now.keys():
                return True
            if not now:
                return missed
            self.run.progress.start(f"waiting for items that {next(iter(now.values()))} works on", None)
            before = now
            self.run.wait(POLL_S)
        return False


def await_detection(catalogue: Catalogue, run: Run, error: LeaseHeld) -> None:
    """Wait until no other run lists or decides."""
    run.progress.start(f"waiting for another run: {error}", None)
    while any(lease.name in {NIGHT, DETECTION} for lease, _ in catalogue.leases.leases()):
        run.end_if_asked("nothing was done")
        run.wait(POLL_S)


def detected_since(catalogue: Catalogue, began_at: float) -> ScanRecord | None:
    """Return the last scan if it stands for one that began at a moment: complete, and its delta is recorded."""
    scanned, decided = catalogue.run_log.read(ScanRecord), catalogue.run_log.read(DetectRecord)
    if not scanned or not decided or not scanned[0].complete:
        return None
    return scanned[0] if began_at - _SAME_S <= scanned[0].started_at <= decided[0].started_at else None


def seen_by(record: ScanRecord) -> ScanResult:
    """Return what is on record of another run's scan."""
    return ScanResult(listed=record.listed, not_looked=dict(record.not_looked), hosts_down=record.hosts_down)
