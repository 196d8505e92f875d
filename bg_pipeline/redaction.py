"""Text without secrets. Every error of this package redacts its text, so no place that shows or stores one has to."""

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, unquote

_SHORTEST = 4
"""Fewest characters of a secret that is searched for: shorter ones are in every text."""

_QUERY = re.compile(r"""(https?:(?:\\?/){2}[^\s"'<>?]*)\?[^\s"'<>]*""", re.IGNORECASE)
_BEARER = re.compile(r"(bearer)(?:\s|\+|%20)+[^\s\"'<>,]+", re.IGNORECASE)
_CREDENTIALS = re.compile(r"""(://)(?:[^\s"'<>/@:]+@|[^\s"'<>/@:]*:(?!\d{1,5}/|\*{3}@)[^\s"'<>]*@)""")
"""User and password of a URL, up to its last @: an unescaped password may contain one."""

_PASSWORD = re.compile(r"(?:://|^(?!.*://))[^/:@]*:(.+)@")
_SECRET_VALUE = re.compile(r"[?&;][^=&;]*(?:pass|pw|secret|token|key|sig)[^=&;]*=([^&;]+)", re.IGNORECASE)

_known: dict[str, re.Pattern[str]] = {}
"""Secrets of this process, each with its pattern."""


def keep_secret(*secrets: str) -> None:
    """Let `redacted` remove these from every text of this process, in any encoding."""
    for secret in secrets:
        if len(secret) >= _SHORTEST and secret not in _known:
            _known[secret] = _pattern(secret, whole=True)


def secrets_in(url: str) -> Iterator[str]:
    """Yield what is secret in a URL: its password, and the values of its query with such names."""
    for pattern in (_PASSWORD, _SECRET_VALUE):
        for value in pattern.findall(url):
            yield from {value, unquote(value)}


def redacted(text: str, *secrets: str) -> str:
    """Return the text without known and these secrets, Bearer tokens, credentials in URLs, and queries of URLs."""
    for pattern in (*(_pattern(secret) for secret in secrets if secret), *_known.values()):
        text = pattern.sub("***", text)
    return _QUERY.sub(r"\1?***", _CREDENTIALS.sub(r"\1***@", _BEARER.sub(r"\1 ***", text)))


def _pattern(secret: str, *, whole: bool = False) -> re.Pattern[str]:
    """Return a pattern of a secret in any encoding; `whole` leaves longer words alone that contain it."""
    forms = {
        secret,
        quote(secret, safe="", errors="surrogateescape"),
        json.dumps(secret)[1:-1],
        html.escape(secret),
        base64.b64encode(secret.encode(errors="surrogateescape")).decode(),
    }
    any_form = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    return re.compile(rf"(?<![^\W_])(?:{any_form})(?![^\W_])" if whole else any_form, re.IGNORECASE)
