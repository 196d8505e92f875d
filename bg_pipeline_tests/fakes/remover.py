"""A remover that follows a script."""

import threading
from collections.abc import Callable, Sequence
from decimal import Decimal

from bg_pipeline.ports.purchasing import CutReply, CutRequest
from bg_pipeline_tests.pictures import cutout_of


class FakeRemover:
    """
    Cuts at once, and counts. A script tells what each call does: an exception to raise, bytes to answer, or None
    to cut as usual; calls beyond its end are as usual.
    """

    def __init__(
        self, script: Sequence[BaseException | bytes | None] = (), credits_left: Decimal | None = None
    ) -> None:
        self._script = iter(script)
        self.credits_left = credits_left
        self.requests: list[CutRequest] = []
        self.before: Callable[[CutRequest], None] = lambda _request: None
        self.account_error: BaseException | None = None
        """What the account's own endpoint answers, if not the balance."""
        self.readings = 0
        self.opens: Callable[[bytes], bytes] = lambda answer: answer
        self._lock = threading.Lock()

    def cut(self, request: CutRequest) -> CutReply:
        with self._lock:
            self.requests.append(request)
            step = next(self._script, None)
        self.before(request)
        if isinstance(step, BaseException):
            raise step
        if self.credits_left is not None:
            self.credits_left -= request.credits_expected
        return CutReply(step if step is not None else cutout_of(request.image), request.credits_expected)

    def open_answer(self, answer: bytes) -> bytes:
        return self.opens(answer)

    def balance(self) -> Decimal | None:
        self.readings += 1
        if self.account_error is not None:
            raise self.account_error
        return self.credits_left
