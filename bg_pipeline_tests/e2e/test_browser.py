"""
What an operator does in a browser: looks at the graph, starts work, sees it pause, pays, and sees the pictures.

Screenshots are kept in the folder that SCREENSHOTS names, or in pytest's.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.deployment import BIN, Deployment, deployed
from bg_pipeline_tests.pictures import product

CHROMIUM = Path("/usr/bin/chromium")
ARGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

NIGHT = ("detect_delta", "process_pending")

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(
        not CHROMIUM.exists() and not os.environ.get("CI"),
        reason="there is no /usr/bin/chromium: apt-get install chromium",
    ),
]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """On SQLite, with a balance that allows for three pictures."""
    vendor = SandboxState(latency_s=0.2)
    with deployed(
        tmp_path_factory.mktemp("browser"), vendor=vendor, settings={"BG_CONCURRENCY": "1"}, fast=True
    ) as made:
        made.top_up(53)
        for n in range(6):
            made.put(f"{('bags', 'shoes')[n % 2]}/{n}.png", product(n * 33, (480, 360)))
        # The night would do the same beside the backfills, which these tests are about.
        made.switch_off("delta_dispatch")
        yield made


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        made = browser.new_page(viewport={"width": 1440, "height": 900})
        made.set_default_timeout(180_000)
        yield made
        browser.close()


expect.set_options(timeout=180_000)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_an_operator_sees_a_backfill_pause_pays_and_sees_the_pictures(
    deployment: Deployment, page: Page, album: Path
) -> None:
    page.goto(f"{deployment.url}/locations/bg_pipeline/asset-groups/catalogue/lineage")
    for asset in ("source_images", "manifest", "image_delta", "cutouts", "nightly_cutouts", "review_gallery"):
        expect(page.get_by_text(asset, exact=True).first).to_be_visible()

    page.goto(f"{deployment.url}/locations/bg_pipeline/jobs/detect_delta")
    page.get_by_role("button", name="Materialize all").first.click()
    deployment.until("the delta is found", lambda: "SUCCESS" in {r["status"] for r in deployment.runs()})

    page.goto(f"{deployment.url}/assets/cutouts?view=partitions")
    expect(page.get_by_text("shoes", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_role("button", name="All", exact=True).click()
    page.screenshot(animations="disabled", path=album / "backfill.png")
    page.get_by_role("button", name="Launch backfill").click()

    deployment.until("it pauses", lambda: any("credits are left" in str(r["tags"]) for r in deployment.runs()))
    run = next(r["runId"] for r in deployment.runs() if "credits are left" in str(r["tags"]))
    page.goto(f"{deployment.url}/runs/{run}")
    expect(page.get_by_text("waits for an open gate, and goes on by itself").first).to_be_visible()
    page.get_by_role("button", name="View tags and config").click()
    expect(page.get_by_text("waits_for: an open gate: bgeraser").first).to_be_visible()
    page.screenshot(animations="disabled", path=album / "tags.png")
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_text("Run configuration")).to_have_count(0)
    page.screenshot(animations="disabled", path=album / "paused.png")
    page.goto(f"{deployment.url}/deployment/concurrency")
    expect(page.get_by_text("cutouts", exact=True).first).to_be_visible()
    expect(page.get_by_text("Loading")).to_have_count(0)
    page.screenshot(animations="disabled", path=album / "pool.png")
    assert 0 < deployment.charges() < 6

    deployment.top_up(500)
    deployment.until("all are published", lambda: len(deployment.outputs()) == 6)
    deployment.until("all is over", lambda: {r["status"] for r in deployment.runs()} == {"SUCCESS"})
    assert deployment.charges() == 6

    page.goto(f"{deployment.url}/locations/bg_pipeline/asset-groups/catalogue/lineage")
    expect(page.get_by_text("100% filled").first).to_be_visible()
    page.screenshot(animations="disabled", path=album / "graph.png")
    page.goto(f"{deployment.url}/assets/cutouts?view=partitions&partition=shoes")
    expect(page.get_by_text("contact_sheet").first).to_be_visible()
    page.screenshot(animations="disabled", path=album / "events.png")
    page.get_by_text("[Show Markdown]").first.click()
    expect(page.locator("img[alt='before and after']").first).to_be_visible()
    page.screenshot(animations="disabled", path=album / "sheet.png")


def test_a_backfill_keeps_to_its_own_limits(deployment: Deployment) -> None:
    deployment.top_up(500)
    before = deployment.charges()
    for n in range(4):
        deployment.put(f"pens/{n}.png", product(300 + n))
    detected = deployment.launch("detect_delta")
    deployment.until("the delta is found", lambda: deployment.status(detected) == "SUCCESS")

    for limit, bought in ({"max_credits": 1}, 1), ({"sample": 2}, 3), ({"only": "changed"}, 3), ({}, 4):
        backfill = deployment.backfill("pens", config={"ops": {"cutouts": {"config": limit}}})
        deployment.until("it is over", lambda of=backfill: deployment.ended(of))  # type: ignore[misc]
        assert deployment.charges() - before == bought, limit


def test_the_pages_show_what_is_so_after_a_night_a_command_and_a_terminated_backfill(
    tmp_path: Path, page: Page, album: Path
) -> None:
    vendor = SandboxState(latency_s=0.5)
    with deployed(tmp_path, vendor=vendor, settings={"BG_CONCURRENCY": "1"}, fast=True) as made:
        for n in range(4):
            made.put(f"{('bags', 'shoes')[n % 2]}/{n}.png", product(700 + n))
        made.put("torn/1.png", product(710)[:-25])
        made.launch("detect_delta")
        made.until(
            "a night", lambda: ("process_pending", "SUCCESS") in {(r["jobName"], r["status"]) for r in made.runs()}
        )
        made.switch_off("delta_dispatch")

        page.goto(f"{made.url}/locations/bg_pipeline/asset-groups/catalogue/lineage")
        expect(page.get_by_text("2 / 2 Passed").or_(page.get_by_text("1 / 2 Passed")).first).to_be_visible()
        page.screenshot(animations="disabled", path=album / "graph-after-a-night.png")
        expect(page.get_by_text("Unsynced")).to_have_count(0)
        page.goto(f"{made.url}/assets/cutouts?view=partitions&partition=torn")
        expect(page.get_by_text("Missing (1)")).to_be_visible()
        page.screenshot(animations="disabled", path=album / "torn.png")
        page.goto(f"{made.url}/assets/cutouts?view=events")
        page.get_by_text("torn", exact=True).first.click()
        expect(page.get_by_text("torn/1.png").first).to_be_visible()
        page.screenshot(animations="disabled", path=album / "torn-events.png")
        page.goto(f"{made.url}/assets/review_gallery?view=partitions")
        expect(page.get_by_text("Missing (0)")).to_be_visible()
        for asset in ("manifest", "image_delta", "cutouts", "nightly_cutouts", "credit_balance"):
            page.goto(f"{made.url}/assets/{asset}?view=checks")
            expect(page.get_by_text("Succeeded").or_(page.get_by_text("Failed")).first).to_be_visible()
            expect(page.get_by_text("Not Evaluated")).to_have_count(0)
            page.screenshot(animations="disabled", path=album / f"checks-of-{asset}.png")
        page.goto(f"{made.url}/assets/credit_balance?view=overview")
        made.until("the sensor has told", lambda: "bgeraser: " in made.last_tick("low_credit_sensor"))
        (left,) = re.findall(r"bgeraser: (\d+) credits", made.last_tick("low_credit_sensor"))
        expect(page.get_by_text(left, exact=True).first).to_be_visible()
        page.screenshot(animations="disabled", path=album / "balance.png")

        made.put("caps/1.png", product(720))
        subprocess.run([BIN / "bg-pipeline", "sync"], cwd=made.home, env=made.env, check=False, capture_output=True)
        for n in range(8):
            made.put(f"pens/{n}.png", product(730 + n))
        detected = made.launch("detect_delta")
        made.until("the delta is found", lambda: made.status(detected) == "SUCCESS")
        before = made.charges()
        backfill = made.backfill("pens")
        made.until("it buys", lambda: made.charges() >= before + 2)
        (run,) = [r["runId"] for r in made.runs() if backfill in {tag["value"] for tag in r["tags"]}]
        made.terminate(run)
        made.until("it has ended", lambda: made.status(run) == "CANCELED")
        again = made.reexecute_from_failure(run)
        made.until("the rest is made", lambda: made.status(again) == "SUCCESS")
        assert made.charges() == before + 8

        page.goto(f"{made.url}/assets/cutouts?view=partitions")
        expect(page.get_by_text("Materialized (4)")).to_be_visible()
        expect(page.get_by_text("Missing (1)")).to_be_visible()
        page.screenshot(animations="disabled", path=album / "partitions.png")
        page.goto(f"{made.url}/assets/manifest?view=overview")
        expect(page.get_by_text("13", exact=True).first).to_be_visible()
        page.screenshot(animations="disabled", path=album / "manifest.png")


def test_a_night_without_a_daemon_appears_under_its_jobs(deployment: Deployment, page: Page, album: Path) -> None:
    deployment.put("caps/1.png", product(500))
    night = [sys.executable, "-m", "bg_pipeline.orchestration.night"]
    subprocess.run(night, cwd=deployment.home, env=deployment.env, check=True, capture_output=True)
    newest = {job: next(r["runId"] for r in deployment.runs() if r["jobName"] == job) for job in NIGHT}

    for job, run in newest.items():
        page.goto(f"{deployment.url}/locations/bg_pipeline/jobs/{job}/runs")
        expect(page.get_by_text(run[:8]).first).to_be_visible()
        page.screenshot(animations="disabled", path=album / f"{job}.png")


def test_the_doctor_sees_what_is_switched_off(deployment: Deployment) -> None:
    command = [BIN / "bg-pipeline", "doctor", "--json"]
    asked = subprocess.run(
        command, cwd=deployment.home, env=deployment.env, capture_output=True, text=True, check=False
    )
    found = {f["check"]: f for f in json.loads(asked.stdout)}

    assert found["Dagster's daemon"]["ok"]
    assert "delta_dispatch" in found["schedule and sensors"]["detail"]
