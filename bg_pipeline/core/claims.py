"""Requests for work, with their origin and amount, and the claims on its items."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bg_pipeline.core.credits import Budget
from bg_pipeline.core.delta import WORK_REASONS
from bg_pipeline.core.moments import TOLERANCE_S
from bg_pipeline.core.records import Entry, Reason

LEASE_S = 20.0
"""Seconds for which a lease or a claim is alive after a heartbeat."""

BEATS = 5
"""Heartbeats in that time: four may be late, because another process writes or the machine is busy."""


_OF_STEP = "run "


def lease_of_step(run: str, step: str) -> str:
    """Return the name of the lease that a step of one of Dagster's runs holds while it works."""
    return f"{_OF_STEP}{run} {step}"


def run_of_lease(name: str) -> str:
    """Return the run of Dagster that the holder of a lease works for; empty for any other lease."""
    return name.removeprefix(_OF_STEP).partition(" ")[0] if name.startswith(_OF_STEP) else ""


def is_live(ends_at: Any, now: float) -> Any:
    """
    Return True if what ends at this time is alive. A later end than a heartbeat gives, a clock gave that was ahead.

    It takes a number, or a column for a condition.
    """
    return (ends_at > now) & (ends_at <= now + LEASE_S + TOLERANCE_S)


class AskedBy(StrEnum):
    """The kind of run that asks for the work."""

    NIGHT = "night"
    SYNC = "sync"
    BACKFILL = "backfill"
    RETRY = "retry"
    COMPARE = "compare"
    """A comparison of vendors: results are bought and kept, and nothing is published."""
    MAINTENANCE = "maintenance"
    """Trash, restore and recovery: nothing is bought."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for work: its origin and its amount."""

    asked_by: AskedBy
    budget: Budget


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on the items that were taken under it, until its heartbeat stops."""

    id: int
    """Number of the claim; never used twice."""
    owner: str
    """The owner's name in messages to other runs."""
    ask: Ask
    ends_at: float = 0.0
    """Epoch second of its end, as of the last heartbeat."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Items that were free and now belong to one claim."""

    claim: Claim | None
    """The claim; None where nothing was free."""
    entries: tuple[Entry, ...] = ()
    taken_over: bool = False
    """True if some belonged to a process that died: its open attempts must be ended first."""


class Only(StrEnum):
    """The requested part of the delta. In lower case, because people type the values."""

    ALL = "all"
    NEW = "new"
    CHANGED = "changed"
    FAILED = "failed"


_REASONS: Mapping[Only, frozenset[Reason]] = {
    Only.NEW: frozenset({Reason.NEW, Reason.RENAMED, Reason.DUPLICATE, Reason.UNFINISHED}),
    Only.CHANGED: frozenset({Reason.CHANGED, Reason.RECIPE_CHANGED, Reason.OUTPUT_MISSING, Reason.UNFINISHED}),
}
"""Both contain an earlier run's unfinished work, so an interrupted run with the same choice continues."""


def reasons_of(only: Only) -> frozenset[Reason]:
    """Return the classes of the delta for a choice. All for `FAILED`: its items are chosen one by one."""
    return _REASONS.get(only, WORK_REASONS)


@dataclass(frozen=True, slots=True)
class Selection:
    """The pending items that a run works on."""

    collections: frozenset[str] | None = None
    """Collections to work on; None for all."""
    reasons: frozenset[Reason] = WORK_REASONS

    @property
    def is_everything(self) -> bool:
        return self.collections is None and self.reasons == WORK_REASONS

    def holds(self, collection: str, reason: Reason | None) -> bool:
        """Return True if an item of this collection and class of the delta is selected."""
        return reason in self.reasons and (self.collections is None or collection in self.collections)


EVERYTHING = Selection()
