"""Remove the masters that no item has used for a long time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bg_pipeline.core.deletes import refusal
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.retention import excess, unused_before
from bg_pipeline.core.runlog import PruneRecord
from bg_pipeline.pipeline.trash import last_listing, remove_each
from bg_pipeline.ports.context import DETECTION, Accounts, Catalogue, Policy, Run, leased

_AT_ONCE = 20
"""Masters that are removed in one step, for which all other writers wait."""


@dataclass(slots=True)
class PruneResult:
    """Masters that no item uses, by what became of them."""

    unused: int = 0
    """Number of those that stay for now."""
    removed: list[str] = field(default_factory=list)
    """Purchases whose master was removed."""
    left: dict[str, str] = field(default_factory=dict)
    """Purchases whose master could not be removed, with the reason. The next night tries again."""
    stopped: str = ""
    """The guard's reason for removing nothing; empty if no guard stopped it."""


def find_due(accounts: Accounts, policy: Policy, run: Run) -> list[str]:
    """Return the purchases whose master is unused for longer than masters are kept; change nothing."""
    if not policy.keep_masters_days:
        return []
    return accounts.retention.unused(unused_before(policy.keep_masters_days, run.now()))


def prune(catalogue: Catalogue, accounts: Accounts, policy: Policy, run: Run, *, allow: int = 0) -> PruneResult:
    """
    Note which masters are unused, and remove those that are so for longer than masters are kept.

    Call it after a scan and its detection. It does nothing unless masters are kept for a number of days.

    Args:
        catalogue: its last listing has to be sound.
        accounts: owner of the masters, of all catalogues.
        policy: how long masters are kept.
        run: the run that removes them.
        allow: number of masters that may go this time, if above the normal limit.

    Returns:
        The removed masters; or none, and why a guard stopped it: the listing is incomplete or suspicious, or too many
        masters would go.

    Raises:
        LeaseHeld: a detection is running.
        StoreError: the masters cannot be used at all. What was not removed is removed by a later run.
    """
    result = PruneResult()
    if not policy.keep_masters_days:
        return result
    started_at = run.now()
    # Under this lease no picture comes back to this catalogue in between; for others see `Retention.clear`.
    with leased(catalogue.leases, DETECTION, run.name.owner):
        if why := refusal(policy.deletes, last_listing(catalogue)):
            result.stopped = f"no master was pruned: {why}"
        else:
            result.unused = accounts.retention.mark_unused()
            due = find_due(accounts, policy, run)
            result.stopped = excess(len(due), accounts.retention.count(), allow)
        if not result.stopped:
            _remove(accounts, run, accounts.retention.leftovers(), result)
            if due and not run.stop.is_set():
                retired = accounts.retention.retire(unused_before(policy.keep_masters_days, started_at))
                result.unused -= len(retired)
                _remove(accounts, run, retired, result)
        _log(catalogue, run, started_at, result)
    return result


def _remove(accounts: Accounts, run: Run, purchase_ids: Sequence[str], result: PruneResult) -> None:
    def remove(name: str) -> bool:
        return bool(list(remove_each(accounts.masters, run, {name: master_name(name)}, result.left)))

    for start in range(0, len(purchase_ids), _AT_ONCE):
        if not run.stop.is_set():
            result.removed += accounts.retention.clear(purchase_ids[start : start + _AT_ONCE], remove)


def _log(catalogue: Catalogue, run: Run, started_at: float, result: PruneResult) -> None:
    catalogue.run_log.write(
        PruneRecord(
            run_id=run.name.run_id,
            job=run.name.job,
            collections=None,
            started_at=started_at,
            unused=result.unused,
            removed=len(result.removed),
            stopped=result.stopped,
        )
    )
