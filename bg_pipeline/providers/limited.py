"""No more requests in flight than the service takes."""

import threading

from bg_pipeline.errors import Stopped
from bg_pipeline.ports import CutReply, CutRequest, Remover
from bg_pipeline.providers.wrapper import Wrapper


class Limited(Wrapper):
    """At most so many requests in flight, and none after `stop`."""

    def __init__(self, inner: Remover, concurrency: int, stop: threading.Event) -> None:
        super().__init__(inner)
        self._slots = threading.BoundedSemaphore(concurrency)
        self._stop = stop

    def cut(self, request: CutRequest) -> CutReply:
        with self._slots:
            if self._stop.is_set():
                raise Stopped("stopped on request")
            return self._inner.cut(request)
