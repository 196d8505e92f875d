"""
How long the review takes to show 500 items, and to go from one to the next, in Chromium.

    python -m bg_pipeline_tests.benchmarks.review [--items 500] [--size 1600 1200]

Each item has a picture of its own and a cutout. The first figures are without any thumbnail, then with all of them. The
ideal beside them is one `img` element over a file: what the browser itself takes for such a picture.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import DEFAULT_CREDITS, SandboxState
from bg_pipeline_tests.benchmarks.tables import compare
from bg_pipeline_tests.e2e.shop import COMMAND, Shop
from bg_pipeline_tests.pictures import cut_middle, encoded, opened, product

CHROMIUM = "/usr/bin/chromium"
ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

_NEXT = """async () => {
  const started = performance.now();
  document.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
  const images = [...document.querySelectorAll("#before img, #after img")];
  await Promise.all(images.map(image => image.decode().catch(() => null)));
  await new Promise(requestAnimationFrame);
  return performance.now() - started;
}"""
"""Milliseconds from the key to both pictures of the next item, decoded and painted."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--size", type=int, nargs=2, default=(1600, 1200))
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sandbox(SandboxState(dict.fromkeys(DEFAULT_CREDITS, Decimal(10**6))), cut_middle) as sandbox,
        sync_playwright() as play,
    ):
        shop = Shop(Path(folder), sandbox.state, sandbox.base_url)
        for number in range(chosen.items):
            shop.put(f"bags/{number:04}.jpg", _photograph(number, tuple(chosen.size)))
        # No limit of time: it is not what is measured.
        shop.start("sync").communicate()
        page = play.chromium.launch(executable_path=CHROMIUM, args=ARGS).new_page(
            viewport={"width": 1440, "height": 900},
            bypass_csp=True,  # the page allows no text as code, and waiting for a condition is one
        )
        for how in ("no thumbnails", "all thumbnails"):
            _measure(shop, page, how)
            shop.start("review", "--pages").communicate()


def _photograph(number: int, size: tuple[int, int]) -> bytes:
    grain = Image.effect_noise((size[0] // 4, size[1] // 4), 40).resize(size).convert("RGB")
    return encoded(Image.blend(opened(product(number, size)), grain, 0.2), "JPEG", quality=90)


def _measure(shop: Shop, page: Page, how: str) -> None:
    process = subprocess.Popen(
        [COMMAND, "review", "--serve", "--port", "0"], cwd=shop.home, env=shop.env, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        link = process.stdout.readline().split()[-1]
        started = time.perf_counter()
        page.goto(link)
        page.wait_for_selector("figure")
        listed = time.perf_counter() - started
        page.wait_for_function(
            "[...document.querySelectorAll('figure img')].slice(0, 40).every(image => image.complete)", timeout=120_000
        )
        shown = time.perf_counter() - started
        page.keyboard.press("Enter")
        page.wait_for_timeout(1000)
        steps = []
        for _ in range(40):
            steps.append(page.evaluate(_NEXT))
            # A person looks before the next one.
            page.wait_for_timeout(700)
        compare(f"review, {how}: first 20 pairs", "s", shown, "the line", 1.0)
        compare(f"review, {how}: next item", "ms", statistics.median(steps), "the line", 100.0)
        print(
            f"{how}: items listed after {listed:.2f} s, first 20 pairs shown after {shown:.2f} s; "
            f"next item {statistics.median(steps):.0f} ms in the median, {max(steps):.0f} ms at most"
        )
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
