"""Chats, mails, pagers and webhooks, each by a URL of Apprise (https://github.com/caronc/apprise/wiki)."""

import logging
import threading
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from bg_pipeline.alerts.refusals import LogCapture, refusal
from bg_pipeline.core.alerts import Event, Notification, Target

if TYPE_CHECKING:
    from apprise import Apprise

TIMEOUT_S = 15.0
"""Seconds for one notification, from connecting to the end of the answer."""


_LOG = LogCapture()


class AppriseSink:
    """
    `ports.alerts.AlertSink` for any number of URLs, each independent of the others.

    A URL is a secret: it is kept in memory and never shown, and no message of Apprise about it is passed on.
    """

    def __init__(self, urls: Sequence[str], timeout_s: float = TIMEOUT_S) -> None:
        self._urls = {sha256(url.encode()).hexdigest()[:8]: url for url in urls}
        self._timeout_s = timeout_s
        self._services: dict[str, Apprise] = {}
        self._lock = threading.Lock()
        self.targets = tuple(
            Target(f"target {number} ({url.partition('://')[0]})", digest)
            for number, (digest, url) in enumerate(self._urls.items(), start=1)
        )

    def send(self, target: Target, notification: Notification) -> str:
        refusals: list[str] = []
        service = self._service(target)

        def post() -> None:
            # A hundred services raise errors of any type, and quote their URL in them.
            try:
                refusals.append(_notify(service, notification))
            except Exception as error:  # noqa: BLE001
                refusals.append(f"its part of Apprise failed ({type(error).__name__})")

        # A daemon: a server that never stops answering must block neither the caller nor the end of the process.
        thread = threading.Thread(target=post, name="alert", daemon=True)
        thread.start()
        thread.join(self._timeout_s)
        return next(iter(refusals), f"it did not answer within {self._timeout_s:g} seconds")

    def _service(self, target: Target) -> "Apprise":
        with self._lock:
            if target.digest not in self._services:
                self._services[target.digest] = _service_at(self._urls[target.digest])
            return self._services[target.digest]


def _service_at(url: str) -> "Apprise":
    # Apprise loads all its services, which takes a second: only a process that sends should pay for that.
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415

    # Both write URLs into their logs: Apprise when a service fails, urllib3 when an answer is malformed.
    logger = logging.getLogger("apprise")
    logger.handlers, logger.propagate = [_LOG], False
    logger.setLevel(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    asset = AppriseAsset(
        app_id="bg_pipeline",
        app_desc="bg_pipeline",
        image_url_mask="",
        image_url_logo="",
        http_redirects=False,
        service_timeout=0,
        storage_mode="memory",
    )
    service = Apprise(asset=asset)
    # A URL that Apprise cannot use leaves it without a service.
    service.add(url)
    return service


def _notify(service: "Apprise", notification: Notification) -> str:
    """Return why the service refused; empty if it accepted."""
    from apprise import NotifyFormat, NotifyType  # noqa: PLC0415

    if not len(service):
        return "Apprise knows no service of this URL, or a part of the URL is missing"
    kinds = {Event.OVER: NotifyType.SUCCESS, Event.TEST: NotifyType.INFO}
    with _LOG.capturing() as messages:
        sent = service.notify(
            body=notification.body,
            title=notification.title,
            notify_type=kinds.get(notification.event, NotifyType.WARNING),
            body_format=NotifyFormat.TEXT,
        )
    return "" if sent else refusal(messages)


def unusable(urls: Sequence[str]) -> list[int]:
    """Return the numbers, from 1, of the URLs that Apprise knows no service for, or that lack a part."""
    return [number for number, url in enumerate(urls, start=1) if not len(_service_at(url))]
