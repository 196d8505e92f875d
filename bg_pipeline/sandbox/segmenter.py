"""The injected cut, kept off the event loop."""

import asyncio
import os
from collections.abc import Callable
from typing import TypeVar

from PIL import Image

CutAlpha = Callable[[Image.Image], Image.Image]
"""Takes an RGB image, gives its alpha: mode L, same size."""

T = TypeVar("T")


class Segmenter:
    """Holds the injected cut, and runs work that uses it, one per processor at a time."""

    def __init__(self, cut: CutAlpha) -> None:
        self._cut = cut
        self._free_processors = asyncio.Semaphore(os.cpu_count() or 1)

    async def run(self, work: Callable[..., T], *args: object) -> T:
        async with self._free_processors:
            return await asyncio.to_thread(work, *args)

    def cut_out(self, picture: Image.Image) -> Image.Image:
        """The picture as RGBA with the alpha of its subject; an alpha that it had is forgotten."""
        rgb = picture.convert("RGB")
        result = rgb.copy()
        result.putalpha(self._cut(rgb))
        return result
