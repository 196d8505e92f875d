"""Apply a person's decisions on suspicious results."""

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

from bg_pipeline.core.colours import Use
from bg_pipeline.core.keys import damaged_name, master_name
from bg_pipeline.core.recipe import Cut, digest_of, purchase_id
from bg_pipeline.core.records import Entry, Master, State
from bg_pipeline.errors import ConfigurationError, ItemBlocked, ItemChanged, StoreError
from bg_pipeline.imaging.pictures import compare
from bg_pipeline.ports.context import Accounts, Catalogue, Policy, Run
from bg_pipeline.ports.single import one_blob, one_picture


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
    for master in _suspicious(accounts, policy, entry):
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
    return catalogue.items.end_quarantine(entry.purchase_id, State.FAILED, f"rejected in a review: {entry.detail}")


def swap(catalogue: Catalogue, accounts: Accounts, policy: Policy, run: Run, keys: tuple[str, str]) -> list[str]:
    """
    Give each of two items in quarantine the master of the other: their answers were swapped.

    A master that is not sound for its new picture stays in quarantine with the reason.

    Returns:
        The keys that are now pending.

    Raises:
        ConfigurationError: an item is not in quarantine or has no suspicious master of the present recipe, or both have
            the same picture. Nothing was changed.
        ItemError: a picture or a master cannot be read. Nothing was changed.
        StoreError: a store cannot be used. What was there is in `.damaged/` of the masters.
    """
    entries = [_quarantined(catalogue, key) for key in keys]
    masters = [_suspicious(accounts, policy, entry)[-1] for entry in entries]
    if masters[0].purchase_id == masters[1].purchase_id:
        raise ConfigurationError(f"{keys[0]} and {keys[1]} have the same picture, so there is nothing to swap")
    images = [_image(accounts, master) for master in masters]
    after = [
        _compared(catalogue, policy, run, entry, own, image)
        for entry, own, image in zip(entries, masters, reversed(images), strict=True)
    ]
    # Until both are recorded again, a killed process leaves no record that contradicts the stored bytes.
    for master, image in zip(masters, images, strict=True):
        accounts.masters.write(damaged_name(master.purchase_id), image)
        accounts.purchases.forget(master.purchase_id)
    pending: list[str] = []
    for master, image in zip(after, reversed(images), strict=True):
        accounts.masters.write(master_name(master.purchase_id), image)
        accounts.purchases.keep(master, None, Decimal(0))
        if master.suspicion:
            catalogue.items.end_quarantine(master.purchase_id, State.QUARANTINED, master.suspicion)
        else:
            pending += catalogue.items.end_quarantine(master.purchase_id, State.PENDING, "swapped in a review")
    for master in masters:
        with suppress(StoreError):  # a store without the right to delete is allowed
            accounts.masters.remove(damaged_name(master.purchase_id))
    return pending


def _compared(catalogue: Catalogue, policy: Policy, run: Run, entry: Entry, own: Master, image: bytes) -> Master:
    """Return the record of an item's master after it was given another image."""
    with one_picture(catalogue.source):
        source = catalogue.source.read(entry.key)
    if digest_of(source) != entry.content_hash:
        raise ItemChanged(f"{entry.key}: the picture changed, so nothing was swapped: the next sync buys it again")
    checked = run.call(compare, image, source, policy.checks, policy.use(own.cut_digest) is Use.ALPHA)
    return replace(
        own,
        digest=digest_of(image),
        width_px=checked.width_px,
        height_px=checked.height_px,
        suspicion=checked.suspicion,
    )


def _image(accounts: Accounts, master: Master) -> bytes:
    name = master_name(master.purchase_id)
    with one_blob(accounts.masters):
        image = accounts.masters.read(name)
    if image is None or digest_of(image) != master.digest:
        raise ItemBlocked(f"the master {name} is missing or damaged: nothing was swapped")
    return image


def _suspicious(accounts: Accounts, policy: Policy, entry: Entry) -> list[Master]:
    """
    Return the suspicious masters of an item, at least one.

    Raises:
        ConfigurationError: there is none of the present recipe.
    """
    cuts = policy.recipe.cuts
    if not any(entry.purchase_id in _purchase_ids(entry, cut) for cut in cuts):
        raise ConfigurationError(
            f"{entry.key}: the picture or the recipe changed since the cut;"
            " `bg-pipeline plan` shows what the next sync does"
        )
    masters = [accounts.purchases.find(_purchase_ids(entry, stage)) for cut in cuts for stage in cut.stages]
    suspicious = [master for master in masters if master is not None and master.suspicion]
    if not suspicious:
        raise ConfigurationError(
            f"{entry.key}: no master is recorded; `bg-pipeline rebuild` looks for it,"
            " `bg-pipeline retry --again` buys one"
        )
    return suspicious


def _quarantined(catalogue: Catalogue, key: str) -> Entry:
    entry = catalogue.items.entry(key)
    if entry is None or entry.state is not State.QUARANTINED:
        state = "not in the manifest" if entry is None else entry.state
        raise ConfigurationError(f"{key} is {state}, so it needs no review; `bg-pipeline review` lists those that do")
    return entry


def _purchase_ids(entry: Entry, cut: Cut) -> list[str]:
    return [purchase_id(entry.content_hash, digest) for digest in cut.digests]
