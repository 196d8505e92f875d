"""
Decide if a manifest may work with a store.

Outputs, masters and spool carry a mark: the identity of the manifest that knows what is in them. Another manifest, or
an empty one, does not know what is paid for, and would buy all of it again.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

MARK = ".bg-pipeline-manifest"
"""Name of the mark in a store: hidden, so that no listing contains it."""

_TEXT = "The first line is the identity of the bg_pipeline manifest that knows what is stored here. Leave this file.\n"


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


def decide_ownership(identity: str, mark: bytes | None, *, is_full: bool, knows_purchases: bool) -> OwnershipDecision:
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
        mark: content of the mark in the store; None if there is none.
        is_full: True if the store has other content.
        knows_purchases: True if the manifest has a record of any purchase.
    """
    if mark is not None:
        if identity_in(mark) == identity:
            return OwnershipDecision(Ownership.OURS, "it has the mark of this manifest")
        return OwnershipDecision(Ownership.FOREIGN, "belongs to another manifest")
    if not is_full:
        return OwnershipDecision(Ownership.NEW, "it is empty")
    if knows_purchases:
        return OwnershipDecision(Ownership.NEW, "it was made before there were marks")
    return OwnershipDecision(Ownership.FOREIGN, "is full, but the manifest knows of no purchase")


def mark_of(identity: str) -> bytes:
    """Return the content of a mark."""
    return f"{identity}\n{_TEXT}".encode()


def identity_in(mark: bytes) -> str | None:
    """Return the identity that a mark names; None if it is damaged."""
    found = re.match(rb"[0-9a-f]{32}(?=\n)", mark)
    return found[0].decode() if found else None
