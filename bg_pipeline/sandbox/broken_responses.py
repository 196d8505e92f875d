"""Faults below HTTP: connections that are dropped, go silent, or end too early, too late or never."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_WIRE = "bg_pipeline.sandbox.broken_responses"

_CHUNK_BYTES = 65_536


class WireProtocol(H11Protocol):
    """HTTP/1.1 whose connections an application can write to and end directly; all responses below need it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = _Wired(self.app, _Wire(self, transport))


class DroppedConnection(Response):
    """A reset connection without any byte of a response."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        await _wire(scope).reset(receive)


class Silence(Response):
    """An open connection without any byte of a response, until the client gives up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        await _wire(scope).await_hang_up(receive)


class CutShort(Response):
    """The first half of a response; with `length` its header announces the whole length, else no length."""

    def __init__(self, whole: Response, *, length: bool) -> None:
        super().__init__()
        self._whole = whole
        self._length = length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        wire = _wire(scope)
        body = bytes(self._whole.body)
        await wire.write(_head(self._whole, length=self._length))
        await wire.write(body[: len(body) // 2])
        await wire.close(receive)


class Trickle(Response):
    """A whole response, one byte at a time, so that no single read times out."""

    def __init__(self, whole: Response, pause: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._whole = whole
        self._pause = pause

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        wire = _wire(scope)
        await wire.write(_head(self._whole, length=True))
        for byte in bytes(self._whole.body):
            if wire.is_gone:
                break
            await self._pause()
            await wire.write(bytes([byte]))
        await wire.close(receive)


class EndlessBody(Response):
    """A whole response, followed by zeros for as long as the client reads."""

    def __init__(self, whole: Response) -> None:
        super().__init__()
        self._whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        wire = _wire(scope)
        await wire.write(_head(self._whole, length=False) + bytes(self._whole.body))
        while not wire.is_gone:
            await wire.write(bytes(_CHUNK_BYTES))
        await wire.close(receive)


class _Wire:
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


class _Wired:
    def __init__(self, app: ASGIApp, wire: _Wire) -> None:
        self._app = app
        self._wire = wire

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_WIRE] = self._wire
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            # The server stops before this call is done: that is no error to log.
            await self._wire.reset(receive)


def _wire(scope: Scope) -> _Wire:
    wire: _Wire = scope[_WIRE]
    return wire


def _head(response: Response, *, length: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status_code} {HTTPStatus(response.status_code).phrase}".encode()]
    lines += [name + b": " + value for name, value in response.raw_headers if length or name != b"content-length"]
    return b"\r\n".join([*lines, b"connection: close", b"", b""])
