"""Listing against manifest: which items need work, and why."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from bg_pipeline.core import keys
from bg_pipeline.core.recipe import Recipe, purchase_id
from bg_pipeline.core.records import Change, Entry, Reason, State

WORK_REASONS = frozenset(Reason) - {Reason.UNCHANGED, Reason.SKIPPED, Reason.DELETED}
"""Classes that end in a published cutout."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Names of the cuts and renditions that a recipe accepts an item to be published from."""

    cuts: tuple[str, ...]
    """Digests of the cuts, in order of preference: a new purchase is made under the first, any of them will do."""
    renditions: tuple[str, ...]
    """Digests of the rendition: the present renderer's first, then those that may stay as they are."""
    first: tuple[str, ...]
    """Those of `cuts` that name the first cut, the one that would be bought."""

    @classmethod
    def of(cls, recipe: Recipe, *, rerender: bool = False) -> "Goal":
        """
        Collect the names that a recipe accepts.

        Args:
            recipe: what is wanted.
            rerender: accept only what the present renderer made.
        """
        cuts = tuple(digest for cut in recipe.accepted for digest in cut.digests)
        rendition = recipe.rendition
        return cls(cuts, rendition.present_digests if rerender else rendition.digests, recipe.cut.digests)


class Candidate(NamedTuple):
    """An entry that is not as it should be."""

    entry: Entry
    change: Change
    """Still without price and twins."""
    accepted: tuple[str, ...]
    """Purchases of its bytes that the recipe accepts, in order of preference; none where nothing is to be done."""
    stem: str
    """The output name that it would get if no other item had it; empty if it has one or needs none."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of each entry without the others."""

    candidates: tuple[Candidate, ...]
    """In key order."""
    unchanged: int
    goal: Goal
    missing_outputs: Container[str] = frozenset()

    @property
    def purchase_ids(self) -> list[str]:
        """Every purchase that could serve a candidate, each once."""
        found: dict[str, None] = {}
        for entry, change, accepted, _ in self.candidates:
            if accepted:
                found.update(dict.fromkeys(accepted))
                found[change.purchase_id] = None
                if entry.published:
                    found[entry.published.purchase_id] = None
        return list(found)


@dataclass(frozen=True, slots=True)
class Delta:
    """What the next sync would do."""

    changes: tuple[Change, ...]
    unchanged: int
    collisions: Mapping[str, str]
    """Key to the output stem it got because its plain one is another item's, too long, or would be hidden."""

    @property
    def counts(self) -> dict[str, int]:
        """How many listed keys are in each class; `deleted` counts keys that were listed before."""
        found = Counter(change.reason for change in self.changes)
        found[Reason.UNCHANGED] = self.unchanged
        return {reason.value: found[reason] for reason in Reason} | {"collision": len(self.collisions)}

    @property
    def work(self) -> tuple[Change, ...]:
        """The changes that the next sync carries out."""
        return tuple(c for c in self.changes if c.reason in WORK_REASONS and not c.held)

    @property
    def requested(self) -> tuple[Change, ...]:
        """The part of `work` that the run which was asked has to claim itself: it is not recorded as pending."""
        return tuple(c for c in self.changes if c.on_request)

    @property
    def held(self) -> tuple[Change, ...]:
        """Purchases that wait to be asked for."""
        return tuple(c for c in self.changes if c.held)

    @property
    def purchases(self) -> int:
        return sum(c.purchase for c in self.work)

    @property
    def credits(self) -> Decimal:
        return sum((c.credits for c in self.work), Decimal(0))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A line for each class that has items: how many, what is to buy, for how much, and an example of why."""
        found = []
        for reason in Reason:
            changes = [c for c in self.changes if c.reason is reason]
            buying = [c for c in changes if c.purchase and not c.held]
            if changes:
                found.append(
                    {
                        "class": reason.value,
                        "items": len(changes),
                        "to_buy": len(buying),
                        "credits": float(sum((c.credits for c in buying), Decimal(0))),
                        "why": f"{changes[0].key}: {changes[0].because}" + ("; …" if len(changes) > 1 else ""),
                    }
                )
        return found

    def by_collection(self) -> dict[str, list[Change]]:
        """The work of each collection."""
        found: dict[str, list[Change]] = {}
        for change in self.work:
            found.setdefault(change.collection, []).append(change)
        return found


def is_up_to_date(entry: Entry, goal: Goal) -> bool:
    """
    Whether source and recipe are as published, so that nothing has to be done but see that the output is there.

    `manifest.items` says the same in SQL, so that a million such rows never become objects.
    """
    shown = entry.published
    return (
        not entry.absent
        and entry.state is State.PUBLISHED
        and shown is not None
        and entry.content_hash != ""
        and shown.content_hash == entry.content_hash
        and shown.cut_digest in goal.cuts
        and shown.rendition_digest in goal.renditions
    )


def cut_of(entry: Entry, goal: Goal) -> str:
    """
    Digest of the cut that a pending item waits for; empty if the recipe has changed since.

    A cut that is not of the recipe is the published one, to be restored from its master and never to be bought.
    """
    for cut in goal.cuts:
        if entry.purchase_id == purchase_id(entry.content_hash, cut):
            return cut
    shown = entry.published
    if shown is not None and shown.content_hash == entry.content_hash and shown.purchase_id == entry.purchase_id:
        return shown.cut_digest
    return ""


def classify(  # noqa: C901, PLR0911  one return for each row of its table
    entry: Entry, goal: Goal, *, output_missing: bool
) -> tuple[Reason, str]:
    """
    Class and reason of one entry, as far as they are known without the others.

        source    published from   state        result
        gone      -                not deleted  DELETED
        there     the same         published    UNCHANGED, or OUTPUT_MISSING
        no image  -                -            SKIPPED
        there     -                failed here  SKIPPED until the image, the recipe or a retry changes that
        there     -                in a delta   UNFINISHED
        there     -                deleted      NEW: it came back
        there     -                skipped      CHANGED: it is a picture now
        there     nothing          -            NEW
        there     other bytes      -            CHANGED
        there     other recipe     -            RECIPE_CHANGED
    """
    if entry.absent:
        return Reason.DELETED, "its source is gone"
    shown = entry.published
    if is_up_to_date(entry, goal):
        if output_missing:
            return Reason.OUTPUT_MISSING, f"{shown.output_name if shown else ''} is not in the output"
        return Reason.UNCHANGED, "source, recipe and output are as published"
    if why := _unfit(entry):
        return Reason.SKIPPED, why
    if entry.state in {State.FAILED, State.QUARANTINED}:
        if entry.purchase_id in {purchase_id(entry.content_hash, cut) for cut in goal.cuts}:
            return Reason.SKIPPED, f"{entry.state} before: {entry.detail}"
        return Reason.CHANGED, f"the picture or the recipe changed since it {entry.state}"
    if entry.state is State.PENDING and entry.reason in WORK_REASONS:
        return Reason.UNFINISHED, "an earlier run did not get to it"
    if entry.state is State.DELETED:
        return Reason.NEW, "its source is back"
    if entry.state is State.SKIPPED:
        return Reason.CHANGED, "it was skipped, and can be cut out now"
    if shown is None:
        return Reason.NEW, "not seen before"
    if shown.content_hash != entry.content_hash:
        return Reason.CHANGED, "its bytes differ from those that were cut out"
    if shown.cut_digest not in goal.cuts:
        return Reason.RECIPE_CHANGED, "the same picture, to be cut another way"
    return Reason.RECIPE_CHANGED, "the same cut, to be rendered another way"


def _unfit(entry: Entry) -> str:
    if not entry.content_hash:
        return "it cannot be read, or is too large"
    return keys.unsafe(entry.key) or ("" if entry.media_type else "no picture by its first bytes")


def survey(
    entries: Iterable[Entry],
    recipe: Recipe,
    missing_outputs: Container[str],
    up_to_date: int = 0,
    *,
    rerender: bool = False,
) -> Survey:
    """
    Classify every entry by itself.

    Args:
        entries: the manifest after a complete scan, in any order.
        recipe: what is wanted.
        missing_outputs: keys whose published output is not there.
        up_to_date: how many more there are that are up to date and have their output.
        rerender: render again what an older renderer made.
    """
    goal = Goal.of(recipe, rerender=rerender)
    candidates: list[Candidate] = []
    unchanged = up_to_date
    for entry in entries:
        if entry.absent and entry.state is State.DELETED:
            continue
        reason, because = classify(entry, goal, output_missing=entry.key in missing_outputs)
        if reason is Reason.UNCHANGED:
            unchanged += 1
            continue
        accepted = _accepted(entry, goal) if reason in WORK_REASONS else ()
        wanted = _wanted(entry, goal, accepted) if accepted else entry.purchase_id
        change = Change(
            entry.key,
            entry.collection,
            reason,
            because,
            _becomes(entry, reason),
            purchase_id=wanted,
            revision=entry.revision,
        )
        stem = keys.preferred_stem(entry.key) if accepted and not entry.stem else ""
        candidates.append(Candidate(entry, change, accepted, stem))
    candidates.sort(key=lambda c: keys.key_bytes(c.entry.key))
    return Survey(tuple(candidates), unchanged, goal, missing_outputs)


def _accepted(entry: Entry, goal: Goal) -> tuple[str, ...]:
    return tuple(purchase_id(entry.content_hash, cut) for cut in goal.cuts)


def _wanted(entry: Entry, goal: Goal, accepted: Sequence[str]) -> str:
    """The purchase that an item is to be published from: the one it has, if that will do; else the preferred one."""
    shown = entry.published
    if shown is not None and shown.content_hash == entry.content_hash and shown.cut_digest in goal.cuts:
        return shown.purchase_id
    return accepted[0]


def _becomes(entry: Entry, reason: Reason) -> State | None:
    if reason is Reason.DELETED:
        return State.DELETED
    if reason is Reason.SKIPPED:
        refused_before = entry.state in {State.FAILED, State.QUARANTINED} and entry.media_type
        return None if refused_before else State.SKIPPED
    return State.PENDING
