"""Who asks for work, for how much, and which part of it is in whose hands."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bg_pipeline.core.credits import Budget
from bg_pipeline.core.delta import WORK_REASONS
from bg_pipeline.core.records import Entry, Reason


class AskedBy(StrEnum):
    """What kind of run asks for the work."""

    NIGHT = "night"
    SYNC = "sync"
    BACKFILL = "backfill"
    RETRY = "retry"
    MAINTENANCE = "maintenance"
    """Trash, restore and recovery: nothing is bought."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks, and for how much."""

    asked_by: AskedBy
    budget: Budget


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on the items that were taken under it, until its heartbeat stops."""

    id: int
    """Never used twice."""
    owner: str
    """For the message that others get."""
    ask: Ask
    ends_at: float = 0.0
    """Epoch second, as of the last heartbeat."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Items that were free and are now in the hands of one claim."""

    claim: Claim | None
    """None where nothing was free."""
    entries: tuple[Entry, ...] = ()
    taken_over: bool = False
    """Some were in the hands of a process that died: its open attempts have to be ended first."""


class Only(StrEnum):
    """Which part of the delta is asked for. In lower case, because people type them."""

    ALL = "all"
    NEW = "new"
    CHANGED = "changed"
    FAILED = "failed"


_REASONS: Mapping[Only, frozenset[Reason]] = {
    Only.NEW: frozenset({Reason.NEW, Reason.RENAMED, Reason.DUPLICATE, Reason.UNFINISHED}),
    Only.CHANGED: frozenset({Reason.CHANGED, Reason.RECIPE_CHANGED, Reason.OUTPUT_MISSING, Reason.UNFINISHED}),
}
"""An earlier run's unfinished work is in both: an interrupted run with this choice goes on where it was."""


def reasons_of(only: Only) -> frozenset[Reason]:
    """Classes of the delta that the choice stands for. For `FAILED` all: the items are chosen one by one."""
    return _REASONS.get(only, WORK_REASONS)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which pending items a run works on."""

    collections: frozenset[str] | None = None
    """None for all."""
    reasons: frozenset[Reason] = WORK_REASONS

    @property
    def is_everything(self) -> bool:
        return self.collections is None and self.reasons == WORK_REASONS

    def holds(self, collection: str, reason: Reason | None) -> bool:
        """Whether an item of this collection, in this class of the delta, is selected."""
        return reason in self.reasons and (self.collections is None or collection in self.collections)


EVERYTHING = Selection()
