"""A proxy and a private certificate authority, with a proxy and certificates that somebody else made."""

import socket
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from proxy import Proxy
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from bg_pipeline.errors import ConfigurationError, FetchFailed, FetchRefused, TransientError
from bg_pipeline.net.fetch import _trusting, fetch
from bg_pipeline.net.settings import Access, Egress
from bg_pipeline.redaction import redacted
from bg_pipeline.vendors.removebg.client import RemoveBg, Service
from bg_pipeline_tests.adapters.clients import KEY, bought, request
from bg_pipeline_tests.adapters.made_settings import BGERASER, REMOVEBG, settings_of
from bg_pipeline_tests.adapters.server import Vendor, _Handler
from bg_pipeline_tests.adapters.test_fetching import answers_of
from bg_pipeline_tests.graph import call_here
from bg_pipeline_tests.pictures import cutout_of

ADDRESS = "127.0.0.2"
"""Of servers that only the proxy is to reach: the usual loopback is reached directly."""
PUBLIC = "93.184.216.34"
LIMITS: dict[str, Any] = {"max_bytes": 100_000, "total_s": 20.0}
CONNECT = socket.create_connection
CUT = "/v1.0/removebg"


class Wire:
    """The wire to a proxy: keeps what a client sends, and may have a tunnel end elsewhere than it asked for."""

    def __init__(self, proxy: tuple[str, int]) -> None:
        self.sent = b""
        self.ends: dict[bytes, bytes] = {}
        """Where a tunnel ends, by what it was asked for."""
        self._proxy = proxy
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    @property
    def connects(self) -> list[str]:
        """What tunnels were asked for."""
        return [line.split()[1].decode() for line in self.sent.split(b"\r\n") if line.startswith(b"CONNECT ")]

    def close(self) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = CONNECT(self._proxy)
            self._sockets += [near, far]
            for ends, keeps in (((near, far), True), ((far, near), False)):
                self._threads.append(threading.Thread(target=self._pass, args=(*ends, keeps)))
                self._threads[-1].start()

    def _pass(self, source: socket.socket, sink: socket.socket, keeps: bool) -> None:
        try:
            while data := source.recv(65536):
                if keeps:
                    self.sent += data
                    for asked, end in self.ends.items():
                        data = data.replace(b"CONNECT " + asked, b"CONNECT " + end)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return str(file)


@contextmanager
def over_tls(authority: trustme.CA, *names: str) -> Iterator[Vendor]:
    """A server with a certificate for these names."""
    made = Vendor()
    server = ThreadingHTTPServer((ADDRESS, 0), type("Handler", (_Handler,), {"vendor": made}))
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  a refused certificate is no news
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.base_url = f"https://{ADDRESS}:{server.server_port}"
    try:
        yield made
    finally:
        made.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Vendor]:
    with over_tls(authority, ADDRESS, "pictures.example") as made:
        yield made


@pytest.fixture(scope="module")
def proxy() -> Iterator[tuple[str, int]]:
    """proxy.py, which serves one user."""
    processes = ("--num-acceptors", "1", "--num-workers", "1", "--threaded", "--log-level", "CRITICAL")
    with Proxy(["--hostname", "127.0.0.1", "--port", "0", *processes, "--basic-auth", "shop:proxy-word"]) as running:
        yield "127.0.0.1", running.flags.port


@pytest.fixture
def wire(proxy: tuple[str, int]) -> Iterator[Wire]:
    made = Wire(proxy)
    yield made
    made.close()


def through(wire: Wire, ca_bundle: str = "", *direct: str, word: str = "proxy-word") -> Egress:
    return Egress(f"http://shop:{word}@127.0.0.1:{wire.port}", direct, ca_bundle)


def client(base_url: str, egress: Egress, **headers: str) -> RemoveBg:
    return RemoveBg(Access(KEY, headers, egress), Service(base_url), call_here)


def test_a_vendor_is_reached_through_the_proxy_which_sees_neither_key_nor_picture(
    secure: Vendor, wire: Wire, ca_bundle: str
) -> None:
    sent = request()
    secure.say(CUT, body=cutout_of(sent.image))

    assert bought(client(secure.base_url, through(wire, ca_bundle), **{"X-Team": "canary-team"}), sent)
    assert wire.connects == [secure.base_url.removeprefix("https://")]
    assert KEY.encode() not in wire.sent
    assert b"canary-team" not in wire.sent
    assert sent.image[:64] not in wire.sent
    assert b"Proxy-Authorization: Basic " in wire.sent
    (seen,) = secure.seen
    assert (seen.headers["X-Api-Key"], seen.headers["X-Team"]) == (KEY, "canary-team")
    assert "proxy-authorization" not in {name.lower() for name in seen.headers}


def test_a_certificate_of_an_unknown_authority_is_refused_before_anything_is_sent(secure: Vendor, wire: Wire) -> None:
    with pytest.raises(TransientError, match="certificate is not trusted"):
        client(secure.base_url, through(wire)).cut(request())
    with pytest.raises(TransientError, match="certificate is not trusted"):
        client(secure.base_url, Egress()).cut(request())
    assert secure.seen == []


def test_a_private_authority_is_trusted_besides_the_public_ones(secure: Vendor, ca_bundle: str) -> None:
    sent = request()
    secure.say(CUT, body=cutout_of(sent.image))
    assert bought(client(secure.base_url, Egress(ca_bundle=ca_bundle)), sent)

    trusting, public = _trusting(ca_bundle), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    public.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    assert trusting is not None
    assert trusting.verify_mode is ssl.CERT_REQUIRED
    assert trusting.cert_store_stats()["x509_ca"] == public.cert_store_stats()["x509_ca"] + 1


@pytest.mark.parametrize(
    ("base_url", "word", "said"),
    [
        ("", "wrong", "the proxy of BG_HTTP_PROXY gives none: 407 Proxy Authentication Required"),
        (f"https://{ADDRESS}:1", "proxy-word", "the proxy of BG_HTTP_PROXY gives none: 502 Bad Gateway"),
    ],
)
def test_what_a_proxy_refuses_was_not_sent_and_is_not_in_doubt(
    secure: Vendor, wire: Wire, ca_bundle: str, base_url: str, word: str, said: str
) -> None:
    with pytest.raises(TransientError, match=said) as caught:
        client(base_url or secure.base_url, through(wire, ca_bundle, word=word)).cut(request())
    assert caught.value.free
    assert secure.seen == []


def test_a_proxy_that_is_not_there_is_not_gone_round(secure: Vendor, ca_bundle: str) -> None:
    with pytest.raises(TransientError, match="no connection"):
        client(secure.base_url, Egress("http://127.0.0.1:9", (), ca_bundle)).cut(request())
    assert secure.seen == []


def test_http_and_hosts_that_are_named_are_reached_directly(
    vendor: Vendor, secure: Vendor, wire: Wire, ca_bundle: str
) -> None:
    """Over http, a proxy would see the key."""
    sent = request()
    for each in (vendor, secure):
        each.say(CUT, body=cutout_of(sent.image))
        assert bought(client(each.base_url, through(wire, ca_bundle, ADDRESS)), sent)
    assert wire.sent == b""


@pytest.mark.parametrize(
    ("url", "is_direct"),
    [
        ("https://shop.lan/a", True),
        ("https://img.shop.lan/a", True),
        ("https://IMG.SHOP.LAN/a", True),
        ("https://workshop.lan/a", False),
        ("https://shop.lan.example/a", False),
        ("https://api.remove.bg/a", False),
        ("https://localhost/a", True),
        ("http://api.remove.bg/a", True),
    ],
)
def test_a_name_without_the_proxy_stands_for_the_names_below_it(url: str, is_direct: bool) -> None:
    proxies = Egress("http://proxy.example:3128", ("shop.lan",)).proxies(url)

    assert (proxies.get(url.partition(":")[0]) is None) is is_direct


def test_the_environments_own_proxies_do_not_count(
    secure: Vendor, wire: Wire, ca_bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{wire.port}")
    sent = request()
    secure.say(CUT, body=cutout_of(sent.image))

    assert bought(client(secure.base_url, Egress(ca_bundle=ca_bundle)), sent)
    assert wire.sent == b""


# what a vendor or a catalogue names: any URL


@pytest.fixture
def names(secure: Vendor, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names and their addresses; the public one leads to the secure server, at the far end of the proxy."""
    private = {"inner.example": ["10.0.0.1"], "localhost": ["127.0.0.1"]}
    known = {"pictures.example": [PUBLIC], "other.example": [PUBLIC], **private}
    monkeypatch.setattr(socket, "getaddrinfo", answers_of(known))
    wire.ends[f"{PUBLIC}:443".encode()] = secure.base_url.removeprefix("https://").encode()
    return known


@pytest.mark.usefixtures("names")
def test_a_proxy_is_asked_for_the_address_that_was_checked_and_not_for_the_name(
    secure: Vendor, wire: Wire, ca_bundle: str
) -> None:
    secure.say("/a.png", body=b"picture")

    assert fetch("https://pictures.example/a.png", egress=through(wire, ca_bundle), **LIMITS) == b"picture"
    assert wire.connects == [f"{PUBLIC}:443"]
    assert secure.seen[0].headers["Host"] == "pictures.example"
    assert b"pictures.example" not in wire.sent.partition(b"\r\n\r\n")[0]


@pytest.mark.usefixtures("names")
def test_the_certificate_must_be_that_of_the_name_although_the_proxy_is_asked_for_an_address(
    secure: Vendor, wire: Wire, ca_bundle: str
) -> None:
    with pytest.raises(FetchFailed, match="SSLError"):
        fetch("https://other.example/a.png", egress=through(wire, ca_bundle), **LIMITS)
    assert secure.seen == []


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    "url",
    [
        "https://inner.example/a",
        "https://10.0.0.8/a",
        "https://127.0.0.2/a",
        "https://localhost/a",
        "https://[::1]/a",
        "https://169.254.169.254/latest/meta-data",
        "http://pictures.example/a",
    ],
)
def test_a_private_address_is_not_asked_of_the_proxy_either(wire: Wire, ca_bundle: str, url: str) -> None:
    with pytest.raises(FetchRefused):
        fetch(url, egress=through(wire, ca_bundle), **LIMITS)
    assert wire.sent == b""


@pytest.mark.usefixtures("names")
def test_a_redirect_to_a_private_address_is_refused_behind_a_proxy_too(
    secure: Vendor, wire: Wire, ca_bundle: str
) -> None:
    secure.say("/a.png", 302, headers={"Location": "https://inner.example/secret"})

    with pytest.raises(FetchRefused, match="not a public address"):
        fetch("https://pictures.example/a.png", egress=through(wire, ca_bundle), **LIMITS)
    assert wire.connects == [f"{PUBLIC}:443"]


@pytest.mark.usefixtures("names")
def test_a_catalogues_pictures_and_a_result_come_through_the_proxy_of_the_settings(
    secure: Vendor, vendor: Vendor, wire: Wire, ca_bundle: str, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop, shop:
        shop.execute("CREATE TABLE pictures (key TEXT, url TEXT)")
        shop.execute("INSERT INTO pictures VALUES ('a', 'https://pictures.example/a.png')")
    settings = settings_of(
        **BGERASER,
        BGERASER_BASE_URL=vendor.base_url,
        BGERASER_HEADERS="X-Team=canary-team",
        BG_HTTP_PROXY=through(wire).proxy,
        BG_CA_BUNDLE=ca_bundle,
        BG_SOURCE=f"sqlite:///{tmp_path}/shop.db",
        BG_SOURCE_QUERY="SELECT key, url FROM pictures",
    )
    secure.say("/a.png", body=b"picture")
    vendor.say("/api/tools/bg-removal", body=b'{"data": {"imageUrl": "https://pictures.example/a.png"}}')

    assert settings.catalogue.open_source(settings.raw).read("a") == b"picture"
    (account,) = settings.accounts
    made = account.plugin.client(account.settings, call_here)
    assert bought(made, request()) == b"picture"
    assert wire.connects[0] == f"{PUBLIC}:443"
    assert vendor.seen[0].headers["X-Team"] == "canary-team"
    for seen in secure.seen:
        assert {"Authorization", "X-Api-Key", "X-Team"}.isdisjoint(seen.headers)


# settings


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"BG_HTTP_PROXY": "proxy.example:3128"}, "BG_HTTP_PROXY: must be a URL of scheme, host and port"),
        ({"BG_HTTP_PROXY": "socks5://proxy.example"}, "BG_HTTP_PROXY: must be a URL"),
        ({"BG_HTTP_PROXY": "http://u:canary-word@proxy.example:99999"}, "BG_HTTP_PROXY: must be a URL"),
        ({"BG_NO_PROXY": "https://shop.lan"}, "BG_NO_PROXY: must be names of hosts"),
        ({"BG_CA_BUNDLE": "/no/such/file.pem"}, "BG_CA_BUNDLE: must be a file of certificates in PEM"),
        ({"BG_CA_BUNDLE": __file__}, "BG_CA_BUNDLE: must be a file of certificates in PEM"),
        ({"REMOVEBG_HEADERS": "X-Team"}, "REMOVEBG_HEADERS: must be written as in a URL"),
        ({"REMOVEBG_HEADERS": "X Team=shop"}, "REMOVEBG_HEADERS: must be names and values of headers"),
        ({"REMOVEBG_HEADERS": "X-Team=a%0D%0AX-Api-Key: b"}, "REMOVEBG_HEADERS: must be names and values"),
        ({"REMOVEBG_HEADERS": "X-API-Key=k2"}, "X-API-Key cannot be set: the client does"),
        ({"REMOVEBG_HEADERS": "Host=b.example"}, "Host cannot be set: the client does"),
        ({"REMOVEBG_HEADERS": "pr-hd-background-removal=auto"}, "alters the result: write it into BG_PARAMS"),
    ],
)
def test_a_wrong_setting_of_the_network_is_named(names: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        settings_of(**REMOVEBG, **names)
    assert "canary-word" not in str(caught.value)


def test_headers_are_no_part_of_a_purchase_and_are_kept_out_of_every_text() -> None:
    headers = {"REMOVEBG_HEADERS": "X-Team=shop&X-Gateway-Token=canary-header"}
    plain, routed = (settings_of(**REMOVEBG, **more) for more in ({}, headers))

    assert plain.recipe.cut.digest == routed.recipe.cut.digest
    assert "canary-header" not in repr(routed.accounts[0].settings) + redacted("X-Gateway-Token: canary-header")
    assert redacted("the shop") == "the shop"


def test_the_password_of_a_proxy_is_kept_out_of_every_text() -> None:
    settings = settings_of(**REMOVEBG, BG_HTTP_PROXY="http://shop:canary-word@proxy.example:3128")

    assert settings.accounts[0].settings.egress.proxy == "http://shop:canary-word@proxy.example:3128"
    shown = repr(settings.accounts[0]) + repr(settings.accounts[0].settings.egress)
    assert "canary-word" not in shown + redacted("the proxy said canary-word")
