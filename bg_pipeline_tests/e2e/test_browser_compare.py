"""The page of a comparison in a browser."""

from pathlib import Path

from playwright.sync_api import Page, expect

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.e2e.test_browser import album, page, pytestmark  # noqa: F401  fixtures and marks
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.sandbox.client import cut_left_half


def test_the_page_shows_all_pictures_on_a_chosen_backdrop_and_asks_for_nothing_else(
    tmp_path: Path,
    page: Page,  # noqa: F811
    album: Path,  # noqa: F811
) -> None:
    vendor = SandboxState()
    with running_sandbox(vendor, cut_left_half) as running:
        shop = Shop(tmp_path, vendor, running.base_url)
        for n in range(3):
            shop.put(f"bags/{n}.png", product(n, (480, 360)))
        shop.run("compare", "--with", "bgeraser,local", "--yes")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition(":")[0]))
    page.goto((tmp_path / ".bg_pipeline/gallery/comparison/index.html").as_uri())

    expect(page.get_by_role("heading", name="bags/1.png")).to_be_visible()
    for picture in page.locator("img").all():
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("each => each.decode().then(() => each.naturalWidth)") == 480
    doubts = page.locator(".doubtful").all_text_contents()
    assert len(doubts) == 3, "the vendor cuts out the left half, and the engine the product"
    assert all("backdrop" in doubt for doubt in doubts)
    page.get_by_label("white").check()
    result = page.locator("img.result").first
    assert result.evaluate("each => getComputedStyle(each).backgroundColor") == "rgb(255, 255, 255)"
    page.get_by_label("checkerboard").check()
    assert "repeating-conic-gradient" in result.evaluate("each => getComputedStyle(each).backgroundImage")
    assert set(asked) <= {"file", "data"}
    page.screenshot(animations="disabled", path=album / "comparison.png", full_page=True)
