"""Every purchase on record: before it is sent, and after it is stored."""

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
from bg_pipeline.imaging.pictures import Checked, unseen
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Ledger, Purchases, Remover
from bg_pipeline.ports.stores import BlobStore
from bg_pipeline.purchasing.wrapper import Wrapper

_LOG = logging.getLogger(__name__)

Check = Callable[[CutReply, CutRequest], Checked]
"""Raises UnusableAnswer."""

Report = Callable[[BgPipelineError | None], None]
"""Told what the gate has to know: that the service refused or betrayed the account, or, with None, that it served."""


class Metered(Wrapper):
    """
    Writes an attempt down before it is sent, and closes it when nothing came of it.

    A process that dies in between leaves an open attempt; with it stands either a master, and then nothing was lost, or
    none, and then the attempt counts as in doubt.

    Args:
        inner: what sends the POST.
        account: whose credits it costs.
        ledger: where attempts are written down, and whether they may be made is decided.
        rules: by which.
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


class Kept(Wrapper):
    """
    Checks what came back, stores it, and only then puts the charge on record.

    The reply then has its master, so that it need not be read back.

    It lies outside of the limit, so that a request that is answered holds no slot while its answer is looked at.

    Args:
        inner: a remover whose replies name their attempt.
        ledger: where an attempt ends that brought nothing.
        purchases: where the charge goes on record with its master.
        masters: where answers are stored.
        check: holds an answer against its request.
        report: see `Report`.
    """

    def __init__(
        self,
        inner: Remover,
        ledger: Ledger,
        purchases: Purchases,
        masters: BlobStore,
        check: Check,
        report: Report,
    ) -> None:
        super().__init__(inner)
        self._ledger = ledger
        self._purchases = purchases
        self._masters = masters
        self._check = check
        self._report = report

    def cut(self, request: CutRequest) -> CutReply:
        reply = self._inner.cut(request)
        assert reply.attempt is not None
        try:
            checked = self._checked(reply, request)
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
            checked.width_px,
            checked.height_px,
            checked.suspicion,
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

    def _checked(self, reply: CutReply, request: CutRequest) -> Checked:
        try:
            return self._check(reply, request)
        except ItemError as error:
            # Its decoder died, so what was bought is unknown. It is kept for a person to see, and not bought again.
            return unseen(error)


def close_as(ledger: Ledger, attempt: int, error: BgPipelineError, price: Decimal) -> None:
    """End an attempt with what its error says of the money."""
    state, charged = AttemptState.REFUSED, Decimal(0)
    if isinstance(error, UnusableAnswer):
        state, charged = AttemptState.UNUSABLE, price if error.credits_charged is None else error.credits_charged
    elif isinstance(error, OutcomeUnknown):
        state = AttemptState.IN_DOUBT
    ledger.close_attempt(attempt, state, charged, str(error), error.answer, error.request_id)
    # Scrubbed and capped already; quoted, because a terminal obeys what a service may send.
    _LOG.warning("attempt %d is %s: %s; answered: %r", attempt, state, error, error.answer)
