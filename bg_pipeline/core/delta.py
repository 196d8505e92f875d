"""Compare the observations with the manifest: find the items that need work, each with its reason."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from bg_pipeline.core import keys
from bg_pipeline.core.buying import BuyOrder
from bg_pipeline.core.erasure import forgotten_id, forgotten_pictures, is_forgotten
from bg_pipeline.core.recipe import Recipe, purchase_id
from bg_pipeline.core.records import Change, Entry, Reason, State

WORK_REASONS = frozenset(Reason) - {Reason.UNCHANGED, Reason.RETURNED, Reason.SKIPPED, Reason.DELETED}
"""Classes that end in a published cutout."""

_ARRIVED = frozenset({Reason.NEW, Reason.CHANGED})
"""Classes of items whose bytes come to the catalogue, or to this key, for the first time."""

_AWAY = frozenset({State.DELETED, State.SKIPPED})
"""States of items that may still have their cutout."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Names of the cuts and renditions that a recipe accepts for a published item."""

    cuts: tuple[str, ...]
    """Digests of the cuts, in order of preference: any is accepted, a new purchase uses the first."""
    renditions: tuple[str, ...]
    """Digests of the rendition: first those of the present renderer, then older ones that may stay."""
    first: tuple[str, ...]
    """The digests in `cuts` that name the first cut, the one to buy."""

    @classmethod
    def of(cls, recipe: Recipe, *, rerender: bool = False) -> "Goal":
        """
        Collect the names that a recipe accepts.

        Args:
            recipe: the wanted recipe.
            rerender: accept only outputs of the present renderer.
        """
        cuts = tuple(digest for cut in recipe.accepted for digest in cut.digests)
        rendition = recipe.rendition
        return cls(cuts, rendition.present_digests if rerender else rendition.digests, recipe.cut.digests)


class Candidate(NamedTuple):
    """An entry that is not up to date."""

    entry: Entry
    change: Change
    """The change, still without its price and without comparison to other items."""
    accepted: tuple[str, ...]
    """Accepted purchases of its bytes, in order of preference; empty where there is nothing to do."""
    stem: str
    """Its preferred output name without extension; empty if it has one already or needs none."""
    goal: Goal
    """The names that its recipe accepts."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The state of each entry, judged without the others."""

    candidates: tuple[Candidate, ...]
    """Candidates in key order."""
    unchanged: int
    missing_outputs: Container[str] = frozenset()

    @property
    def purchase_ids(self) -> list[str]:
        """Return every purchase that could serve a candidate, each once."""
        ids: dict[str, None] = {}
        for entry, change, accepted, *_ in self.candidates:
            if accepted:
                ids.update(dict.fromkeys(accepted))
                ids[change.purchase_id] = None
                if entry.published:
                    ids[entry.published.purchase_id] = None
        return list(ids)


@dataclass(frozen=True, slots=True)
class Delta:
    """The work of the next sync."""

    changes: tuple[Change, ...]
    unchanged: int
    collisions: Mapping[str, str]
    """Key to its output stem, where the plain stem is another item's, too long, or would be hidden."""

    @property
    def counts(self) -> dict[str, int]:
        """Count the listed keys in each class; `deleted` counts keys that were listed before."""
        items = Counter(change.reason for change in self.changes)
        items[Reason.UNCHANGED] = self.unchanged
        return {reason.value: items[reason] for reason in Reason} | {"collision": len(self.collisions)}

    @property
    def work(self) -> tuple[Change, ...]:
        """Return the changes that the next sync carries out."""
        return tuple(c for c in self.changes if c.reason in WORK_REASONS and not c.held)

    @property
    def requested(self) -> tuple[Change, ...]:
        """Return the part of `work` that is not recorded as pending: the requested run claims it itself."""
        return tuple(c for c in self.changes if c.on_request)

    @property
    def held(self) -> tuple[Change, ...]:
        """Return purchases that wait for a person's request."""
        return tuple(c for c in self.changes if c.held)

    @property
    def purchases(self) -> int:
        return sum(c.purchase for c in self.work)

    @property
    def credits(self) -> Decimal:
        return sum((c.credits for c in self.work), Decimal(0))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each class with items: their number, the purchases, the price and an example reason."""
        rows = []
        for reason in Reason:
            changes = [c for c in self.changes if c.reason is reason]
            buying = [c for c in changes if c.purchase and not c.held]
            if changes:
                rows.append(
                    {
                        "class": reason.value,
                        "items": len(changes),
                        "to_buy": len(buying),
                        "credits": float(sum((c.credits for c in buying), Decimal(0))),
                        "why": f"{changes[0].key}: {changes[0].because}" + ("; …" if len(changes) > 1 else ""),
                    }
                )
        return rows

    def by_collection(self) -> dict[str, list[Change]]:
        """Return the work of each collection."""
        changes: dict[str, list[Change]] = {}
        for change in self.work:
            changes.setdefault(change.collection, []).append(change)
        return changes


def is_up_to_date(entry: Entry, goal: Goal) -> bool:
    """
    Return True if source and recipe are as published. Then only the existence of the output needs a check.

    `manifest.items` has the same rule in SQL, so that a million such rows never become objects.
    """
    return not entry.absent and entry.state is State.PUBLISHED and _is_as_published(entry, goal)


def _is_as_published(entry: Entry, goal: Goal) -> bool:
    shown = entry.published
    return (
        shown is not None
        and entry.content_hash != ""
        and shown.content_hash == entry.content_hash
        and shown.cut_digest in goal.cuts
        and shown.rendition_digest in goal.renditions
    )


def cut_of(entry: Entry, goal: Goal) -> str:
    """
    Return the digest of the cut that a pending item waits for; empty if the recipe has changed since.

    A cut outside the recipe is the published one: it is restored from its master and never bought.
    """
    for cut in goal.cuts:
        if entry.purchase_id == purchase_id(entry.content_hash, cut):
            return cut
    shown = entry.published
    if shown is not None and shown.content_hash == entry.content_hash and shown.purchase_id == entry.purchase_id:
        return shown.cut_digest
    return ""


def classify(  # noqa: C901, PLR0911, PLR0912  one return for each row of its table
    entry: Entry, goal: Goal, *, output_missing: bool, left_out: str = ""
) -> tuple[Reason, str]:
    """
    Return class and reason of one entry, as far as they are known without the others.

        source    published from   state        result
        there     -                forgotten    SKIPPED: these bytes were erased on request
        gone      -                not deleted  DELETED
        left out  -                -            SKIPPED, by the pattern `left_out`
        there     the same         published    UNCHANGED, or OUTPUT_MISSING
        no image  -                -            SKIPPED
        there     -                failed here  SKIPPED until the image, the recipe or a retry changes that
        there     -                in a delta   UNFINISHED
        there     the same         deleted      RETURNED, or NEW if its output is missing
        there     the same         skipped      RETURNED, or CHANGED if its output is missing
        there     other bytes      forgotten    NEW
        there     other bytes      deleted      NEW: it came back
        there     other bytes      skipped      CHANGED: it is a picture now
        there     nothing          -            NEW
        there     other bytes      -            CHANGED
        there     other recipe     -            RECIPE_CHANGED
    """
    if is_forgotten(entry):
        return Reason.SKIPPED, "erased on request"
    if entry.absent:
        return Reason.DELETED, "its source is gone"
    if left_out:
        return Reason.SKIPPED, f"left out by {left_out}"
    shown = entry.published
    if is_up_to_date(entry, goal):
        if output_missing:
            return Reason.OUTPUT_MISSING, f"{shown.output_name if shown else ''} is not in the output"
        return Reason.UNCHANGED, "source, recipe and output are as published"
    if why := _unfit(entry):
        return Reason.SKIPPED, why
    if entry.state is State.FORGOTTEN:
        return Reason.NEW, "it was erased, and is another picture now"
    if entry.state in {State.FAILED, State.QUARANTINED}:
        if entry.purchase_id in {purchase_id(entry.content_hash, cut) for cut in goal.cuts}:
            return Reason.SKIPPED, f"{entry.state} before: {entry.detail}"
        return Reason.CHANGED, f"{entry.state} before; the picture or the recipe has changed since"
    if entry.state is State.PENDING and entry.reason in WORK_REASONS:
        return Reason.UNFINISHED, "an earlier run did not finish it"
    there = shown is not None and shown.output_name != "" and not output_missing
    if entry.state in _AWAY and there and _is_as_published(entry, goal):
        return Reason.RETURNED, "it is back as it was published, and its output is there"
    if entry.state is State.DELETED:
        return Reason.NEW, "its source is back"
    if entry.state is State.SKIPPED:
        return Reason.CHANGED, "it was skipped, and can be cut out now"
    if shown is None:
        return Reason.NEW, "not seen before"
    if shown.content_hash != entry.content_hash:
        return Reason.CHANGED, "its bytes differ from those that were cut out"
    if shown.cut_digest not in goal.cuts:
        return Reason.RECIPE_CHANGED, "the same picture, but the recipe has another cut"
    return Reason.RECIPE_CHANGED, "the same cut, but the recipe has another rendition"


def _unfit(entry: Entry) -> str:
    if not entry.content_hash:
        return "it cannot be read, or is too large"
    return keys.unsafe(entry.key) or ("" if entry.media_type else "not a picture, by its first bytes")


def survey(
    entries: Iterable[Entry],
    goal_of: Callable[[str], Goal],
    missing_outputs: Container[str],
    up_to_date: int = 0,
    *,
    leaves_out: Callable[[str], str] = lambda _key: "",
    order: BuyOrder = BuyOrder(),  # noqa: B008  it does not change
) -> Survey:
    """
    Classify every entry by itself.

    Args:
        entries: the manifest after a complete scan, in any order.
        goal_of: returns the names that the recipe of a key accepts.
        missing_outputs: keys whose published output is missing.
        up_to_date: number of further entries that are up to date and have their output.
        leaves_out: see `core.filters.Filter.leaves_out`.
        order: order of the purchases.
    """
    candidates: list[Candidate] = []
    unchanged = up_to_date
    entries = list(entries)
    erased = forgotten_pictures(entries)
    for entry in entries:
        if entry.absent and entry.state in {State.DELETED, State.FORGOTTEN}:
            continue
        goal, left_out, missing = goal_of(entry.key), leaves_out(entry.key), entry.key in missing_outputs
        reason, because = classify(entry, goal, output_missing=missing, left_out=left_out)
        if reason is Reason.UNCHANGED:
            unchanged += 1
            continue
        if erased and reason in _ARRIVED and (key := erased.get(forgotten_id(entry.content_hash))):
            reason, because = Reason.SKIPPED, f"the same picture as {key}, which was erased on request"
        accepted = _accepted(entry, goal) if reason in WORK_REASONS else ()
        wanted = _wanted(entry, goal, accepted) if accepted or reason is Reason.RETURNED else entry.purchase_id
        change = Change(
            entry.key,
            entry.collection,
            reason,
            because,
            _becomes(entry, reason, left_out),
            purchase_id=wanted,
            revision=entry.revision,
            step=order.step_of(entry, output_missing=missing) if accepted else entry.step,
            priority=entry.priority,
        )
        stem = keys.preferred_stem(entry.key) if accepted and not entry.stem else ""
        candidates.append(Candidate(entry, change, accepted, stem, goal))
    candidates.sort(key=lambda c: keys.key_bytes(c.entry.key))
    return Survey(tuple(candidates), unchanged, missing_outputs)


def _accepted(entry: Entry, goal: Goal) -> tuple[str, ...]:
    return tuple(purchase_id(entry.content_hash, cut) for cut in goal.cuts)


def _wanted(entry: Entry, goal: Goal, accepted: Sequence[str]) -> str:
    """Return the purchase to publish an item from: its present one if accepted, else the preferred one."""
    shown = entry.published
    if shown is not None and shown.content_hash == entry.content_hash and shown.cut_digest in goal.cuts:
        return shown.purchase_id
    return accepted[0]


def _becomes(entry: Entry, reason: Reason, left_out: str) -> State | None:
    if reason is Reason.DELETED:
        return State.DELETED
    if entry.state is State.FORGOTTEN and reason is Reason.SKIPPED:
        return None
    if left_out:
        return None if entry.state is State.PUBLISHED else State.SKIPPED
    if reason is Reason.RETURNED:
        return State.PUBLISHED
    if reason is Reason.SKIPPED:
        refused_before = entry.state in {State.FAILED, State.QUARANTINED} and entry.media_type
        return None if refused_before else State.SKIPPED
    return State.PENDING
