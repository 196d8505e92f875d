"""
Keep the results of a picture for which a person wants new ones.

A result that is set aside has a purchase id of its own (`core.review.replaced_ids`), in the records and in the store.
"""

from collections.abc import Iterator
from dataclasses import replace

from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import Recipe, purchase_id
from bg_pipeline.core.records import Entry
from bg_pipeline.core.review import replaced_ids, set_aside_digest
from bg_pipeline.errors import StoreError
from bg_pipeline.ports.context import Accounts


def keep_replaced(accounts: Accounts, recipe: Recipe, entry: Entry) -> None:
    """
    Copy the results of an item's picture to ids of their own. They also stay where they are, until `drop_replaced`.

    Raises:
        StoreError: the masters cannot be read or written.
    """
    for name, cut_digest in _purchases(recipe, entry):
        data = accounts.masters.read(master_name(name))
        master = accounts.purchases.find([name])
        if data is None or master is None:
            continue
        for other in replaced_ids(name):
            kept = accounts.purchases.find([other])
            if kept is None:
                accounts.masters.write(master_name(other), data)
                accounts.purchases.adopt(
                    replace(
                        master,
                        purchase_id=other,
                        cut_digest=set_aside_digest(cut_digest),
                        content_hash=entry.content_hash,
                    )
                )
            if kept is None or kept.digest == master.digest:
                break
        else:
            raise StoreError(f"{entry.key} was made again too often: no name is left to keep its present result under")


def drop_replaced(accounts: Accounts, recipe: Recipe, entry: Entry) -> None:
    """
    Remove the results of an item's picture from where a sync looks for them. `keep_replaced` has copies.

    Raises:
        StoreError: one of them is still in the store.
    """
    for name, _ in _purchases(recipe, entry):
        accounts.purchases.forget(name)
        accounts.masters.remove(master_name(name))


def bring_back_replaced(accounts: Accounts, recipe: Recipe, entry: Entry) -> bool:
    """
    Put the results that were set aside last back to where a sync looks for them; return True if there were any.

    Raises:
        StoreError: the masters cannot be read or written.
    """
    is_back = False
    for name, cut_digest in _purchases(recipe, entry):
        last = None
        for other in replaced_ids(name):
            if (kept := accounts.purchases.find([other])) is None:
                break
            last = kept
        data = None if last is None else accounts.masters.read(master_name(last.purchase_id))
        if last is not None and data is not None:
            accounts.masters.write(master_name(name), data)
            accounts.purchases.adopt(replace(last, purchase_id=name, cut_digest=cut_digest))
            is_back = True
    return is_back


def _purchases(recipe: Recipe, entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield purchase id and digest of each cut and stage that can be bought for an item's picture."""
    for cut in recipe.cuts:
        for stage in cut.stages:
            for digest in stage.digests:
                yield purchase_id(entry.content_hash, digest), digest
