"""Close the attempts that killed processes left open, before anything new is bought."""

from decimal import Decimal

from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Attempt, AttemptState, Master, State
from bg_pipeline.errors import ItemError, UnusableAnswer
from bg_pipeline.imaging.pictures import ValidatedAnswer, inspect, unseen
from bg_pipeline.ports.context import LEASE_S, Accounts, Catalogue, Policy, Run

HELD = "it may have been charged, and BG_IN_DOUBT is hold: `bg-pipeline retry` buys it again"


def recover(catalogue: Catalogue, accounts: Accounts, policy: Policy, run: Run) -> list[Attempt]:
    """
    Close the attempts of dead processes: as charged if the master was stored, else as in doubt.

    If the item must be held but another run has claimed it, the attempt stays open until the next recovery. No run can
    make the same purchase while it is open.

    Returns:
        The attempts that are now in doubt.
    """
    abandoned = accounts.ledger.abandoned()
    return [
        attempt for attempt in abandoned if _close(catalogue, accounts, policy, run, attempt) is AttemptState.IN_DOUBT
    ]


def _close(catalogue: Catalogue, accounts: Accounts, policy: Policy, run: Run, attempt: Attempt) -> AttemptState:
    """Close one attempt if that is possible now; return its state."""
    why = "the run was killed before the answer was stored"
    data = accounts.masters.read(master_name(attempt.purchase_id))
    if data is not None:
        try:
            answer = _inspect(run, data)
        except UnusableAnswer as error:
            why = str(error)
        else:
            size = (answer.width_px, answer.height_px)
            sent = (attempt.sent_digest, attempt.cut_digest)
            master = Master(attempt.purchase_id, digest_of(data), *size, answer.suspicion, *sent)
            accounts.purchases.keep(master, attempt.id, attempt.credits_expected)
            return AttemptState.CHARGED
    # Hold the item first: if this process is killed in between, the next recovery sees only an open attempt.
    if policy.hold_in_doubt and not _hold(catalogue, run, attempt.item_key):
        return AttemptState.INTENT
    accounts.ledger.close_attempt(attempt.id, AttemptState.IN_DOUBT, Decimal(0), why)
    return AttemptState.IN_DOUBT


def _hold(catalogue: Catalogue, run: Run, key: str) -> bool:
    """Mark a pending item as failed; return False if another run has claimed it."""
    entry = catalogue.items.entry(key)
    if entry is None or entry.state is not State.PENDING:
        return True
    ask = Ask(AskedBy.MAINTENANCE, Budget(run.name.run_id))
    claimed = catalogue.queue.claim_items(ask, run.name.owner, LEASE_S, {key: entry.revision})
    if claimed.claim is None:
        return False
    catalogue.queue.set_state(key, State.FAILED, HELD, entry.purchase_id, claimed.claim)
    catalogue.queue.release(claimed.claim)
    return True


def _inspect(run: Run, data: bytes) -> ValidatedAnswer:
    try:
        return run.call(inspect, data)
    except ItemError as error:
        return unseen(error)
