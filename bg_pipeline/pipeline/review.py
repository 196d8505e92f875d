"""Apply a person's decisions on suspicious results."""

from bg_pipeline.core.recipe import Cut, purchase_id
from bg_pipeline.core.records import Entry, State
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.ports.context import Accounts, Catalogue, Policy


def in_quarantine(catalogue: Catalogue) -> list[Entry]:
    """Return the items in quarantine whose picture still exists, in key order."""
    return [entry for entry in catalogue.items.in_state(State.QUARANTINED) if not entry.absent]


def approve(catalogue: Catalogue, accounts: Accounts, policy: Policy, key: str) -> list[str]:
    """
    Let the next sync publish an item, and all items with the same picture, from the master that was paid for.

    Returns:
        The keys that are now pending.

    Raises:
        ConfigurationError: the item is not in quarantine, or has no suspicious master of the present recipe.
    """
    entry = _quarantined(catalogue, key)
    cuts = policy.recipes.of(key).cuts
    if not any(entry.purchase_id in _purchase_ids(entry, cut) for cut in cuts):
        raise ConfigurationError(
            f"{key}: the picture or the recipe changed since the cut; `bg-pipeline plan` shows what the next sync does"
        )
    masters = [accounts.purchases.find(_purchase_ids(entry, stage)) for cut in cuts for stage in cut.stages]
    suspicious = [master for master in masters if master is not None and master.suspicion]
    if not suspicious:
        raise ConfigurationError(
            f"{key}: no master is recorded; `bg-pipeline rebuild` looks for it, `bg-pipeline retry --again` buys one"
        )
    for master in suspicious:
        accounts.purchases.approve(master.purchase_id)
    return catalogue.items.end_quarantine(entry.purchase_id, State.PENDING, "approved in a review")


def reject(catalogue: Catalogue, key: str) -> list[str]:
    """
    Leave an item, and all items with the same picture, without a cutout until its picture or the recipe changes.

    Returns:
        The keys that are now failed.

    Raises:
        ConfigurationError: the item is not in quarantine.
    """
    entry = _quarantined(catalogue, key)
    why = f"rejected in a review: {entry.detail}"
    rejected = catalogue.items.end_quarantine(entry.purchase_id, State.FAILED, why)
    # The decision is made: it is no failure that waits for a person.
    return catalogue.failures.accept(rejected, why) and rejected


def _quarantined(catalogue: Catalogue, key: str) -> Entry:
    entry = catalogue.items.entry(key)
    if entry is None or entry.state is not State.QUARANTINED:
        state = "not in the manifest" if entry is None else entry.state
        raise ConfigurationError(f"{key} is {state}, so it needs no review; `bg-pipeline review` lists those that do")
    return entry


def _purchase_ids(entry: Entry, cut: Cut) -> list[str]:
    return [purchase_id(entry.content_hash, digest) for digest in cut.digests]
