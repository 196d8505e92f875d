"""Tell a refused picture from a refused account."""

import math
import threading

from bg_pipeline.core.refusals import IN_A_ROW
from bg_pipeline.errors import AccountError, BgPipelineError, NoCredits, RefusedForNow, TransientError
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Remover
from bg_pipeline.ports.running import Now
from bg_pipeline.purchasing.wrapper import Wrapper

ASK_EVERY_S = 10.0
"""Shortest interval between two questions about the account: one answer is good for all workers."""


class DoubtingRemover(Wrapper):
    """
    Doubts the refusal of one picture: a firewall or a lost file answers like a vendor that refuses the key.

    The account is refused if its own endpoint says so, or if `IN_A_ROW` different pictures are refused in a row.

    `cut` raises the errors of `inner`, with RefusedForNow in place of an AccountError that is about one picture.
    """

    def __init__(self, inner: Remover, now: Now) -> None:
        super().__init__(inner)
        self._now = now
        self._asking = threading.Lock()
        self._asked_at = -math.inf
        self._answer: AccountError | None = None
        self._counting = threading.Lock()
        self._refused: set[str] = set()

    def cut(self, request: CutRequest) -> CutReply:
        try:
            reply = self._inner.cut(request)
        except NoCredits:
            raise
        except AccountError as error:
            judged = self._judge(error, request)
            judged.answer, judged.request_id = error.answer, error.request_id
            raise judged from error
        with self._counting:
            self._refused.clear()
        return reply

    def _judge(self, error: AccountError, request: CutRequest) -> BgPipelineError:
        refusal = self._ask()
        if refusal is not None:
            return NoCredits(str(refusal)) if isinstance(refusal, NoCredits) else AccountError(str(error))
        with self._counting:
            self._refused.add(request.purchase_id)
            count = len(self._refused)
        if count < IN_A_ROW:
            return RefusedForNow(f"{error}. Its account is not refused, so only this picture waits")
        return AccountError(f"{count} different pictures in a row were refused; the last: {error}")

    def _ask(self) -> AccountError | None:
        """Return the refusal of the account's own endpoint; None if it answers well or not at all."""
        with self._asking:
            if self._now() - self._asked_at > ASK_EVERY_S:
                self._answer = None
                try:
                    self._inner.balance()
                except AccountError as refusal:
                    self._answer = refusal
                except TransientError:
                    pass
                self._asked_at = self._now()
            return self._answer
