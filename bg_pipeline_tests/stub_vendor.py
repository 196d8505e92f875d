"""
A vendor written from its public documentation, not from the sandbox: bgeraser's tools API and remove.bg's v1.0.

bgeraser: `POST /api/tools/bg-removal` (Bearer key, multipart `image_file`) answers JSON with `data.imageUrl`;
`GET /api/account` answers `data.credits.remaining` (bgeraser.ink's quickstart and batch guide, read 2026-11).
remove.bg: `POST /v1.0/removebg` (X-Api-Key, multipart `image_file`) answers the picture; `GET /v1.0/account` answers
`data.attributes.credits.total` (remove.bg/api, read 2026-11).
"""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import NamedTuple

from bg_pipeline_tests.pictures import cutout_of


class Answer(NamedTuple):
    """What a purchase gets in place of a cutout."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})
    charged: bool = False


class Sold(NamedTuple):
    """One POST."""

    at: float
    sha256: str
    charged: bool


@dataclass
class StubVendor:
    """The state of the account, and how the vendor behaves."""

    credits: float = 1000.0
    lag_s: float = 0.0
    """Seconds by which the balance is behind."""
    latency_s: float = 0.0
    answers: Callable[[int, bytes], Answer | None] = lambda _number, _image: None
    """Called with the number of the POST, from 0, and the picture; returns None for a cutout."""
    results: Callable[[float], int] = lambda _age_s: 200
    """Status of a result that was paid for so many seconds ago."""
    account: Callable[[], int] = lambda: 200
    """Status of the account's endpoint."""
    base_url: str = ""
    sold: list[Sold] = field(default_factory=list)
    readings: int = 0
    _files: dict[str, tuple[float, bytes]] = field(default_factory=dict)
    _balances: list[tuple[float, float]] = field(default_factory=list)
    # reentrant: `answers` may spend
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def charges(self) -> list[Sold]:
        return [each for each in self.sold if each.charged]

    @property
    def bought_twice(self) -> list[str]:
        return [sha256 for sha256, count in Counter(each.sha256 for each in self.charges).items() if count > 1]

    def spend(self, credits_: float) -> None:
        """What is spent by others, or topped up if negative."""
        with self._lock:
            self.credits -= credits_
            self._balances.append((time.monotonic(), self.credits))

    def start_with(self, credits_: float) -> None:
        """The balance since long ago."""
        with self._lock:
            self.credits = self._began = credits_

    def balance(self) -> float:
        """The balance as the account's endpoint shows it."""
        with self._lock:
            self.readings += 1
            seen = [credits_ for at, credits_ in self._balances if at <= time.monotonic() - self.lag_s]
            return seen[-1] if seen else self._began

    def __post_init__(self) -> None:
        self._began = self.credits

    def sell(self, image: bytes) -> Answer:
        with self._lock:
            number = len(self.sold)
            answer = self.answers(number, image)
            if answer is None:
                empty = Answer(402, b'{"error": "INSUFFICIENT_CREDITS"}')
                answer = empty if self.credits < 1 else Answer(200, charged=True)
            self.sold.append(Sold(time.monotonic(), hashlib.sha256(image).hexdigest(), answer.charged))
            if answer.charged:
                self.credits -= 1
                self._balances.append((time.monotonic(), self.credits))
        time.sleep(self.latency_s)
        return answer._replace(body=cutout_of(image)) if answer.status == 200 and not answer.body else answer

    def keep(self, image: bytes) -> str:
        name = f"/results/{len(self._files)}.png"
        self._files[name] = (time.monotonic(), image)
        return name

    def result(self, name: str) -> Answer:
        at, image = self._files[name]
        status = self.results(time.monotonic() - at)
        return Answer(status, image if status == 200 else b"not ready")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    vendor: StubVendor

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = BytesParser().parsebytes(head + body).get_payload()
        files = [part.get_payload(decode=True) for part in parts if part.get_filename()]  # type: ignore[union-attr]
        answer = self.vendor.sell(files[0])
        if answer.status == 200 and self.path.startswith("/api/tools/") and not answer.headers:
            url = self.vendor.base_url + self.vendor.keep(answer.body)
            answer = answer._replace(
                body=json.dumps({"success": True, "data": {"imageUrl": url}}).encode(),
                headers={"Content-Type": "application/json"},
            )
        self.say(answer)

    def do_GET(self) -> None:
        if self.path.startswith("/results/"):
            self.say(self.vendor.result(self.path))
            return
        status = self.vendor.account()
        left = self.vendor.balance()
        shapes = {
            "/api/account": {"success": True, "data": {"credits": {"remaining": left}}},
            "/v1.0/account": {"data": {"attributes": {"credits": {"total": left}}}},
        }
        self.say(Answer(status, json.dumps(shapes[self.path] if status == 200 else {}).encode()))

    def say(self, answer: Answer) -> None:
        with suppress(OSError):
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def stub_vendor(vendor: StubVendor) -> Iterator[StubVendor]:
    """Serves until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"vendor": vendor}))
    server.daemon_threads = True
    vendor.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
