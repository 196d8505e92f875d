"""Serve the review to a browser on this machine."""

import contextlib
import os
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import uvicorn

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.ports.stores import BlobStore
from bg_pipeline.web.access import Access
from bg_pipeline.web.app import ReviewApp

HOST = "127.0.0.1"
DEFAULT_PORT = 8786


def port_of(review_url: str) -> int:
    """Return the port to serve on: that of the setting, if it names this machine."""
    address = urlsplit(review_url)
    return (address.hostname in {HOST, "localhost"} and address.port) or DEFAULT_PORT


def serve(
    pipeline: Pipeline, pages: BlobStore, announce: Callable[[str], object], *, port: int, by: str, share: float
) -> None:
    """
    Serve until interrupted.

    Args:
        pipeline: the whole pipeline.
        pages: the gallery.
        announce: called with each link to open: at the start, and after each use.
        port: 0 chooses a free one.
        by: the person, as decisions name them.
        share: share of the published items to look at.

    Raises:
        ConfigurationError: the port cannot be listened on.
    """
    with _listen(port) as listener:
        number = listener.getsockname()[1]
        origins = {f"http://{host}:{number}" for host in (HOST, "localhost")}
        if url := pipeline.alerting.review_url:  # a proxy with a login may stand before it
            address = urlsplit(url)
            origins.add(f"{address.scheme}://{address.netloc}".lower())
        access = Access(frozenset(origins), lambda secret: announce(f"http://{HOST}:{number}/#link={secret}"))
        app = ReviewApp(pipeline, pages, access, by=by, share=share).asgi()
        config = uvicorn.Config(
            app, ws="none", lifespan="off", log_level="warning", log_config=None, access_log=False, server_header=False
        )
        access.new_link()
        # uvicorn stops cleanly on Ctrl-C, then raises it again.
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _listen(port: int) -> socket.socket:
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else error
        raise ConfigurationError(f"the review cannot use port {port}: {why}. Choose another with --port") from error
    # asyncio sets this only on a socket that names its protocol; without it some answers wait 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
