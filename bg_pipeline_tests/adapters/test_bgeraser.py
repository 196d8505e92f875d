"""The real client of bgeraser, over real sockets: against the sandbox, and against answers it has to survive."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bg_pipeline.core.records import Lease
from bg_pipeline.core.retry import Verdict
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
from bg_pipeline.ports import CutRequest
from bg_pipeline.providers import http
from bg_pipeline.providers.bgeraser import VERDICTS, Bgeraser, verdict
from bg_pipeline.sandbox.faults import Fault
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import Limits, SandboxState
from bg_pipeline_tests.pictures import opened, product
from bg_pipeline_tests.sandbox.client import cut_left_half

KEY = "bge-canary-key"


def client(base_url: str, **settings: str) -> Bgeraser:
    defaults = {
        "path": "/api/tools/bg-removal",
        "account_path": "/api/account",
        "auth": "bearer",
        "file_field": "image_file",
    }
    return Bgeraser(KEY, base_url=base_url, **{**defaults, **settings})


def request(image: bytes | None = None) -> CutRequest:
    data = product(1, kind="JPEG") if image is None else image
    lease = Lease("collection c", "a test", 1)
    return CutRequest("w", "c/a.jpg", data, "image/jpeg", 48, 32, {}, Decimal(1), lease)


class Sandbox:
    """The sandbox's address and state."""

    def __init__(self, base_url: str, state: SandboxState) -> None:
        self.base_url = base_url
        self.state = state


@pytest.fixture
def sandbox() -> Iterator[Callable[..., Sandbox]]:
    with ExitStack() as stack:

        def start(**settings: Any) -> Sandbox:
            state = SandboxState(**settings)
            return Sandbox(stack.enter_context(running_sandbox(state, cut_left_half)).base_url, state)

        yield start


def test_a_cutout_is_bought_and_fetched(sandbox: Callable[..., Sandbox]) -> None:
    running = sandbox()
    reply = client(running.base_url).cut(request())

    assert opened(reply.image).size == (48, 32)
    assert reply.credits_charged == Decimal(1)
    assert len(running.state.ledger.charges()) == 1


def test_the_balance_is_read(sandbox: Callable[..., Sandbox]) -> None:
    assert client(sandbox(credits_of={"bgeraser": Decimal("12.5")}).base_url).balance() == Decimal("12.5")


@pytest.mark.parametrize("field", ["image_file", "image", "file"])
def test_the_name_of_the_file_field_is_a_setting(sandbox: Callable[..., Sandbox], field: str) -> None:
    assert client(sandbox().base_url, file_field=field).cut(request()).image


@pytest.mark.parametrize(
    ("fault", "error", "charges"),
    [
        ({"kind": "500"}, TransientError, 0),
        ({"kind": "502_html"}, TransientError, 0),
        ({"kind": "503"}, TransientError, 0),
        ({"kind": "429"}, RateLimited, 0),
        ({"kind": "402"}, NoCredits, 0),
        ({"kind": "401"}, AccountError, 0),
        ({"kind": "reset_before"}, OutcomeUnknown, 0),
        ({"kind": "reset_after_charge"}, OutcomeUnknown, 1),
        ({"kind": "200_html"}, UnusableAnswer, 0),
        ({"kind": "200_json_error"}, UnusableAnswer, 0),
        ({"kind": "empty_body"}, UnusableAnswer, 0),
    ],
    ids=lambda value: value.get("kind") if isinstance(value, dict) else None,
)
def test_each_fault_becomes_the_error_that_says_what_to_do(
    sandbox: Callable[..., Sandbox], fault: dict[str, Any], error: type[BgPipelineError], charges: int
) -> None:
    running = sandbox(faults=[Fault(**fault)])

    with pytest.raises(error) as caught:
        client(running.base_url).cut(request())
    assert type(caught.value) is error
    assert KEY not in str(caught.value)
    assert len(running.state.ledger.charges()) == charges
    assert client(running.base_url).cut(request()).image


def test_what_the_service_cannot_read_is_rejected(sandbox: Callable[..., Sandbox]) -> None:
    with pytest.raises(ItemRejected, match="400"):
        client(sandbox().base_url).cut(request(b"no picture"))


def test_the_wait_that_the_service_asks_for_is_passed_on(sandbox: Callable[..., Sandbox]) -> None:
    with pytest.raises(RateLimited) as caught:
        client(sandbox(faults=[Fault(kind="429", retry_after="17")]).base_url).cut(request())

    assert caught.value.retry_after_s == 17.0


def test_a_limit_of_the_service_is_met_by_slowing_down(sandbox: Callable[..., Sandbox]) -> None:
    running = sandbox(limits=Limits(per_minute=1))
    caller = client(running.base_url)
    caller.cut(request())

    with pytest.raises(RateLimited):
        caller.cut(request())


def test_a_wrong_key_names_the_setting(sandbox: Callable[..., Sandbox]) -> None:
    running = sandbox(keys=frozenset({"another"}))
    with pytest.raises(AccountError, match="BGERASER_API_KEY"):
        client(running.base_url).cut(request())
    with pytest.raises(AccountError, match="BGERASER_API_KEY"):
        client(running.base_url).balance()


def test_an_empty_account_is_not_a_fault_of_the_picture(sandbox: Callable[..., Sandbox]) -> None:
    with pytest.raises(NoCredits, match="402 INSUFFICIENT_CREDITS"):
        client(sandbox(credits_of={"bgeraser": Decimal(0)}).base_url).cut(request())


@pytest.mark.parametrize(("status", "expected"), sorted(VERDICTS.items()))
def test_every_listed_status_has_its_verdict(status: int, expected: Verdict) -> None:
    assert verdict(status) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [(500, Verdict.TRANSIENT), (521, Verdict.TRANSIENT), (404, Verdict.ACCOUNT), (301, Verdict.ACCOUNT)],
)
def test_an_unlisted_status_has_a_default(status: int, expected: Verdict) -> None:
    assert verdict(status) is expected


# --- answers that no sandbox gives: a server that says what the test tells it to -------------------------------------


class Scripted:
    """A server that answers from a table of paths, and keeps the headers it was sent."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.base_url = ""

    def say(self, path: str, status: int = 200, body: bytes = b"", **headers: str) -> None:
        self.answers[path] = (status, {k.replace("_", "-"): v for k, v in headers.items()}, body)


@contextmanager
def scripted() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            script.seen.append((self.path, dict(self.headers)))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = script.answers[self.path]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            if "Content-Length" in headers:
                self.close_connection = True

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield script
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def vendor() -> Iterator[Scripted]:
    with scripted() as made:
        yield made


@pytest.fixture
def elsewhere() -> Iterator[Scripted]:
    with scripted() as made:
        yield made


TOOL = "/api/tools/bg-removal"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("auth", ["bearer", "x-api-key"])
def test_the_key_never_follows_a_redirect(vendor: Scripted, elsewhere: Scripted, status: int, auth: str) -> None:
    """requests drops `Authorization` on the way to another host, and forwards `X-Api-Key`."""
    vendor.say(TOOL, status, Location=f"{elsewhere.base_url}/steal")
    elsewhere.say("/steal")

    with pytest.raises(AccountError):
        client(vendor.base_url, auth=auth).cut(request())
    assert elsewhere.seen == []


def test_the_result_is_fetched_without_the_key(vendor: Scripted) -> None:
    vendor.say(TOOL, body=b'{"success": true, "data": {"imageUrl": "%s/r.png"}}' % vendor.base_url.encode())
    vendor.say("/r.png", body=b"picture")
    reply = client(vendor.base_url).cut(request())

    assert reply.image == b"picture"
    assert KEY in vendor.seen[0][1]["Authorization"]
    assert KEY not in str(vendor.seen[1])


@pytest.mark.parametrize(
    "url",
    [
        "{elsewhere}/r.png",
        "http://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/r.png",
        "https://2130706433/r.png",
        "https://[::1]/r.png",
        "https://[::ffff:127.0.0.1]/r.png",
        "https://10.0.0.8/r.png",
        "https://localhost/r.png",
        "file:///etc/passwd",
        "ftp://example.com/r.png",
        "//example.com/r.png",
        "r.png",
        "",
        "https://[bad/r.png",
        "https://example.com:99999/r.png",
    ],
)
def test_a_result_url_that_points_inwards_is_not_fetched(vendor: Scripted, elsewhere: Scripted, url: str) -> None:
    target = url.format(elsewhere=elsewhere.base_url)
    vendor.say(TOOL, body=b'{"success": true, "data": {"imageUrl": "%s"}}' % target.encode())

    with pytest.raises(UnusableAnswer):
        client(vendor.base_url).cut(request())
    assert elsewhere.seen == []
    assert len(vendor.seen) == 1


@pytest.mark.parametrize("status", [302, 403, 404, 500])
def test_a_result_that_cannot_be_fetched_was_paid_for_and_says_so(vendor: Scripted, status: int) -> None:
    signed = f"{vendor.base_url}/r.png?signature=canary-signature"
    vendor.say(TOOL, body=b'{"success": true, "data": {"imageUrl": "%s"}}' % signed.encode())
    vendor.say("/r.png?signature=canary-signature", status, Location="/r2.png")

    with pytest.raises(UnusableAnswer, match=str(status)) as caught:
        client(vendor.base_url).cut(request())
    assert "canary-signature" not in str(caught.value)


def test_a_paid_result_is_fetched_again_after_a_hiccup(vendor: Scripted) -> None:
    vendor.say(TOOL, body=b'{"success": true, "data": {"imageUrl": "%s/r.png"}}' % vendor.base_url.encode())
    vendor.say("/r.png", 503)
    with pytest.raises(UnusableAnswer, match="503"):
        client(vendor.base_url).cut(request())

    assert [path for path, _ in vendor.seen] == [TOOL, "/r.png", "/r.png", "/r.png"]


def test_a_key_that_the_service_quotes_is_not_passed_on(vendor: Scripted) -> None:
    vendor.say(TOOL, 401, b'{"error": {"code": "BAD", "message": "no such key: %s"}}' % KEY.encode())
    with pytest.raises(AccountError) as caught:
        client(vendor.base_url).cut(request())

    assert KEY not in str(caught.value)


@pytest.mark.parametrize("status", [302, 400, 404, 405, 422, 500])
def test_a_balance_that_cannot_be_read_is_unknown(vendor: Scripted, status: int) -> None:
    """It says nothing of the key: the gate stays as it is."""
    vendor.say("/api/account", status, b'{"success": false}')
    with pytest.raises(TransientError):
        client(vendor.base_url).balance()


def test_an_answer_cut_short_is_in_doubt(vendor: Scripted) -> None:
    vendor.say(TOOL, body=b'{"success"', Content_Length="1000")

    with pytest.raises(OutcomeUnknown):
        client(vendor.base_url).cut(request())


def test_an_endless_answer_is_given_up(vendor: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 1000)
    vendor.say(TOOL, body=b"x" * 5000)

    with pytest.raises(OutcomeUnknown, match="larger than"):
        client(vendor.base_url).cut(request())


def test_an_answer_that_drips_ends_at_the_deadline(vendor: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read timeout starts anew with every byte."""
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr(http.time, "monotonic", lambda: next(clock))
    vendor.say(TOOL, body=b"x" * 200_000)

    with pytest.raises(OutcomeUnknown, match="longer than 120 s"):
        client(vendor.base_url).cut(request())


def test_a_service_that_is_not_there_was_sent_nothing() -> None:
    with pytest.raises(TransientError, match="no connection"):
        client("http://127.0.0.1:9").cut(request())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"data": {"credits": {"remaining": 7}}}', Decimal(7)),
        (b'{"data": {"credits": "7.25"}}', Decimal("7.25")),
        (b'{"credits": {"remaining": 0}}', Decimal(0)),
        (b'{"credits": -3}', Decimal(-3)),
        (b'{"data": {"attributes": {"credits": {"total": 200}}}}', Decimal(200)),
    ],
)
def test_a_balance_is_found_in_every_shape_the_vendor_may_use(vendor: Scripted, body: bytes, expected: Decimal) -> None:
    vendor.say("/api/account", body=body)

    assert client(vendor.base_url).balance() == expected


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"data": {}}', b'{"credits": "N/A"}', b'{"credits": true}', b'{"credits": "NaN"}'],
)
def test_a_balance_that_is_no_number_is_unknown_not_zero(vendor: Scripted, body: bytes) -> None:
    vendor.say("/api/account", body=body)

    with pytest.raises(TransientError, match="no number"):
        client(vendor.base_url).balance()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"success": false, "error": {"code": "BAD", "message": "too odd"}}', "400 BAD: too odd"),
        (b'{"error": "BAD"}', "400 BAD"),
        (b'{"errors": [{"code": "bad", "title": "Too odd"}]}', "400 bad: Too odd"),
        (b'{"code": "BAD", "message": "too odd"}', "400 BAD: too odd"),
        (b"<html>Bad request</html>", "400"),
        (b"", "400"),
    ],
)
def test_an_error_is_understood_in_every_shape_the_vendor_may_use(vendor: Scripted, body: bytes, expected: str) -> None:
    vendor.say(TOOL, 400, body)

    with pytest.raises(ItemRejected, match=expected):
        client(vendor.base_url).cut(request())


def test_a_402_by_its_code_is_believed_whatever_the_status(vendor: Scripted) -> None:
    vendor.say(TOOL, 400, b'{"success": false, "error": {"code": "INSUFFICIENT_CREDITS"}}')

    with pytest.raises(NoCredits):
        client(vendor.base_url).cut(request())
