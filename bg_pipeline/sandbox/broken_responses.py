"""Faults below HTTP: connections that are dropped or hang, and bodies that are cut short, slow or endless."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_SCOPE_KEY = "bg_pipeline.sandbox.broken_responses"

_CHUNK_BYTES = 65_536


class ConnectionProtocol(H11Protocol):
    """HTTP/1.1 that lets a response write to its connection and close it; all responses below need it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = _ConnectionMiddleware(self.app, _Connection(self, transport))


class DroppedConnection(Response):
    """A reset connection without any byte of a response."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        await _connection_of(scope).reset(receive)


class HangingResponse(Response):
    """An open connection without any byte of a response, until the client gives up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        await _connection_of(scope).await_hang_up(receive)


class TruncatedResponse(Response):
    """The first half of a response; with `length`, its header announces the whole length, else none."""

    def __init__(self, whole: Response, *, length: bool) -> None:
        super().__init__()
        self._whole = whole
        self._length = length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        connection = _connection_of(scope)
        body = bytes(self._whole.body)
        await connection.write(_head(self._whole, length=self._length))
        await connection.write(body[: len(body) // 2])
        await connection.close(receive)


class SlowLorisResponse(Response):
    """A whole response, one byte at a time, so that no single read times out."""

    def __init__(self, whole: Response, pause: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._whole = whole
        self._pause = pause

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        connection = _connection_of(scope)
        await connection.write(_head(self._whole, length=True))
        for byte in bytes(self._whole.body):
            if connection.is_gone:
                break
            await self._pause()
            await connection.write(bytes([byte]))
        await connection.close(receive)


class EndlessBody(Response):
    """A whole response, followed by zeros for as long as the client reads."""

    def __init__(self, whole: Response) -> None:
        super().__init__()
        self._whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        connection = _connection_of(scope)
        await connection.write(_head(self._whole, length=False) + bytes(self._whole.body))
        while not connection.is_gone:
            await connection.write(bytes(_CHUNK_BYTES))
        await connection.close(receive)


class _Connection:
    def __init__(self, protocol: H11Protocol, transport: asyncio.Transport) -> None:
        self._protocol = protocol
        self._transport = transport

    @property
    def is_gone(self) -> bool:
        return self._transport.is_closing()

    async def write(self, data: bytes) -> None:
        if not self.is_gone:
            self._transport.write(data)
            await self._protocol.flow.drain()
            # A client that reads as fast as this writes would block the event loop.
            await asyncio.sleep(0)

    async def reset(self, receive: Receive) -> None:
        if not self.is_gone:
            raw = self._transport.get_extra_info("socket")
            # A linger time of 0 makes the kernel send RST, as for a crashed server.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        await self.await_hang_up(receive)

    async def close(self, receive: Receive) -> None:
        """Close the connection after all written bytes were sent."""
        self._transport.close()
        await self.await_hang_up(receive)

    async def await_hang_up(self, receive: Receive) -> None:
        # uvicorn treats a return before the disconnect as a missing response.
        while (await receive())["type"] != "http.disconnect":
            pass


class _ConnectionMiddleware:
    def __init__(self, app: ASGIApp, connection: _Connection) -> None:
        self._app = app
        self._connection = connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_SCOPE_KEY] = self._connection
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            # The server stops before this call has ended: log no error.
            await self._connection.reset(receive)


def _connection_of(scope: Scope) -> _Connection:
    connection: _Connection = scope[_SCOPE_KEY]
    return connection


def _head(response: Response, *, length: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status_code} {HTTPStatus(response.status_code).phrase}".encode()]
    lines += [name + b": " + value for name, value in response.raw_headers if length or name != b"content-length"]
    return b"\r\n".join([*lines, b"connection: close", b"", b""])
