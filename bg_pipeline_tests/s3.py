"""S3 servers on loopback, and the keys that are hard for them."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from bg_pipeline.stores.s3.location import Bucket

NASTY_KEYS = [
    "plain.jpg",
    "with space.jpg",
    " leading and trailing ",
    "plus+plus.jpg",
    "percent%20.jpg",
    "100%.jpg",
    "%",
    "a&b=c?d#e.jpg",
    "semi;colon:at@.jpg",
    "quote'double\"back`tick.jpg",
    "<tag>&amp;.jpg",
    "back\\slash.jpg",
    "caf\u00e9.jpg",
    "cafe\u0301.jpg",
    "\U0001f45f/\U0001f9e2.jpg",
    "\u65e5\u672c\u8a9e/\u5199\u771f.jpg",
    "\u202eright-to-left.jpg",
    "\ufeffbom.jpg",
    "\uffff.jpg",
    "\U0010ffff.jpg",
    "a//b.jpg",
    "/leading.jpg",
    "./here.jpg",
    "a/./b.jpg",
    "a/../b.jpg",
    "../up.jpg",
    "~tilde.jpg",
    "*[a-b]{c}|^.jpg",
    "$HOME`id`.jpg",
    "CON.jpg",
    "-rf",
    "UPPER.jpg",
    "upper.jpg",
    "tab\there.jpg",
    "del\x7f.jpg",
    "a\u2028b.jpg",
    ".hidden.jpg",
    "x" * 1000 + ".jpg",
]
CONTROL_KEYS = ["new\nline.jpg", "carriage\rreturn.jpg", "one\x01.jpg"]
"""Not every server takes these."""


@dataclass
class S3Server:
    """A running server, with a client of its own to set things up."""

    endpoint: str
    access_key: str = "test-access-key"
    secret_key: str = "test-secret-key"
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.client = boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )

    def new_bucket(self, prefix: str = "") -> Bucket:
        name = f"bucket-{next(self._numbers)}"
        self.client.create_bucket(Bucket=name)
        return Bucket(name, prefix)

    def put(self, bucket: Bucket, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=bucket.name, Key=bucket.prefix + key, Body=data)

    def remove(self, bucket: Bucket, key: str) -> None:
        self.client.delete_object(Bucket=bucket.name, Key=bucket.prefix + key)

    def remove_bucket(self, bucket: Bucket) -> None:
        for key in self.keys(bucket):
            self.client.delete_object(Bucket=bucket.name, Key=key)
        self.client.delete_bucket(Bucket=bucket.name)

    def keys(self, bucket: Bucket) -> list[str]:
        return [o["Key"] for o in self.client.list_objects_v2(Bucket=bucket.name).get("Contents", [])]


@contextmanager
def moto() -> Iterator[S3Server]:
    """moto's server, in this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3Server(f"http://{host}:{port}")
    finally:
        server.stop()


def answer_instead(objects: Any, operation: str, status: int, body: bytes, when: Callable[[str], bool]) -> None:
    """Have requests of one operation whose URL is meant answered by these bytes; all else goes to the server."""

    def answer(request: Any, **_: Any) -> AWSResponse | None:
        if not when(request.url):
            return None

        class Raw:
            def stream(self, **_: Any) -> Iterator[bytes]:
                yield body

        return AWSResponse(request.url, status, {}, Raw())

    objects._client.meta.events.register(f"before-send.s3.{operation}", answer)


def error_body(code: str, message: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


def page(
    keys: list[str], *, token: str = "", truncated: bool | None = None, count: int | None = None, head: str = ""
) -> bytes:
    """A page of ListObjectsV2 as AWS writes it."""
    rows = "".join(
        f"<Contents><Key>{escape(quote_plus(key, safe='/~'))}</Key>"
        f"<LastModified>2026-11-24T00:00:00.000Z</LastModified><ETag>&quot;{index:032x}&quot;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for index, key in enumerate(keys)
    )
    is_truncated = bool(token) if truncated is None else truncated
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<EncodingType>url</EncodingType><KeyCount>{len(keys) if count is None else count}</KeyCount>"
        f"<IsTruncated>{str(is_truncated).lower()}</IsTruncated>{rows}"
        + (f"<NextContinuationToken>{token}</NextContinuationToken>" if token else "")
        + "</ListBucketResult>"
    ).encode()


@dataclass
class ScriptedS3:
    """Answers each request with the next of its answers, and remembers what was asked."""

    answers: list[tuple[int, bytes]]
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, target and headers of each request."""
    answer_headers: dict[int, dict[str, str]] = field(default_factory=dict)
    """Of the answer with this number."""
    endpoint: str = ""

    @contextmanager
    def running(self) -> Iterator["ScriptedS3"]:
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                number = len(script.asked)
                script.asked.append((self.command, self.path, dict(self.headers)))
                status, body = script.answers[min(number, len(script.answers) - 1)]
                self.send_response(status)
                headers = {"Content-Length": str(len(body)), **script.answer_headers.get(number, {})}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                # An answer that is cut off ends with its connection.
                self.close_connection = headers["Content-Length"] != str(len(body))
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _answer  # noqa: N815

            def log_message(self, *_args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
