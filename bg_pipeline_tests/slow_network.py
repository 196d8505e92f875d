"""A server that is further away than it is: what is sent either way arrives later."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def further_away(socket_path: str, round_trip_s: float, asked: Callable[[], object] = lambda: None) -> Iterator[int]:
    """
    A port of this machine that leads to a server, with that much more time for each way there and back.

    Each journey calls `asked`: what a client sends before it has an answer is one.
    """
    loop, ready, ports = asyncio.new_event_loop(), threading.Event(), list[int]()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passed: Callable[[], object]) -> None:
        try:
            while data := await reader.read(1 << 16):
                passed()
                # Each piece by its own timer: a link has a length, and no limit of pieces on it.
                loop.call_later(round_trip_s / 2, writer.write, data)
        except ConnectionError:
            pass
        loop.call_later(round_trip_s / 2, writer.close)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_unix_connection(socket_path)
        is_answered = True

        def sent() -> None:
            nonlocal is_answered
            if is_answered:
                asked()
            is_answered = False

        def answered() -> None:
            nonlocal is_answered
            is_answered = True

        await asyncio.gather(carry(reader, there[1], sent), carry(there[0], writer, answered))

    async def serve() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()

    loop.create_task(serve())
    thread = threading.Thread(target=loop.run_forever, name="slow network", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
