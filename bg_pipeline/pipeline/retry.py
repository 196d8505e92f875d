"""Make items that failed pending again, on a person's request."""

from collections.abc import Sequence

from bg_pipeline.core.keys import encode_partition, key_bytes
from bg_pipeline.core.recipe import purchase_id
from bg_pipeline.core.records import Entry, State
from bg_pipeline.core.runlog import RetryRecord
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.pipeline.ownership import guard
from bg_pipeline.ports.context import Accounts, Catalogue, Pipeline, Policy, Run


def try_again(pipeline: Pipeline, *, collections: frozenset[str] | None = None, keys: Sequence[str] = ()) -> list[str]:
    """
    Make failed items pending again, all or those of these collections or keys; return their keys.

    Raises:
        ForeignStore: see `ownership.guard`.
    """
    guard(pipeline)
    catalogue, run = pipeline.catalogue, pipeline.run
    started_at = run.now()
    chosen = None if collections is None else sorted(collections)
    retried = catalogue.items.retry(chosen, keys)
    _log_retry(catalogue, run, started_at, chosen, retried)
    return retried


def buy_again(pipeline: Pipeline, keys: Sequence[str]) -> list[str]:
    """
    Make items pending that reached the limit of charges, and waive these charges; return their keys.

    Raises:
        ConfigurationError: an item is in another state, or has a master; nothing was changed.
        ForeignStore: see `ownership.guard`.
    """
    guard(pipeline)
    catalogue, accounts, policy, run = pipeline.context
    started_at = run.now()
    entries = [_without_master(catalogue, accounts, policy, key) for key in keys]
    again: list[str] = []
    for entry in entries:
        accounts.ledger.waive(_names(policy, entry))
        again += catalogue.items.end_quarantine(entry.purchase_id, State.PENDING, "bought again on request")
    again += catalogue.items.retry(None, [entry.key for entry in entries])
    again = sorted({*again, *(e.key for e in entries if e.state is State.PENDING)}, key=key_bytes)
    _log_retry(catalogue, run, started_at, None, again)
    return again


def _without_master(catalogue: Catalogue, accounts: Accounts, policy: Policy, key: str) -> Entry:
    entry = catalogue.items.entry(key)
    if entry is None or entry.state not in {State.PENDING, State.FAILED, State.QUARANTINED}:
        state = "not in the manifest" if entry is None else entry.state
        raise ConfigurationError(f"{key} is {state}: only what has no cutout yet can be bought again")
    if accounts.purchases.bought(_names(policy, entry)):
        raise ConfigurationError(f"{key} has a master: `bg-pipeline review approve` publishes it, `reject` does not")
    return entry


def _names(policy: Policy, entry: Entry) -> list[str]:
    """Return the ids of an item's purchases at all accounts."""
    stages = (stage for cut in policy.recipes.of(entry.key).cuts for stage in cut.stages)
    return [purchase_id(entry.content_hash, digest) for stage in stages for digest in stage.digests]


def _log_retry(
    catalogue: Catalogue, run: Run, started_at: float, chosen: Sequence[str] | None, keys: Sequence[str]
) -> None:
    catalogue.run_log.write(
        RetryRecord(
            run_id=run.name.run_id,
            job=run.name.job,
            collections=None if chosen is None else tuple(map(encode_partition, chosen)),
            started_at=started_at,
            items=len(keys),
        )
    )
