"""Record every purchase before it is sent."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from bg_pipeline.core.credits import Rules
from bg_pipeline.core.records import AttemptState
from bg_pipeline.core.responses import ResponseKind
from bg_pipeline.errors import (
    AccountError,
    BgPipelineError,
    ItemRejected,
    NoCredits,
    OutcomeUnknown,
    QualityDropped,
    RateLimited,
    RefusedForNow,
    TransientError,
    UnusableAnswer,
)
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Ledger, Remover
from bg_pipeline.purchasing.wrapper import Wrapper

_LOG = logging.getLogger(__name__)

Report = Callable[[BgPipelineError | None], None]
"""Moves the gate: called with an AccountError or QualityDropped, or with None after a success."""


class Spool(Protocol):
    """The place of answers; see `answers.SpooledAnswers`."""

    def require_room(self, request: CutRequest) -> None: ...

    def keep(self, request: CutRequest, answer: bytes) -> bool: ...


class LedgerRemover(Wrapper):
    """
    Records an attempt before it is sent, and puts the answer into the spool, or closes the attempt if it brought
    nothing.

    A process that dies in between leaves an open attempt. If its answer is in the spool, nothing was lost; if not, the
    attempt counts as in doubt. The spool is written before the slot of the limiter is free, so that a kill costs at
    most one charge for each slot.

    Args:
        inner: sends the POST.
        account: the account that pays.
        ledger: records attempts, and decides if they may be made.
        rules: rules for that decision.
        spool: takes the answer.
        report: see `Report`.
    """

    def __init__(
        self, inner: Remover, account: str, ledger: Ledger, rules: Rules, spool: Spool, report: Report
    ) -> None:
        super().__init__(inner)
        self._account = account
        self._ledger = ledger
        self._rules = rules
        self._spool = spool
        self._report = report

    def cut(self, request: CutRequest) -> CutReply:
        self._spool.require_room(request)
        attempt = self._ledger.open_attempt(request, self._account, self._rules)
        try:
            reply = self._inner.cut(request)
        except BgPipelineError as error:
            closed = close_as(
                self._ledger, attempt.id, error, request.credits_expected, account=self._account, item=request.item_key
            )
            if closed is AttemptState.IN_DOUBT:
                error.doubts = 1
            if isinstance(error, AccountError | QualityDropped):
                self._report(error)
            raise
        # What is free can be made again.
        spooled = bool(request.credits_expected) and self._spool.keep(request, reply.answer)
        return replace(reply, attempt=attempt.id, half_open=attempt.half_open, spooled=spooled)


_KINDS: Mapping[type[BgPipelineError], ResponseKind] = {
    RateLimited: ResponseKind.RATE_LIMITED,
    TransientError: ResponseKind.TRANSIENT,
    ItemRejected: ResponseKind.REJECTED,
    RefusedForNow: ResponseKind.REFUSED,
    NoCredits: ResponseKind.NO_CREDITS,
    AccountError: ResponseKind.ACCOUNT,
    OutcomeUnknown: ResponseKind.OUTCOME_UNKNOWN,
    UnusableAnswer: ResponseKind.UNUSABLE,
}
"""Kinds by error; subclasses before their bases."""


def kind_of(error: BgPipelineError) -> str:
    """Return the kind of the answer that this error is about; empty for an error of our own."""
    return next((kind for each, kind in _KINDS.items() if isinstance(error, each)), "")


def close_as(
    ledger: Ledger, attempt: int, error: BgPipelineError, price: Decimal, *, account: str, item: str
) -> AttemptState:
    """
    End an attempt with the charge that its error implies; return its state.

    Args:
        ledger: has the attempt.
        attempt: its id.
        error: what it ended with.
        price: its charge if the error tells none.
        account: where it was made, for the log.
        item: key of the item that it was made for, for the log; empty if it is not at hand.
    """
    state, charged = AttemptState.REFUSED, Decimal(0)
    if isinstance(error, UnusableAnswer):
        state, charged = AttemptState.UNUSABLE, price if error.credits_charged is None else error.credits_charged
    elif isinstance(error, OutcomeUnknown) or (isinstance(error, TransientError) and not error.free):
        state = AttemptState.IN_DOUBT
    ledger.close_attempt(attempt, state, charged, str(error), error.answer, error.request_id, kind_of(error))
    # Already scrubbed and capped; quoted, because a vendor may send control codes for a terminal.
    facts = attempt_facts(attempt, state, charged, account=account, item=item)
    _LOG.warning("attempt %d is %s: %s; answered: %r", attempt, state, error, error.answer, extra={"facts": facts})
    return state


def attempt_facts(attempt: int, state: AttemptState, charged: Decimal, *, account: str, item: str) -> dict[str, object]:
    """Return the fields of an ended attempt in the log."""
    facts = {"event": "attempt", "attempt": attempt, "state": state.value, "credits": float(charged)}
    return {**facts, "account": account, **({"item": item} if item else {})}
