"""Paid answers: into the spool, where each is safe at once, and from there to the masters."""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from bg_pipeline.core.answers import WAITS_S, answer_bytes, is_expired
from bg_pipeline.core.checks import CheckLimits
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Attempt, AttemptState, Master, Use
from bg_pipeline.core.swaps import Mismatch
from bg_pipeline.errors import (
    BeingBought,
    BgPipelineError,
    ItemBlocked,
    ItemError,
    PaidResultLost,
    QualityDropped,
    ResultAwaited,
    StoreError,
    UnusableAnswer,
)
from bg_pipeline.imaging.pictures import (
    PreparedImage,
    ValidatedAnswer,
    as_master,
    inspect,
    inspect_alone,
    unseen,
    validate_answer,
)
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Finished, Ledger, Purchases, Remover
from bg_pipeline.ports.running import Call, Now
from bg_pipeline.ports.stores import BlobStore
from bg_pipeline.purchasing.ledger import attempt_facts, close_as
from bg_pipeline.purchasing.swaps import Swaps

_LOG = logging.getLogger(__name__)


class SpooledAnswers:
    """
    `ports.purchasing.Answers`: the same way for a new answer and for one that an earlier run left in the spool.

    Args:
        clients: the vendors' clients, by account.
        ledger: ends the attempts.
        purchases: records a charge with its master.
        masters: store of the checked pictures.
        spool: store of the answers, as they came, until they are masters.
        call: runs decoders where they can do no harm.
        report: moves an account's gate: by an error, or by None for a good answer.
        sleep: waits that many seconds; returns True if it was woken to stop.
        now: the time.
        slots: most requests in flight.
        checks: the worst answers that pass without a person.
    """

    def __init__(
        self,
        *,
        clients: Mapping[str, Remover],
        ledger: Ledger,
        purchases: Purchases,
        masters: BlobStore,
        spool: BlobStore,
        call: Call,
        report: Callable[[str, BgPipelineError | None], None],
        sleep: Callable[[float], bool],
        now: Now,
        slots: int,
        checks: CheckLimits,
    ) -> None:
        self._clients = clients
        self._ledger = ledger
        self._purchases = purchases
        self._masters = masters
        self._spool = spool
        self._call = call
        self._report = report
        self._sleep = sleep
        self._now = now
        self._slots = slots
        self._checks = checks
        self._swaps = Swaps(purchases)
        self._lock = threading.Lock()
        self._proven_bytes = 0
        self._failed = False
        """True if a write failed since the last probe."""

    def require_room(self, request: CutRequest) -> None:
        """
        Check that spool and masters can take the answer to this request, before it is paid for.

        Each store is written to in the size of an answer: at the first request, at a larger one, and after a failure.

        Raises:
            StoreError: they cannot.
        """
        enlarged = request.use is not None and request.use.has_own_frame
        need = answer_bytes(request.width_px, request.height_px, enlarged=enlarged)
        with self._lock:
            if self._failed or need > self._proven_bytes:
                for store in (self._spool, self._masters):
                    store.probe(need)
                self._proven_bytes, self._failed = max(need, self._proven_bytes), False
        for store, setting in ((self._spool, "BG_SPOOL"), (self._masters, "BG_MASTERS")):
            free = store.free_bytes()
            if free is not None and free < need * self._slots:
                raise StoreError(
                    f"{setting} has {free >> 20} MiB left, and the answers to {self._slots} requests may need "
                    f"{need * self._slots >> 20} MiB: make room. Nothing was bought"
                )

    def keep(self, request: CutRequest, answer: bytes) -> bool:
        """Write an answer to the spool; return False if that failed. No further purchase begins before a probe."""
        try:
            self._spool.write(request.purchase_id, answer)
        except (StoreError, ItemError) as error:
            _LOG.warning("the answer for %r is not in the spool: %s", request.item_key, error)
            self._failed = True
            return False
        return True

    def take(self, account: str, request: CutRequest, reply: CutReply) -> Finished:
        assert reply.attempt is not None
        attempt = Attempt(
            reply.attempt,
            request.purchase_id,
            account,
            AttemptState.INTENT,
            request.credits_expected,
            reply.credits_charged,
            self._now(),
            request_id=reply.request_id,
            sent_digest=request.sent_digest,
            cut_digest=request.cut_digests[0],
            use=request.use,
        )
        try:
            return self._finish(
                attempt,
                reply.answer,
                request,
                spooled=reply.spooled,
                wait=True,
                half_open=reply.half_open,
                suspicion=reply.suspicion,
            )
        except ResultAwaited as error:
            error.credits_charged = reply.credits_charged
            raise

    def resume(self, attempt: Attempt, request: CutRequest | None = None) -> Finished:
        answer = self._spool.read(attempt.purchase_id)
        if answer is None:
            now = [each.state for each in self._ledger.attempts([attempt.purchase_id]) if each.id == attempt.id]
            if AttemptState.ANSWERED not in now:
                raise BeingBought("another worker has just made the master of its answer")
            why = "paid for, and its answer is not in the spool: see that BG_SPOOL is the right folder"
            if is_expired(self._now() - (attempt.ended_at or attempt.started_at), refused=False):
                self._ledger.close_attempt(attempt.id, AttemptState.LOST, attempt.credits_charged, why)
            raise ResultAwaited(f"{why}. After a day it is bought again")
        return self._finish(attempt, answer, request, spooled=True, wait=False, half_open=True)

    def _finish(
        self,
        attempt: Attempt,
        answer: bytes,
        request: CutRequest | None,
        *,
        spooled: bool,
        wait: bool,
        half_open: bool,
        suspicion: str = "",
    ) -> Finished:
        """
        Make a master of an answer.

        Args:
            attempt: its attempt, with the credits that were charged.
            answer: as it came.
            request: its request; None if it is not at hand.
            spooled: True if the answer is in the spool.
            wait: True to wait for a result that is not ready.
            half_open: True if the gate may wait for a success.
            suspicion: why the engine does not trust it; empty if it does.
        """
        item = request.item_key if request else ""
        try:
            image = self._picture(attempt, answer, wait=wait)
            if attempt.use is Use.FINISHED:  # it may have no alpha, as every master has
                image = self._call(as_master, image)
            checked = self._checked(image, request, attempt.use)
        except ResultAwaited as error:
            self._leave(attempt, answer, spooled=spooled, why=str(error))
            raise
        except UnusableAnswer as error:
            if error.credits_charged is None:
                error.credits_charged = attempt.credits_charged
            close_as(self._ledger, attempt.id, error, error.credits_charged, account=attempt.account, item=item)
            self._discard(attempt)
            if isinstance(error, QualityDropped):
                self._report(attempt.account, error)
            raise
        sizes = (checked.width_px, checked.height_px)
        sent = (attempt.sent_digest, attempt.cut_digest)
        picture = request.content_hash if request else ""
        why = "; ".join(filter(None, (checked.suspicion, suspicion)))
        master = Master(attempt.purchase_id, digest_of(image), *sizes, why, *sent, picture, attempt.use)
        try:
            self._masters.write(master_name(master.purchase_id), image)
        except (StoreError, ItemError) as error:
            self._failed = True
            # A result that was fetched from a URL may not be there the next time.
            self._leave(attempt, image, spooled=spooled and image == answer, why=str(error))
            raise ResultAwaited(
                f"paid for, and BG_MASTERS could not store it: {error}. Its answer is in the spool"
            ) from error
        self._purchases.keep(master, attempt.id, attempt.credits_charged, attempt.request_id)
        state = AttemptState.CHARGED
        facts = attempt_facts(attempt.id, state, attempt.credits_charged, account=attempt.account, item=item)
        _LOG.info("attempt %d is %s", attempt.id, state, extra={"facts": facts})
        self._discard(attempt)
        if half_open:
            self._report(attempt.account, None)
        return self._finished(master, image, checked, request)

    def _finished(self, master: Master, image: bytes, checked: ValidatedAnswer, request: CutRequest | None) -> Finished:
        if checked.other is None or request is None:
            return Finished(master, image, alpha=checked.alpha)
        swapped = self._swaps.add(Mismatch(request.item_key, master.purchase_id, checked.other))
        master, other = swapped or (master, None)
        return Finished(master, image, is_of_picture=False, swapped_with=other)

    def _picture(self, attempt: Attempt, answer: bytes, *, wait: bool) -> bytes:
        """Return the picture of an answer; a result that is not ready is asked for until `WAITS_S` is over."""
        client = self._clients.get(attempt.account)
        if client is None:
            raise ResultAwaited(
                f"its answer came from {attempt.account}, which the settings of this catalogue do not name"
            )
        for pause_s in (*(WAITS_S if wait else ()), None):
            try:
                return client.open_answer(answer)
            except ItemBlocked as error:  # nothing is known to be wrong with it
                raise ResultAwaited(f"paid for, and its answer could not be opened here: {error}") from error
            except ItemError as error:  # it was paid for, whatever ended its decoder
                raise UnusableAnswer(f"{attempt.account}: the answer is no cutout: {error}") from error
            except ResultAwaited as error:
                if is_expired(self._now() - attempt.started_at, refused=error.refused):
                    raise UnusableAnswer(
                        f"{attempt.account}: its result cannot be fetched any more: {error}"
                    ) from error
                if pause_s is None or self._sleep(pause_s):
                    raise
        raise AssertionError("the last try returns or raises")

    def _checked(self, image: bytes, request: CutRequest | None, use: Use | None) -> ValidatedAnswer:
        try:
            if use is not None and use.has_own_frame:
                return self._call(inspect, image, use is Use.FINISHED)
            if request is None:
                return self._call(inspect_alone, image)
            sent = PreparedImage(request.image, request.media_type, request.width_px, request.height_px)
            return self._call(validate_answer, image, sent, self._checks, request.use in (None, Use.ALPHA))
        except ItemError as error:
            # Its decoder died, so its content is unknown. It is kept for a person to see, and not bought again.
            return unseen(error)

    def _leave(self, attempt: Attempt, answer: bytes, *, spooled: bool, why: str) -> None:
        """Leave a paid answer to a later run."""
        if not spooled:
            try:
                self._spool.write(attempt.purchase_id, answer)
            except (StoreError, ItemError) as error:
                self._failed = True
                state, detail = AttemptState.LOST, f"{why}; and not in the spool: {error}"
                self._ledger.close_attempt(attempt.id, state, attempt.credits_charged, detail)
                raise PaidResultLost(f"a paid result could not be stored: {detail}") from error
        self._ledger.close_attempt(
            attempt.id, AttemptState.ANSWERED, attempt.credits_charged, why, request_id=attempt.request_id
        )

    def _discard(self, attempt: Attempt) -> None:
        with suppress(StoreError):  # the next recovery removes it
            self._spool.remove(attempt.purchase_id)
