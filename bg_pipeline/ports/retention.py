"""What is taken away for good: masters that no item uses, and items that a person erases."""

from collections.abc import Callable, Sequence
from typing import Protocol

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.erasure import Traces


class Retention(Protocol):
    """
    Masters that no item uses, in any catalogue, and the removal of their bytes.

    An item uses the masters of its picture while the picture is listed, or while its cutout is published or in the
    trash. An open or unsettled attempt uses its master too. A master of an unknown picture counts as used.
    """

    def count(self) -> int:
        """Return the number of all masters on record."""
        ...

    def unused(self, before: float | None = None) -> list[str]:
        """Return the purchases whose master is unused, or is so since this epoch second at the latest, in order."""
        ...

    def mark_unused(self) -> int:
        """Record since when each unused master is unused, and which are used again; return the number unused."""
        ...

    def retire(self, before: float) -> list[str]:
        """
        Drop the records of the masters that `unused` returns, in one step with a note that their bytes are to go.

        A process that dies then leaves bytes that `leftovers` knows; a purchase that is wanted again still finds them.
        """
        ...

    def leftovers(self) -> list[str]:
        """Return retired purchases whose bytes may still be stored; forget those that are used or recorded again."""
        ...

    def clear(self, purchase_ids: Sequence[str], remove: Callable[[str], bool]) -> list[str]:
        """
        Remove the bytes of retired masters, in one step with the proof that they are still leftovers.

        The detection of another catalogue may see such a picture at any time. It has to wait for this step, and then
        finds no bytes that are about to go.

        Args:
            purchase_ids: retired purchases; few, because all other writers wait.
            remove: removes the bytes of one; returns False if that is impossible now. May be called again for it.

        Returns:
            The purchases whose bytes are gone, in order.
        """
        ...

    def pruned_at(self, purchase_ids: Sequence[str]) -> dict[str, float]:
        """Return the epoch seconds at which the masters of these purchases were pruned, as far as any were."""
        ...


class Erasures(Protocol):
    """Items that a person erases. The steps can be repeated, and `finish` comes last: until then, all is known."""

    def traces(self, key: str, purchase_ids: Sequence[str]) -> Traces:
        """
        Return the purchases made of an item's present and earlier pictures, and who else uses them.

        Args:
            key: the item.
            purchase_ids: further purchases of its present picture, on record or not.
        """
        ...

    def begin(self, key: str, claim: Claim) -> None:
        """
        Record that an item is forgotten; from now on no run works on these bytes. Its publication stays on record.

        Raises:
            ClaimLost: another claim has this item.
        """
        ...

    def finish(self, key: str, claim: Claim) -> None:
        """
        Remove its publications and its output name; only its key, its place and its hashes stay. Ends the claim's hold.

        Raises:
            ClaimLost: another claim has this item.
        """
        ...

    def lift(self, key: str) -> bool:
        """Remove a forgotten item, so that the next listing has it as a new one; return False if it is not one."""
        ...
