"""Erase items for good: outputs, copies in the trash, masters, answers, pages; and do not make them again."""

from collections.abc import Mapping
from dataclasses import dataclass

from bg_pipeline.core.canary import CANARY_PAGE
from bg_pipeline.core.delta import Goal
from bg_pipeline.core.erasure import output_names
from bg_pipeline.core.keys import COMPARISON, damaged_name, gallery_page, master_name, thumbnail_name
from bg_pipeline.core.outputs import all_outputs
from bg_pipeline.core.recipe import purchase_id
from bg_pipeline.core.records import AttemptState, Entry
from bg_pipeline.errors import ConfigurationError, LeaseHeld
from bg_pipeline.pipeline.claimed import claimed_items
from bg_pipeline.pipeline.ownership import guard
from bg_pipeline.pipeline.recovery import recover
from bg_pipeline.ports.context import DETECTION, Accounts, Catalogue, Pipeline, Policy, leased
from bg_pipeline.ports.stores import BlobStore


@dataclass(frozen=True, slots=True)
class Erasure:
    """What is stored of one item and can be erased, and what stays."""

    key: str
    outputs: tuple[str, ...]
    """Files in the output store, also in the trash and among those that were replaced."""
    masters: tuple[str, ...]
    """Files in the store of masters that no other item uses."""
    answers: tuple[str, ...]
    """Paid answers in the spool."""
    pages: tuple[str, ...]
    """Pages of the gallery that may show it."""
    thumbnails: tuple[str, ...]
    """Small pictures of it in the gallery, and the page of the last canary, which may show it."""
    purchases: tuple[str, ...]
    """Purchases of its pictures that no other item uses, stored or not."""
    shared: tuple[str, ...]
    """Purchases that stay, because another item uses them."""
    same_picture: tuple[str, ...]
    """Other items with the same picture: each is erased only if it is named too."""


def find(pipeline: Pipeline, pages: BlobStore, key: str) -> Erasure:
    """
    Find everything that is stored of an item; change nothing.

    Args:
        pipeline: the whole pipeline.
        pages: the gallery.
        key: the item.

    Raises:
        ConfigurationError: there is no such item.
        ItemError, StoreError: a store cannot be read.
    """
    catalogue, accounts, policy, _ = pipeline.context
    entry = catalogue.items.entry(key)
    if entry is None:
        raise ConfigurationError(f"{key!r} is not in the manifest: write it as `plan` and `why` show it")
    traces = catalogue.erasures.traces(key, _purchase_ids(policy, entry))
    names = [name for each in traces.own for name in _names_of_master(each)]
    shown = {entry.content_hash, *(each.digest for each in accounts.purchases.get_many(traces.own).values())}
    shown |= {each.seen.result_digest for each in catalogue.reviews.decisions([key]).get(key, ())}
    if entry.published:
        shown |= {entry.published.content_hash, entry.published.output_digest}
    thumbnails = (CANARY_PAGE, *(thumbnail_name(digest) for digest in sorted(shown - {""})))
    return Erasure(
        key=key,
        outputs=tuple(name for name in _outputs(catalogue, policy, entry) if catalogue.outputs.read(name) is not None),
        masters=tuple(name for name in names if accounts.masters.read(name) is not None),
        answers=tuple(name for name in traces.own if accounts.spool.read(name) is not None),
        pages=tuple(name for name in (gallery_page(entry.collection), COMPARISON) if pages.read(name) is not None),
        thumbnails=tuple(name for name in thumbnails if pages.read(name) is not None),
        purchases=traces.own,
        shared=traces.shared,
        same_picture=traces.same_picture,
    )


def refuse_listed(catalogue: Catalogue, keys: tuple[str, ...]) -> None:
    """
    Refuse to erase what the source still has.

    Raises:
        ConfigurationError: the source has one of the items.
        SourceUnreadable: it is not known if the source has them.
    """
    for key in keys:
        if catalogue.source.exists(key):
            raise ConfigurationError(
                f"{key} is still in BG_SOURCE: delete it there first, then forget it. With --although-listed it is "
                "forgotten all the same; its picture stays in BG_SOURCE, and is not bought again while its bytes are "
                "the same. Nothing was erased"
            )


def forget(pipeline: Pipeline, pages: BlobStore, keys: tuple[str, ...]) -> Mapping[str, Erasure]:
    """
    Erase items. They stay in the manifest with key and hash, in the state FORGOTTEN, so that no run makes them again.

    A process that dies on the way leaves forgotten items with all that is known of them: the same call completes it.
    The ledger keeps its rows, and the keys in them.

    Args:
        pipeline: the whole pipeline.
        pages: the gallery.
        keys: the items.

    Returns:
        What was erased of each item.

    Raises:
        ConfigurationError: there is no such item. Those before it are erased.
        LeaseHeld: a detection is running, or another run has claimed an item. Those before it are erased.
        ForeignStore: see `ownership.guard`.
        ItemError, StoreError: a store cannot be changed. What remains is erased by the same call later.
    """
    guard(pipeline)
    catalogue, accounts, policy, run = pipeline.context
    # An answer of a killed run proves a charge: it is recorded as such before the answer goes.
    recover(catalogue, accounts, policy, run)
    erased = {}
    with leased(catalogue.leases, DETECTION, run.name.owner):
        for key in keys:
            with claimed_items(catalogue, run, [key]) as claimed:
                if claimed.claim is None and catalogue.items.entry(key) is not None:
                    raise LeaseHeld(
                        f"{key}: another run works on it, and it was not erased. Try again when that run has ended, or "
                        "20 seconds after it was killed"
                    )
                erasure = find(pipeline, pages, key)
                assert claimed.claim is not None
                # First of all, so that no run makes it again if this process dies; last, what is known of it.
                catalogue.erasures.begin(key, claimed.claim)
                _erase(catalogue, accounts, pages, erasure)
                catalogue.erasures.finish(key, claimed.claim)
            erased[key] = erasure
    return erased


def allow_again(catalogue: Catalogue, keys: tuple[str, ...]) -> None:
    """
    Let the next sync make forgotten items again.

    Raises:
        ConfigurationError: an item is not forgotten, or not to the end. Those before it may be made again.
    """
    for key in keys:
        if not catalogue.erasures.lift(key):
            raise ConfigurationError(f"{key} is not forgotten, or not completely: `bg-pipeline why` shows its state")


def _erase(catalogue: Catalogue, accounts: Accounts, pages: BlobStore, erasure: Erasure) -> None:
    for name in (*erasure.pages, *erasure.thumbnails):
        pages.remove(name)
    for name in erasure.outputs:
        catalogue.outputs.remove(name)
    waiting = {each.purchase_id: each for each in accounts.ledger.answered()}
    for purchase in erasure.purchases:
        # Both stores first: with its record or attempt, the next call still knows of it.
        for name in _names_of_master(purchase):
            if name in erasure.masters:
                accounts.masters.remove(name)
        if purchase in erasure.answers:
            accounts.spool.remove(purchase)
        if attempt := waiting.get(purchase):
            why = "its answer was erased on request"
            accounts.ledger.close_attempt(attempt.id, AttemptState.LOST, attempt.credits_charged, why)
        accounts.purchases.forget(purchase)


def _outputs(catalogue: Catalogue, policy: Policy, entry: Entry) -> list[str]:
    """Return the names that are the item's own: a name of its published output can belong to another item by now."""
    outputs = all_outputs(entry, catalogue.items.outputs([entry.key]).get(entry.key, ()))
    names = output_names(entry.stem, policy.recipes.of(entry.key).renditions.values(), outputs)
    own = [name for name in names if not catalogue.trash.is_published(name, but=entry.key)]
    return [*own, *dict.fromkeys(each.kept_name for each in catalogue.previous.of_item(entry.key) if each.is_copy)]


def _names_of_master(purchase: str) -> tuple[str, str]:
    """Return the names under which a master is stored, sound or damaged."""
    return master_name(purchase), damaged_name(purchase)


def _purchase_ids(policy: Policy, entry: Entry) -> list[str]:
    """Return the purchases of the item's present picture that the recipe names."""
    if not entry.content_hash:
        return []
    recipe = policy.recipes.of(entry.key)
    stages = {digest for cut in recipe.cuts for stage in cut.stages for digest in stage.digests}
    return [purchase_id(entry.content_hash, digest) for digest in sorted({*stages, *Goal.of(recipe).cuts})]
