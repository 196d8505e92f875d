"""The two HTTP clients: one that carries the key to its own host, one for result URLs that carries nothing."""

import ipaddress
import socket
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError

from bg_pipeline.core.retry import Verdict, parse_retry_after
from bg_pipeline.errors import (
    AccountError,
    BgPipelineError,
    ItemRejected,
    NoCredits,
    OutcomeUnknown,
    RateLimited,
    TransientError,
    UnusableAnswer,
)

CONNECT_S, READ_S, TOTAL_S = 5.0, 60.0, 120.0
"""A read timeout starts anew with every byte; only the total ends a body that drips."""

MAX_BODY_BYTES = 128 * 2**20
_MAX_ERROR_CHARS = 2_000


class NotSent(BgPipelineError):
    """No connection: the service has seen nothing."""


class Reply:
    """A whole answer, read within its limits."""

    def __init__(self, response: requests.Response, body: bytes) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.body = body

    @property
    def retry_after_s(self) -> float | None:
        return parse_retry_after(self.headers.get("Retry-After"), self.headers.get("Date"))


def api_session(headers: Mapping[str, str]) -> requests.Session:
    """For the service itself. Environment and netrc are not asked: they could add or replace credentials."""
    session = requests.Session()
    session.trust_env = False
    session.headers.update({"User-Agent": "bg-pipeline", **headers})
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=64, max_retries=0))
    return session


def send(session: requests.Session, method: str, url: str, **content: Any) -> Reply:
    """
    One request, no retries and no redirects: requests forwards `X-Api-Key` to whatever host it is sent to.

    Raises:
        NotSent: the service cannot have acted on it.
        OutcomeUnknown: it may have.
    """
    deadline = time.monotonic() + TOTAL_S
    try:
        with session.request(
            method, url, timeout=(CONNECT_S, READ_S), allow_redirects=False, stream=True, **content
        ) as response:
            return Reply(response, _body(response, deadline))
    except requests.ConnectTimeout as error:
        raise NotSent(f"no connection to {_host(url)}: it did not answer") from error
    except requests.exceptions.SSLError as error:
        # TLS can also break after the request was received; only a refused certificate proves that it was not.
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise NotSent(f"no connection to {_host(url)}: its certificate is not trusted") from error
        raise OutcomeUnknown(f"the encrypted connection to {_host(url)} broke") from error
    except requests.ConnectionError as error:
        if isinstance(getattr(error.args[0], "reason", None), NewConnectionError):
            raise NotSent(f"no connection to {_host(url)}") from error
        raise OutcomeUnknown(f"{_host(url)} closed the connection without an answer") from error
    except requests.RequestException as error:
        raise OutcomeUnknown(f"{_host(url)} sent no whole answer: {type(error).__name__}") from error


def download(url: str, api_base: str) -> bytes:
    """
    Fetch a result, without a key, from a public host over https or from the API's own. It is paid for and a GET is
    free, so a failure is tried again at once, twice.

    Raises:
        UnusableAnswer: it cannot be had. It was paid for.
    """
    try:
        refusal = _refuse(url, api_base)
    except ValueError as error:  # UnicodeError is one
        raise UnusableAnswer("the answer points to what is no URL") from error
    if refusal:
        raise UnusableAnswer(f"the answer points to {_host(url)}, which is not fetched: {refusal}")
    for last in (False, False, True):
        try:
            reply = send(api_session({}), "GET", url)
        except (NotSent, OutcomeUnknown) as error:
            if last:
                raise UnusableAnswer(f"the result could not be fetched: {error}") from error
            continue
        if reply.status < 500:
            break
    if reply.status != 200:
        raise UnusableAnswer(f"the result could not be fetched: {_host(url)} answered {reply.status}")
    return reply.body


def error_for(verdict: Verdict, reply: Reply, provider: str, code: str, message: str) -> BgPipelineError:
    """The error that carries a verdict to the wrappers and to the log."""
    said = f"{provider} answered {reply.status} {code}".rstrip()
    text = f"{said}: {message[:_MAX_ERROR_CHARS]}" if message else said
    if verdict is Verdict.RATE_LIMITED:
        return RateLimited(text, retry_after_s=reply.retry_after_s)
    if verdict is Verdict.TRANSIENT:
        return TransientError(text, retry_after_s=reply.retry_after_s)
    kinds: dict[Verdict, type[BgPipelineError]] = {
        Verdict.REJECTED: ItemRejected,
        Verdict.ACCOUNT: AccountError,
        Verdict.NO_CREDITS: NoCredits,
        Verdict.UNUSABLE: UnusableAnswer,
    }
    return kinds.get(verdict, OutcomeUnknown)(text)


def _body(response: requests.Response, deadline: float) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_content(1 << 16):
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise OutcomeUnknown(f"the answer is larger than {MAX_BODY_BYTES >> 20} MiB")
        if time.monotonic() > deadline:
            raise OutcomeUnknown(f"the answer took longer than {TOTAL_S:.0f} s")
        chunks.append(chunk)
    return b"".join(chunks)


def _refuse(url: str, api_base: str) -> str:
    target, api = urlsplit(url), urlsplit(api_base)
    if (target.scheme, target.netloc) == (api.scheme, api.netloc):
        return ""
    if target.scheme != "https" or not target.hostname:
        return "not https"
    try:
        found = socket.getaddrinfo(target.hostname, target.port or 443, proto=socket.IPPROTO_TCP)
    except OSError:
        return "no such host"
    if not all(ipaddress.ip_address(str(a[4][0]).partition("%")[0]).is_global for a in found):
        return "not a public address"
    return ""


def _host(url: str) -> str:
    # A result URL is a secret: its path and query are what signs it.
    return urlsplit(url).netloc.rpartition("@")[2]
