"""Close the attempts that killed processes left open, before anything new is bought."""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal

from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Attempt, AttemptState, Master, State
from bg_pipeline.core.responses import ResponseKind
from bg_pipeline.errors import BeingBought, ItemError, ResultAwaited, UnusableAnswer
from bg_pipeline.imaging.pictures import ValidatedAnswer, as_master, inspect_alone, unseen
from bg_pipeline.ports.context import Accounts, Catalogue, Policy, Run
from bg_pipeline.ports.single import one_blob

_LOG = logging.getLogger(__name__)

KILLED = "the run was killed before the answer was stored"
HELD = "it may have been charged, and BG_IN_DOUBT is hold: `bg-pipeline retry` buys it again"


def recover(catalogue: Catalogue, accounts: Accounts, policy: Policy, run: Run) -> list[Attempt]:
    """
    Close the attempts of dead processes, and make masters of the paid answers in the spool.

    An attempt whose answer is in the spool, or whose master is in the store, lost nothing. Any other is in doubt. If
    its item has to be held but a living claim has it, or it is in another catalogue, the attempt stays open until the
    next recovery, or until that catalogue's: no run can make the same purchase while it is open.

    Returns:
        The attempts of this catalogue that are now in doubt.

    Raises:
        StoreError: the masters or the spool cannot be used at all.
        PaidResultLost: a result can be stored neither as a master nor in the spool.
    """
    doubtful = [a for a in accounts.ledger.abandoned() if not _is_kept(accounts, run, a)]
    in_doubt = [a for a in doubtful if _close(catalogue, accounts, policy, run, a)]
    with ThreadPoolExecutor(policy.concurrency, thread_name_prefix="recovery") as pool:
        list(pool.map(lambda attempt: _resume(accounts, attempt), accounts.ledger.answered()))
    _clear_spool(accounts, policy, run)
    return [a for a in in_doubt if a.catalogue == catalogue.name]


def _is_kept(accounts: Accounts, run: Run, attempt: Attempt) -> bool:
    """
    Return True if the answer to this attempt is in the spool, or its master in the store; record it.

    An attempt whose answer or master cannot be read stays open: its purchase waits for the next recovery.
    """
    try:
        with one_blob(accounts.spool):
            is_answered = accounts.spool.read(attempt.purchase_id) is not None
        with one_blob(accounts.masters):
            data = None if is_answered else accounts.masters.read(master_name(attempt.purchase_id))
    except ItemError as error:
        _LOG.warning("the attempt for %r stays open: %s", attempt.item_key, error)
        return True
    if is_answered:
        accounts.ledger.close_attempt(attempt.id, AttemptState.ANSWERED, attempt.credits_expected, KILLED)
        return True
    if data is None:
        return False
    try:
        answer = _inspect(run, data)
    except UnusableAnswer:
        return False
    size = (answer.width_px, answer.height_px)
    sent = (attempt.sent_digest, attempt.cut_digest)
    master = Master(attempt.purchase_id, digest_of(data), *size, answer.suspicion, *sent, use=attempt.use)
    accounts.purchases.keep(master, attempt.id, attempt.credits_expected)
    return True


def _close(catalogue: Catalogue, accounts: Accounts, policy: Policy, run: Run, attempt: Attempt) -> bool:
    """Close an attempt as in doubt; return False if that is impossible now."""
    # Hold the item first: if this process is killed in between, the next recovery sees only an open attempt.
    if policy.hold_in_doubt and not (attempt.catalogue == catalogue.name and _hold(catalogue, run, attempt.item_key)):
        return False
    accounts.ledger.close_attempt(attempt.id, AttemptState.IN_DOUBT, Decimal(0), KILLED)
    return True


def _resume(accounts: Accounts, attempt: Attempt) -> None:
    # What is not ready, cannot be read, or is no cutout, is met again with its item.
    with suppress(BeingBought, ResultAwaited, UnusableAnswer, ItemError), one_blob(accounts.spool):
        accounts.answers.resume(attempt)


def _clear_spool(accounts: Accounts, policy: Policy, run: Run) -> None:
    """
    Take in the answers that no attempt waits for.

    The manifest may have been lost, an end not been recorded, or an attempt been given up before its answer came: by a
    recovery while its process was stopped, or while the spool was away.
    """
    for purchase_id in accounts.spool.list():
        attempts = accounts.ledger.attempts([purchase_id])
        if any(attempt.state in {AttemptState.INTENT, AttemptState.ANSWERED} for attempt in attempts):
            continue
        with suppress(ItemError), one_blob(accounts.spool):  # the next recovery tries again
            is_useless = bool(attempts) and attempts[-1].kind == ResponseKind.UNUSABLE
            is_bought = bool(accounts.purchases.bought([purchase_id]))
            if is_useless or is_bought or _taken_in(accounts, policy, run, purchase_id):
                accounts.spool.remove(purchase_id)


def _taken_in(accounts: Accounts, policy: Policy, run: Run, purchase_id: str) -> bool:
    """Make a master of an answer that no attempt waits for; return False if it is no picture now."""
    try:
        picture = accounts.removers[policy.account].open_answer(accounts.spool.read(purchase_id) or b"")
        image = run.call(as_master, picture)  # nothing says if it is a finished picture, which may have no alpha
        answer = _inspect(run, image)
    except (ItemError, ResultAwaited, UnusableAnswer):
        return False
    accounts.masters.write(master_name(purchase_id), image)
    size = (answer.width_px, answer.height_px)
    accounts.purchases.adopt(Master(purchase_id, digest_of(image), *size, answer.suspicion))
    return True


def _hold(catalogue: Catalogue, run: Run, key: str) -> bool:
    """Mark a pending item as failed; return False if another run has claimed it."""
    entry = catalogue.items.entry(key)
    if entry is None or entry.state is not State.PENDING:
        return True
    ask = Ask(AskedBy.MAINTENANCE, Budget(run.name.run_id))
    claimed = catalogue.queue.claim_items(ask, run.name.owner, {key: entry.revision})
    if claimed.claim is None:
        return False
    catalogue.queue.set_state(key, State.FAILED, HELD, entry.purchase_id, claimed.claim)
    catalogue.queue.release(claimed.claim)
    return True


def _inspect(run: Run, data: bytes) -> ValidatedAnswer:
    try:
        return run.call(inspect_alone, data)
    except ItemError as error:
        return unseen(error)
