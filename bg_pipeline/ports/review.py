"""Reviews: the items that a person looks at, and what was decided."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.records import Entry
from bg_pipeline.core.review import DecisionPlan, DecisionRecord


class Reviews(Protocol):
    """The items that a person looks at, and the record of all decisions."""

    def listed(self, collection: str | None, limit: int) -> list[Entry]:
        """
        Return listed items in the states of `core.review.REVIEWED`, in the order of these states.

        Published items come in the order of their digests, which is a random one; the others in key order.

        Args:
            collection: only its items; None for all.
            limit: most items.
        """
        ...

    def same_picture(self, content_hash: str) -> list[Entry]:
        """Return the listed items with this picture, in key order."""
        ...

    def withdrawn_on_shop(self) -> list[Entry]:
        """Return withdrawn items whose cutout is still published, in key order."""
        ...

    def record(self, records: Sequence[DecisionRecord], changes: Mapping[str, DecisionPlan], claim: Claim) -> None:
        """
        Record decisions, and give items their new states, in one step; `decided_at` becomes the present time.

        Args:
            records: the decisions.
            changes: plan by key; those whose state stays as it is are left out.
            claim: holds all items of `changes`.

        Raises:
            ClaimLost: another claim has one of the items; nothing was written.
        """
        ...

    def decisions(self, keys: Sequence[str]) -> dict[str, list[DecisionRecord]]:
        """Return the decisions about each of these items that has any, oldest first."""
        ...
