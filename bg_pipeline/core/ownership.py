"""
Decide if a manifest may work with a store.

Outputs, masters and spool carry a mark: the identity of the manifest that knows what is in them. Another manifest, or
an empty one, does not know what is paid for, and would buy all of it again.
"""

from dataclasses import dataclass
from enum import StrEnum

MARK = ".bg-pipeline-manifest"
"""Name of the mark in a store: hidden, so that no listing contains it."""


class Ownership(StrEnum):
    """The relation of a store to a manifest."""

    OURS = "ours"
    NEW = "new"
    """Of no manifest yet: it is to be marked."""
    FOREIGN = "foreign"
    """Of another manifest, or of a lost one: nothing may be bought."""


@dataclass(frozen=True, slots=True)
class OwnershipDecision:
    """The relation of a store to a manifest, with its reason."""

    ownership: Ownership
    because: str


def decide_ownership(identity: str, mark: str, *, is_full: bool, knows_purchases: bool) -> OwnershipDecision:
    """
    Decide if a manifest may work with a store.

        mark       the store   the manifest      result
        its own    any         any               ours
        another    any         any               foreign
        none       is empty    any               new
        none       is full     knows purchases   new: it was made before there were marks
        none       is full     knows none        foreign: the manifest is lost, or is another

    Args:
        identity: of the manifest.
        mark: identity in the mark of the store; empty if there is none.
        is_full: True if the store has other content.
        knows_purchases: True if the manifest has a record of any purchase.
    """
    if mark:
        if mark == identity:
            return OwnershipDecision(Ownership.OURS, "it has the mark of this manifest")
        return OwnershipDecision(Ownership.FOREIGN, "belongs to another manifest")
    if not is_full:
        return OwnershipDecision(Ownership.NEW, "it is empty")
    if knows_purchases:
        return OwnershipDecision(Ownership.NEW, "it was made before there were marks")
    return OwnershipDecision(Ownership.FOREIGN, "is full, but the manifest knows of no purchase")
