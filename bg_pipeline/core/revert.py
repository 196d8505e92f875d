"""Take the publications of one run back: what is kept of each replaced output, and what becomes of each item."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bg_pipeline.core.delta import Goal
from bg_pipeline.core.export import FOLDER
from bg_pipeline.core.moments import iso
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import MAIN, Entry, Published

PREVIOUS = f"{FOLDER}/previous"
"""Folder of the output store with the outputs that were replaced."""


@dataclass(frozen=True, slots=True)
class Previous:
    """An output that a run replaced, and where its bytes are kept."""

    key: str
    run: str
    """The run that replaced it."""
    published: Published | None
    """Its whole origin; None if no listed item had published these bytes."""
    published_at: float | None
    kept_name: str = ""
    """Name of its bytes in the output store: their own, where the run left them; empty if they were missing already."""
    kept_digest: str = ""
    """SHA-256 of these bytes."""
    replaced_at: float = 0.0
    """Epoch second."""
    rendition: str = MAIN

    @property
    def is_copy(self) -> bool:
        """True if its bytes have a file of their own, which nothing else uses."""
        return self.kept_name.startswith(f"{PREVIOUS}/")


@dataclass(frozen=True, slots=True)
class Reverted:
    """A publication that a person took back: it is not made again until a person asks for it."""

    key: str
    run: str
    by: str
    content_hash: str
    cut_digest: str
    rendition_digest: str
    reverted_at: float = 0.0
    """Epoch second."""

    @classmethod
    def of(cls, key: str, published: Published, by: str) -> "Reverted":
        """Return the record for a publication that is taken back now."""
        origin = published.content_hash, published.cut_digest, published.rendition_digest
        return cls(key, published.run, by, *origin)


@dataclass(frozen=True, slots=True)
class RunPublications:
    """What a run published that is still published."""

    run: str
    items: int
    first_at: float
    last_at: float


class Step(StrEnum):
    """What a reversion does with one item."""

    PUT_BACK = "put_back"
    """Its former output and publication return."""
    TAKE_OFF = "take_off"
    """It had no output before: its cutout goes to the trash. What had its name returns."""
    LEAVE = "leave"


def previous_name(key: str, output_digest: str, output_name: str) -> str:
    """
    Return the name under which the bytes of an output are kept.

    It is the same in every run, so that a run finds what a killed run kept, and short, so that any store takes it.
    """
    name = digest_of(f"{output_digest} {key}".encode("utf-8", "surrogateescape"))[:40]
    dot = output_name.rfind(".", output_name.rfind("/") + 1)
    return f"{PREVIOUS}/{name[:2]}/{name}{output_name[dot:] if dot >= 0 else ''}"


def is_the_same(former: Mapping[str, Published], made: Mapping[str, Published]) -> bool:
    """Return True if all outputs of an item, by rendition, are made again as they were, so that nothing is replaced."""
    return {name: replace(each, run="") for name, each in former.items()} == made


def plan_revert(entry: Entry, run: str, previous: Sequence[Previous]) -> tuple[Step, str]:
    """
    Return what becomes of an item, and why.

        its publication    on the shop    before that run        step
        of another run     -              -                      LEAVE: published again since
        of that run        no             -                      LEAVE
        of that run        yes            nothing                TAKE_OFF
        of that run        yes            an output              PUT_BACK
        of that run        yes            an output, missing     LEAVE
        of that run        yes            that of a gone item    TAKE_OFF: that one returns

    Args:
        entry: an item that the run published.
        run: the run.
        previous: its outputs that the run replaced; none if it had none.
    """
    shown = entry.published
    if shown is None or shown.run != run:
        since = f"by the run {shown.run!r}" if shown and shown.run else "by another run"
        return Step.LEAVE, f"published again since, {since}"
    if not shown.output_name:
        return Step.LEAVE, f"its cutout is not on the shop: {entry.state}"
    if not previous:
        return Step.TAKE_OFF, "it had no cutout before that run"
    former = [each for each in previous if each.published is not None]
    if not former:
        return Step.TAKE_OFF, f"{shown.output_name} was the cutout of a picture that is gone, and is so again"
    names = [each.published.output_name for each in former if each.published]
    if missing := [name for name, each in zip(names, former, strict=True) if not each.kept_name]:
        return Step.LEAVE, f"{missing[0]} was missing already before that run"
    return Step.PUT_BACK, f"{', '.join(names)} as before that run"


def refusal_of_kept(previous: Previous, kept: str | None) -> str:
    """
    Return why a kept output cannot be put back; empty if it can.

    Args:
        previous: its record.
        kept: SHA-256 of the bytes under its name; None if there are none.
    """
    if kept is not None and kept == previous.kept_digest:
        return ""
    return f"its former cutout is no longer at {previous.kept_name}, or has other bytes"


def refusal_of_present(shown: Published, previous: Iterable[Previous], present: str | None) -> str:
    """
    Return why an output cannot be replaced; empty if it can.

    Args:
        shown: a present publication.
        previous: what is put back in place of the item's outputs.
        present: SHA-256 of the bytes under the name of the output; None if there are none.
    """
    # Put back already, by a run that was killed before it could record it.
    if present in {None, shown.output_digest, *(each.kept_digest for each in previous)}:
        return ""
    return f"another program wrote {shown.output_name}; move that file away first"


def by_key(reverted: Iterable[Reverted]) -> Mapping[str, Sequence[Reverted]]:
    """Return what was taken back of each item."""
    grouped: dict[str, list[Reverted]] = {}
    for each in reverted:
        grouped.setdefault(each.key, []).append(each)
    return grouped


def reverted_by(entry: Entry, goal: Goal, reverted: Iterable[Reverted]) -> Reverted | None:
    """Return the reversion that keeps an item as it is: the delta would publish again what was taken back."""
    return next(
        (
            each
            for each in reverted
            if each.content_hash == entry.content_hash
            and each.cut_digest in goal.cuts
            and each.rendition_digest in goal.renditions
        ),
        None,
    )


def because_reverted(reverted: Reverted) -> str:
    """Return the reason why an item stays as it is."""
    return (
        f"held: {reverted.by} reverted the run {reverted.run!r} on {iso(reverted.reverted_at)}; "
        f"`bg-pipeline revert {reverted.run!r} --redo` publishes it again"
    )
