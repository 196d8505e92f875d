"""What killed runs left open is ended before anything new is bought."""

import contextlib
from decimal import Decimal

from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Attempt, AttemptState, Lease, Master, State
from bg_pipeline.errors import ItemError, LeaseHeld, UnusableAnswer
from bg_pipeline.imaging.pictures import Checked, inspect, unseen
from bg_pipeline.steps.parts import Parts, leased

HELD = "may have been charged already, and BG_IN_DOUBT=hold: `bg-pipeline retry` buys it again"


def recover(parts: Parts, lease: Lease) -> list[Attempt]:
    """
    End the attempts that a killed run of this collection left open: with a stored master nothing was lost, without one
    nobody knows. Returns those in doubt.
    """
    return [attempt for attempt in parts.ledger.open_attempts(lease.name) if not _settled(parts, attempt, lease)]


def recover_abandoned(parts: Parts, owner: str) -> list[Attempt]:
    """The same for every collection that nobody works on: it may have been renamed, and never be worked on again."""
    lost: list[Attempt] = []
    for name in sorted({attempt.lease_name for attempt in parts.ledger.open_attempts()}):
        with contextlib.suppress(LeaseHeld), leased(parts, name, owner) as lease:
            lost += recover(parts, lease)
    return lost


def _settled(parts: Parts, attempt: Attempt, lease: Lease) -> bool:
    data = parts.masters.read(master_name(attempt.work_id))
    why = "the run was killed before the answer was stored"
    if data is not None:
        try:
            found = _looked_at(parts, data)
        except UnusableAnswer as error:
            why = str(error)
        else:
            size = (found.width_px, found.height_px)
            sent = (attempt.sent_digest, attempt.cut_hash)
            master = Master(attempt.work_id, digest_of(data), *size, found.suspicion, *sent)
            parts.ledger.keep_master(master, attempt.id, attempt.credits_expected)
            return True
    parts.ledger.close_attempt(attempt.id, AttemptState.IN_DOUBT, Decimal(0), why)
    entry = parts.manifest.entry(attempt.item_key)
    if parts.hold_in_doubt and entry is not None and entry.state is State.PENDING:
        parts.manifest.set_state(entry.key, State.FAILED, HELD, entry.work_id, lease)
    return False


def _looked_at(parts: Parts, data: bytes) -> Checked:
    try:
        return parts.call(inspect, data)
    except ItemError as error:
        return unseen(error)
