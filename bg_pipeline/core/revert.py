"""Take the publications of one run back: what is kept of each replaced output, and what becomes of each item."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bg_pipeline.core.delta import Goal
from bg_pipeline.core.export import FOLDER
from bg_pipeline.core.moments import iso
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Entry, Published

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
    """Name of its bytes in the output store; empty if they were missing already."""
    kept_digest: str = ""
    """SHA-256 of these bytes."""
    replaced_at: float = 0.0
    """Epoch second."""


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
    """It had no output before: its cutout goes to the trash."""
    LEAVE = "leave"


def previous_name(key: str, output_digest: str, output_name: str) -> str:
    """
    Return the name under which the bytes of an output are kept.

    It is the same in every run, so that a run finds what a killed run kept, and short, so that any store takes it.
    """
    name = digest_of(f"{output_digest} {key}".encode("utf-8", "surrogateescape"))[:40]
    dot = output_name.rfind(".", output_name.rfind("/") + 1)
    return f"{PREVIOUS}/{name[:2]}/{name}{output_name[dot:] if dot >= 0 else ''}"


def is_the_same(former: Published | None, published: Published) -> bool:
    """Return True if an output is made again as it was, so that nothing is replaced."""
    return former is not None and (*_origin(former), former.output_digest) == (
        *_origin(published),
        published.output_digest,
    )


def _origin(published: Published) -> tuple[str, ...]:
    return (
        *(published.purchase_id, published.cut_digest, published.rendition_digest),
        *(published.content_hash, published.output_name),
    )


def plan_revert(entry: Entry, run: str, previous: Previous | None) -> tuple[Step, str]:
    """
    Return what becomes of an item, and why.

        its publication    on the shop    before that run        step
        of another run     -              -                      LEAVE: published again since
        of that run        no             -                      LEAVE
        of that run        yes            nothing                TAKE_OFF
        of that run        yes            an output              PUT_BACK
        of that run        yes            an output, missing     LEAVE
        of that run        yes            that of a gone item    LEAVE: its bytes are kept

    Args:
        entry: an item that the run published.
        run: the run.
        previous: what the run replaced; None if it replaced nothing.
    """
    shown = entry.published
    if shown is None or shown.run != run:
        since = f"by the run {shown.run!r}" if shown and shown.run else "by another run"
        return Step.LEAVE, f"published again since, {since}"
    if not shown.output_name:
        return Step.LEAVE, f"its cutout is not on the shop: {entry.state}"
    if previous is None:
        return Step.TAKE_OFF, "it had no cutout before that run"
    if previous.published is None:
        return Step.LEAVE, (
            f"{shown.output_name} was the cutout of a picture that is gone; its bytes are kept as {previous.kept_name}"
        )
    if not previous.kept_name:
        return Step.LEAVE, f"{previous.published.output_name} was missing already before that run"
    return Step.PUT_BACK, f"{previous.published.output_name} as it was before that run"


def refusal_to_put_back(shown: Published, previous: Previous, present: str | None, kept: str | None) -> str:
    """
    Return why an output cannot be put back; empty if it can.

    Args:
        shown: the present publication.
        previous: what it replaced.
        present: SHA-256 of the bytes under the name of the present output; None if there are none.
        kept: SHA-256 of the bytes under the name of the kept one; None if there are none.
    """
    if kept is None or kept != previous.kept_digest:
        return f"its former cutout is no longer at {previous.kept_name}, or has other bytes"
    # Put back already, by a run that was killed before it could record it.
    if present in {None, shown.output_digest, previous.kept_digest}:
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
