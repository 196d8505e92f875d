"""Compare the observations with the manifest: find the items that need work, each with its reason."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from bg_pipeline.core import keys
from bg_pipeline.core.erasure import is_forgotten
from bg_pipeline.core.media import why_no_picture
from bg_pipeline.core.recipe import Recipe, purchase_id
from bg_pipeline.core.records import Change, Entry, Reason, State
from bg_pipeline.core.review import is_withdrawn

_NO_WORK = frozenset({Reason.UNCHANGED, Reason.RETURNED, Reason.SKIPPED, Reason.FAILED, Reason.DELETED})

WORK_REASONS = frozenset(Reason) - _NO_WORK
"""Classes that end in a published cutout."""

REFUSED = frozenset({State.FAILED, State.QUARANTINED})
"""States of items that wait for a change of the picture or the recipe, or for a person."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Names of the cuts and renditions that a recipe accepts for a published item."""

    cuts: tuple[str, ...]
    """Digests of the cuts, in order of preference: any is accepted, a new purchase uses the first."""
    renditions: tuple[str, ...]
    """Digests of the renditions: first those of the present renderer, then older ones that may stay."""
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
        renditions = recipe.present_rendition_digests if rerender else recipe.rendition_digests
        return cls(cuts, renditions, recipe.cut.digests)


class SetAside(NamedTuple):
    """Items of one class for which nothing is done until their row or the settings change."""

    items: int
    key: str
    """The first of them."""
    because: str
    """Why that one is."""

    def and_these(self, others: "SetAside | None") -> "SetAside":
        """Return both together."""
        first = self if others is None else min(self, others, key=lambda each: keys.key_bytes(each.key))
        return first._replace(items=self.items + (others.items if others else 0))


@dataclass(frozen=True, slots=True)
class Held:
    """Items that only a changed recipe would cut again, and that stay as they are until a person asks for them."""

    items: int = 0
    credits: Decimal = Decimal(0)
    """What cutting them again costs."""
    collections: frozenset[str] = frozenset()

    def and_these(self, others: "Held") -> "Held":
        """Return both together."""
        return Held(self.items + others.items, self.credits + others.credits, self.collections | others.collections)


@dataclass(frozen=True, slots=True)
class Delta:
    """The work of the next sync."""

    changes: tuple[Change, ...]
    unchanged: int
    collisions: Mapping[str, str]
    """Key to its output stem, where the plain stem is another item's, too long, or would be hidden."""
    set_aside: Mapping[Reason, SetAside] = field(default_factory=dict)
    """Items that are skipped or failed already, or held, and in no change."""
    held_aside: Held = Held()
    """Held items that are in no change."""
    judged: Sequence[tuple[str, int]] = ()
    """Keys and revisions of items that need nothing until their row or the settings change, where the manifest cannot
    tell by itself."""

    @property
    def counts(self) -> dict[str, int]:
        """Count the listed keys in each class; `deleted` counts keys that were listed before."""
        items = Counter(change.reason for change in self.changes)
        items[Reason.UNCHANGED] = self.unchanged
        items.update({reason: aside.items for reason, aside in self.set_aside.items()})
        return {reason.value: items[reason] for reason in Reason} | {"collision": len(self.collisions)}

    @property
    def work(self) -> tuple[Change, ...]:
        """Return the changes that the next sync carries out."""
        return tuple(c for c in self.changes if c.reason in WORK_REASONS and not c.held and not c.reverted)

    @property
    def requested(self) -> tuple[Change, ...]:
        """Return the part of `work` that is not recorded as pending: the requested run claims it itself."""
        return tuple(c for c in self.changes if c.on_request)

    @property
    def held(self) -> Held:
        """Return the purchases that wait for a person's request."""
        these = [c for c in self.changes if c.held]
        collections = frozenset(c.collection for c in these)
        return self.held_aside.and_these(Held(len(these), sum((c.credits for c in these), Decimal(0)), collections))

    @property
    def reverted(self) -> dict[str, int]:
        """Return the number of items that each reverted run keeps as they are."""
        return dict(Counter(c.reverted for c in self.changes if c.reverted))

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
            count, key, because = self.set_aside.get(reason) or SetAside(0, "", "")
            count += len(changes)
            if changes:
                key, because = changes[0].key, changes[0].because
            if count:
                rows.append(
                    {
                        "class": reason.value,
                        "items": count,
                        "to_buy": len(buying),
                        "credits": float(sum((c.credits for c in buying), Decimal(0))),
                        "why": f"{key}: {because}" + ("; …" if count > 1 else ""),
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
    listed = not entry.absent and not entry.problem
    return listed and entry.state is State.PUBLISHED and _is_as_published(entry, goal)


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
    entry: Entry, goal: Goal, *, missing_output: str = "", left_out: str = ""
) -> tuple[Reason, str]:
    """
    Return class and reason of one entry, as far as they are known without the others.

        source    published from   state        result
        there     -                forgotten    SKIPPED: these bytes were erased on request
        there     -                withdrawn    SKIPPED: a person keeps it off the shop
        gone      -                not deleted  DELETED
        left out  -                -            SKIPPED, by the pattern `left_out`
        there     the same         published    UNCHANGED, or OUTPUT_MISSING
        locked    -                -            FAILED until it can be read; a cutout that it has stays published
        no image  -                -            SKIPPED, or FAILED if it is named like one
        there     -                set aside    SKIPPED until the image, the recipe or a retry changes that
        there     the same         away         RETURNED, if its output is there
        there     -                failed here  FAILED until the image, the recipe or a retry changes that
        there     -                locked then  NEW or CHANGED: it can be read now
        there     -                in a delta   UNFINISHED
        there     other bytes      forgotten    NEW
        there     other bytes      withdrawn    CHANGED: the result of other bytes was rejected
        there     -                deleted      NEW: it came back
        there     -                skipped      CHANGED: it is a picture now
        there     nothing          -            NEW
        there     other bytes      -            CHANGED
        there     other recipe     -            RECIPE_CHANGED
    """
    if is_forgotten(entry):
        return Reason.SKIPPED, "erased on request"
    if is_withdrawn(entry):
        return Reason.SKIPPED, f"kept off the shop: {entry.detail}"
    if entry.absent:
        return Reason.DELETED, "its source is gone"
    if left_out:
        return Reason.SKIPPED, f"left out by {left_out}"
    shown = entry.published
    if is_up_to_date(entry, goal):
        if missing_output:
            return Reason.OUTPUT_MISSING, f"{missing_output} is not in the output"
        return Reason.UNCHANGED, "source, recipe and output are as published"
    if entry.problem:
        return Reason.FAILED, entry.problem
    if entry.content_hash and (why := why_no_picture(entry.key, entry.media_type, entry.size_bytes)):
        return Reason.FAILED, why
    if why := _unfit(entry):
        return Reason.SKIPPED, why
    if was_skipped_at_work(entry) and entry.purchase_id in accepted_purchases(entry, goal):
        return Reason.SKIPPED, entry.detail
    if entry.state is State.FORGOTTEN:
        return Reason.NEW, "it was erased, and is another picture now"
    if entry.state is State.WITHDRAWN:
        return Reason.CHANGED, "its result was rejected, and it is another picture now"
    there = shown is not None and shown.output_name != "" and not missing_output
    # An item without a stem is published under a name that another item has taken over.
    if _is_away(entry) and there and entry.stem and _is_as_published(entry, goal):
        return Reason.RETURNED, "it is back as it was published, and its output is there"
    if entry.state in REFUSED:
        if entry.purchase_id in accepted_purchases(entry, goal):
            return Reason.FAILED, f"{entry.state} before: {entry.detail}"
        if not entry.purchase_id:
            return Reason.CHANGED if shown else Reason.NEW, "it could not be read before, and can be read now"
        return Reason.CHANGED, f"{entry.state} before; the picture or the recipe has changed since"
    if entry.state is State.PENDING and entry.reason in WORK_REASONS:
        return Reason.UNFINISHED, "an earlier run did not finish it"
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


def accepted_purchases(entry: Entry, goal: Goal) -> tuple[str, ...]:
    """Return the purchases of its bytes that may be published, in order of preference."""
    return tuple(purchase_id(entry.content_hash, cut) for cut in goal.cuts)


def was_skipped_at_work(entry: Entry) -> bool:
    """Return True if a run skipped it by a setting: a rule of the delta would have left its class behind."""
    return entry.state is State.SKIPPED and entry.reason in WORK_REASONS


def _is_away(entry: Entry) -> bool:
    """Return True for an item that may still have its cutout although it is not published."""
    could_not_be_read = entry.state is State.FAILED and not entry.purchase_id
    return could_not_be_read or entry.state in {State.DELETED, State.SKIPPED}


def _unfit(entry: Entry) -> str:
    if not entry.content_hash:
        return "too large, and not a picture by its name"
    return keys.unsafe(entry.key) or ("" if entry.media_type else "not a picture, by its first bytes")
