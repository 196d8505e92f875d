"""The one layer that tries again."""

from collections.abc import Callable

from bg_pipeline.core.retry import LONGEST_SLEEP_S, MAX_RETRIES, wait_s
from bg_pipeline.errors import TransientError
from bg_pipeline.ports import CutReply, CutRequest, Remover
from bg_pipeline.providers.wrapper import Wrapper


class Retrying(Wrapper):
    """
    Tries again what failed without a charge.

    Args:
        inner: a remover that raises `TransientError` for just that.
        sleep: waits so many seconds; true if it was woken to stop.
        jitter: 0 to 1, drawn for each wait.
    """

    def __init__(self, inner: Remover, sleep: Callable[[float], bool], jitter: Callable[[], float]) -> None:
        super().__init__(inner)
        self._sleep = sleep
        self._jitter = jitter

    def cut(self, request: CutRequest) -> CutReply:
        for retry in range(MAX_RETRIES):
            try:
                return self._inner.cut(request)
            except TransientError as error:
                wait = wait_s(retry, error.retry_after_s, self._jitter())
                if wait > LONGEST_SLEEP_S or self._sleep(wait):
                    raise
        return self._inner.cut(request)
