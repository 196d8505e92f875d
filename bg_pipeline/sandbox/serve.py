"""Serve the sandbox on a local socket, in the foreground or in a thread."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.sandbox.broken_responses import ConnectionProtocol
from bg_pipeline.sandbox.segmenter import CutAlpha
from bg_pipeline.sandbox.server import create_app
from bg_pipeline.sandbox.state import SandboxState

HOST = "127.0.0.1"

GRACE_S = 1.0
"""Seconds for calls in flight to finish when the sandbox stops; then their connections are dropped."""


def serve(port: int, state: SandboxState, announce: Callable[[str], object], cut: CutAlpha | None = None) -> None:
    """
    Serve until interrupted; `port` 0 chooses a free port.

    Args:
        announce: called with the base URL as soon as connections are accepted.
        cut: the cut function; None for `imaging.grabcut`.

    Raises:
        ConfigurationError: the port cannot be listened on, or OpenCV is not installed.
    """
    server = _Server(state, cut or _default_cut())
    with _listen(port) as listener:
        announce(_base_url(listener))
        # uvicorn stops cleanly on Ctrl-C, then raises it again.
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


class RunningSandbox:
    """A sandbox that serves from a thread of this process as soon as it is created."""

    def __init__(self, state: SandboxState, cut: CutAlpha, port: int = 0, host: str = HOST) -> None:
        self.state = state
        listener = _listen(port, host)
        self.base_url = _base_url(listener)
        self._server = _Server(state, cut)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="bg-pipeline-sandbox", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop, and return when the port is free and the thread has ended."""
        self._server.should_exit = True
        self._thread.join()


@contextlib.contextmanager
def running_sandbox(state: SandboxState | None = None, cut: CutAlpha | None = None) -> Iterator[RunningSandbox]:
    """Serve on a free port until the block ends; `cut` None stands for `imaging.grabcut`."""
    sandbox = RunningSandbox(state or SandboxState(), cut or _default_cut())
    try:
        yield sandbox
    finally:
        sandbox.stop()


class _Server(uvicorn.Server):
    def __init__(self, state: SandboxState, cut: CutAlpha) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(state, cut),
                # A reset sets an option of the raw socket, which other loops hide.
                loop="asyncio",
                http=ConnectionProtocol,
                ws="none",
                lifespan="off",
                log_level="warning",
                # The process's logging stays unchanged: the sandbox may run inside another program.
                log_config=None,
                access_log=False,
                # nginx's default. With uvicorn's 5 s, a client that pauses often meets a connection just closed.
                timeout_keep_alive=75,
                timeout_graceful_shutdown=2,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # By default uvicorn waits even for calls that a fault slows down, or logs errors.
        tasks = set(self.server_state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_S)
        for task in self.server_state.tasks:
            task.cancel()
        await super().shutdown(sockets)


def _listen(port: int, host: str = HOST) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ConfigurationError(f"The sandbox cannot use port {port}: ports go from 0 to 65535.")
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise ConfigurationError(f"The sandbox cannot use port {port}: {reason}. Choose another.") from error
    # asyncio sets TCP_NODELAY only on a socket that names its protocol; this one does not. Without it, the second
    # answer on a connection waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _base_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"http://{host}:{port}"


def _default_cut() -> CutAlpha:
    # Imported here, because it loads OpenCV, which is an extra.
    try:
        from bg_pipeline.imaging.grabcut import cut_alpha  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError("The sandbox needs OpenCV: pip install 'bg-pipeline[local]'.") from error
    return cut_alpha
