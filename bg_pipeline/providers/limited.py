"""No more requests in flight than the service takes."""

import threading

from bg_pipeline.ports import CutReply, CutRequest, Remover
from bg_pipeline.providers.wrapper import Wrapper


class Limited(Wrapper):
    """At most so many requests in flight."""

    def __init__(self, inner: Remover, concurrency: int) -> None:
        super().__init__(inner)
        self._slots = threading.BoundedSemaphore(concurrency)

    def cut(self, request: CutRequest) -> CutReply:
        with self._slots:
            return self._inner.cut(request)
