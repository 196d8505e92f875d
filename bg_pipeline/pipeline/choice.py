"""The items that a person may request in place of all pending ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from bg_pipeline.core.canary import Extent
from bg_pipeline.core.claims import Only, Selection, reasons_of
from bg_pipeline.core.records import Change, State
from bg_pipeline.pipeline.process import Scope
from bg_pipeline.ports.context import Catalogue


@dataclass(frozen=True, slots=True)
class Choice:
    """Items that a person may request in place of all pending ones."""

    collections: frozenset[str] | None = None
    only: Only = Only.ALL
    sample: int | None = None
    """Number of items per collection."""
    apply_recipe_change: bool = False
    recipe_change_limit: int | None = None
    """Largest number of purchases for a changed recipe, oldest first; None for all."""
    without_canary: bool = False
    """Buy them although no canary of the recipe is accepted."""

    @property
    def extent(self) -> Extent:
        """The part of a changed recipe that is requested."""
        return Extent(self.collections, self.sample, self.without_canary)

    @property
    def is_everything(self) -> bool:
        return self.collections is None and self.only is Only.ALL and self.sample is None


def scope_of(catalogue: Catalogue, choice: Choice, requested: Sequence[Change] = ()) -> Scope:
    """
    Return the scope that a choice describes.

    Args:
        catalogue: owner of the items.
        choice: the requested items.
        requested: the requested purchases for a changed recipe.
    """
    selection = Selection(choice.collections, reasons_of(choice.only))
    changes = [c for c in requested if selection.holds(c.collection, c.reason) and choice.only is not Only.FAILED]
    keys: Sequence[str] | None = None
    state = State.PENDING
    if choice.only is Only.FAILED:
        state = State.FAILED
        failed = (e for e in catalogue.items.in_state(state) if e.purchase_id and not e.absent)
        keys = [e.key for e in failed if choice.collections is None or e.collection in choice.collections]
    if choice.sample is not None:
        keys, changes = _take_sample(catalogue, selection, choice.sample, keys, changes)
    return Scope(selection, keys, state, tuple(changes))


def _take_sample(
    catalogue: Catalogue, selection: Selection, count: int, keys: Sequence[str] | None, changes: Sequence[Change]
) -> tuple[Sequence[str], list[Change]]:
    """Return at most `count` items per collection: pending ones first, then requested changes."""
    left: dict[str, int] = {}
    if keys is None:
        keys = catalogue.queue.pending_keys(selection, count)
    entries = catalogue.deltas.get_many(keys)
    chosen = [e.key for e in entries if _take_one(left, e.collection, count)]
    return chosen, [change for change in changes if _take_one(left, change.collection, count)]


def _take_one(left: dict[str, int], collection: str, count: int) -> bool:
    left[collection] = left.get(collection, count) - 1
    return left[collection] >= 0
