"""What holds for every vendor's client: keys, deadlines, limits, and what is kept of an error."""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from bg_pipeline.errors import AccountError, BgPipelineError, ItemRejected, OutcomeUnknown, TransientError
from bg_pipeline.net import deadline, fetch, http
from bg_pipeline.redaction import redacted
from bg_pipeline_tests.adapters.clients import CLIENTS, KEY, removebg, request
from bg_pipeline_tests.adapters.server import Vendor

every_client = pytest.mark.parametrize("name", CLIENTS)


@every_client
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_never_follows_a_redirect(vendor: Vendor, elsewhere: Vendor, name: str, status: int) -> None:
    """requests drops `Authorization` on the way to another host, and forwards `X-Api-Key`."""
    make, path, account = CLIENTS[name]
    for location in (path, account):
        vendor.say(location, status, headers={"Location": f"{elsewhere.base_url}/steal?signature=canary"})
    elsewhere.say("/steal?signature=canary")

    with pytest.raises(AccountError) as caught:
        make(vendor.base_url).cut(request())
    with pytest.raises(TransientError):
        make(vendor.base_url).balance()
    assert elsewhere.seen == []
    assert elsewhere.base_url.removeprefix("http://") in str(caught.value)
    assert "canary" not in str(caught.value)


@every_client
def test_no_credentials_come_from_the_environment_or_netrc(
    vendor: Vendor, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """netrc would replace the key, and a proxy would be sent the picture."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login canary password canary")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    make, path, _ = CLIENTS[name]
    vendor.say(path, 400)

    with pytest.raises(ItemRejected):
        make(vendor.base_url).cut(request())
    assert KEY in {vendor.seen[0].headers.get("X-Api-Key"), vendor.seen[0].headers.get("Authorization", "")[7:]}


FORMS = (
    KEY,
    quote(KEY, safe=""),
    quote(KEY, safe="").lower(),
    base64.b64encode(KEY.encode()).decode(),
    f"Bearer {KEY}",
    "authorization: bearer abc.def-ghi",
)


@every_client
@pytest.mark.parametrize("status", [200, 302, 400, 401, 402, 403, 404, 429, 500, 502])
def test_a_key_that_the_service_quotes_is_not_passed_on(vendor: Vendor, name: str, status: int) -> None:
    make, path, account = CLIENTS[name]
    body = json.dumps({"error": {"code": KEY, "message": f"no: {' '.join(FORMS)}"}}).encode()
    for location in (path, account):
        vendor.say(location, status, body, {"X-Request-Id": KEY, "Location": f"https://{KEY}@example.com/"})
    for call in (lambda: make(vendor.base_url).cut(request()), make(vendor.base_url).balance):
        with pytest.raises(BgPipelineError) as caught:
            call()
        text = f"{caught.value}{caught.value.answer}{caught.value.request_id}{caught.value!r}".lower()
        secrets = (KEY, quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode(), "abc.def-ghi")
        assert [secret for secret in secrets if secret.lower() in text] == []
        assert "no: " in caught.value.answer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://a.example/b?X-Amz-Signature=c&d=e.", "see https://a.example/b?***"),
        ('{"url": "https:\\/\\/a.example\\/b?sig=c", "n": 1}', '{"url": "https:\\/\\/a.example\\/b?***", "n": 1}'),
        ("https://a.example/b", "https://a.example/b"),
        ("why? because", "why? because"),
    ],
)
def test_what_signs_a_url_is_cut_off(text: str, expected: str) -> None:
    assert redacted(text) == expected


def test_the_whole_answer_is_kept_up_to_two_kilobytes(vendor: Vendor) -> None:
    body = b'{"errors": [{"title": "' + "ü".encode() * 5000 + b'"}]}'
    vendor.say("/v1.0/removebg", 400, body, {"X-Request-Id": "r-17"})

    with pytest.raises(ItemRejected) as caught:
        removebg(vendor.base_url).cut(request())
    assert caught.value.answer.startswith('{"errors": [{"title": "üü')
    assert len(caught.value.answer.encode()) <= 2048
    assert len(str(caught.value)) < 600
    assert caught.value.request_id == "r-17"


def test_an_error_is_one_line_without_terminal_codes(vendor: Vendor) -> None:
    vendor.say("/v1.0/removebg", 400, b'{"errors": [{"title": "a\\nb\\u001b[31mc\\r"}]}')

    with pytest.raises(ItemRejected) as caught:
        removebg(vendor.base_url).cut(request())
    assert str(caught.value) == "removebg answered 400: a b [31mc"


@every_client
@pytest.mark.parametrize("manner", ["drip", "drip headers", "silent"])
def test_what_drips_ends_at_the_deadline_in_doubt(
    vendor: Vendor, name: str, manner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read timeout starts again with every byte."""
    monkeypatch.setattr(http, "TOTAL_S", 0.1)
    make, path, account = CLIENTS[name]
    vendor.say(path, manner=manner)
    vendor.say(account, manner=manner)

    with pytest.raises(OutcomeUnknown, match=r"longer than 0\.1 s"):
        make(vendor.base_url).cut(request())
    with pytest.raises(TransientError, match="longer than"):
        make(vendor.base_url).balance()


def test_a_service_that_stops_taking_the_upload_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TOTAL_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        with pytest.raises(OutcomeUnknown, match="longer than"):
            removebg(base_url).cut(request(image=b"x" * 20_000_000))


def test_a_slow_upload_has_longer_than_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """urllib3 would send with the timeout for connecting."""
    monkeypatch.setattr(http, "CONNECT_S", 0.1)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            threading.Event().wait(0.3)
            seen = b""
            while not seen.endswith(b"--\r\n") and (data := connection.recv(1 << 20)):
                seen = seen[-4:] + data
            connection.sendall(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(ItemRejected):
        removebg(f"http://127.0.0.1:{listener.getsockname()[1]}").cut(request(image=b"x" * 8_000_000))
    thread.join()
    listener.close()


@every_client
def test_an_endless_answer_is_given_up(vendor: Vendor, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 100_000)
    monkeypatch.setattr(http, "TOTAL_S", 10.0)
    make, path, _ = CLIENTS[name]
    vendor.say(path, manner="endless")

    with pytest.raises(OutcomeUnknown, match="larger than"):
        make(vendor.base_url).cut(request())


def test_of_answers_without_an_end_one_at_a_time_is_read_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """All requests of a process at once may have one, of 128 MiB each."""
    monkeypatch.setattr(fetch, "LARGE_BYTES", 10)
    go_on, is_far, read = threading.Event(), threading.Event(), {"first": 0, "second": 0, "third": 0}

    class Endless:
        def __init__(self, name: str) -> None:
            self.name = name

        def iter_content(self, _size: int) -> Iterator[bytes]:
            while True:
                read[self.name] += 1
                if self.name == "first" and read[self.name] > 20:
                    is_far.set()
                    assert go_on.wait(30)
                yield b"x"

    def follow(name: str) -> bytes | None:
        with deadline.Deadline(60.0) as within:
            return fetch.read_body(Endless(name), 100, within)  # type: ignore[arg-type]

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(follow, "first")
        assert is_far.wait(30)
        second = pool.submit(follow, "second")
        with pytest.raises(TimeoutError):
            second.result(timeout=0.5)
        assert read["second"] == 11
        # One that is slow keeps no other, which may be paid for, until that one's time is over.
        monkeypatch.setattr(fetch, "ALONE_S", 0.1)
        assert pool.submit(follow, "third").result(30) is None
        go_on.set()
        assert (first.result(30), second.result(30)) == (None, None)


@every_client
def test_an_answer_cut_short_is_in_doubt(vendor: Vendor, name: str) -> None:
    make, path, _ = CLIENTS[name]
    vendor.say(path, body=b"\x89PNG", headers={"Content-Length": "1000"})

    with pytest.raises(OutcomeUnknown):
        make(vendor.base_url).cut(request())


@every_client
def test_a_service_that_is_not_there_was_sent_nothing(name: str) -> None:
    make, _, _ = CLIENTS[name]
    with pytest.raises(TransientError, match="no connection"):
        make("http://127.0.0.1:9").cut(request())


@every_client
def test_a_request_is_sent_once(vendor: Vendor, name: str) -> None:
    """No other layer but `RetryingRemover` tries again: a second POST may be a second charge."""
    make, path, _ = CLIENTS[name]
    vendor.say(path, 503, headers={"Retry-After": "0"})

    with pytest.raises(TransientError):
        make(vendor.base_url).cut(request())
    assert len(vendor.seen) == 1


@every_client
@pytest.mark.parametrize("status", [302, 400, 404, 405, 422, 500, 502])
def test_a_balance_that_cannot_be_read_is_unknown(vendor: Vendor, name: str, status: int) -> None:
    """It says nothing of the key: the gate stays as it is."""
    make, _, account = CLIENTS[name]
    vendor.say(account, status, b'{"success": false}')
    with pytest.raises(TransientError):
        make(vendor.base_url).balance()


def test_a_connection_that_was_shut_is_not_used_again(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    client = removebg(vendor.base_url)
    vendor.say("/v1.0/account", 500)
    with pytest.raises(TransientError):
        client.balance()
    monkeypatch.setattr(http, "TOTAL_S", 0.1)
    vendor.say("/v1.0/account", manner="silent")
    with pytest.raises(TransientError, match="longer than"):
        client.balance()
    monkeypatch.setattr(http, "TOTAL_S", 20.0)
    vendor.say("/v1.0/account", body=b'{"data": {"attributes": {"credits": {"total": 5}}}}')

    assert client.balance() == 5
    assert deadline._DEADLINE.get() is None
