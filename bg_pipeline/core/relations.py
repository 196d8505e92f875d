"""Relate the changes of a delta to each other: duplicates, renames, purchases with their price, output names."""

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from bg_pipeline.core import keys
from bg_pipeline.core.delta import WORK_REASONS, Delta, Goal
from bg_pipeline.core.recipe import purchase_id
from bg_pipeline.core.records import Change, Entry, Reason, State
from bg_pipeline.core.survey import Candidate, Survey

_MAYBE_DUPLICATES = frozenset({Reason.NEW, Reason.CHANGED, Reason.UNFINISHED})


def price(
    survey: Survey,
    *,
    price: Callable[[Entry], Decimal],
    bought: Container[str],
    publishing_keys: Mapping[str, str],
    taken: Callable[[str], bool],
    apply_recipe_change: bool = False,
    recipe_change_limit: int | None = None,
    on_trial: Collection[str] = (),
) -> Delta:
    """
    Find duplicates and renames, give each purchase its price and each item its output name.

    Args:
        survey: each entry, classified by itself.
        price: returns the credits for the cut of an entry.
        bought: purchases that have a master.
        publishing_keys: purchase to a listed key that is published from it.
        taken: returns True if a folded stem belongs to a listed item.
        apply_recipe_change: make purchases that only the recipe needs; otherwise they are held.
        recipe_change_limit: purchases of that kind; the oldest publications come first. None for all.
        on_trial: cuts of which a canary bought some, and that no person has accepted or requested.

    Returns:
        Changes in key order. Each purchase is made for the first key that needs it, and is free for the others.
    """
    related = [_Related.of(candidate, bought) for candidate in survey.candidates]
    _find_renames(related)
    stems = _stems(related, taken)
    waiting = _waiting(related, bought)
    asked = set(sorted(waiting, key=waiting.__getitem__)[: recipe_change_limit if apply_recipe_change else 0])

    claimed: dict[str, str] = {}
    for item in related:
        if item.change.reverted:
            continue
        change, stem = item.change, stems.get(item.change.key, "")
        twin = publishing_keys.get(change.purchase_id) or claimed.get(change.purchase_id)
        if change.reason in _MAYBE_DUPLICATES and twin not in {None, change.key}:
            change = replace(change, reason=Reason.DUPLICATE, because=f"the same picture as {twin}")
        if change.reason in WORK_REASONS:
            is_bought, recut = change.purchase_id in bought, item.only_the_cut_differs
            first = not is_bought and change.purchase_id not in claimed
            # What a canary bought is not published before a person accepts it.
            waits = item.is_on_trial(on_trial) if is_bought else first and change.purchase_id not in asked
            held = recut and waits
            if held and (kept := _as_published(item, survey, bought)):
                item.change = replace(kept, stem=stem)
                continue
            on_request = recut and change.purchase_id in asked and item.can_stay(survey.missing_outputs)
            change = replace(
                change,
                stem=stem,
                purchase=first,
                credits=price(item.entry) if first else Decimal(0),
                held=held,
                on_request=on_request,
                becomes=None if held or on_request else change.becomes,
            )
            if not change.held:
                claimed.setdefault(change.purchase_id, change.key)
        item.change = change

    renamed_away = {item.change.renamed_from for item in related}
    return Delta(
        changes=tuple(item.change for item in related if item.change.key not in renamed_away),
        unchanged=survey.unchanged,
        collisions={key: stem for key, stem in stems.items() if stem != keys.plain_stem(key)},
        set_aside=survey.set_aside,
        held_aside=survey.held,
        judged=survey.judged,
    )


def stays_until_asked(candidate: Candidate, missing_outputs: Container[str], bought: Container[str]) -> bool:
    """
    Return True if `price` would hold an item whatever the others are: only the changed recipe asks for it, its new cut
    is not bought, and its output is there.

    Args:
        candidate: an item, classified by itself.
        missing_outputs: keys of published outputs that are missing.
        bought: purchases that have a master.
    """
    item = _Related.of(candidate, bought)
    is_outdated = item.change.reason is Reason.RECIPE_CHANGED and not item.change.reverted and item.only_the_cut_differs
    return is_outdated and item.can_stay(missing_outputs) and not any(each in bought for each in candidate.accepted)


@dataclass(slots=True)
class _Related:
    """An entry with its decisions so far, and the entry that it was renamed from."""

    entry: Entry
    change: Change
    stem: str
    """Stem as in `Candidate`."""
    goal: Goal
    before: Entry | None = None

    @classmethod
    def of(cls, candidate: Candidate, bought: Container[str]) -> "_Related":
        """Choose the first accepted purchase that has a master; if none has, that of the first cut."""
        entry, change, accepted, stem, goal = candidate
        if accepted and change.purchase_id not in bought:
            best = next((purchase for purchase in accepted if purchase in bought), accepted[0])
            if best != change.purchase_id:
                change = replace(change, purchase_id=best)
        return cls(entry, change, stem, goal)

    @property
    def origin(self) -> Entry:
        """The entry whose cutout is published for this one."""
        return self.before or self.entry

    @property
    def only_the_cut_differs(self) -> bool:
        """True if the same bytes are published with a cut not accepted, and this cut was not requested yet."""
        if self.change.reason is Reason.UNFINISHED and self.entry.purchase_id in {
            purchase_id(self.entry.content_hash, cut) for cut in self.goal.first
        }:
            return False
        shown, cuts = self.origin.published, self.goal.cuts
        return shown is not None and shown.content_hash == self.entry.content_hash and shown.cut_digest not in cuts

    def can_stay(self, missing: Container[str]) -> bool:
        """Return True if it can stay as it is until it is bought: it is published, and its output is there."""
        shown, is_published = self.entry.published, self.entry.state is State.PUBLISHED
        is_there = shown is not None and shown.output_name != "" and self.entry.key not in missing
        return self.before is None and is_published and is_there

    def is_on_trial(self, cuts: Collection[str]) -> bool:
        """Return True if its purchase is one of these cuts."""
        return any(self.change.purchase_id == purchase_id(self.entry.content_hash, cut) for cut in cuts)


def _find_renames(related: Sequence[_Related]) -> None:
    """Find renames: a new key with the bytes of a vanished key. Each vanished key serves one rename."""
    vanished: dict[str, Entry] = {}
    for item in related:
        if item.change.reason is Reason.DELETED:
            vanished.setdefault(item.entry.content_hash, item.entry)
    for item in related:
        if item.change.reason is Reason.NEW and (old := vanished.pop(item.entry.content_hash, None)):
            item.before = old
            item.change = replace(item.change, reason=Reason.RENAMED, because=f"was {old.key}", renamed_from=old.key)


def _waiting(related: Iterable[_Related], bought: Container[str]) -> dict[str, tuple[float, bytes]]:
    """Return purchases that only the recipe needs, with their sort key: oldest cutout first."""
    ages: dict[str, tuple[float, bytes]] = {}
    for item in related:
        wanted = item.change.purchase_id
        is_work = item.change.reason in WORK_REASONS and not item.change.reverted
        if is_work and wanted not in bought and item.only_the_cut_differs:
            age = (item.origin.published_at or 0.0, keys.key_bytes(item.entry.key))
            ages[wanted] = min(age, ages.get(wanted, age))
    return ages


def _as_published(item: _Related, survey: Survey, bought: Container[str]) -> Change | None:
    """
    Keep a held item as it was published; the next delta holds the new cut again.

        its output    its master   result
        is there      -            RETURNED, if it failed or was away meanwhile; else None: it stays as it is
        is not        is there     OUTPUT_MISSING: the old cut is restored
        is not        is not       None
    """
    entry, shown = item.entry, item.entry.published
    if shown is None:
        return None
    missing = survey.missing_outputs.get(entry.key, "")
    if shown.output_name and not missing:
        if entry.state is State.PUBLISHED:
            return None
        because = "it is back as it was published, and its output is there"
        reason, becomes = Reason.RETURNED, State.PUBLISHED
    elif shown.purchase_id in bought:
        because = f"{missing or 'its cutout'} is not in the output; its old cut is restored"
        reason, becomes = Reason.OUTPUT_MISSING, State.PENDING
    else:
        return None
    return replace(item.change, reason=reason, because=because, becomes=becomes, purchase_id=shown.purchase_id)


def _stems(related: Sequence[_Related], taken: Callable[[str], bool]) -> dict[str, str]:
    """
    Return stems for items without one.

    A rename within a folder that changes only the extension keeps its stem. A vanished item's stem that differs only
    in what `keys.fold` ignores is taken over as it is spelled: on one file system its output would stay beside the new
    one, on another both are the same file, under its old name.
    """
    nameless = [item for item in related if item.stem]
    kept = {
        i.entry.key: i.before.stem
        for i in nameless
        if i.before and i.before.stem and keys.plain_stem(i.before.key) == keys.plain_stem(i.entry.key)
    }
    passed_on = {keys.fold(stem) for stem in kept.values()}
    vanished = {
        keys.fold(i.entry.stem): i.entry.stem for i in related if i.change.reason is Reason.DELETED and i.entry.stem
    }
    rest = {
        item.entry.key: vanished.get(keys.fold(item.stem), item.stem) for item in nameless if item.entry.key not in kept
    }
    return kept | keys.allocate_stems(rest, lambda stem: stem in passed_on or taken(stem))
