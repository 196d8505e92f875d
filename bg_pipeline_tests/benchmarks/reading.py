"""
How many objects of a bucket a scan should read at once, where each answer takes a while to come.

    python -m bg_pipeline_tests.benchmarks.reading [--objects 400] [--kilobytes 200] [--wait-ms 50]

A radosgw on this machine, behind a relay that holds back each answer. What is read is hashed, as a scan does. Needs
radosgw.
"""

import argparse
import asyncio
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bg_pipeline.core.recipe import digest_of
from bg_pipeline.net.prefetch import prefetch
from bg_pipeline.stores.s3.location import Bucket
from bg_pipeline.stores.s3.source import S3Source
from bg_pipeline_tests.benchmarks.tables import compare, show
from bg_pipeline_tests.radosgw import radosgw

AT_ONCE = (1, 2, 4, 8, 16, 32, 64)


@contextmanager
def slow_relay(endpoint: str, wait_s: float) -> Iterator[str]:
    """The same server, whose every answer begins later; the URL of it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        relay = multiprocessing.Process(target=_serve, args=(listening, endpoint, wait_s), daemon=True)
        relay.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        relay.kill()
        relay.join()


def _serve(listening: socket.socket, endpoint: str, wait_s: float) -> None:
    asyncio.run(_relay(listening, endpoint, wait_s))


async def _relay(listening: socket.socket, endpoint: str, wait_s: float) -> None:
    server = urlsplit(endpoint)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(server.hostname, server.port)
        asked_at: float | None = None

        async def ask() -> None:
            nonlocal asked_at
            while data := await reader.read(1 << 16):
                asked_at = time.monotonic()
                forth.write(data)
                await forth.drain()
            forth.close()

        async def answer() -> None:
            nonlocal asked_at
            while data := await back.read(1 << 16):
                if asked_at is not None:
                    await asyncio.sleep(asked_at + wait_s - time.monotonic())
                    asked_at = None
                writer.write(data)
                await writer.drain()
            writer.close()

        await asyncio.gather(ask(), answer(), return_exceptions=True)

    async with await asyncio.start_server(serve, sock=listening) as relay:
        await relay.serve_forever()


def seconds(bucket: Bucket, endpoint: str, keys: list[str], at_once: int) -> float:
    source = S3Source(bucket, endpoint)
    start = time.perf_counter()
    for _ in prefetch(lambda key: digest_of(source.read(key)), keys, threads=at_once, waiting=1024):
        pass
    return time.perf_counter() - start


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--objects", type=int, default=400)
    asked.add_argument("--kilobytes", type=int, default=200)
    asked.add_argument("--wait-ms", type=int, default=50)
    wanted = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="bgp-reading-") as folder, radosgw(Path(folder)) as server:
        os.environ |= {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
        bucket = server.new_bucket()
        keys = [f"{number:05}.jpg" for number in range(wanted.objects)]
        for key in keys:
            server.put(bucket, key, os.urandom(wanted.kilobytes << 10))
        with slow_relay(server.endpoint, wanted.wait_ms / 1000) as slow:
            least = wanted.wait_ms / 1000
            rows = []
            for at_once in AT_ONCE:
                part = keys[: max(40, min(len(keys), 20 * at_once))]
                rate = len(part) / seconds(bucket, slow, part, at_once)
                if at_once == 32:  # the default
                    what = f"objects read, {at_once} at once"
                    compare(what, "objects/s", rate, "if only waiting counted", at_once / least)
                rows.append((str(at_once), f"{rate:.0f}", f"{at_once / least:.0f}"))
    show(("at once", "objects/s", "if only waiting counted"), rows)


if __name__ == "__main__":
    main()
