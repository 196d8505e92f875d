"""Listing against manifest: which items need work, why, and at what price."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from bg_pipeline.core import keys
from bg_pipeline.core.recipe import Recipe, work_id
from bg_pipeline.core.records import Change, Entry, Reason, State

WORK_REASONS = frozenset(Reason) - {Reason.UNCHANGED, Reason.SKIPPED, Reason.DELETED}
"""Classes that end in a published cutout."""

_MAYBE_TWINS = frozenset({Reason.NEW, Reason.CHANGED, Reason.UNFINISHED})


@dataclass(frozen=True, slots=True)
class Goal:
    """What a recipe wants an item to be published from."""

    cuts: tuple[str, ...]
    """Hashes of the cuts: the first is bought, any of them will do."""
    rendition: str

    @classmethod
    def of(cls, recipe: Recipe) -> "Goal":
        return cls(tuple(cut.hash for cut in recipe.accepted), recipe.rendition.hash)


@dataclass(frozen=True, slots=True)
class Survey:
    """What can be told of each entry by itself."""

    candidates: tuple[tuple[Entry, Change], ...]
    """Entries that are not as they should be, in key order; still without price and twins."""
    unchanged: int
    goal: Goal
    missing_outputs: Container[str] = frozenset()

    @property
    def works(self) -> list[str]:
        """Every work that could serve a candidate, sorted."""
        found = set()
        for entry, change in self.candidates:
            if change.reason in WORK_REASONS:
                found |= {change.work_id} | {work_id(entry.content_hash, cut) for cut in self.goal.cuts}
                if entry.published:
                    found.add(entry.published.work_id)
        return sorted(found)


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


def is_settled(entry: Entry, goal: Goal) -> bool:
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
        and shown.cut_hash in goal.cuts
        and shown.rendition_hash == goal.rendition
    )


def wanted_work(entry: Entry, goal: Goal) -> str:
    """The work that an item is to be published from: what it has, if that will do; else the first cut of its bytes."""
    shown = entry.published
    if shown is not None and shown.content_hash == entry.content_hash and shown.cut_hash in goal.cuts:
        return shown.work_id
    return work_id(entry.content_hash, goal.cuts[0])


def cut_of(entry: Entry, goal: Goal) -> str:
    """
    Hash of the cut that a pending item waits for; empty if the recipe has changed since.

    A cut that is not of the recipe is the one on show, to be restored from its master and never to be bought.
    """
    for cut in goal.cuts:
        if entry.work_id == work_id(entry.content_hash, cut):
            return cut
    shown = entry.published
    if shown is not None and shown.content_hash == entry.content_hash and shown.work_id == entry.work_id:
        return shown.cut_hash
    return ""


def classify(  # noqa: C901, PLR0911  one return for each row of its table
    entry: Entry, goal: Goal, *, output_missing: bool
) -> tuple[Reason, str]:
    """
    Class and reason of one entry, as far as it can be told without the others.

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
    if is_settled(entry, goal):
        if output_missing:
            return Reason.OUTPUT_MISSING, f"{shown.output_name if shown else ''} is not in the output"
        return Reason.UNCHANGED, "source, recipe and output are as published"
    if why := _unfit(entry):
        return Reason.SKIPPED, why
    if entry.state in {State.FAILED, State.QUARANTINED}:
        if entry.work_id in {work_id(entry.content_hash, cut) for cut in goal.cuts}:
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
    if shown.cut_hash not in goal.cuts:
        return Reason.RECIPE_CHANGED, "the same picture, to be cut another way"
    return Reason.RECIPE_CHANGED, "the same cut, to be rendered another way"


def _unfit(entry: Entry) -> str:
    if not entry.content_hash:
        return "it cannot be read, or is too large"
    return keys.unsafe(entry.key) or ("" if entry.media_type else "no picture by its first bytes")


def survey(entries: Iterable[Entry], recipe: Recipe, missing_outputs: Container[str], settled: int = 0) -> Survey:
    """
    Classify every entry by itself.

    Args:
        entries: the manifest after a complete scan, in any order.
        recipe: what is wanted.
        missing_outputs: keys whose published output is not there.
        settled: how many more there are that are settled and have their output.
    """
    goal = Goal.of(recipe)
    candidates: list[tuple[Entry, Change]] = []
    unchanged = settled
    for entry in entries:
        if entry.absent and entry.state is State.DELETED:
            continue
        reason, because = classify(entry, goal, output_missing=entry.key in missing_outputs)
        if reason is Reason.UNCHANGED:
            unchanged += 1
            continue
        wanted = wanted_work(entry, goal) if reason in WORK_REASONS else entry.work_id
        change = Change(entry.key, entry.collection, reason, because, _becomes(entry, reason), wanted)
        candidates.append((entry, change))
    candidates.sort(key=lambda c: keys.key_bytes(c[0].key))
    return Survey(tuple(candidates), unchanged, goal, missing_outputs)


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
    recipe_change_limit: int | None = None,
) -> Delta:
    """
    Find twins and renames, give each purchase its price and each item its output name.

    Args:
        found: `survey` of the same entries.
        price: credits for buying the cut of an entry.
        bought: work ids that have a master.
        carriers: work id to a listed key that is published from it.
        taken: whether a folded stem is a listed item's.
        apply_recipe_change: buy what only the recipe asks for; otherwise it is held.
        recipe_change_limit: purchases of that kind; those published longest ago come first. None for all.

    Returns:
        Changes in key order. A work is bought for the first key that needs it, and is free for the others.
    """
    related = [_Related.of(entry, change, found.goal, bought) for entry, change in found.candidates]
    _find_renames(related)
    waiting = _waiting(related, found.goal, bought)
    asked = set(sorted(waiting, key=waiting.__getitem__)[: recipe_change_limit if apply_recipe_change else 0])

    claimed: dict[str, str] = {}
    for item in related:
        change = item.change
        twin = carriers.get(change.work_id) or claimed.get(change.work_id)
        if change.reason in _MAYBE_TWINS and twin not in {None, change.key}:
            change = replace(change, reason=Reason.DUPLICATE, because=f"the same picture as {twin}")
        if change.reason in WORK_REASONS:
            held = False
            if change.work_id not in bought and change.work_id not in claimed:
                held = change.work_id not in asked and item.only_the_cut_differs(found.goal)
                if held and (restored := _restored(item, found, bought)):
                    item.change = restored
                    continue
                becomes = None if held else change.becomes
                change = replace(change, purchase=True, credits=price(item.entry), held=held, becomes=becomes)
            if not held:
                claimed.setdefault(change.work_id, change.key)
        item.change = change

    renamed_away = {item.change.renamed_from for item in related}
    stems = _stems(related, taken)
    return Delta(
        changes=tuple(
            replace(i.change, stem=stems.get(i.change.key, "")) for i in related if i.change.key not in renamed_away
        ),
        unchanged=found.unchanged,
        collisions={key: stem for key, stem in stems.items() if stem != keys.plain_stem(key)},
    )


@dataclass(slots=True)
class _Related:
    """An entry with what is known of it so far, and the entry that it was renamed from."""

    entry: Entry
    change: Change
    before: Entry | None = None

    @classmethod
    def of(cls, entry: Entry, change: Change, goal: Goal, bought: Container[str]) -> "_Related":
        """Its work is one that has a master, by whichever cut; if none has, that of the first cut."""
        if change.reason in WORK_REASONS and change.work_id not in bought:
            works = [work_id(entry.content_hash, cut) for cut in goal.cuts]
            change = replace(change, work_id=next((work for work in works if work in bought), works[0]))
        return cls(entry, change)

    @property
    def origin(self) -> Entry:
        """The entry whose cutout is on show for this one."""
        return self.before or self.entry

    def only_the_cut_differs(self, goal: Goal) -> bool:
        """Whether the same bytes are on show, cut in a way that will not do, and nobody asked yet for this cut."""
        if self.change.reason is Reason.UNFINISHED and self.entry.work_id == self.change.work_id:
            return False
        shown = self.origin.published
        return shown is not None and shown.content_hash == self.entry.content_hash and shown.cut_hash not in goal.cuts


def _find_renames(related: Sequence[_Related]) -> None:
    """A new key for the bytes of one that went is a rename, which uses up the key that went."""
    vanished: dict[str, Entry] = {}
    for item in related:
        if item.change.reason is Reason.DELETED:
            vanished.setdefault(item.entry.content_hash, item.entry)
    for item in related:
        if item.change.reason is Reason.NEW and (old := vanished.pop(item.entry.content_hash, None)):
            item.before = old
            item.change = replace(item.change, reason=Reason.RENAMED, because=f"was {old.key}", renamed_from=old.key)


def _waiting(related: Iterable[_Related], goal: Goal, bought: Container[str]) -> dict[str, tuple[float, bytes]]:
    """Works that only the recipe asks for, with what they are sorted by: oldest cutout first."""
    found: dict[str, tuple[float, bytes]] = {}
    for item in related:
        work = item.change.work_id
        if item.change.reason in WORK_REASONS and work not in bought and item.only_the_cut_differs(goal):
            age = (item.origin.published_at or 0.0, keys.key_bytes(item.entry.key))
            found[work] = min(age, found.get(work, age))
    return found


def _restored(item: _Related, found: Survey, bought: Container[str]) -> Change | None:
    """A held item whose output was lost gets it back as it was; the new cut is held again by the next delta."""
    shown = item.entry.published
    if shown is None or item.entry.key not in found.missing_outputs or shown.work_id not in bought:
        return None
    because = f"{shown.output_name} is not in the output; its old cut is put back"
    return replace(item.change, reason=Reason.OUTPUT_MISSING, because=because, work_id=shown.work_id)


def _stems(related: Iterable[_Related], taken: Callable[[str], bool]) -> dict[str, str]:
    """Stems for those that have none. A rename within a folder that changes only the extension keeps its stem."""
    nameless = [i for i in related if i.change.reason in WORK_REASONS and not i.entry.stem]
    kept = {
        i.entry.key: i.before.stem
        for i in nameless
        if i.before and i.before.stem and keys.plain_stem(i.before.key) == keys.plain_stem(i.entry.key)
    }
    passed_on = {keys.fold(stem) for stem in kept.values()}
    rest = [i.entry.key for i in nameless if i.entry.key not in kept]
    return kept | keys.allocate_stems(rest, lambda stem: stem in passed_on or taken(stem))
