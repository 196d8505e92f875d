"""The masters that an item's picture has already, on record or in the store only."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self

from bg_pipeline.core.checks import NOT_COMPARED
from bg_pipeline.core.keys import damaged_name, master_name
from bg_pipeline.core.recipe import AS_IT_IS, Cut, Recipe, digest_of, purchase_id
from bg_pipeline.core.recipes import Recipes
from bg_pipeline.core.records import Entry, Master, Use
from bg_pipeline.errors import ItemBlocked, ItemError, StoreError, UnusableAnswer
from bg_pipeline.imaging.pictures import compare, inspect, unseen
from bg_pipeline.ports.context import Accounts, Policy, Run
from bg_pipeline.ports.purchasing import Finished, Purchases
from bg_pipeline.ports.single import one_blob
from bg_pipeline.purchasing.stored import record_stored

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ObtainedMaster:
    """A master with its bytes, and its cut."""

    cut_digest: str
    master: Master
    image: bytes
    paid: bool = False
    """True if it was bought just now, for credits."""
    swapped_with: Master | None = None
    """As in `Finished`."""
    alpha: bytes = b""
    """As in `Finished`."""

    @classmethod
    def of(cls, cut: Cut, finished: Finished, *, paid: bool = False) -> Self:
        return cls(cut.digest, finished.master, finished.image, paid, finished.swapped_with, finished.alpha)


class StoredMasters:
    """
    Masters that were made before.

    Args:
        accounts: the records, and the store.
        policy: the recipes, and the limits of the checks.
        run: decodes pictures.
    """

    def __init__(self, accounts: Accounts, policy: Policy, run: Run) -> None:
        self._accounts = accounts
        self._policy = policy
        self._run = run

    def of(self, entry: Entry) -> Iterator[ObtainedMaster]:
        """Yield a master of each accepted cut that has one: those on record, then those in the store only."""
        cuts = self._policy.recipes.of(entry.key).accepted
        recorded = self._accounts.purchases.get_many([name for cut in cuts for name in ids_of(entry, cut)])
        missing = []
        for cut in cuts:
            named = next((recorded[name] for name in ids_of(entry, cut) if name in recorded), None)
            if (master := self.read(named, cut.digest)) is not None:
                yield master
            else:
                missing.append(cut)
        for cut in missing:
            # What is a cutout already is taken over again for less than to ask the store for it.
            if cut != AS_IT_IS and (master := self.stored(entry, cut)) is not None:
                yield master

    def of_cut(self, entry: Entry, cut: Cut) -> ObtainedMaster | None:
        """Return the recorded master of a cut."""
        return self.read(self._accounts.purchases.find(ids_of(entry, cut)), cut.digest)

    def stored(self, entry: Entry, cut: Cut) -> ObtainedMaster | None:
        """Return a master that is in the store and not on record: it need not be bought."""
        for name in ids_of(entry, cut):
            try:
                stored = record_stored(self._accounts, self._run, name, entry.content_hash)
            except UnusableAnswer as error:
                _LOG.warning("the master %s in the store is damaged, and is bought again: %s", name, error)
            else:
                if stored is not None:
                    return ObtainedMaster.of(cut, stored)
        return None

    def read(self, master: Master | None, cut_digest: str) -> ObtainedMaster | None:
        """
        Return a recorded master with its bytes. A damaged one is put away, and None is returned.

        Raises:
            StoreError, ItemBlocked: it is on record but not in the store.
        """
        if master is None:
            return None
        name = master_name(master.purchase_id)
        with one_blob(self._accounts.masters):
            data = self._accounts.masters.read(name)
        if data is None:
            lost = f"the master {name} is on record but not in the store"
            if next(self._accounts.masters.list(), None) is None:
                raise StoreError(
                    f"{lost}: check that BG_MASTERS is the right location and mounted. Nothing was bought again"
                )
            raise ItemBlocked(
                f"{lost}: restore the file from a backup of BG_MASTERS. It is bought again only if "
                "`bg-pipeline review redo KEY` asks for it"
            )
        if digest_of(data) == master.digest:
            return ObtainedMaster(cut_digest, master, data)
        # Out of the way, or it would be taken for a master whose record was lost.
        self._accounts.masters.write(damaged_name(master.purchase_id), data)
        with suppress(StoreError):  # a store without the right to delete is allowed
            self._accounts.masters.remove(name)
        self._accounts.purchases.forget(master.purchase_id)
        return None

    def compared(self, obtained: ObtainedMaster, source: bytes, recipe: Recipe) -> ObtainedMaster:
        """Compare a master that was recorded without its picture at hand with it."""
        if obtained.master.suspicion != NOT_COMPARED:
            return obtained
        use = self._policy.use(obtained.master, obtained.cut_digest, recipe)
        try:
            if use.has_own_frame:
                checked = self._run.call(inspect, obtained.image, use is Use.FINISHED)
            else:
                checked = self._run.call(compare, obtained.image, source, self._policy.checks, use is Use.ALPHA)
        except ItemBlocked:
            raise
        except (ItemError, UnusableAnswer) as error:
            checked = unseen(error)
        master = replace(obtained.master, suspicion=checked.suspicion)
        self._accounts.purchases.keep(master, None, Decimal(0))
        return replace(obtained, master=master, alpha=checked.alpha)


def ids_of(entry: Entry, cut: Cut) -> list[str]:
    """Return the present and the former ids of the purchase."""
    return [purchase_id(entry.content_hash, digest) for digest in cut.digests]


def bought_for_good(
    purchases: Purchases, recipes: Recipes, entries: Iterable[Entry], purchase_ids: Sequence[str]
) -> set[str]:
    """
    Return the purchases among these that have a master, and after which no further account is asked.

    Args:
        purchases: the records.
        recipes: the recipes of the entries.
        entries: the items that the purchases are for.
        purchase_ids: ids of purchases.
    """
    bought = purchases.bought(purchase_ids)
    digests = recipes.passed_on_digests
    if not digests:
        return bought
    names = {purchase_id(entry.content_hash, digest) for entry in entries for digest in digests}
    passed_on = purchases.get_many(sorted(names & bought))
    return bought - {name for name, master in passed_on.items() if master.suspicion}
