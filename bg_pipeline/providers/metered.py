"""The order in which a purchase loses nothing."""

from collections.abc import Callable
from decimal import Decimal

from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import AttemptState, Master
from bg_pipeline.errors import BgPipelineError, ItemError, OutcomeUnknown, UnusableAnswer
from bg_pipeline.imaging.pictures import Checked
from bg_pipeline.ports import BlobStore, CutReply, CutRequest, Ledger, Remover
from bg_pipeline.providers.wrapper import Wrapper

Check = Callable[[CutReply, CutRequest], Checked]
"""Raises UnusableAnswer."""


class Metered(Wrapper):
    """
    The order that loses nothing: attempt on record, POST, check, master stored, charge on record.

    A process that dies in between leaves an open attempt; with it stands either a master, and then nothing was
    lost, or none, and then the attempt counts as in doubt.

    Args:
        inner: what sends the POST.
        provider: its name on the ledger.
        ledger: where attempts are written down.
        masters: where answers are stored.
        check: holds an answer against its request.
        ask_gate: raises AccountError while the gate is closed; asked before each attempt, so that a retry that slept
            does not come back to a service that was closed in the meantime.
    """

    def __init__(
        self,
        inner: Remover,
        provider: str,
        ledger: Ledger,
        masters: BlobStore,
        check: Check,
        ask_gate: Callable[[], None],
    ) -> None:
        super().__init__(inner)
        self._ask_gate = ask_gate
        self._provider = provider
        self._ledger = ledger
        self._masters = masters
        self._check = check

    def cut(self, request: CutRequest) -> CutReply:
        self._ask_gate()
        attempt = self._ledger.open_attempt(request.work_id, self._provider, request.credits_expected, request.lease)
        charged = Decimal(0)
        try:
            reply = self._inner.cut(request)
            charged = reply.credits_charged
            checked = self._checked(reply, request)
        except UnusableAnswer as error:
            charged = charged or request.credits_expected
            self._ledger.close_attempt(attempt, AttemptState.UNUSABLE, charged, str(error))
            raise
        except OutcomeUnknown as error:
            self._ledger.close_attempt(attempt, AttemptState.IN_DOUBT, Decimal(0), str(error))
            raise
        except BgPipelineError as error:
            self._ledger.close_attempt(attempt, AttemptState.REFUSED, Decimal(0), str(error))
            raise
        self._masters.write(master_name(request.work_id), reply.image)
        master = Master(request.work_id, digest_of(reply.image), checked.width_px, checked.height_px, checked.suspicion)
        self._ledger.keep_master(master, attempt, charged)
        return reply

    def _checked(self, reply: CutReply, request: CutRequest) -> Checked:
        try:
            return self._check(reply, request)
        except ItemError as error:  # whatever its decoder died of, it was paid for
            raise UnusableAnswer(f"the answer cannot be read: {error}") from error
