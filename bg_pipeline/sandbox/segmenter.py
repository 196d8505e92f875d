"""Run the injected cut outside the event loop."""

import asyncio
import os
from collections.abc import Callable
from typing import TypeVar

from PIL import Image

CutAlpha = Callable[[Image.Image], Image.Image]
"""Function from an RGB image to its alpha: mode L, same size."""

T = TypeVar("T")


class Segmenter:
    """Runs work with the injected cut in threads, at most one per processor."""

    def __init__(self, cut: CutAlpha) -> None:
        self._cut = cut
        self._free_processors = asyncio.Semaphore(os.cpu_count() or 1)

    async def run(self, work: Callable[..., T], *args: object) -> T:
        async with self._free_processors:
            return await asyncio.to_thread(work, *args)

    def cut_out(self, picture: Image.Image) -> Image.Image:
        """Return the picture as RGBA with the alpha of its subject; its old alpha is dropped."""
        rgb = picture.convert("RGB")
        result = rgb.copy()
        result.putalpha(self._cut(rgb))
        return result
