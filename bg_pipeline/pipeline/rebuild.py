"""Rebuild a lost manifest from masters and outputs."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from bg_pipeline.core.adoption import stems_from_before
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.naming import NameTemplate, name_template
from bg_pipeline.core.recipe import Recipe
from bg_pipeline.errors import UnusableAnswer
from bg_pipeline.pipeline.adopt import Adoption, take_over
from bg_pipeline.pipeline.detect import scan
from bg_pipeline.ports.context import DETECTION, Accounts, Catalogue, Policy, Run, leased
from bg_pipeline.purchasing.stored import record_stored

_BATCH = 256


@dataclass(slots=True)
class RebuildResult:
    """Masters and outputs that a rebuild read."""

    known: int = 0
    """Number of masters that were recorded before."""
    taken_in: int = 0
    damaged: dict[str, str] = field(default_factory=dict)
    """The problem of each damaged master, by its name."""
    adoption: Adoption = field(default_factory=Adoption)
    """Outputs that became masters because theirs were missing."""


def rebuild(catalogue: Catalogue, accounts: Accounts, policy: Policy, run: Run) -> RebuildResult:
    """
    Record every master in the store, and make a master of each output that has none. A later sync publishes these
    under their former names, and buys only items that have neither. It is safe to repeat, also on an intact manifest.

    Three things stay lost: the ledger, the failures, and the decisions of reviews.

    Raises:
        LeaseHeld: a detection is running.
        SourceUnreadable, StoreError: a listing is incomplete.
    """
    result = RebuildResult()
    run.progress.start("reading masters", None)
    purchase_ids = (name.rpartition("/")[2] for name in accounts.masters.list() if _is_master(name))
    with ThreadPoolExecutor(policy.concurrency, thread_name_prefix="rebuild") as pool:
        while batch := list(islice(purchase_ids, _BATCH)):
            known = accounts.purchases.bought(batch)
            result.known += len(known)
            new = [purchase_id for purchase_id in batch if purchase_id not in known]
            reasons = pool.map(lambda purchase_id: _record(accounts, run, purchase_id), new)
            for purchase_id, reason in zip(new, reasons, strict=True):
                if reason:
                    result.damaged[master_name(purchase_id)] = reason
                else:
                    result.taken_in += 1
            run.progress.advance(len(batch))
    run.progress.done()

    scan(catalogue, policy, run)
    with leased(catalogue.leases, DETECTION, run.name.owner):
        unnamed = (e.key for e in catalogue.items.entries() if not e.absent and not e.stem)
        stems = stems_from_before(unnamed, catalogue.outputs.list(), lambda key: _template(policy.recipes.of(key)))
        catalogue.items.restore_stems(stems)
        # Of several outputs, the main one is the largest that is surely named after its item.
        pattern = policy.recipe.rendition.output_name
        result.adoption = take_over(catalogue, accounts, policy, run, catalogue.outputs, pattern=pattern)
    return result


def _template(recipe: Recipe) -> NameTemplate:
    return name_template(recipe.rendition.output_name)


def _is_master(name: str) -> bool:
    purchase_id = name.rpartition("/")[2]
    return re.fullmatch(r"[0-9a-f]{64}", purchase_id) is not None and name == master_name(purchase_id)


def _record(accounts: Accounts, run: Run, purchase_id: str) -> str:
    """Record one master; return the reason if that is impossible, else an empty string."""
    try:
        return "" if record_stored(accounts, run, purchase_id) else "the file no longer exists"
    except UnusableAnswer as error:
        return str(error)
