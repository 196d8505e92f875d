"""Record every attempt before it is sent, and every charge after its answer is stored."""

import logging
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from bg_pipeline.core.credits import Rules
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import AttemptState, Master
from bg_pipeline.errors import (
    AccountError,
    BgPipelineError,
    ItemError,
    OutcomeUnknown,
    PaidResultLost,
    QualityDropped,
    StoreError,
    UnusableAnswer,
)
from bg_pipeline.imaging.pictures import ValidatedAnswer, unseen
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Ledger, Purchases, Remover
from bg_pipeline.ports.stores import BlobStore
from bg_pipeline.purchasing.wrapper import Wrapper

_LOG = logging.getLogger(__name__)

Validate = Callable[[CutReply, CutRequest], ValidatedAnswer]
"""Validates an answer against its request; raises UnusableAnswer."""

Report = Callable[[BgPipelineError | None], None]
"""Moves the gate: called with an AccountError or QualityDropped, or with None after a success."""


class LedgerRemover(Wrapper):
    """
    Records an attempt before it is sent, and closes it if it failed.

    A process that dies in between leaves an open attempt. If there is a master, nothing was lost; if not, the attempt
    counts as in doubt.

    Args:
        inner: sends the POST.
        account: the account that pays.
        ledger: records attempts, and decides if they may be made.
        rules: rules for that decision.
        report: see `Report`.
    """

    def __init__(self, inner: Remover, account: str, ledger: Ledger, rules: Rules, report: Report) -> None:
        super().__init__(inner)
        self._account = account
        self._ledger = ledger
        self._rules = rules
        self._report = report

    def cut(self, request: CutRequest) -> CutReply:
        attempt = self._ledger.open_attempt(request, self._account, self._rules)
        try:
            return replace(self._inner.cut(request), attempt=attempt)
        except BgPipelineError as error:
            close_as(self._ledger, attempt, error, request.credits_expected)
            if isinstance(error, AccountError | QualityDropped):
                self._report(error)
            raise


class StoringRemover(Wrapper):
    """
    Validates an answer, stores it, and only then records the charge.

    The reply then contains its master, so that it need not be read back.

    It is outside the limit, so that an answered request holds no slot while its answer is validated.

    Args:
        inner: a remover whose replies name their attempt.
        ledger: closes the attempt of an unusable answer.
        purchases: records the charge with its master.
        masters: store of the answers.
        validate: see `Validate`.
        report: see `Report`.
    """

    def __init__(
        self,
        inner: Remover,
        ledger: Ledger,
        purchases: Purchases,
        masters: BlobStore,
        validate: Validate,
        report: Report,
    ) -> None:
        super().__init__(inner)
        self._ledger = ledger
        self._purchases = purchases
        self._masters = masters
        self._validate = validate
        self._report = report

    def cut(self, request: CutRequest) -> CutReply:
        reply = self._inner.cut(request)
        assert reply.attempt is not None
        try:
            answer = self._validate_answer(reply, request)
        except UnusableAnswer as error:
            if error.credits_charged is None:
                error.credits_charged = reply.credits_charged or request.credits_expected
            close_as(self._ledger, reply.attempt, error, error.credits_charged)
            if isinstance(error, QualityDropped):
                self._report(error)
            raise
        master = Master(
            request.purchase_id,
            digest_of(reply.image),
            answer.width_px,
            answer.height_px,
            answer.suspicion,
            request.sent_digest,
            request.cut_digests[0],
        )
        self._store(master, reply.image)
        self._purchases.keep(master, reply.attempt, reply.credits_charged, reply.request_id)
        self._report(None)
        return replace(reply, master=master)

    def _store(self, master: Master, image: bytes) -> None:
        try:
            self._masters.write(master_name(master.purchase_id), image)
        except StoreError as error:
            raise PaidResultLost(f"a paid result could not be stored: {error}") from error

    def _validate_answer(self, reply: CutReply, request: CutRequest) -> ValidatedAnswer:
        try:
            return self._validate(reply, request)
        except ItemError as error:
            # The decoder crashed, so the content is unknown. It is kept for a person to see, and not bought again.
            return unseen(error)


def close_as(ledger: Ledger, attempt: int, error: BgPipelineError, price: Decimal) -> None:
    """End an attempt with the charge that its error implies."""
    state, charged = AttemptState.REFUSED, Decimal(0)
    if isinstance(error, UnusableAnswer):
        state, charged = AttemptState.UNUSABLE, price if error.credits_charged is None else error.credits_charged
    elif isinstance(error, OutcomeUnknown):
        state = AttemptState.IN_DOUBT
    ledger.close_attempt(attempt, state, charged, str(error), error.answer, error.request_id)
    # Already scrubbed and capped; quoted, because a vendor may send control codes for a terminal.
    _LOG.warning("attempt %d is %s: %s; answered: %r", attempt, state, error, error.answer)
