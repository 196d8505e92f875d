"""Failures that stand: until they are gone, or a person accepts them."""

from dataclasses import dataclass

from bg_pipeline.core.records import Entry, State


@dataclass(frozen=True, slots=True)
class StandingFailure:
    """One item that failed, waits for a person, or could not be read by the last scan."""

    key: str
    collection: str
    state: State
    """`published` for an item that cannot be read now and keeps its cutout."""
    why: str
    unreadable: bool = False
    """True if the last scan could not read it."""
    accepted: str = ""
    """A person's reason to accept it; empty if it is not accepted."""
    accepted_at: float | None = None

    @classmethod
    def of(cls, entry: Entry, accepted: str = "", accepted_at: float | None = None) -> "StandingFailure":
        """Describe the failure of an entry that has one."""
        why = entry.detail if entry.state in _FAILED and entry.purchase_id else entry.problem or entry.detail
        return cls(entry.key, entry.collection, entry.state, why, entry.problem != "", accepted, accepted_at)


_FAILED = frozenset({State.FAILED, State.QUARANTINED})

_WANTED = frozenset({State.PUBLISHED, State.PENDING})
"""States of items that should have a cutout of what is in the source."""


def is_standing(entry: Entry) -> bool:
    """
    Return True if the failure of an entry stands.

    `manifest.failures` has the same rule in SQL. An item that is gone, or left out by a rule, has none.
    """
    failed = entry.state in _FAILED or (entry.problem != "" and entry.state in _WANTED)
    return failed and not entry.absent
