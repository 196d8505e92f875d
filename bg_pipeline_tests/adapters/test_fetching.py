"""The guarded GET, over real sockets."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bg_pipeline.errors import FetchFailed, FetchRefused
from bg_pipeline.net import fetch as fetching
from bg_pipeline.net.fetch import fetch
from bg_pipeline_tests.adapters.server import Vendor

LIMITS: dict[str, Any] = {"max_bytes": 100_000, "total_s": 20.0}


def trusting(vendor: Vendor, path: str, **limits: Any) -> bytes:
    return fetch(vendor.base_url + path, allowed_origins=(vendor.base_url,), **{**LIMITS, **limits})


def test_a_body_comes_back_whole_and_is_asked_for_without_credentials(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login canary password canary")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://canary:canary@127.0.0.1:9")
    vendor.say("/a", body=b"picture", headers={"Set-Cookie": "canary=1"})

    assert trusting(vendor, "/a") == trusting(vendor, "/a") == b"picture"
    assert {name for request in vendor.seen for name in request.headers} == {
        *("Host", "User-Agent", "Accept-Encoding", "Accept", "Connection")
    }


@pytest.fixture
def canary() -> Iterator[tuple[int, list[object]]]:
    """A port that nobody may connect to, on all addresses, and who did."""
    callers: list[object] = []
    listener = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)

    def listen() -> None:
        while True:
            try:
                connection, caller = listener.accept()
            except OSError:
                return
            callers.append(caller)
            connection.close()

    thread = threading.Thread(target=listen)
    thread.start()
    yield listener.getsockname()[1], callers
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://example.com/",
        "https://127.0.0.1:{port}/",
        "https://127.1:{port}/",
        "https://127.0.0.2:{port}/",
        "https://2130706433:{port}/",
        "https://0x7f000001:{port}/",
        "https://0x7f.0.0.1:{port}/",
        "https://0177.0.0.1:{port}/",
        "https://localhost:{port}/",
        "https://LOCALHOST:{port}/",
        "https://localhost.:{port}/",
        "https://0.0.0.0:{port}/",
        "https://0:{port}/",
        "https://[::1]:{port}/",
        "https://[::]:{port}/",
        "https://[0:0:0:0:0:0:0:1]:{port}/",
        "https://[::ffff:127.0.0.1]:{port}/",
        "https://[::ffff:7f00:1]:{port}/",
        "https://[64:ff9b::7f00:1]:{port}/",
        "https://[64:ff9b::10.0.0.1]/",
        "https://[2002:7f00:1::]/",
        "https://[fe80::1]/",
        "https://[fc00::1]/",
        "https://[ff02::1]/",
        "https://10.0.0.8/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00:ec2::254]/latest/meta-data",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://198.18.0.1/",
        "https://user:password@127.0.0.1:{port}/",
        "https://user:password@example.com/",
        "https://example.com@127.0.0.1:{port}/",
        "https://127.0.0.1:{port}\\@example.com/",
        "file:///etc/passwd",
        "ftp://127.0.0.1:{port}/",
        "gopher://127.0.0.1:{port}/",
        "data:text/plain,canary",
        "//127.0.0.1:{port}/",
        "/etc/passwd",
        "",
        "https://",
        "https://[bad/",
        "https://127.0.0.1:99999/",
        "https://a b/",
    ],
)
def test_a_url_that_points_inwards_or_nowhere_is_never_connected_to(
    canary: tuple[int, list[object]], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, callers = canary
    look_up = socket.getaddrinfo

    def offline(host: str, *args: Any, **options: Any) -> Any:
        """As it is, but that no name is asked for."""
        if "example" in host or " " in host or "\\" in host:
            raise socket.gaierror("no such host")
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    with pytest.raises(FetchFailed if "example" in url and "@" not in url else FetchRefused):
        fetch(url.format(port=port), **LIMITS)
    assert callers == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_checked_as_the_first_url_was(vendor: Vendor, elsewhere: Vendor, status: int) -> None:
    vendor.say("/a", status, headers={"Location": f"{elsewhere.base_url}/secret"})
    elsewhere.say("/secret")

    with pytest.raises(FetchRefused, match="not https"):
        trusting(vendor, "/a")
    assert elsewhere.seen == []


def test_three_redirects_are_followed_and_no_more(vendor: Vendor) -> None:
    for number in range(5):
        vendor.say(f"/{number}", 302, headers={"Location": f"/{number + 1}"})
    vendor.say("/5", body=b"picture")

    assert trusting(vendor, "/2") == b"picture"
    with pytest.raises(FetchRefused, match="3 redirects"):
        trusting(vendor, "/1")


def answers_of(names: dict[str, list[str]]) -> Callable[..., Any]:
    """A name server: each look-up of a name takes its next answer, and the last for ever."""

    def look_up(host: str, port: int, *args: Any, **options: Any) -> Any:
        known = names.get(host, [host])
        address = known.pop(0) if len(known) > 1 else known[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    return look_up


def test_the_address_that_is_connected_to_is_the_one_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server may answer with a public address first, and with a private one a moment later."""
    connected: list[object] = []

    def connect(address: object, *args: object, **options: object) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", answers_of({"pictures.example": ["93.184.216.34", "127.0.0.1"]}))
    monkeypatch.setattr(fetching, "create_connection", connect)
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)

    with pytest.raises(FetchFailed):
        fetch("https://pictures.example/a.png", **LIMITS)
    assert connected == [("93.184.216.34", 443)]


def test_a_name_with_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: both)

    with pytest.raises(FetchRefused, match="public"):
        fetch("https://pictures.example/a.png", **LIMITS)


def test_the_certificate_must_be_the_hosts_although_its_address_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = {"pictures.example": ["93.184.216.34"], "other.example": ["93.184.216.34"]}
    monkeypatch.setattr(socket, "getaddrinfo", answers_of(names))
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=pictures.example"
    )
    made = [*command.split(), "-addext", "subjectAltName=DNS:pictures.example"]
    try:
        subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl to make a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    real_connect = socket.create_connection

    def serve() -> None:
        for _ in range(2):
            raw, _caller = listener.accept()
            with raw:
                try:
                    with context.wrap_socket(raw, server_side=True) as tls:
                        tls.recv(1000)
                        tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\npicture")
                except OSError:
                    pass

    def to_loopback(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        assert address == ("93.184.216.34", 443)
        return real_connect(listener.getsockname())

    monkeypatch.setattr(socket, "getaddrinfo", answers_of(names))
    monkeypatch.setattr(fetching, "create_connection", to_loopback)
    session = fetching.plain_session(public_only=True)
    session.verify = str(tmp_path / "cert.pem")
    monkeypatch.setattr(fetching, "_session", lambda _egress, public_only: session)
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert fetch("https://pictures.example/a.png", **LIMITS) == b"picture"
        with pytest.raises(FetchFailed, match="SSLError"):
            fetch("https://other.example/a.png", **LIMITS)
    finally:
        thread.join()
        listener.close()
        session.close()


@pytest.mark.parametrize("manner", ["drip", "drip headers", "silent"])
def test_what_drips_ends_at_the_deadline(vendor: Vendor, manner: Any) -> None:
    """A read timeout starts anew with every byte."""
    vendor.say("/a", manner=manner)

    with pytest.raises(FetchFailed, match=r"longer than 0\.2 s"):
        trusting(vendor, "/a", total_s=0.2)


def test_what_drips_ends_long_before_the_deadline(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow result would occupy a worker for minutes."""
    monkeypatch.setattr("bg_pipeline.net.deadline.STALL_S", 0.2)
    vendor.say("/a", manner="drip")

    with pytest.raises(FetchFailed, match=r"less than 32 KiB in 0\.2 s"):
        trusting(vendor, "/a", total_s=3600.0)


def test_the_deadline_holds_for_all_redirects_together(vendor: Vendor) -> None:
    vendor.say("/a", 302, headers={"Location": "/b"})
    vendor.say("/b", manner="drip")

    with pytest.raises(FetchFailed, match="longer than"):
        trusting(vendor, "/a", total_s=0.2)


def test_an_endless_body_is_given_up(vendor: Vendor) -> None:
    vendor.say("/a", manner="endless")

    with pytest.raises(FetchFailed, match=r"more than 0\.0954 MiB"):
        trusting(vendor, "/a")


def test_a_body_cut_short_is_no_body(vendor: Vendor) -> None:
    vendor.say("/a", body=b"pic", headers={"Content-Length": "1000"})

    with pytest.raises(FetchFailed, match="an incomplete answer"):
        trusting(vendor, "/a")


@pytest.mark.parametrize("status", [204, 304, 403, 404, 500])
def test_any_other_status_is_passed_on(vendor: Vendor, status: int) -> None:
    vendor.say("/a?signature=canary", status)

    with pytest.raises(FetchFailed, match=str(status)) as caught:
        trusting(vendor, "/a?signature=canary")
    assert caught.value.status == status
    assert "canary" not in str(caught.value)


def test_a_host_that_is_not_there_is_named() -> None:
    with pytest.raises(FetchFailed, match=r"127\.0\.0\.1:9"):
        fetch("http://127.0.0.1:9/a", allowed_origins=("http://127.0.0.1:9",), **LIMITS)
