"""The outputs that runs replaced, and the publications that a person took back."""

from collections.abc import Sequence
from typing import Protocol

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.records import Entry
from bg_pipeline.core.revert import Previous, Reverted, RunPublications


class PreviousOutputs(Protocol):
    """The outputs that runs replaced."""

    def begin(self, previous: Previous) -> None:
        """Record that an output is about to be replaced; `replaced_at` becomes the present time."""
        ...

    def of_item(self, key: str) -> list[Previous]:
        """Return what runs replaced of one item, the oldest first."""
        ...

    def of_run(self, run: str) -> dict[str, list[Previous]]:
        """Return what a run replaced, by key."""
        ...

    def published_by(self, run: str) -> list[Entry]:
        """Return the items that a run published, also if another run replaced that since, in key order."""
        ...

    def runs(self) -> list[RunPublications]:
        """Return the runs whose publications are still there, the newest first."""
        ...

    def expired(self, before: float, limit: int) -> list[Previous]:
        """
        Return what was replaced before a moment, the oldest first, except where a later record needs the bytes.

        Args:
            before: epoch second.
            limit: most records.
        """
        ...

    def drop(self, expired: Sequence[Previous]) -> None:
        """Remove records. A publication that replaced one of them no longer names its run."""
        ...


class Reversions(Protocol):
    """The publications that a person took back."""

    def put_back(self, previous: Sequence[Previous], reverted: Reverted, claim: Claim) -> None:
        """
        Make the former publications of an item, all of one run, the present ones, and record what was taken back.

        One step. The item keeps its state.

        Raises:
            ClaimLost: another claim has this item; nothing was written.
        """
        ...

    def record(self, reverted: Reverted) -> None:
        """Record what was taken back; `reverted_at` becomes the present time."""
        ...

    def all(self) -> list[Reverted]:
        """Return everything that was taken back and that no person asked for again, in key order."""
        ...

    def lift(self, run: str, keys: Sequence[str]) -> None:
        """Let the next delta publish again what was taken back of a run's items."""
        ...
