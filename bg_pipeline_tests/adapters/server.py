"""A vendor on loopback that says what a test tells it to."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Manner = Literal["whole", "drip", "drip headers", "endless", "silent"]


@dataclass
class Request:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, bytes]:
        """Its multipart fields."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = BytesParser().parsebytes(head + self.body).get_payload()
        return {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in parts}  # type: ignore[union-attr,misc]


@dataclass
class Vendor:
    """Answers from a table of paths; keeps what it was sent."""

    base_url: str = ""
    seen: list[Request] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str], bytes, Manner]] = field(default_factory=dict)
    closing: threading.Event = field(default_factory=threading.Event)

    def say(
        self,
        path: str,
        status: int = 200,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        manner: Manner = "whole",
    ) -> None:
        self.answers[path] = (status, headers or {}, body, manner)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    vendor: Vendor

    def answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.vendor.seen.append(Request(self.command, self.path, dict(self.headers), sent))
        status, headers, body, manner = self.vendor.answers[self.path]
        with suppress(OSError):
            if manner == "whole":
                self.begin(status, {"Content-Length": str(len(body)), **headers})
                self.wfile.write(body)
            elif manner == "endless":
                self.begin(status, headers)
                while not self.vendor.closing.is_set():
                    self.wfile.write(b"x" * 65536)
            elif manner == "silent":
                self.vendor.closing.wait(20)
            else:
                self.drip(status, headers, manner)
        self.close_connection = manner != "whole" or "Content-Length" in headers

    def begin(self, status: int, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def drip(self, status: int, headers: dict[str, str], manner: Manner) -> None:
        """Long enough to be told from a deadline, short enough to end a test that has none."""
        if manner == "drip":
            self.begin(status, headers)
        else:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(400):
            if self.vendor.closing.is_set():
                return
            self.wfile.write(b"x")
            time.sleep(0.05)

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def vendor() -> Iterator[Vendor]:
    """Runs until the end of the block."""
    made = Vendor()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"vendor": made}))
    server.daemon_threads = True
    made.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        made.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
