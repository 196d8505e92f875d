"""The decision whose colours are published: the source's, or those of a bought answer."""

from collections.abc import Iterable
from typing import NamedTuple

from bg_pipeline.core.params import Effect, effect
from bg_pipeline.core.recipe import AS_IT_IS, Cut
from bg_pipeline.core.records import Master, Use
from bg_pipeline.core.vendor import Vendor


class Decision(NamedTuple):
    """A use, and the reason for it."""

    use: Use
    reason: str


_USES = {
    Effect.KEEPS: (Use.ALPHA, "keeps the colours of the source"),
    Effect.COLOURS: (Use.PICTURE, "may alter colours"),
    Effect.FRAME: (Use.WHOLE, "makes a frame of its own"),
    Effect.BACKDROP: (Use.FINISHED, "makes a background"),
    Effect.SCENE: (Use.FINISHED, "makes a picture of its own"),
}


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
        return Decision(
            Use.FINISHED if cut.tools_only else Use.WHOLE, f"{cut.tools[-1].name} makes a picture of its own"
        )
    vendor = next((each for each in vendors if each.name == cut.provider), None)
    if vendor is None:
        return Decision(Use.UNDECLARED, f"{cut.provider} is not described")
    what, by = effect(vendor.variants[cut.variant].params, cut.params)
    use, reason = _USES[what]
    return Decision(use, f"{by or vendor.title} {reason}")


def use_of_master(master: Master, digest: str, cuts: Iterable[Cut], vendors: Iterable[Vendor]) -> Decision:
    """
    Decide for a master: by what its purchase declared, else by the recipe's cut of this digest.

    Args:
        master: its `use` is what was declared.
        digest: of its cut.
        cuts: those of the recipe.
        vendors: descriptions of those that sell them.
    """
    if master.use is not None:
        return Decision(master.use, "declared when it was bought")
    return use_of(next((cut for cut in cuts if digest in cut.digests), None), vendors)
