"""
Items that a person erased: their bytes are not cut out again.

The row of such an item stays with its key and content hash, in the state FORGOTTEN. `forgotten_id` in its
`purchase_id` says which bytes were meant.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bg_pipeline.core.formats import Format
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.recipe import Rendition, purchase_id
from bg_pipeline.core.records import Entry, Output, State


@dataclass(frozen=True, slots=True)
class Traces:
    """The purchases made of an item's pictures, and the other items that have the same picture."""

    own: tuple[str, ...] = ()
    """Purchases that no other item uses, in any catalogue."""
    shared: tuple[str, ...] = ()
    """Purchases that another item uses too."""
    same_picture: tuple[str, ...] = ()
    """Other keys of the catalogue that have, or had last, the same picture."""


def forgotten_id(content_hash: str) -> str:
    """Return the name under which the bytes of a forgotten item are remembered: the purchase that is never made."""
    return purchase_id(content_hash, "forgotten")


def is_forgotten(entry: Entry) -> bool:
    """Return True if an item was erased and still has the bytes that were meant."""
    return entry.state is State.FORGOTTEN and entry.purchase_id == forgotten_id(entry.content_hash)


def forgotten_pictures(entries: Iterable[Entry]) -> Mapping[str, str]:
    """Return, by `forgotten_id` of each picture that was erased, the first key that had it."""
    forgotten = [entry for entry in entries if entry.state is State.FORGOTTEN]
    return {each.purchase_id: each.key for each in sorted(forgotten, key=lambda e: key_bytes(e.key), reverse=True)}


def output_names(stem: str, renditions: Iterable[Rendition], outputs: Iterable[Output]) -> tuple[str, ...]:
    """
    Return the names of all files in the output store that an item has, or had in another format.

    Args:
        stem: its plain output name; empty if it never had one.
        renditions: those of its recipe.
        outputs: its outputs on record.
    """
    names: dict[str, None] = {}
    if stem:
        each_format = (replace(each, format=kind) for each in renditions for kind in Format)
        names = dict.fromkeys(each.name_of(stem) for each in each_format)
    for output in outputs:
        names |= dict.fromkeys(filter(None, (output.published.output_name, output.trash_name)))
    return tuple(names)
