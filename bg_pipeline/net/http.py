"""Shared parts of the vendors' clients: the session that sends the key to its own host, and errors from answers."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import requests
from urllib3.exceptions import NewConnectionError

from bg_pipeline.core.answers import MAX_ANSWER_BYTES
from bg_pipeline.core.prices import downgrade
from bg_pipeline.core.records import RateFacts
from bg_pipeline.core.responses import (
    ResponseKind,
    Rule,
    Shape,
    classify_response,
    number,
    read_json,
    shape_of,
    vendor_error,
)
from bg_pipeline.core.retry import parse_rate, parse_retry_after
from bg_pipeline.errors import (
    AccountError,
    BgPipelineError,
    FetchFailed,
    FetchRefused,
    ItemRejected,
    NoCredits,
    OutcomeUnknown,
    QualityDropped,
    RateLimited,
    ResultAwaited,
    TransientError,
    UnusableAnswer,
)
from bg_pipeline.net.deadline import Deadline
from bg_pipeline.net.fetch import CONNECT_S, READ_S, fetch, host_of, plain_session, read_body
from bg_pipeline.net.settings import DIRECT, Access, Egress
from bg_pipeline.ports.purchasing import CutReply, CutRequest
from bg_pipeline.redaction import redacted

E = TypeVar("E", bound=BgPipelineError)

TOTAL_S = 120.0

_MAX_ANSWER_BYTES = 2048
_MAX_SCRUBBED_BYTES = 1 << 16
_MAX_MESSAGE_CHARS = 500
_MAX_CREDITS_A_CALL = 100
_MAX_SIDE_PX = 100_000
_MAX_BALANCE = 10**9
"""Largest credible balance, and the largest debt: a larger number is not a balance."""


class NotSent(BgPipelineError):
    """There was no connection: the vendor received nothing."""


class Reply:
    """A complete answer, read within its limits."""

    def __init__(self, response: requests.Response, body: bytes) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.body = body

    @property
    def json(self) -> dict[str, Any]:
        return read_json(self.body)

    @property
    def shape(self) -> Shape:
        return shape_of(self.body)

    @property
    def request_id(self) -> str:
        names = ("X-Request-Id", "Request-Id", "X-Correlation-Id", "CF-Ray")
        return _plain(next((self.headers[name] for name in names if name in self.headers), ""))[:100]

    @property
    def retry_after_s(self) -> float | None:
        return parse_retry_after(self.headers.get("Retry-After"), self.headers.get("Date"))

    @property
    def rate(self) -> RateFacts | None:
        limit, remaining, reset = (self.headers.get(f"X-RateLimit-{name}") for name in ("Limit", "Remaining", "Reset"))
        return parse_rate(limit, remaining, reset, self.headers.get("Date"))

    @property
    def credits_charged(self) -> Decimal | None:
        return number(self.headers.get("X-Credits-Charged"), _MAX_CREDITS_A_CALL)

    @property
    def pixels(self) -> int | None:
        """Pixels of the result, if headers or JSON give them; else None."""
        data = self.json.get("data") if self.shape is Shape.JSON else None
        facts = data if isinstance(data, dict) else {}
        width, height = (
            number(self.headers.get(f"X-{name}") or facts.get(name.lower()), _MAX_SIDE_PX)
            for name in ("Width", "Height")
        )
        return int(width * height) if width and height else None


class Api:
    """
    One vendor's API.

    Args:
        vendor: its name in messages.
        access: of the account.
        header: the header that carries the key.
        rules: the vendor's table of answers.
        advice: instruction for a refused account.
    """

    def __init__(
        self, vendor: str, access: Access, header: Mapping[str, str], rules: Sequence[Rule], advice: str
    ) -> None:
        self.vendor = vendor
        self._key = access.key
        self._rules = rules
        self._advice = advice
        self._session = plain_session(access.egress)
        self._session.headers.update({**access.headers, **header})

    def post(
        self,
        url: str,
        field: str,
        request: CutRequest,
        params: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """
        Send one picture as a form, with further headers; return the reply if its kind is OK.

        Raises:
            TransientError, ItemRejected, AccountError, OutcomeUnknown, UnusableAnswer: as the table says.
        """
        # Our own file name: a source name may contain customers' names or characters that break a header.
        name = f"image.{request.media_type.partition('/')[2]}"
        try:
            picture = {field: (name, request.image, request.media_type)}
            reply = send(self._session, "POST", url, files=picture, data=dict(params), headers=dict(headers or {}))
        except NotSent as error:
            raise TransientError(str(error)) from error
        self._raise_for(reply)
        return reply

    def account(
        self, url: str, *paths: Sequence[str], check: Callable[[Mapping[str, Any]], None] | None = None
    ) -> Decimal:
        """
        Return the first number of credits at one of these paths in an account's JSON.

        Args:
            url: of the account.
            paths: names from the outside inwards.
            check: looks at that JSON too; may raise an error of its own.

        Raises:
            AccountError: the key is refused, or the account is empty.
            TransientError: any other answer; it does not give the balance.
        """
        problem = f"the balance of {self.vendor} could not be read"
        try:
            reply = send(self._session, "GET", url)
        except (NotSent, OutcomeUnknown) as error:
            raise TransientError(f"{problem}: {error}") from error
        if reply.status not in {200, 401, 402, 403}:
            raise self._error(TransientError(f"{problem}: {self.vendor} answered {reply.status}"), reply)
        if reply.status != 200:
            self._raise_for(reply)
        if check is not None:
            check(reply.json)
        for path in paths:
            value: Any = reply.json
            for name in path:
                value = value.get(name) if isinstance(value, dict) else None
            balance = number(value, _MAX_BALANCE, -_MAX_BALANCE)
            if balance is not None:
                return balance
        raise self._error(TransientError(f"{problem}: the answer has no number of credits"), reply)

    def cut_reply(self, reply: Reply, request: CutRequest) -> CutReply:
        """Return the answer to a purchase; it was charged as its header says, else as expected."""
        charged = reply.credits_charged
        charged = request.credits_expected if charged is None else charged
        return CutReply(reply.body, charged, reply.request_id, reply.rate)

    def unusable(self, answer: bytes, why: str, *secrets: str) -> UnusableAnswer:
        """Return the error for a paid answer that is not a cutout."""
        error = UnusableAnswer(f"{self.vendor}: {why}")
        error.answer = self._quotable(answer, *secrets)
        return error

    def check_quality(self, reply: Reply, request: CutRequest) -> None:
        """
        Raises:
            QualityDropped: credits or pixels show a lower tier than requested.
        """
        sent_pixels = request.width_px * request.height_px
        # What was bought may have a smaller frame.
        pixels = None if request.use is not None and request.use.has_own_frame else reply.pixels
        why = downgrade(request.credits_expected, reply.credits_charged, sent_pixels, pixels)
        if why:
            raise self._error(QualityDropped(f"{self.vendor} delivered less than was ordered: {why}"), reply)

    def _raise_for(self, reply: Reply) -> None:
        code, message = vendor_error(reply.json)
        rule = classify_response(self._rules, reply.status, code, reply.shape)
        if rule.kind is ResponseKind.OK:
            return
        code, message = (_plain(redacted(text, self._key))[:_MAX_MESSAGE_CHARS] for text in (code, message))
        text = f"{self.vendor} answered {reply.status} {code}".rstrip() + (f": {message}" if message else "")
        if 300 <= reply.status < 400:
            text += (
                f": it redirects to {host_of(reply.headers.get('Location', '')) or 'no host'}; no key was sent there"
            )
        if rule.kind is ResponseKind.ACCOUNT:
            text += f". {self._advice}"
        raise self._error(_error_for(rule, text, reply.retry_after_s), reply)

    def _error(self, error: E, reply: Reply, *secrets: str) -> E:
        error.answer = self._quotable(reply.body, *secrets)
        error.request_id = redacted(reply.request_id, self._key)
        if isinstance(error, UnusableAnswer):
            error.credits_charged = reply.credits_charged
        if isinstance(error, RateLimited):
            error.rate = reply.rate
        return error

    def _quotable(self, answer: bytes, *secrets: str) -> str:
        text = answer[:_MAX_SCRUBBED_BYTES].decode("utf-8", "replace")
        return redacted(text, self._key, *secrets).encode()[:_MAX_ANSWER_BYTES].decode("utf-8", "ignore")


def send(session: requests.Session, method: str, url: str, **content: Any) -> Reply:
    """
    Send one request without retries or redirects: on a redirect, `requests` forwards `X-Api-Key` to any host.

    Raises:
        NotSent: the vendor cannot have acted on the request.
        OutcomeUnknown: the vendor may have acted on it.
    """
    host = host_of(url)
    with Deadline(TOTAL_S) as deadline:
        try:
            with session.request(
                method, url, timeout=(CONNECT_S, READ_S), allow_redirects=False, stream=True, **content
            ) as response:
                body = read_body(response, MAX_ANSWER_BYTES, deadline)
        except requests.exceptions.ProxyError as error:  # the tunnel is there before anything is sent
            raise NotSent(f"no connection to {host}: the proxy of BG_HTTP_PROXY gives none: {_cause(error)}") from error
        except requests.ConnectTimeout as error:
            raise NotSent(f"no connection to {host}: it did not answer") from error
        except requests.RequestException as error:
            if deadline.passed:
                raise OutcomeUnknown(f"{host} {deadline.why}") from error
            raise _broken(error, host) from error
    if deadline.passed:  # a body without a length looks complete after its connection was shut
        raise OutcomeUnknown(f"{host} {deadline.why}")
    if body is None:
        raise OutcomeUnknown(f"the answer of {host} is larger than {MAX_ANSWER_BYTES / 2**20:.3g} MiB")
    return Reply(response, body)


def download(url: str, api_base: str, egress: Egress = DIRECT) -> bytes:
    """
    Fetch a result without the key and the headers of the account.

    Raises:
        UnusableAnswer: policy forbids its URL.
        ResultAwaited: it cannot be fetched now.
    """
    try:
        return fetch(url, allowed_origins=(api_base,), max_bytes=MAX_ANSWER_BYTES, total_s=TOTAL_S, egress=egress)
    except FetchRefused as error:
        raise UnusableAnswer(f"the URL of the result is refused: {error}") from error
    except FetchFailed as error:
        refused = error.status is not None and 400 <= error.status < 500
        raise ResultAwaited(f"paid for, and its result is not ready: {error}", refused=refused) from error


def _cause(error: requests.RequestException) -> str:
    """Return what a proxy said, such as `407 Proxy Authentication Required`."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    original = getattr(reason, "original_error", None)
    return _plain(str(original)).removeprefix("Tunnel connection failed: ")[:100] if original else "it does not answer"


def _broken(error: requests.RequestException, host: str) -> BgPipelineError:
    if isinstance(error, requests.exceptions.SSLError):
        # TLS can also break after the request was received; only a refused certificate proves that it was not.
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return NotSent(f"no connection to {host}: its certificate is not trusted")
        return OutcomeUnknown(f"the encrypted connection to {host} broke")
    if isinstance(error, requests.ConnectionError):
        if isinstance(getattr(error.args[0], "reason", None), NewConnectionError):
            return NotSent(f"no connection to {host}")
        return OutcomeUnknown(f"{host} closed the connection without an answer")
    return OutcomeUnknown(f"{host} sent an incomplete answer: {type(error).__name__}")


def _error_for(rule: Rule, text: str, retry_after_s: float | None) -> BgPipelineError:
    if rule.kind is ResponseKind.RATE_LIMITED:
        return RateLimited(text, retry_after_s=retry_after_s)
    if rule.kind is ResponseKind.TRANSIENT:
        return TransientError(text, retry_after_s=retry_after_s, free=rule.free)
    kinds: dict[ResponseKind, type[BgPipelineError]] = {
        ResponseKind.REJECTED: ItemRejected,
        ResponseKind.ACCOUNT: AccountError,
        ResponseKind.NO_CREDITS: NoCredits,
        ResponseKind.UNUSABLE: UnusableAnswer,
        ResponseKind.OUTCOME_UNKNOWN: OutcomeUnknown,
    }
    return kinds[rule.kind](text)


def _plain(text: str) -> str:
    """Return the text on one line: a vendor may send line breaks and terminal codes."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
