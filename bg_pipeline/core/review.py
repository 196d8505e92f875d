"""
A person's decisions about results: what may be decided, what becomes of the item, and which results to show first.

A withdrawn item stays off the shop. The `purchase_id` of its row says for how long: `rejected_id` of its picture for a
rejected result, which another picture ends; empty for an item that was taken off, which only a person ends.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bg_pipeline.core.checks import failed_checks
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.recipe import AS_IT_IS, Recipe, purchase_id
from bg_pipeline.core.records import Entry, Master, Published, Reason, State

REVIEWED = (State.QUARANTINED, State.FAILED, State.WITHDRAWN, State.PENDING, State.PUBLISHED)
"""States of items that a review shows, those that need a person most first."""

MOST_REPLACED = 100
"""Most results of one purchase that are kept when a person wants new ones."""

_LONGEST_REASON = 60


class ReviewDecision(StrEnum):
    """What a person decides about one item."""

    APPROVE = "approve"
    REJECT = "reject"
    REDO = "redo"
    TAKE_OFF = "take_off"
    SWAP = "swap"
    """It is about two items: each gets the result of the other."""


WHEN_DECIDED: Mapping[ReviewDecision, str] = {
    ReviewDecision.APPROVE: "approved",
    ReviewDecision.REJECT: "rejected",
    ReviewDecision.REDO: "requested again",
    ReviewDecision.TAKE_OFF: "taken off the shop",
    ReviewDecision.SWAP: "swapped",
}
"""The decision as the beginning of a sentence about an item."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The pictures that a person looked at."""

    content_hash: str
    """Hash of the source picture."""
    result_digest: str
    """SHA-256 of the cutout; empty if there was none."""


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One decision, as it is kept in the manifest."""

    key: str
    decision: ReviewDecision
    decided_by: str
    reason: str
    seen: Seen
    decided_at: float = 0.0
    """Epoch second."""


@dataclass(frozen=True, slots=True)
class Result:
    """The cutout of an item that a review shows."""

    digest: str = ""
    """SHA-256 of its bytes; empty if there is none."""
    output_name: str = ""
    """Name in the output store, also in the trash; empty if it is shown from its master."""
    master: Master | None = None
    """The master of the item's present picture, also where the output is shown; None if there is none."""
    purchase_id: str = ""
    """The purchase to publish from that master; empty without one."""


@dataclass(frozen=True, slots=True)
class DecisionPlan:
    """What a decision does to one item, or why it does nothing."""

    refused: str = ""
    """Sentence for the person; empty if the decision can be carried out."""
    becomes: State | None = None
    """Its new state; None if it stays as it is."""
    detail: str = ""
    purchase_id: str = ""
    """New value of the row; see `Entry.purchase_id`."""
    returns: bool = False
    """True if its cutout is put back from the trash."""
    replaces: bool = False
    """True if its masters are set aside, so that the next sync buys new ones."""

    @property
    def reason(self) -> Reason:
        """Return the class of the item in the delta."""
        return Reason.SKIPPED if self.becomes is State.WITHDRAWN else Reason.UNFINISHED


def rejected_id(content_hash: str) -> str:
    """Return the name under which the bytes of a rejected result are remembered."""
    return purchase_id(content_hash, "rejected")


def is_taken_off(entry: Entry) -> bool:
    """Return True if a person took the item off the shop, whatever its picture becomes."""
    return entry.state is State.WITHDRAWN and not entry.purchase_id


def is_withdrawn(entry: Entry) -> bool:
    """Return True if a person keeps the item off the shop: it was taken off, or the result of these bytes rejected."""
    return entry.state is State.WITHDRAWN and entry.purchase_id in {"", rejected_id(entry.content_hash)}


def withdrawn_pictures(entries: Iterable[Entry]) -> Mapping[str, str]:
    """Return, by content hash of each picture that a person keeps off the shop, the first key that has it."""
    withdrawn = [entry for entry in entries if entry.content_hash and is_withdrawn(entry)]
    return {each.content_hash: each.key for each in sorted(withdrawn, key=lambda e: key_bytes(e.key), reverse=True)}


def replaced_ids(purchase: str) -> Iterator[str]:
    """Yield the purchase ids under which earlier results of a purchase are kept, the first replaced one first."""
    return (purchase_id(purchase, f"replaced {number}") for number in range(1, MOST_REPLACED + 1))


def set_aside_digest(cut_digest: str) -> str:
    """Return the name of the cut of a result that was set aside: no recipe accepts it."""
    return purchase_id(cut_digest, "replaced")


def purchase_ids(entry: Entry, recipe: Recipe) -> list[str]:
    """Return the ids of all purchases, of whole cuts and of stages, that a recipe accepts for an item's picture."""
    stages = (stage for cut in recipe.accepted for stage in cut.stages) if entry.content_hash else ()
    return [purchase_id(entry.content_hash, digest) for stage in stages for digest in stage.digests]


def result_of(entry: Entry, recipe: Recipe, masters: Mapping[str, Master]) -> Result:
    """
    Return the cutout that a review shows of an item.

    Args:
        entry: the item.
        recipe: the present recipe.
        masters: masters by purchase id, with those of `purchase_ids`.
    """
    shown, (master, purchase) = entry.published, _find_master(entry, recipe, masters)
    is_held = entry.state is State.QUARANTINED and master is not None
    if shown is not None and shown.output_name and not is_held:
        return Result(shown.output_digest, shown.output_name, master, purchase)
    if entry.state is State.WITHDRAWN and shown is not None and _is_kept(entry, shown):
        return Result(shown.output_digest, entry.trash_name, master, purchase)
    return Result() if master is None else Result(master.digest, "", master, purchase)


def _find_master(entry: Entry, recipe: Recipe, masters: Mapping[str, Master]) -> tuple[Master | None, str]:
    """
    Return the master that a sync would use, and the purchase of its whole cut.

    It is that of a whole cut, else of its last stage that has one. A suspicious one that is passed on to the next
    account counts only where that account made none.
    """
    passed_on: tuple[Master | None, str] = (None, "")
    for cut in recipe.accepted if entry.content_hash else ():
        for stage in reversed(cut.stages):
            for name in (purchase_id(entry.content_hash, digest) for digest in stage.digests):
                if name in masters:
                    is_whole = len(stage.tools) == len(cut.tools)
                    master = masters[name], name if is_whole else purchase_id(entry.content_hash, cut.digest)
                    if not masters[name].suspicion or cut.digest not in recipe.passed_on_digests:
                        return master
                    passed_on = master
    return passed_on


def plan_decision(
    decision: ReviewDecision, entry: Entry, result: Result, recipe: Recipe, by: str, reason: str = ""
) -> DecisionPlan:
    """
    Decide what a decision does to an item.

        decision   needs                          the item becomes
        approve    nothing else, if published     as it is
                   its cutout in the trash        published, from there
                   a master                       pending: the next sync publishes it for nothing
        reject     a cutout                       withdrawn, until its picture changes
        redo       a picture, and no cutout       pending: the next sync buys it again
                   that waits to be bought
        take off   nothing                        withdrawn, until a person decides otherwise
        swap       a second item                  nothing here: see `pipeline.swap`

    Args:
        decision: the decision.
        entry: the item, as it is now.
        result: the cutout that a review shows of it.
        recipe: the present recipe, by which redo buys.
        by: the person.
        reason: why, in the person's words; may be empty.
    """
    if entry.absent or entry.state not in REVIEWED:
        state = "no longer in the source" if entry.absent else entry.state.value
        return DecisionPlan(f"{entry.key} is {state}, so there is nothing to decide")
    if decision is ReviewDecision.SWAP:
        return DecisionPlan("a swap is about two items: `bg-pipeline review swap KEY KEY`")
    detail = f"{WHEN_DECIDED[decision]} by {by}" + (f": {reason}" if reason else "")
    if decision is ReviewDecision.TAKE_OFF:
        return DecisionPlan(becomes=State.WITHDRAWN, detail=detail)
    if decision is ReviewDecision.REJECT:
        return _plan_rejection(entry, result, detail)
    if decision is ReviewDecision.REDO:
        return _plan_redo(entry, result, detail, purchase_id(entry.content_hash, recipe.cut.digest))
    return _plan_approval(entry, result, detail)


def _plan_rejection(entry: Entry, result: Result, detail: str) -> DecisionPlan:
    if not result.digest:
        return DecisionPlan(f"{entry.key} has no cutout that could be rejected; take it off the shop instead")
    return DecisionPlan(becomes=State.WITHDRAWN, detail=detail, purchase_id=rejected_id(entry.content_hash))


def _plan_redo(entry: Entry, result: Result, detail: str, wanted: str) -> DecisionPlan:
    if not entry.content_hash or not entry.media_type:
        return DecisionPlan(f"the picture of {entry.key} cannot be read: replace it in the source")
    if entry.state is State.PENDING and result.master is None:
        return DecisionPlan(f"{entry.key} waits to be bought already; `bg-pipeline plan` shows for how much")
    if result.master is not None and result.master.cut_digest in AS_IT_IS.digests:
        return DecisionPlan(f"{entry.key} is a cutout already, published as it is; BG_ALREADY_CUT=cut buys one")
    return DecisionPlan(becomes=State.PENDING, detail=detail, purchase_id=wanted, replaces=True)


def _plan_approval(entry: Entry, result: Result, detail: str) -> DecisionPlan:
    shown = entry.published
    if entry.state is State.PUBLISHED:
        return DecisionPlan()
    if entry.state is State.WITHDRAWN and shown is not None and _is_kept(entry, shown):
        return DecisionPlan("", State.PUBLISHED, detail, shown.purchase_id, returns=not shown.output_name)
    if result.master is None:
        return DecisionPlan(
            f"{entry.key} has no paid result of this picture and recipe that could be approved; `bg-pipeline rebuild` "
            "looks for a lost one, redo asks the next sync to buy one"
        )
    return DecisionPlan(becomes=State.PENDING, detail=detail, purchase_id=result.purchase_id)


def _is_kept(entry: Entry, shown: Published) -> bool:
    """Return True if the cutout of the present picture is still in the output store, perhaps in its trash."""
    return shown.content_hash == entry.content_hash and bool(shown.output_name or entry.trash_name)


def is_in_sample(result_digest: str, share: float) -> bool:
    """Return True for this share of all cutouts, chosen by their digests: so the choice stays the same."""
    return bool(result_digest) and int(result_digest[:8], 16) < share * 2**32


def suspicion(entry: Entry) -> float:
    """
    Return how much an item needs a person, from 0 to 1.

        above 0.9, up to 1.0   a suspicious result, the more the more checks failed: a right one seldom fails two
        0.9   no result, although its purchase was charged three times
        0.8   no result of this picture
        0.4   a person keeps it off the shop
        0.2   it waits for a sync
        0.0   published
    """
    if entry.state is State.QUARANTINED:
        return 0.9 if "charged" in entry.detail else min(1.0, 0.9 + 0.02 * failed_checks(entry.detail))
    return {State.FAILED: 0.8, State.WITHDRAWN: 0.4, State.PENDING: 0.2}.get(entry.state, 0.0)


def reason_of(entry: Entry) -> str:
    """Return the reason of an item's state without what differs from item to item, to choose items by it."""
    if entry.state is State.PUBLISHED:
        return ""
    head = entry.detail.replace(entry.key, "…").split(": ", 1)[0].split("; ", 1)[0]
    return head if len(head) <= _LONGEST_REASON else f"{head[: _LONGEST_REASON - 1]}…"
