"""Fetch pictures from their hosts, and ask none in vain."""

import threading
import time
from collections.abc import Callable

from bg_pipeline.core.hosts import PictureHost
from bg_pipeline.errors import FetchFailed, FetchRefused, HostFailed, HostUnavailable
from bg_pipeline.net.fetch import host_of
from bg_pipeline.ports.running import Now

Fetch = Callable[[str], bytes]


class HostedPictures:
    """
    Pictures behind URLs. A host that does not serve is not asked for the next ones, until a cooldown is over.

    Args:
        fetch: returns the bytes at a URL; raises FetchFailed.
        now: seconds by a clock that only counts on.
    """

    def __init__(self, fetch: Fetch, now: Now = time.monotonic) -> None:
        self._fetch = fetch
        self._now = now
        self._hosts: dict[str, PictureHost] = {}
        self._lock = threading.Lock()

    def fetch(self, url: str) -> bytes:
        """
        Raises:
            HostUnavailable: its host does not serve now, or was not asked.
            FetchFailed: this URL cannot be fetched.
        """
        name = host_of(url)
        with self._lock:
            host = self._hosts.setdefault(name, PictureHost(name))
            if host.is_open(self._now()):
                raise HostUnavailable(f"{name} was not asked: {host.why}", host=host)
        try:
            data = self._fetch(url)
        except HostFailed as error:
            with self._lock:
                host.failed(str(error), self._now())
            raise HostUnavailable(str(error), host=host, unknown=error.unknown) from error
        except FetchRefused:
            raise
        except FetchFailed:
            with self._lock:
                host.answered()
            raise
        with self._lock:
            host.answered()
        return data
