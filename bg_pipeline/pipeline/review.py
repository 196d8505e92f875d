"""Show a person the results, and carry out the decisions."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.deletes import Action
from bg_pipeline.core.records import Entry, Master, State
from bg_pipeline.core.review import (
    REVIEWED,
    DecisionPlan,
    DecisionRecord,
    Result,
    ReviewDecision,
    Seen,
    is_in_sample,
    is_taken_off,
    plan_decision,
    purchase_ids,
    result_of,
    suspicion,
)
from bg_pipeline.errors import ClaimLost, ConfigurationError, ItemError, StoreError
from bg_pipeline.pipeline.claimed import ELSEWHERE, all_claimed, claimed_items
from bg_pipeline.pipeline.ownership import guard
from bg_pipeline.pipeline.replaced import bring_back_replaced, drop_replaced, keep_replaced
from bg_pipeline.pipeline.trash import is_kept, move_to_trash, put_back
from bg_pipeline.ports.context import DETECTION, Accounts, Catalogue, Pipeline, Policy, Run, leased
from bg_pipeline.ports.single import one_blob

MOST_SHOWN = 20_000
"""Most items that one page shows."""


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One item, as a review shows it."""

    entry: Entry
    result: Result
    decisions: tuple[DecisionRecord, ...] = ()
    """All decisions about it, oldest first."""
    in_sample: bool = False
    """True if it is a published item that was chosen by chance, and no person has decided about this result."""

    @property
    def seen(self) -> Seen:
        """The pictures that a person sees now."""
        return Seen(self.entry.content_hash, self.result.digest)


@dataclass(slots=True)
class Withdrawals:
    """Withdrawn items whose cutout was still on the shop."""

    moved: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    """The reason for leaving a cutout in place, by key."""


def items_to_review(
    catalogue: Catalogue, accounts: Accounts, policy: Policy, collection: str | None = None, *, share: float = 0.0
) -> list[ReviewItem]:
    """
    Return the items that a page shows: the most suspicious first, then a sample of the others, then the rest.

    Args:
        catalogue: owner of the items.
        accounts: the masters.
        policy: the recipe, which tells the masters of a picture.
        collection: only its items; None for all.
        share: share of the published items to look at, 0 to 1.
    """
    entries = catalogue.reviews.listed(collection, MOST_SHOWN)
    decisions = catalogue.reviews.decisions([entry.key for entry in entries])
    unpublished = [entry for entry in entries if entry.state is not State.PUBLISHED]
    # What is published is shown from its output.
    results = _results(accounts, policy, unpublished)
    items = []
    for entry in entries:
        result = results.get(entry.key) or result_of(entry, policy.recipes.of(entry.key), {})
        made = tuple(decisions.get(entry.key, ()))
        chosen = entry.state is State.PUBLISHED and is_in_sample(result.digest, share)
        is_decided = bool(made) and made[-1].seen.result_digest == result.digest
        items.append(ReviewItem(entry, result, made, in_sample=chosen and not is_decided))
    items.sort(key=lambda item: (-suspicion(item.entry), not item.in_sample))
    return items


def review_item(catalogue: Catalogue, accounts: Accounts, policy: Policy, key: str) -> ReviewItem:
    """
    Return one item, as a review shows it.

    Raises:
        ConfigurationError: it is not in the manifest.
    """
    entry = _entry(catalogue, key)
    decisions = catalogue.reviews.decisions([key]).get(key, ())
    return ReviewItem(entry, _results(accounts, policy, [entry])[key], tuple(decisions))


def in_quarantine(catalogue: Catalogue) -> list[Entry]:
    """Return the items in quarantine whose picture still exists, in key order."""
    return [entry for entry in catalogue.items.in_state(State.QUARANTINED) if not entry.absent]


def decide(
    pipeline: Pipeline, decision: ReviewDecision, key: str, by: str, reason: str = "", seen: Seen | None = None
) -> list[str]:
    """
    Carry out and record a person's decision. It buys nothing: redo is a request to the next sync.

    All but `TAKE_OFF` is about a result, and so about all listed items with the same picture.

    Args:
        pipeline: the whole pipeline.
        decision: the decision.
        key: the item.
        by: the person.
        reason: why, in the person's words; may be empty.
        seen: the pictures that the person looked at; None for the present ones.

    Returns:
        The keys that it is about.

    Raises:
        ConfigurationError: it cannot be carried out, or a picture has changed since the person saw it; nothing was
            changed.
        LeaseHeld: another run works on one of the items, or a detection is running; nothing was changed.
        ForeignStore: see `ownership.guard`.
        ItemError, StoreError: a store failed. A withdrawal is on record, and the next sync completes it.
    """
    guard(pipeline)
    catalogue, accounts, policy, run = pipeline.context
    keys = keys_about(catalogue, decision, key)
    with ExitStack() as stack:
        claimed = stack.enter_context(all_claimed(catalogue, run, keys))
        assert claimed.claim is not None
        results = _results(accounts, policy, claimed.entries)
        _refuse_if_changed(claimed.entries, results, key, seen)
        if decision is not ReviewDecision.REDO and _undo_redo(accounts, policy, claimed.entries, results):
            results = _results(accounts, policy, claimed.entries)
        plans = {
            e.key: plan_decision(decision, _as_kept(catalogue, e), results[e.key], policy.recipes.of(e.key), by, reason)
            for e in claimed.entries
        }
        if refused := plans[key].refused:
            raise ConfigurationError(refused)
        entries = [entry for entry in claimed.entries if not plans[entry.key].refused]
        if any(_moves_output(plans[entry.key], entry) for entry in entries):
            # Only under this lease does the trash change.
            stack.enter_context(leased(catalogue.leases, DETECTION, run.name.owner))
        change = _Change(catalogue, accounts, policy, run, claimed.claim)
        for entry in entries:
            change.prepare(decision, entry, plans[entry.key], results[entry.key].master)
        records = [
            DecisionRecord(e.key, decision, by, reason, Seen(e.content_hash, results[e.key].digest)) for e in entries
        ]
        changes = {e.key: plans[e.key] for e in entries if plans[e.key].becomes is not None}
        catalogue.reviews.record(records, changes, claimed.claim)
        for entry in entries:
            change.complete(entry, plans[entry.key])
    return sorted((entry.key for entry in entries), key=keys.index)


def complete_withdrawals(catalogue: Catalogue, run: Run) -> Withdrawals:
    """
    Move the cutouts of withdrawn items to the trash that a killed process, or a failing store, left on the shop.

    Raises:
        LeaseHeld: a detection is running.
        StoreError: the outputs can be neither read nor written.
    """
    result = Withdrawals()
    waiting = catalogue.reviews.withdrawn_on_shop()
    if not waiting:
        return result
    with leased(catalogue.leases, DETECTION, run.name.owner):
        for entry in waiting:
            with claimed_items(catalogue, run, [entry.key]) as claimed:
                if claimed.claim is None:
                    result.left[entry.key] = ELSEWHERE
                    continue
                try:
                    with one_blob(catalogue.outputs):
                        action, why = move_to_trash(catalogue, run, entry, claimed.claim)
                except (ClaimLost, ItemError) as error:
                    action, why = Action.LEAVE, str(error)
                if action is Action.LEAVE:
                    result.left[entry.key] = why
                else:
                    result.moved.append(entry.key)
    return result


@dataclass(frozen=True, slots=True)
class _Change:
    """The stores that one decision changes."""

    catalogue: Catalogue
    accounts: Accounts
    policy: Policy
    run: Run
    claim: Claim

    def prepare(self, decision: ReviewDecision, entry: Entry, plan: DecisionPlan, master: Master | None) -> None:
        """Do what comes before the record of the decision: if the process dies in between, nothing is lost."""
        if plan.replaces:
            keep_replaced(self.accounts, self.policy.recipes.of(entry.key), entry)
            self.accounts.ledger.waive(purchase_ids(entry, self.policy.recipes.of(entry.key)))
        elif decision is ReviewDecision.APPROVE and master is not None and master.suspicion:
            self.accounts.purchases.approve(master.purchase_id)
        if plan.returns:
            put_back(self.catalogue, entry)

    def complete(self, entry: Entry, plan: DecisionPlan) -> None:
        """Do what the record of the decision promises."""
        if plan.replaces:
            try:
                drop_replaced(self.accounts, self.policy.recipes.of(entry.key), entry)
            except StoreError as error:
                raise StoreError(f"{entry.key}: its old result is used again, and none is bought: {error}") from error
        elif _moves_output(plan, entry) and not plan.returns:
            self._take_off(entry, plan)

    def _take_off(self, entry: Entry, plan: DecisionPlan) -> None:
        try:
            action, why = move_to_trash(self.catalogue, self.run, entry, self.claim)
        except (ItemError, StoreError) as error:
            raise StoreError(f"{entry.key}: {plan.detail}. The next sync takes its cutout away: {error}") from error
        if action is Action.LEAVE:
            raise StoreError(f"{entry.key}: {plan.detail}, but its cutout is still in BG_OUTPUT: {why}")


def _as_kept(catalogue: Catalogue, entry: Entry) -> Entry:
    """Return the item without a cutout in the trash if that is lost or altered: it is made again from its master."""
    lost = entry.trash_name and entry.state is State.WITHDRAWN and not is_kept(catalogue, entry)
    return replace(entry, trash_name="") if lost else entry


def _entry(catalogue: Catalogue, key: str) -> Entry:
    entry = catalogue.items.entry(key)
    if entry is None:
        raise ConfigurationError(f"{key!r} is not in the manifest: write it as `bg-pipeline review` shows it")
    return entry


def keys_about(catalogue: Catalogue, decision: ReviewDecision, key: str) -> list[str]:
    """Return the keys that a decision about this item is about, in key order."""
    entry = _entry(catalogue, key)
    if decision is ReviewDecision.TAKE_OFF or entry.absent or not entry.content_hash:
        return [key]
    same = catalogue.reviews.same_picture(entry.content_hash)
    return [e.key for e in same if e.key == key or (e.state in REVIEWED and not is_taken_off(e))]


def _results(accounts: Accounts, policy: Policy, entries: Sequence[Entry]) -> dict[str, Result]:
    names = [name for entry in entries for name in purchase_ids(entry, policy.recipes.of(entry.key))]
    masters = accounts.purchases.get_many(names)
    return {entry.key: result_of(entry, policy.recipes.of(entry.key), masters) for entry in entries}


def _refuse_if_changed(entries: Sequence[Entry], results: Mapping[str, Result], key: str, seen: Seen | None) -> None:
    (entry,) = (entry for entry in entries if entry.key == key)
    if seen is None or seen == Seen(entry.content_hash, results[key].digest):
        return
    which = "picture" if seen.content_hash != entry.content_hash else "cutout"
    raise ConfigurationError(f"the {which} of {key} has changed since it was shown: look at it again, then decide")


def _undo_redo(accounts: Accounts, policy: Policy, entries: Sequence[Entry], results: Mapping[str, Result]) -> bool:
    """Bring back the results that a redo set aside, if no new ones were bought; return True if there were any."""
    waiting = [e for e in entries if e.state is State.PENDING and results[e.key].master is None and e.content_hash]
    return bool(waiting) and bring_back_replaced(accounts, policy.recipes.of(waiting[0].key), waiting[0])


def _moves_output(plan: DecisionPlan, entry: Entry) -> bool:
    is_shown = entry.published is not None and entry.published.output_name != ""
    return plan.returns or (plan.becomes is State.WITHDRAWN and is_shown)
