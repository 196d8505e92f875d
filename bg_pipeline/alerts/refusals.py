"""Why a target refused a notification, in words without a secret."""

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus

_STATUS = re.compile(r"\berror=(\d{3})\b|\bHTTP (\d{3})\b|\bstatus(?:[ _]code)?[ =:]+(\d{3})\b", re.IGNORECASE)

_ADVICE = {
    401: "check the key or password in its URL",
    403: "check the key or password in its URL",
    404: "its URL names something that does not exist there",
    410: "its URL names something that no longer exists there",
    429: "it gets too many messages",
}

_CAUSES: Sequence[tuple[str, str]] = (
    (r"NameResolution|[Nn]ame resolution|[Nn]ame or service|nodename nor|getaddrinfo", "DNS cannot resolve its host"),
    (r"certificate|SSLError|SSL:", "its TLS connection is not valid"),
    (r"timed out|Timeout", "it did not answer in time"),
    (r"Connection refused", "nothing listens at its address: the connection was refused"),
    (r"\b535\b|[Aa]uthentication (?:failed|unsuccessful)", "it refuses the user or password in its URL"),
    (r"unreachable|No route to host", "its network is unreachable"),
    (r"ConnectionError|Connection aborted|reset by peer|RemoteDisconnected", "the connection broke before it answered"),
)
"""Patterns in the log of Apprise and of the libraries below it, the most specific first, and what they mean."""


def refusal(messages: Sequence[str]) -> str:
    """
    Return why a target refused, from what Apprise logged about it.

    Only known facts are taken over, never a part of a message: these quote URLs, tokens and passwords.
    """
    text = "\n".join(messages)
    if match := _STATUS.search(text):
        status = int(next(filter(None, match.groups())))
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "unknown status"
        advice = _ADVICE.get(status, "the server failed" if status >= 500 else "check its URL")
        return f"HTTP {status} {phrase}: {advice}"
    return next((cause for pattern, cause in _CAUSES if re.search(pattern, text)), "it gave no reason; check its URL")


class LogCapture(logging.Handler):
    """Keeps the log messages of the current thread while `capturing`, and passes none on."""

    def __init__(self) -> None:
        super().__init__()
        self._own = threading.local()

    @contextmanager
    def capturing(self) -> Iterator[list[str]]:
        """Yield the list to which the messages of this thread are added."""
        self._own.messages = messages = list[str]()
        try:
            yield messages
        finally:
            del self._own.messages

    def emit(self, record: logging.LogRecord) -> None:
        messages = getattr(self._own, "messages", None)
        if messages is not None:
            messages.append(record.getMessage())
