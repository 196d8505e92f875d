"""Listing against manifest: which items need work, why, and at what price."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from bg_pipeline.core import keys
from bg_pipeline.core.recipe import Recipe, work_id
from bg_pipeline.core.records import Change, Entry, Reason, State

WORK_REASONS = frozenset(Reason) - {Reason.UNCHANGED, Reason.SKIPPED, Reason.DELETED}
"""Classes that end in a published cutout."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What can be told of each entry by itself."""

    candidates: tuple[tuple[Entry, Change], ...]
    """Entries that are not as they should be, in key order; still without price and twins."""
    unchanged: int


@dataclass(frozen=True, slots=True)
class Delta:
    """What the next sync would do."""

    changes: tuple[Change, ...]
    unchanged: int
    collisions: Mapping[str, str]
    """Key to the output stem it got because another item has the preferred one."""

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


def classify(  # noqa: C901, PLR0911  one return for each row of its table
    entry: Entry, recipe: Recipe, *, output_missing: bool
) -> tuple[Reason, str]:
    """
    Class and reason of one entry, as far as it can be told without the others.

        source    published from   state        result
        gone      -                not deleted  DELETED
        no image  -                -            SKIPPED
        there     -                failed here  SKIPPED until the image, the recipe or a retry changes that
        there     -                in a delta   UNFINISHED
        there     nothing          -            NEW
        there     other bytes      -            CHANGED
        there     other recipe     -            RECIPE_CHANGED
        there     the same         no output    OUTPUT_MISSING
        there     -                deleted      NEW: it came back
        there     -                skipped      CHANGED: it is a picture now
        there     the same         -            UNCHANGED
    """
    if entry.absent:
        return Reason.DELETED, "its source is gone"
    if why := _unfit(entry):
        return Reason.SKIPPED, why
    wanted = work_id(entry.content_hash, recipe.cut.hash)
    if entry.state in {State.FAILED, State.QUARANTINED}:
        if entry.work_id == wanted:
            return Reason.SKIPPED, f"{entry.state} before: {entry.detail}"
        return Reason.CHANGED, f"the picture or the recipe changed since it {entry.state}"
    if entry.state is State.PENDING and entry.reason in WORK_REASONS:
        return Reason.UNFINISHED, "an earlier run did not get to it"
    if entry.state is State.DELETED:
        return Reason.NEW, "its source is back"
    if entry.state is State.SKIPPED:
        return Reason.CHANGED, "it was skipped, and can be cut out now"
    if entry.published is None:
        return Reason.NEW, "not seen before"
    if entry.published.work_id != wanted:
        if entry.published.work_id == work_id(entry.content_hash, entry.published.cut_hash):
            return Reason.RECIPE_CHANGED, "the same picture, to be cut another way"
        return Reason.CHANGED, "its bytes differ from those that were cut out"
    if entry.published.rendition_hash != recipe.rendition.hash:
        return Reason.RECIPE_CHANGED, "the same cut, to be rendered another way"
    if output_missing:
        return Reason.OUTPUT_MISSING, f"{entry.published.output_name} is not in the output"
    return Reason.UNCHANGED, "source, recipe and output are as published"


def _only_the_cut_differs(entry: Entry, change: Change, vanished: Mapping[str, Entry]) -> bool:
    """Whether the same bytes are on show, cut another way, and nobody asked yet for this cut."""
    if change.reason is Reason.UNFINISHED and entry.work_id == change.work_id:
        return False
    shown = vanished[change.renamed_from].published if change.renamed_from else entry.published
    return shown is not None and change.work_id != shown.work_id == work_id(entry.content_hash, shown.cut_hash)


def _related(entry: Entry, change: Change, vanished: dict[str, str], twin: str | None) -> Change:
    """A new key for bytes that are known is a rename or a duplicate; a rename uses up the key that went."""
    if change.reason is Reason.NEW and entry.content_hash in vanished:
        old = vanished.pop(entry.content_hash)
        return replace(change, reason=Reason.RENAMED, because=f"was {old}", renamed_from=old)
    if change.reason in {Reason.NEW, Reason.CHANGED, Reason.UNFINISHED} and twin not in {None, entry.key}:
        return replace(change, reason=Reason.DUPLICATE, because=f"the same picture as {twin}")
    return change


def _unfit(entry: Entry) -> str:
    if not entry.content_hash:
        return "it cannot be read, or is too large"
    return keys.unsafe(entry.key) or ("" if entry.media_type else "no picture by its first bytes")


def survey(entries: Iterable[Entry], recipe: Recipe, missing_outputs: Container[str]) -> Survey:
    """
    Classify every entry by itself.

    Args:
        entries: the whole manifest after a complete scan, in any order.
        missing_outputs: keys whose published output is not there.
    """
    candidates: list[tuple[Entry, Change]] = []
    unchanged = 0
    for entry in entries:
        if entry.absent and entry.state is State.DELETED:
            continue
        reason, because = classify(entry, recipe, output_missing=entry.key in missing_outputs)
        if reason is Reason.UNCHANGED:
            unchanged += 1
            continue
        wanted = work_id(entry.content_hash, recipe.cut.hash) if reason in WORK_REASONS else entry.work_id
        change = Change(entry.key, entry.collection, reason, because, _becomes(entry, reason), wanted)
        candidates.append((entry, change))
    candidates.sort(key=lambda c: keys.key_bytes(c[0].key))
    return Survey(tuple(candidates), unchanged)


def _becomes(entry: Entry, reason: Reason) -> State | None:
    if reason is Reason.DELETED:
        return State.DELETED
    if reason is Reason.SKIPPED:
        refused_before = entry.state in {State.FAILED, State.QUARANTINED} and entry.media_type
        return None if refused_before else State.SKIPPED
    return State.PENDING


def settle(
    found: Survey,
    *,
    price: Callable[[Entry], Decimal],
    bought: Container[str],
    carriers: Mapping[str, str],
    taken: Callable[[str], bool],
    apply_recipe_change: bool = False,
) -> Delta:
    """
    Find twins and renames, give each purchase its price and each item its output name.

    Args:
        found: `survey` of the same entries.
        price: credits for buying the cut of an entry.
        bought: work ids that have a master.
        carriers: work id to a listed key that is published from it.
        taken: whether a folded stem is another item's.
        apply_recipe_change: buy what only the recipe asks for; otherwise it is held.

    Returns:
        Changes in key order. A work is bought for the first key that needs it, and is free for the others.
    """
    vanished: dict[str, str] = {}
    for entry, change in found.candidates:
        if change.reason is Reason.DELETED:
            vanished.setdefault(entry.content_hash, entry.key)

    vanished_entries = {e.key: e for e, c in found.candidates if c.reason is Reason.DELETED}
    claimed: dict[str, str] = {}
    settled: list[Change] = []
    for entry, first_look in found.candidates:
        twin = carriers.get(first_look.work_id) or claimed.get(first_look.work_id)
        change = _related(entry, first_look, vanished, twin)
        if change.reason in WORK_REASONS:
            if change.work_id not in bought and change.work_id not in claimed:
                held = not apply_recipe_change and _only_the_cut_differs(entry, change, vanished_entries)
                becomes = None if held else change.becomes
                change = replace(change, purchase=True, credits=price(entry), held=held, becomes=becomes)
            if not change.held:
                claimed.setdefault(change.work_id, entry.key)
        settled.append(change)
    renamed_away = {change.renamed_from for change in settled}

    nameless = [e.key for e, c in found.candidates if c.reason in WORK_REASONS and not e.stem]
    stems = keys.allocate_stems(nameless, taken)
    return Delta(
        changes=tuple(replace(c, stem=stems.get(c.key, "")) for c in settled if c.key not in renamed_away),
        unchanged=found.unchanged,
        collisions={key: stem for key, stem in stems.items() if stem != keys.preferred_stem(key)},
    )
