"""A new DAGSTER_HOME beside a manifest that has everything, in a browser."""

import subprocess
from pathlib import Path

from playwright.sync_api import Page, expect

from bg_pipeline_tests.deployment import BIN, deployed
from bg_pipeline_tests.e2e.test_browser import album, page, pytestmark  # noqa: F401  fixtures and marks
from bg_pipeline_tests.pictures import product


def test_every_collection_has_its_partition_from_the_first_detection_and_is_shown_as_made(
    tmp_path: Path,
    page: Page,  # noqa: F811
    album: Path,  # noqa: F811
) -> None:
    with deployed(tmp_path, fast=True) as made:
        for n, collection in enumerate(("bags", "hats", "shoes")):
            made.put(f"{collection}/{n}.png", product(n))
        command = [BIN / "bg-pipeline", "sync"]
        subprocess.run(command, cwd=made.home, env=made.env, check=True, capture_output=True)
        detected = made.launch("detect_delta")
        made.until("the delta is found", lambda: made.status(detected) == "SUCCESS")

        page.goto(f"{made.url}/assets/cutouts?view=partitions")
        expect(page.get_by_text("Materialized (3)")).to_be_visible()
        expect(page.get_by_text("Missing (0)")).to_be_visible()
        page.screenshot(animations="disabled", path=album / "new-home.png")
        page.goto(f"{made.url}/assets/manifest?view=overview")
        expect(page.get_by_text("SHA-256 of its bytes, hexadecimal")).to_be_visible()
        page.screenshot(animations="disabled", path=album / "columns.png")
        assert made.charges() == 3
