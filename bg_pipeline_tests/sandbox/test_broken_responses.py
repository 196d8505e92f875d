"""What each fault puts on the wire, at each vendor, byte by byte where it matters, and what it costs."""

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from bg_pipeline.sandbox.faults import CHARGED, DELIVERY_FAULTS, Fault, FaultKind
from bg_pipeline_tests.sandbox import client


@dataclass(frozen=True)
class Vendor:
    """A paid call of one of the endpoints, and where its picture comes from."""

    name: str
    path: str
    field: str
    bad_key: int
    price: float
    error: Callable[[Any], str]
    """Finds the text of an error in its body."""

    def posted(self, base_url: str) -> bytes:
        request = requests.Request(
            "POST",
            base_url + self.path,
            files={self.field: ("a.png", client.picture(), "image/png")},
            headers={"X-Api-Key": "k", "Authorization": "Bearer k", "Connection": "close"},
        ).prepare()
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        return f"POST {self.path} HTTP/1.1\r\nHost: {urlsplit(base_url).netloc}\r\n{head}\r\n".encode() + request.body

    def has_url(self) -> bool:
        return self.path.startswith("/api/")


VENDORS = [
    Vendor("bgeraser", "/api/tools/bg-removal", "image_file", 401, 1, lambda body: body["error"]["message"]),
    Vendor("bgeraser", "/v1/removebg", "image_file", 403, 1, lambda body: body["errors"][0]["title"]),
    Vendor("removebg", "/v1.0/removebg", "image_file", 403, 0.25, lambda body: body["errors"][0]["title"]),
    Vendor("photoroom", "/v1/segment", "image_file", 403, 1, lambda body: body["detail"]),
    Vendor(
        "photoroom",
        "/v2/edit",
        "imageFile",
        403,
        5,
        lambda body: next(iter(body["error"].values())),
    ),
]


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.path)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return request.param


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    """All that came before the end of the connection, or before the limit of `talk`."""


def talk(base_url: str, said: bytes, limit: int = 1 << 20) -> Answer:
    """
    Raises:
        ConnectionResetError: the server ended the connection with a reset.
        TimeoutError: the server fell silent.
    """
    heard = b""
    with _connection(base_url) as connection:
        connection.sendall(said)
        while len(heard) < limit and (chunk := connection.recv(65_536)):
            heard += chunk
    head, _, body = heard.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Answer(int(status.split()[1]), headers, body)


def _connection(base_url: str) -> socket.socket:
    address = urlsplit(base_url)
    return socket.create_connection((address.hostname, address.port), client.TIMEOUT_S)


def _await_charge(base_url: str, known: int) -> None:
    deadline = time.monotonic() + client.TIMEOUT_S
    while len(client.ledger(base_url)["charges"]) == known:
        assert time.monotonic() < deadline


def picture_of(vendor: Vendor, base_url: str, limit: int = 1 << 20) -> Answer:
    """The answer that carries the picture: at bgeraser's tools, the download."""
    answer = talk(base_url, vendor.posted(base_url), limit)
    if not vendor.has_url():
        return answer
    path = urlsplit(json.loads(answer.body)["data"]["imageUrl"]).path
    return talk(base_url, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(), limit)


Spoil = Callable[..., str]


@pytest.fixture
def spoil(shared) -> Spoil:
    """Makes the next call go wrong; gives the sandbox's address."""

    def next_call(kind: FaultKind, **settings: Any) -> str:
        shared.state.faults.replace([Fault(kind=kind, **settings)])
        return shared.base_url

    return next_call


def test_a_chunked_upload_works(shared, vendor):
    """Some clients stream and send no Content-Length."""
    head, _, body = vendor.posted(shared.base_url).partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:100], body[100:]))
    said = b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", chunks + b"0\r\n\r\n"])
    assert talk(shared.base_url, said).status == 200


@pytest.mark.parametrize("kind", FaultKind)
def test_only_faults_that_deliver_or_lose_a_result_are_charged(shared, spoil, vendor, kind):
    base_url = spoil(kind)
    before, done = client.ledger(base_url), shared.state.faults.done().get(kind, 0)
    balance = shared.state.balance(vendor.name).remaining
    with _connection(base_url) as connection:
        connection.sendall(vendor.posted(base_url))
        if kind is FaultKind.HANG:
            _await_charge(base_url, len(before["charges"]))
        else:
            try:
                connection.recv(1)
            except ConnectionResetError:
                assert kind.startswith("reset")
    told = client.ledger(base_url)
    added = told["charges"][len(before["charges"]) :]
    cost = [vendor.price] if kind in CHARGED else []
    assert [charge["credits"] for charge in added] == cost
    assert {charge["endpoint"] for charge in added} == ({vendor.path} if cost else set())
    assert balance - shared.state.balance(vendor.name).remaining == sum(map(Decimal, cost))
    assert (told["requests"] - before["requests"], told["faults"][kind] - done) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FaultKind.INTERNAL_ERROR, 500),
        (FaultKind.UNAVAILABLE, 503),
        (FaultKind.TOO_MANY_REQUESTS, 429),
        (FaultKind.NO_CREDITS, 402),
        (FaultKind.SUCCESS_ERROR, 200),
        (FaultKind.BAD_KEY, None),
    ],
)
def test_an_error_has_the_vendors_own_shape(spoil, vendor, kind, status):
    base_url = spoil(kind)
    answer = talk(base_url, vendor.posted(base_url))
    assert answer.status == (status or vendor.bad_key)
    assert answer.headers["content-type"].startswith("application/json")
    assert vendor.error(json.loads(answer.body))


@pytest.mark.parametrize("value", ["17", "Wed, 21 Oct 2026 07:28:00 GMT", "86400", None])
def test_a_429_waits_as_scripted_at_every_vendor(spoil, vendor, value):
    base_url = spoil(FaultKind.TOO_MANY_REQUESTS, retry_after=value)
    answer = talk(base_url, vendor.posted(base_url))
    assert answer.headers.get("retry-after") == (value and value.lower())


@pytest.mark.parametrize(("kind", "status"), [(FaultKind.BAD_GATEWAY_PAGE, 502), (FaultKind.SUCCESS_PAGE, 200)])
def test_a_proxy_page_is_html(spoil, vendor, kind, status):
    base_url = spoil(kind)
    answer = talk(base_url, vendor.posted(base_url))
    assert (answer.status, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert answer.body.startswith(b"<!DOCTYPE html>")


def test_an_empty_body_is_a_success_without_content(spoil, vendor):
    base_url = spoil(FaultKind.EMPTY_BODY)
    answer = talk(base_url, vendor.posted(base_url))
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "0", b"")


@pytest.mark.parametrize(
    ("settings", "location"),
    [({}, "http://redirected.invalid/"), ({"location": "http://127.0.0.2:9/x"}, "http://127.0.0.2:9/x")],
    ids=["default", "given"],
)
def test_a_redirect_sends_the_post_to_another_host(spoil, vendor, settings, location):
    base_url = spoil(FaultKind.REDIRECT, **settings)
    answer = talk(base_url, vendor.posted(base_url))
    assert (answer.status, answer.headers["location"]) == (307, location)


@pytest.mark.parametrize("kind", [FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER_CHARGE])
def test_a_reset_gives_no_answer_at_all(spoil, vendor, kind):
    base_url = spoil(kind)
    with pytest.raises(ConnectionResetError):
        talk(base_url, vendor.posted(base_url))
    assert talk(base_url, vendor.posted(base_url)).status == 200


def test_a_call_that_hangs_has_been_charged_and_never_answers(spoil, vendor):
    base_url = spoil(FaultKind.HANG)
    charges = len(client.ledger(base_url)["charges"])
    with _connection(base_url) as connection:
        connection.sendall(vendor.posted(base_url))
        _await_charge(base_url, charges)
        client.ledger(base_url)  # by the time of this answer, a hasty one would be there too
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)


def test_a_body_may_end_before_its_content_length(shared, spoil, vendor):
    whole = picture_of(vendor, shared.base_url)
    answer = picture_of(vendor, spoil(FaultKind.TRUNCATED_LENGTH))
    assert answer.headers["content-length"] == whole.headers["content-length"]
    assert answer.body == whole.body[: len(whole.body) // 2]


def test_a_body_may_end_too_early_without_any_sign_of_it(shared, spoil, vendor):
    whole = picture_of(vendor, shared.base_url)
    answer = picture_of(vendor, spoil(FaultKind.TRUNCATED_CLOSE))
    assert {"content-length", "transfer-encoding"} & answer.headers.keys() == set()
    assert answer.body == whole.body[: len(whole.body) // 2]


def test_a_slow_loris_sends_all_of_it_with_a_pause_before_each_byte(shared, spoil, vendor, shared_time):
    whole = picture_of(vendor, shared.base_url)
    shared_time.slept.clear()
    answer = picture_of(vendor, spoil(FaultKind.SLOW_LORIS, seconds=9))
    assert (answer.status, answer.body) == (200, whole.body)
    assert shared_time.slept == [9] * len(whole.body)


def test_an_endless_body_goes_on_until_the_client_hangs_up(shared, spoil, vendor):
    whole = picture_of(vendor, shared.base_url)
    base_url = spoil(FaultKind.ENDLESS)
    answer = picture_of(vendor, base_url, limit=3 << 20)
    assert "content-length" not in answer.headers
    assert answer.body.startswith(whole.body)
    assert set(answer.body[len(whole.body) :]) == {0}
    assert talk(base_url, vendor.posted(base_url)).status == 200


def test_a_truncated_image_arrives_whole_as_http(shared, spoil, vendor):
    whole = picture_of(vendor, shared.base_url)
    answer = picture_of(vendor, spoil(FaultKind.TRUNCATED_IMAGE))
    assert answer.headers["content-length"] == str(len(answer.body)) == str(len(whole.body) // 2)


def test_an_expired_result_is_a_404_however_often_it_is_fetched(spoil):
    url = client.post(spoil(FaultKind.EXPIRED_RESULT)).json()["data"]["imageUrl"]
    assert [client.get(url).status_code for _ in range(2)] == [404, 404]


@pytest.mark.parametrize("kind", sorted(DELIVERY_FAULTS))
def test_a_spoiled_download_is_good_the_second_time(spoil, kind):
    """So that a client which tries again gets what it has paid for."""
    base_url = spoil(kind)
    url = client.post(base_url).json()["data"]["imageUrl"]
    said = f"GET {urlsplit(url).path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    talk(base_url, said, limit=1)
    again = talk(base_url, said)
    assert again.headers["content-length"] == str(len(again.body))
