"""Judge every entry of a manifest by itself: which need work, and what they become."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from bg_pipeline.core import keys
from bg_pipeline.core.buying import BuyOrder
from bg_pipeline.core.delta import (
    REFUSED,
    WORK_REASONS,
    Goal,
    Held,
    SetAside,
    accepted_purchases,
    classify,
    was_skipped_at_work,
)
from bg_pipeline.core.erasure import forgotten_id, forgotten_pictures
from bg_pipeline.core.records import Change, Entry, Reason, State
from bg_pipeline.core.revert import Reverted, because_reverted, reverted_by
from bg_pipeline.core.review import is_withdrawn, withdrawn_pictures

_ARRIVED = frozenset({Reason.NEW, Reason.CHANGED})
"""Classes of items whose bytes come to the catalogue, or to this key, for the first time."""

_REPLACES = frozenset({Reason.CHANGED, Reason.RECIPE_CHANGED})
"""Classes of items whose published output would be replaced by another."""

_SET_ASIDE = frozenset({State.SKIPPED, *REFUSED})
"""States of items that need nothing until their row or the settings change."""


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
class Judged:
    """Items that need nothing, and are not among the entries of a survey."""

    unchanged: int = 0
    set_aside: Mapping[Reason, SetAside] = field(default_factory=dict)
    rows: Sequence[tuple[str, int]] = ()
    """As `judged` in `core.delta.Delta`."""
    held: Held = field(default_factory=Held)
    """Those that stay published as they are until a person asks for the changed recipe."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The state of each entry, judged without the others."""

    candidates: tuple[Candidate, ...]
    """Candidates in key order."""
    unchanged: int
    missing_outputs: Mapping[str, str] = field(default_factory=dict)
    set_aside: Mapping[Reason, SetAside] = field(default_factory=dict)
    judged: Sequence[tuple[str, int]] = ()
    """As in `core.delta.Delta`."""
    held: Held = field(default_factory=Held)
    """As `held_aside` in `core.delta.Delta`."""

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


def survey(
    entries: Iterable[Entry],
    goal_of: Callable[[str], Goal],
    missing_outputs: Mapping[str, str],
    others: Judged = Judged(),
    *,
    leaves_out: Callable[[str], str] = lambda _key: "",
    reverted: Mapping[str, Sequence[Reverted]] = MappingProxyType({}),
    order: BuyOrder = BuyOrder(),  # noqa: B008  it does not change
) -> Survey:
    """
    Classify every entry by itself.

    Args:
        entries: the manifest after a complete scan, in any order.
        goal_of: returns the names that the recipe of a key accepts.
        missing_outputs: by key, the name of a published output that is missing.
        others: all further items.
        leaves_out: see `core.filters.Filter.leaves_out`.
        reverted: what a person took back, by key.
        order: order of the purchases.
    """
    candidates: list[Candidate] = []
    set_aside, judged = dict(others.set_aside), list(others.rows)
    unchanged = others.unchanged
    entries = list(entries)
    erased, withdrawn = forgotten_pictures(entries), withdrawn_pictures(entries)
    for entry in entries:
        if entry.absent and (entry.state in {State.DELETED, State.FORGOTTEN} or is_withdrawn(entry)):
            continue
        goal, left_out, missing = goal_of(entry.key), leaves_out(entry.key), missing_outputs.get(entry.key, "")
        reason, because = by_itself = classify(entry, goal, missing_output=missing, left_out=left_out)
        if reason is Reason.UNCHANGED:
            unchanged += 1
            judged.append((entry.key, entry.revision))
            continue
        if erased and reason in _ARRIVED and (key := erased.get(forgotten_id(entry.content_hash))):
            reason, because = Reason.SKIPPED, f"the same picture as {key}, which was erased on request"
        if reason in _ARRIVED and (key := withdrawn.get(entry.content_hash)):
            reason, because = Reason.SKIPPED, f"the same picture as {key}, which a person keeps off the shop"
        accepted = accepted_purchases(entry, goal) if reason in WORK_REASONS else ()
        becomes = _becomes(entry, reason, because, goal, left_out, output_missing=bool(missing))
        wanted = "" if becomes is State.FAILED else entry.purchase_id
        if accepted or reason is Reason.RETURNED:
            wanted = _wanted(entry, goal, accepted)
        change = Change(
            entry.key,
            entry.collection,
            reason,
            because,
            becomes,
            purchase_id=wanted,
            revision=entry.revision,
            step=order.step_of(entry, output_missing=bool(missing)) if accepted else entry.step,
            priority=entry.priority,
        )
        if becomes is None and by_itself == (reason, because) and entry.state in _SET_ASIDE and not missing:
            set_aside[reason] = SetAside(1, entry.key, because).and_these(set_aside.get(reason))
            judged.append((entry.key, entry.revision))
            continue
        # Without an output there is nothing to keep: better what was taken back than no cutout at all.
        keeps_output = (
            reason in _REPLACES and not missing and entry.published is not None and entry.published.output_name
        )
        if keeps_output and (taken_back := reverted_by(entry, goal, reverted.get(entry.key, ()))):
            change.because, change.becomes, change.reverted = because_reverted(taken_back), None, taken_back.run
            accepted = ()
        stem = keys.preferred_stem(entry.key) if accepted and not entry.stem else ""
        candidates.append(Candidate(entry, change, accepted, stem, goal))
    candidates.sort(key=lambda c: keys.key_bytes(c.entry.key))
    return Survey(tuple(candidates), unchanged, missing_outputs, set_aside, sorted(judged), others.held)


def _wanted(entry: Entry, goal: Goal, accepted: Sequence[str]) -> str:
    """Return the purchase to publish an item from: its present one if accepted, else the preferred one."""
    shown = entry.published
    if shown is not None and shown.content_hash == entry.content_hash and shown.cut_digest in goal.cuts:
        return shown.purchase_id
    return accepted[0]


def _becomes(
    entry: Entry, reason: Reason, because: str, goal: Goal, left_out: str, *, output_missing: bool
) -> State | None:
    published, decided = entry.state is State.PUBLISHED, entry.state in {State.FORGOTTEN, State.WITHDRAWN}
    if reason is Reason.SKIPPED:
        stays = decided or (published if left_out else was_skipped_at_work(entry))
        known = (entry.state, entry.reason, entry.detail) == (State.SKIPPED, reason, because)
        return None if stays or known else State.SKIPPED
    if reason is Reason.FAILED:
        known = entry.state in REFUSED and _is_known(entry, because, goal)
        locked = published and entry.problem != "" and not output_missing
        return None if known or decided or locked else State.FAILED
    return {Reason.DELETED: State.DELETED, Reason.RETURNED: State.PUBLISHED}.get(reason, State.PENDING)


def _is_known(entry: Entry, because: str, goal: Goal) -> bool:
    """Return True if the row of a failure says it already: unchanged, it keeps the acceptance of a person."""
    failed_at_work = entry.purchase_id != "" and (
        entry.problem != "" or entry.purchase_id in accepted_purchases(entry, goal)
    )
    return failed_at_work or entry.detail == because
