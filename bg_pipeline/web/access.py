"""
Who may use the review: the person who started it, in a browser on this machine.

    other sites            have another Origin, and cannot set the Authorization header without being asked first, which
                           is never answered
    other names for this   an address that another site makes point here (DNS rebinding) has another Host
    machine
    other users of this    have no token. It is in no argument, no file, no cookie: browsers send the cookies of
    machine                127.0.0.1 to every port, so to servers of other users too
    who sees the link      it works once: what a browser got for it is in the browser's own storage
"""

import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_OF_THIS_PAGE = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site for requests of the page itself, and of addresses that a person types."""


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(slots=True)
class Access:
    """
    The secrets of one start, and the checks of each request.

    Args:
        origins: origins under which a browser reaches the page, such as `http://127.0.0.1:8786`.
        announce: called with the secret of each new link.
    """

    origins: frozenset[str]
    announce: Callable[[str], object]
    picture_secret: str = field(default_factory=_secret)
    """Part of the path of pictures: an img element sends no header. It shows pictures and decides nothing."""
    _token: str = field(default_factory=_secret)
    _link: str = field(default_factory=_secret)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new_link(self) -> None:
        """Make a link that works once, and announce it; an earlier one works no longer."""
        with self._lock:
            link = self._link = _secret()
        self.announce(link)

    def redeem(self, link: str) -> str:
        """Return the token for the secret of the last link, and announce the next one; empty for any other text."""
        with self._lock:
            if not _same(link, self._link):
                return ""
            following = self._link = _secret()
        self.announce(following)
        return self._token

    def refuses(self, method: str, headers: Mapping[str, str]) -> str:
        """
        Return the reason to refuse a request, whatever it asks for; empty if it may be answered.

        Args:
            method: GET or POST.
            headers: by name in lower case.
        """
        hosts = {urlsplit(origin).netloc for origin in self.origins}
        if headers.get("host", "").lower() not in hosts:
            return "this address is not the one that `bg-pipeline review --serve` shows"
        if method == "POST" and headers.get("origin", "").lower() not in self.origins:
            return "the request comes from another site"
        if method == "POST" and headers.get("sec-fetch-site", "same-origin") not in _OF_THIS_PAGE:
            return "the request comes from another site"
        return ""

    def is_authorized(self, headers: Mapping[str, str]) -> bool:
        """Return True if the request has the token."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme == "Bearer" and _same(token, self._token)

    def may_see(self, picture_secret: str) -> bool:
        """Return True if the path of a picture has its secret."""
        return _same(picture_secret, self.picture_secret)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
