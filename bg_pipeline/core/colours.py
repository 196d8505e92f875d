"""The decision whose colours are published: the source's, or those of a bought answer."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from bg_pipeline.core.recipe import AS_IT_IS, Cut
from bg_pipeline.core.vendor import Vendor


class Use(StrEnum):
    """The part of a master that is published."""

    ALPHA = "alpha"
    """Its alpha; the colours are the source's, at every size."""
    PICTURE = "picture"
    """Its alpha and its colours, in the frame of the source."""
    WHOLE = "whole"
    """Its alpha and its colours in a frame of its own."""
    UNDECLARED = "undeclared"
    """Unknown: its colours where it is as large as the source; otherwise only its alpha, so as to lose no detail."""


class Decision(NamedTuple):
    """A use, and the reason for it."""

    use: Use
    reason: str


_OFF = frozenset({"", "false", "none", "off"})
"""Values that switch a parameter off, at every vendor."""


def use_of(cut: Cut | None, vendors: Iterable[Vendor]) -> Decision:
    """
    Decide by what was bought, never by how the answer looks.

    Args:
        cut: the cut of the master; None if it is not in the recipe.
        vendors: descriptions of those that sell the recipe's cuts.
    """
    if cut is None:
        return Decision(Use.UNDECLARED, "its cut is not in the recipe")
    if cut == AS_IT_IS:
        return Decision(Use.WHOLE, "the source is a cutout already")
    if cut.tools:
        return Decision(Use.WHOLE, f"{cut.tools[-1].name} makes a picture of its own")
    vendor = next((each for each in vendors if each.name == cut.provider), None)
    if vendor is None:
        return Decision(Use.UNDECLARED, f"{cut.provider} is not described")
    keeping = vendor.variants[cut.variant].keeping
    for name, value in sorted(cut.params.items()):
        if name.partition(".")[0] not in keeping and name not in keeping and value.lower() not in _OFF:
            return Decision(Use.PICTURE, f"{name}={value} may alter colours")
    return Decision(Use.ALPHA, f"{vendor.title} keeps the colours of the source")


def use_by_digest(digest: str, cuts: Iterable[Cut], vendors: Iterable[Vendor]) -> Decision:
    """Make the same decision for a cut that is known by a digest only."""
    return use_of(next((cut for cut in cuts if digest in cut.digests), None), vendors)
