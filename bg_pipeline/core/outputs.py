"""Decide which outputs of an item to make, which may stay, and which to take away."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bg_pipeline.core.identity import set_digest
from bg_pipeline.core.keys import fold
from bg_pipeline.core.naming import PLAIN, name_template
from bg_pipeline.core.recipe import Recipe, Rendition
from bg_pipeline.core.records import MAIN, Entry, Output, Published, Reason


class Origin(NamedTuple):
    """The master that an item is published from."""

    purchase_id: str
    cut_digest: str
    is_new: bool = False
    """True if it was bought just now."""


_SAME_MASTER = frozenset({Reason.RECIPE_CHANGED, Reason.OUTPUT_MISSING})
"""Classes of items that were published from the master of their purchase as it is: a redo, for one, replaces it."""


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """The outputs of one item."""

    wanted: Mapping[str, Published]
    """By rendition, what is recorded once its output stands; its `output_digest` is empty."""
    recorded: Mapping[str, Published]
    """By rendition, the outputs on record that are as wanted: each may stay if the store has these very bytes."""
    obsolete: tuple[Published, ...]
    """Outputs on record under names that are no longer wanted."""


def plan_outputs(entry: Entry, others: Sequence[Output], recipe: Recipe, origin: Origin) -> OutputPlan:
    """
    Compare what is on record of an item with its recipe. The present renderer makes all outputs.

    Args:
        entry: the item.
        others: its outputs on record, beside the main one.
        recipe: its recipe.
        origin: the master to publish.
    """
    wanted = {
        name: Published(*origin[:2], each.digest, each.name_of(entry.stem), "", entry.content_hash)
        for name, each in recipe.renditions.items()
    }
    known = {each.rendition: each.published for each in others}
    if entry.published:
        # The name on record is that of the set; with the others on record, it is that of the main one too.
        in_set = set_digest(recipe.rendition.digest, {name: each.rendition_digest for name, each in known.items()})
        is_present = entry.published.rendition_digest == in_set
        known[MAIN] = replace(entry.published, rendition_digest=recipe.rendition.digest if is_present else "")
    recorded = {}
    if entry.reason in _SAME_MASTER and not origin.is_new:
        recorded = {name: each for name, each in known.items() if _is_same(each, wanted.get(name))}
    names = {fold(each.output_name) for each in wanted.values()}
    obsolete = (each for each in known.values() if each.output_name and fold(each.output_name) not in names)
    return OutputPlan(wanted, recorded, tuple(obsolete))


def _is_same(one: Published, wanted: Published | None) -> bool:
    return wanted is not None and one == replace(
        wanted, cut_digest=one.cut_digest, output_digest=one.output_digest, run=one.run
    )


def of_set(made: Mapping[str, Published]) -> tuple[Published, dict[str, Published]]:
    """Return the main output, as it is recorded, and the others by rendition."""
    others = {name: each for name, each in made.items() if name != MAIN}
    digest = set_digest(made[MAIN].rendition_digest, {name: each.rendition_digest for name, each in others.items()})
    return replace(made[MAIN], rendition_digest=digest), others


def all_outputs(entry: Entry, others: Iterable[Output]) -> Iterator[Output]:
    """Yield the outputs on record of an item, the main one first."""
    if entry.published:
        yield Output(MAIN, entry.published, entry.trash_name)
    yield from others


def alone(entry: Entry, output: Output) -> Entry:
    """Return the item as if this were its main output, for what treats all outputs alike."""
    return replace(entry, published=output.published, trash_name=output.trash_name)


def twins(names: Iterable[str]) -> str:
    """Return an output name of an item that some file systems take for another one of it; empty if there is none."""
    known: set[str] = set()
    for name in names:
        if fold(name) in known:
            return name
        known.add(fold(name))
    return ""


def rivals(stem: str, renditions: Iterable[Rendition], all_renditions: Iterable[Rendition]) -> dict[str, str]:
    """
    Return by folded stem of another item the output name of this one that would be the other's too.

    An output that is called like its item has no rival: the other one gives way, unless it is published already.

    Args:
        stem: plain output name of the item.
        renditions: those of the item.
        all_renditions: those of all recipes of the catalogue.
    """
    made: dict[str, str] = {}
    for each in renditions:
        if each.output_name == PLAIN:
            continue
        folded = fold(name_template(each.output_name).name_of(stem))
        for other in all_renditions:
            if other.format is each.format and (owner := _stem_of(other, folded)) and owner != fold(stem):
                made[owner] = each.name_of(stem)
    return made


def _stem_of(rendition: Rendition, folded: str) -> str | None:
    return name_template(fold(rendition.output_name)).stem_of(folded)
