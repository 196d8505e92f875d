"""The picture work of the sandbox, kept off the event loop."""

import asyncio
import io
import os
from collections.abc import Callable
from typing import TypeVar

from PIL import Image

Cut = Callable[[Image.Image], Image.Image]
"""Takes an RGB image, gives its alpha: mode L, same size."""

T = TypeVar("T")


class Cutter:
    """Holds the injected cut, and runs work that uses it, one per processor at a time."""

    def __init__(self, cut: Cut) -> None:
        self._cut = cut
        self._free_processors = asyncio.Semaphore(os.cpu_count() or 1)

    async def run(self, work: Callable[..., T], *args: object) -> T:
        async with self._free_processors:
            return await asyncio.to_thread(work, *args)

    def cut_out(self, rgb: Image.Image) -> Image.Image:
        result = rgb.copy()
        result.putalpha(self._cut(rgb))
        return result


def decode_rgb(data: bytes) -> Image.Image | None:
    """The pixels as they are stored, without any metadata; None when this is no picture."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            # By way of RGBA, because palettes with transparency cannot go to RGB directly.
            rgb = image.convert("RGBA").convert("RGB")
    except Exception:  # noqa: BLE001 - Pillow's decoders raise whatever a damaged file makes them raise
        return None
    rgb.info = {}
    return rgb


def encode_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    # Level 1: the vendor's time is simulated by `latency_s`, not by squeezing a PNG.
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
