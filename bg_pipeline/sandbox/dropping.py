"""Dropped connections, which ASGI has no word for."""

import asyncio
import socket
import struct

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_HANG_UP = "bg_pipeline.sandbox.hang_up"


class DroppableProtocol(H11Protocol):
    """HTTP/1.1 whose connections can be reset by the application; `DroppedConnection` needs it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = _HangsUp(self.app, transport)


class DroppedConnection(Response):
    """Not a byte of an answer: the client sees its connection reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        await scope[_HANG_UP](receive)


class _HangsUp:
    def __init__(self, app: ASGIApp, transport: asyncio.Transport) -> None:
        self._app = app
        self._transport = transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_HANG_UP] = self._hang_up
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            # The server is stopping and this call is not done: that is no error to log.
            await self._hang_up(receive)

    async def _hang_up(self, receive: Receive) -> None:
        if not self._transport.is_closing():
            raw = self._transport.get_extra_info("socket")
            # Lingering for no time makes the kernel send RST, as for a crashed server, not an orderly end.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        # uvicorn counts a return before the disconnect as an application that forgot to answer.
        while (await receive())["type"] != "http.disconnect":
            pass
