"""A way to a database server on which a connection breaks at a chosen moment."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import make_url


@contextmanager
def unreliable(
    url: str, loses: Callable[[bytes], bool], *, arrives: bool = True, last_words: bytes = b""
) -> Iterator[str]:
    """
    A URL of the same database, over a relay.

    Args:
        url: of a PostgreSQL server on a socket of this machine.
        loses: is given what a client sends before it waits for an answer; True to break its connection.
        arrives: whether that gets to the server.
        last_words: what the client is told instead of an answer; then it is its turn to close the connection.
    """
    parsed = make_url(url)
    path = f"{parsed.query['host']}/.s.PGSQL.5432"
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(path)
            answers = threading.Thread(target=_carry, args=(server, client), daemon=True)
            answers.start()
            while piece := _whole(client):
                is_lost = loses(piece)
                if is_lost and last_words:
                    client.sendall(last_words)
                    _whole(client)
                elif is_lost:
                    client.shutdown(socket.SHUT_RDWR)  # before an answer can come
                if arrives or not is_lost:
                    server.sendall(piece)
                if is_lost:
                    break
            with suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            answers.join()

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        port = listener.getsockname()[1]
        yield parsed.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()


def _whole(client: socket.socket) -> bytes:
    """All that a client sends until it is quiet for a moment: small pieces that follow each other are one journey."""
    client.settimeout(None)
    whole = b""
    with suppress(TimeoutError, OSError):
        while piece := client.recv(1 << 16):
            whole += piece
            client.settimeout(0.02)
    return whole


def _carry(source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(1 << 16):
            to.sendall(piece)
