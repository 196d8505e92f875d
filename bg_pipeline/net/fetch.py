"""A GET for untrusted URLs, and sessions whose every exchange ends in time."""

import io
import ipaddress
import logging
import socket
import ssl
import threading
from collections.abc import Collection, Iterator
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection
from urllib3.util.ssl_ import create_urllib3_context

from bg_pipeline.core.hosts import blames_host
from bg_pipeline.errors import FetchFailed, FetchRefused, HostFailed
from bg_pipeline.net.deadline import CHUNK_BYTES, Deadline, watch
from bg_pipeline.net.settings import DIRECT, Egress

# Its warnings quote URLs and headers, which hold signatures and keys.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)

CONNECT_S, READ_S = 5.0, 60.0
LARGE_BYTES = 16 << 20
"""What is beyond this of a body is read for one body at a time: few pictures are as large, and all requests of a
process may have answers without an end."""
ALONE_S = 10.0
"""Most seconds for which a body waits for that: endless ones take less, and a slow one may not cost others theirs."""

_LARGE = threading.Lock()
_MAX_REDIRECTS = 3
_MAX_ADDRESSES = 4
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def fetch(
    url: str,
    *,
    allowed_origins: Collection[str] = (),
    max_bytes: int,
    total_s: float,
    egress: Egress = DIRECT,
) -> bytes:
    """
    Return the body of a URL, requested without key, cookie or credentials, over https from public addresses only.

    The connection goes to the address that was checked, also through a proxy, which is asked for this address and not
    for the name: it may reach hosts that this machine cannot. Every redirect is checked like the first URL.

    Args:
        url: address to fetch; it may be signed, so errors quote only its host.
        allowed_origins: each `scheme://host:port` that is trusted although it is not public, or not https: the API's
            own, for a sandbox; a shop's own server of pictures.
        max_bytes: most bytes of the body.
        total_s: most seconds in total, redirects included.
        egress: how its host is reached.

    Raises:
        FetchRefused: policy forbids this URL, or one that it redirects to.
        HostFailed: the host is unknown, does not answer, breaks off, or cannot serve now.
        FetchFailed: it answers with another status than 200, or the body is too large.
    """
    trusted_origins = {_origin(urlsplit(origin)) for origin in allowed_origins}
    with Deadline(total_s) as deadline:
        for _ in range(1 + _MAX_REDIRECTS):
            host, trusted = _checked(url, trusted_origins)
            try:
                with _session(egress, public_only=not trusted).get(
                    url, timeout=(CONNECT_S, READ_S), allow_redirects=False, stream=True
                ) as response:
                    location = response.headers.get("Location")
                    if location and response.is_redirect:
                        url = urljoin(url, location)
                        continue
                    if response.status_code != 200:
                        kind = HostFailed if blames_host(response.status_code) else FetchFailed
                        raise kind(f"{host} answered {response.status_code}", status=response.status_code)
                    body = read_body(response, max_bytes, deadline)
            except (requests.RequestException, ValueError) as error:
                if deadline.passed:
                    raise HostFailed(f"{host} {deadline.why}") from error
                if isinstance(error, requests.exceptions.InvalidURL):
                    raise FetchRefused("not a valid URL") from error
                raise _broken(error, host) from error
            if deadline.passed:  # a body without a length looks complete after its connection was shut
                raise HostFailed(f"{host} {deadline.why}")
            if body is None:
                raise FetchFailed(f"{host} sent more than {max_bytes / 2**20:.3g} MiB")
            return body
    raise FetchRefused(f"{host} redirects again after {_MAX_REDIRECTS} redirects")


def _broken(error: Exception, host: str) -> HostFailed:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, NameResolutionError):
        return _unresolved(reason.__cause__, host)
    if isinstance(error, requests.exceptions.ProxyError):
        return HostFailed(f"{host} cannot be reached through the proxy of BG_HTTP_PROXY")
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return HostFailed(f"{host} cannot be reached")
    return HostFailed(f"{host} sent an incomplete answer: {type(error).__name__}")


def _unresolved(error: BaseException | None, host: str) -> HostFailed:
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return HostFailed(f"{host}: its address cannot be looked up now")
    return HostFailed(f"{host}: no such host", unknown=True)


def read_body(response: requests.Response, max_bytes: int, deadline: Deadline) -> bytes | None:
    """Return the body of a streamed response; None as soon as it is larger than `max_bytes`."""
    body, chunks = io.BytesIO(), response.iter_content(CHUNK_BYTES)
    deadline.expect_progress()
    if _is_larger(body, chunks, min(LARGE_BYTES, max_bytes), deadline):
        is_alone = _LARGE.acquire(timeout=ALONE_S)
        deadline.expect_progress()
        try:
            if body.tell() > max_bytes or _is_larger(body, chunks, max_bytes, deadline):
                return None
        finally:
            if is_alone:
                _LARGE.release()
    return body.getvalue()


def _is_larger(body: io.BytesIO, chunks: Iterator[bytes], most_bytes: int, deadline: Deadline) -> bool:
    """Add chunks to a body until it is larger; return False if there are no more."""
    for chunk in chunks:
        deadline.expect_progress()
        body.write(chunk)
        if body.tell() > most_bytes:
            return True
    return False


def host_of(url: str) -> str:
    """Return the part of a URL that may be shown: its path and query may be a signature."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


class _Connection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self._begin()

    def putrequest(self, *args: Any, **options: Any) -> None:
        self._begin()
        super().putrequest(*args, **options)

    def _begin(self) -> None:
        if self.sock is not None:
            # urllib3 sends with the timeout for connecting, which is too short for a slow line.
            self.sock.settimeout(READ_S)
            watch(self.sock)


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _PublicConnection(_TlsConnection):
    """Looks up its host once and connects to the checked address: a second DNS answer changes nothing."""

    _tunnel_host: str
    _tunnel_port: int
    _tunnel_headers: dict[str, str]

    def _tunnel(self) -> None:
        """Ask a proxy for the checked address. Certificate and request are the host's all the same."""
        name, port = self._tunnel_host, self._tunnel_port
        address = _public_addresses(name.strip("[]"), port)[0]
        self._tunnel_host = address
        self._tunnel_headers["Host"] = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        try:
            super()._tunnel()
        finally:
            self._tunnel_host = name

    def _new_conn(self) -> socket.socket:
        if self.proxy is not None:
            return super()._new_conn()
        last: Exception | None = None
        for address in _public_addresses(self.host, self.port)[:_MAX_ADDRESSES]:
            try:
                return create_connection((address, self.port), self.timeout, socket_options=self.socket_options)
            except OSError as error:
                last = error
        raise NewConnectionError(self, "no connection") from last


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls = _PublicConnection


class EndingAdapter(HTTPAdapter):
    """A transport that `Deadline` can end; it never sends a request twice."""

    def __init__(self, egress: Egress, *, public_only: bool = False) -> None:
        self._egress = egress
        self._pools = {"https": _PublicPool} if public_only else {"http": _Pool, "https": _TlsPool}
        super().__init__(pool_maxsize=64, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=_trusting(self._egress.ca_bundle), **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        trusting = _trusting(self._egress.ca_bundle)
        manager = super().proxy_manager_for(proxy, ssl_context=trusting, proxy_ssl_context=trusting, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        return super().send(request, *args, **{**options, "proxies": self._egress.proxies(request.url or "")})


def _trusting(ca_bundle: str) -> ssl.SSLContext | None:
    """Return a context that trusts further authorities besides the usual ones; None if there are none."""
    if not ca_bundle:
        return None
    context = create_urllib3_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    context.load_verify_locations(ca_bundle)
    return context


def plain_session(egress: Egress = DIRECT, *, public_only: bool = False) -> requests.Session:
    """Make a session that takes no credentials from the environment or netrc, and keeps no cookies."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": "bg-pipeline", "Accept-Encoding": "identity"})
    for scheme in ("https://", "http://"):
        session.mount(scheme, EndingAdapter(egress, public_only=public_only))
    return session


@cache
def _session(egress: Egress, *, public_only: bool) -> requests.Session:
    return plain_session(egress, public_only=public_only)


def _checked(url: str, trusted_origins: Collection[tuple[str, str, int]]) -> tuple[str, bool]:
    """
    Return the host of a URL that policy allows, and True if it is trusted.

    The address of any other host is checked when the connection is made.
    """
    try:
        parts = urlsplit(url)
        origin = _origin(parts)
    except ValueError as error:
        raise FetchRefused("not a valid URL") from error
    host = host_of(url)
    if not parts.hostname:
        raise FetchRefused("not a valid URL")
    if parts.username is not None or parts.password is not None:
        raise FetchRefused(f"{host} was not requested: its URL contains credentials")
    trusted = origin in trusted_origins
    if parts.scheme != "https" and not trusted:
        raise FetchRefused(f"{host} was not requested: not https")
    return host, trusted


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)


def _public_addresses(host: str, port: int) -> list[str]:
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _unresolved(error, host) from error
    addresses = [str(info[4][0]) for info in infos]
    if not all(_is_public(ipaddress.ip_address(address.partition("%")[0])) for address in addresses):
        raise FetchRefused(f"{host} was not requested: not a public address")
    return addresses


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner:
            return _is_public(inner)
    return address.is_global and not address.is_multicast
