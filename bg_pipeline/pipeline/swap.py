"""Give two items each other's results: their answers were swapped, and a person has seen it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.keys import damaged_name, master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Entry, Master, State, Use
from bg_pipeline.core.review import DecisionPlan, DecisionRecord, ReviewDecision, Seen, purchase_ids, result_of
from bg_pipeline.errors import ConfigurationError, ItemBlocked, ItemChanged, StoreError
from bg_pipeline.imaging.pictures import compare, inspect
from bg_pipeline.pipeline.claimed import all_claimed
from bg_pipeline.pipeline.ownership import guard
from bg_pipeline.pipeline.review import keys_about
from bg_pipeline.ports.context import Accounts, Catalogue, Pipeline, Policy, Run
from bg_pipeline.ports.single import one_blob, one_picture


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two items, as it is before the swap."""

    entries: list[Entry]
    """All items in quarantine with its picture."""
    master: Master
    image: bytes

    @property
    def key(self) -> str:
        return self.entries[0].key


def swap(pipeline: Pipeline, keys: tuple[str, str], by: str, reason: str = "") -> list[str]:
    """
    Give each of two items in quarantine the master of the other, and record it as a person's decision.

    A master that is not sound for its new picture leaves its items in quarantine, with the reason.

    Args:
        pipeline: the whole pipeline.
        keys: the two items. Items with the same pictures go with them.
        by: the person.
        reason: why, in the person's words; may be empty.

    Returns:
        The keys that the next sync publishes.

    Raises:
        ConfigurationError: an item is not in quarantine, or both have the same picture. Nothing was changed.
        LeaseHeld: another run works on one of the items. Nothing was changed.
        ForeignStore: see `ownership.guard`.
        ItemError: a picture or a master cannot be read. Nothing was changed.
        StoreError: a store cannot be used. What was there is in `.damaged/` of the masters.
    """
    guard(pipeline)
    catalogue, accounts, policy, run = pipeline.context
    about = [keys_about(catalogue, ReviewDecision.SWAP, key) for key in keys]
    if set(about[0]) & set(about[1]):
        raise ConfigurationError(f"{keys[0]} and {keys[1]} have the same picture, so there is nothing to swap")
    with all_claimed(catalogue, run, [*about[0], *about[1]]) as claimed:
        assert claimed.claim is not None
        by_key = {entry.key: entry for entry in claimed.entries}
        sides = [
            _side(accounts, policy, [by_key[key], *(by_key[other] for other in same if other != key)])
            for key, same in zip(keys, about, strict=True)
        ]
        images = [side.image for side in reversed(sides)]
        after = [_compared(catalogue, policy, run, *each) for each in zip(sides, images, strict=True)]
        _exchange(accounts, sides, after, images)
        _record(catalogue, sides, after, by, reason, claimed.claim)
        for side in sides:
            with suppress(StoreError):  # a store without the right to delete is allowed
                accounts.masters.remove(damaged_name(side.master.purchase_id))
    return [
        entry.key for side, master in zip(sides, after, strict=True) if not master.suspicion for entry in side.entries
    ]


def _side(accounts: Accounts, policy: Policy, entries: Sequence[Entry]) -> _Side:
    entry = entries[0]
    recipe = policy.recipes.of(entry.key)
    result = result_of(entry, recipe, accounts.purchases.get_many(purchase_ids(entry, recipe)))
    master = result.master
    if entry.state is not State.QUARANTINED or master is None or not master.suspicion:
        raise ConfigurationError(f"{entry.key} has no suspicious result in quarantine: `bg-pipeline review` lists them")
    name = master_name(master.purchase_id)
    with one_blob(accounts.masters):
        image = accounts.masters.read(name)
    if image is None or digest_of(image) != master.digest:
        raise ItemBlocked(f"the master {name} is missing or damaged: nothing was swapped")
    return _Side([each for each in entries if each.state is State.QUARANTINED], master, image)


def _compared(catalogue: Catalogue, policy: Policy, run: Run, side: _Side, image: bytes) -> Master:
    """Return the record of an item's master after it was given another image."""
    entry, own = side.entries[0], side.master
    with one_picture(catalogue.source):
        source = catalogue.source.read(entry.key)
    if digest_of(source) != entry.content_hash:
        raise ItemChanged(f"{entry.key}: the picture changed, so nothing was swapped: the next sync buys it again")
    use = policy.use(own, own.cut_digest, policy.recipes.of(entry.key))
    if use.has_own_frame:
        checked = run.call(inspect, image, use is Use.FINISHED)
    else:
        checked = run.call(compare, image, source, policy.checks, use is Use.ALPHA)
    return replace(
        own,
        digest=digest_of(image),
        width_px=checked.width_px,
        height_px=checked.height_px,
        suspicion=checked.suspicion,
    )


def _exchange(accounts: Accounts, sides: list[_Side], after: list[Master], images: list[bytes]) -> None:
    # Until both are recorded again, a killed process leaves no record that contradicts the stored bytes.
    for side in sides:
        accounts.masters.write(damaged_name(side.master.purchase_id), side.image)
        accounts.purchases.forget(side.master.purchase_id)
    for master, image in zip(after, images, strict=True):
        accounts.masters.write(master_name(master.purchase_id), image)
        accounts.purchases.keep(master, None, Decimal(0))


def _record(catalogue: Catalogue, sides: list[_Side], after: list[Master], by: str, reason: str, claim: Claim) -> None:
    records, changes = [], {}
    for side, other, master in zip(sides, reversed(sides), after, strict=True):
        detail = f"its result and that of {other.key!r} were swapped by {by}" + (f": {reason}" if reason else "")
        for entry in side.entries:
            records.append(
                DecisionRecord(entry.key, ReviewDecision.SWAP, by, reason, Seen(entry.content_hash, side.master.digest))
            )
            changes[entry.key] = DecisionPlan(
                becomes=State.QUARANTINED if master.suspicion else State.PENDING,
                detail=master.suspicion or detail,
                purchase_id=entry.purchase_id,
            )
    catalogue.reviews.record(records, changes, claim)
