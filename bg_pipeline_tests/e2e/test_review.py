"""
A person reviews in a browser, and others try to decide in that person's place.

Screenshots are kept in the folder that SCREENSHOTS names, or in pytest's.
"""

import http.server
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import requests
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.pictures import cut_middle, encoded, product

CHROMIUM = Path("/usr/bin/chromium")
ARGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP evil.example 127.0.0.1",
]
ITEMS = 40

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(
        not CHROMIUM.exists() and not os.environ.get("CI"),
        reason="there is no /usr/bin/chromium: apt-get install chromium",
    ),
]

expect.set_options(timeout=20_000)


class Review:
    """A shop after a night, and its review in a process of its own."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.process = shop.start("review", "--serve", "--port", "0")

    def link(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()[-1]

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=60)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Forty published items in two collections, two suspicious ones, and one that cannot be read."""

    def cut(image: Image.Image) -> Image.Image:
        return Image.new("L", image.size, 255) if image.width == 90 else cut_middle(image)

    vendor = SandboxState()
    with running_sandbox(vendor, cut) as running:
        made = Shop(tmp_path_factory.mktemp("review"), vendor, running.base_url)
        made.env["BG_REVIEW_SHARE"] = "0"
        for n in range(ITEMS):
            made.put(f"{('bags', 'shoes')[n % 2]}/{n:02}.png", product(n * 7, (240, 180)))
        for n in range(2):
            made.put(f"bags/odd-{n}.png", encoded(Image.new("RGB", (90, 60), (40, 90, 50 + n))))
        made.put("shoes/torn.png", product(500)[:-25])
        made.run("sync", code=1)
        yield made


@pytest.fixture
def review(shop: Shop) -> Iterator[Review]:
    made = Review(shop)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        yield play.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def names(page: Page) -> list[str]:
    return page.locator("figure .name span").all_inner_texts()


def test_a_person_filters_and_looks(review: Review, page: Page, album: Path) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(review.link())
    expect(page.locator("figure")).to_have_count(3)
    assert names(page) == ["odd-0.png", "odd-1.png", "torn.png"]
    assert "#" not in page.url
    page.screenshot(animations="disabled", path=album / "review.png")

    page.locator("[data-state=all]").click()
    expect(page.locator("figure")).to_have_count(ITEMS + 3)
    page.select_option("#collection", "shoes")
    expect(page.locator("figure")).to_have_count(ITEMS // 2 + 1)
    page.select_option("#collection", "")
    page.select_option("#reasons", label="nothing was removed")
    expect(page.locator("figure")).to_have_count(2)
    page.select_option("#reasons", "")
    page.keyboard.press("/")
    page.keyboard.type("SHOES/0")
    expect(page.locator("figure")).to_have_count(5)
    page.keyboard.press("Escape")
    expect(page.locator("figure")).to_have_count(ITEMS + 3)
    page.locator("[data-state=published]").click()
    page.locator("h1").click()

    page.keyboard.press("Enter")
    expect(page.locator("#position")).to_have_text(f"1 of {ITEMS}")
    for key, ground in zip("1234", ("checks", "white", "black", "colour"), strict=True):
        page.keyboard.press(key)
        expect(page.locator("#after")).to_have_class(f"layer {ground}")
    page.keyboard.press("s")
    expect(page.locator("#frame")).to_have_class("beside")
    page.keyboard.press("s")
    page.locator("#slider").fill("20")
    assert "20%" in page.locator("#after").evaluate("layer => layer.style.clipPath")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.keyboard.press("z")
    expect(page.locator("#after img[src*='/full/']")).to_be_visible()
    shown = page.locator("#after img").evaluate("img => [img.naturalWidth, img.width * devicePixelRatio]")
    assert shown == [240, 240]
    page.keyboard.press("z")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#position")).to_have_text(f"2 of {ITEMS}")
    assert problems == []


def test_a_person_decides_with_the_keyboard(shop: Shop, review: Review, page: Page, album: Path) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(review.link())
    page.locator("[data-state=published]").click()
    page.locator("h1").click()
    page.keyboard.press("Enter")
    first = page.locator("#title").inner_text()
    page.keyboard.press("w")
    page.keyboard.type("not for sale")
    page.keyboard.press("Enter")
    page.keyboard.press("x")
    expect(page.locator("#toast")).to_contain_text(f"{first} taken off")
    expect(page.locator("#position")).to_have_text(f"2 of {ITEMS}")
    assert not (shop.home / "cutouts" / first).exists()
    page.keyboard.press("u")
    expect(page.locator("#title")).to_have_text(first)
    expect(page.locator("#decisions")).to_contain_text("not for sale")
    page.screenshot(animations="disabled", path=album / "review-item.png")
    page.keyboard.press("a")
    expect(page.locator("#toast")).to_contain_text(f"{first} approved")
    assert (shop.home / "cutouts" / first).exists()
    page.keyboard.press("d")
    expect(page.locator("#toast")).to_contain_text("the next sync makes it again, at most 1 credit")
    page.keyboard.press("Escape")
    page.locator("[data-state=quarantined]").click()
    page.locator("h1").click()
    page.keyboard.press("r")
    expect(page.locator("#toast")).to_contain_text("bags/odd-0.png rejected")
    assert problems == []

    made = shop.json("why", first)["decisions"]
    assert [each["decision"] for each in made] == ["take_off", "approve"]
    assert (made[0]["reason"], made[0]["result"] is not None, "@" in made[0]["by"]) == ("not for sale", True, True)
    charged = len(list(shop.vendor.ledger.charges()))
    assert shop.json("plan")["purchases"] == 1
    assert len(list(shop.vendor.ledger.charges())) == charged


def test_a_link_works_once_and_the_browser_that_used_it_needs_no_other(
    review: Review, page: Page, browser: Browser
) -> None:
    link = review.link()
    page.goto(link)
    expect(page.locator("figure").first).to_be_visible()
    page.reload()
    expect(page.locator("figure").first).to_be_visible()
    another_tab = page.context.new_page()
    another_tab.goto(link.partition("#")[0])
    expect(another_tab.locator("figure").first).to_be_visible()

    another_browser = browser.new_context().new_page()
    another_browser.goto(link)
    expect(another_browser.locator("#empty")).to_contain_text("open the link that `bg-pipeline review --serve` shows")
    another_browser.goto(review.link())
    expect(another_browser.locator("figure").first).to_be_visible()
    another_browser.context.close()


ATTACK = """
<!doctype html><iframe id="frame" src="%(url)s/"></iframe>
<form id="form" method="post" enctype="text/plain" action="%(url)s/decisions" target="sink">
<input name='{"decision":"take_off","key":"%(key)s","seen":["",""],"x":"' value='"}'></form>
<iframe name="sink"></iframe>
<script>
const fields = JSON.stringify({decision: "take_off", key: "%(key)s", seen: ["", ""]});
const tries = [
  fetch("%(url)s/items", {credentials: "include"}),
  fetch("%(url)s/decisions", {method: "POST", mode: "no-cors", credentials: "include", body: fields}),
  fetch("%(url)s/decisions", {method: "POST", headers: {Authorization: "Bearer x"}, body: fields}),
  fetch("%(url)s/session", {method: "POST", body: "{}"}),
];
document.getElementById("form").submit();
Promise.allSettled(tries).then(all => {
  document.title = all.map(each => each.status === "rejected" ? "rejected" : each.value.type).join();
});
</script>
"""


class _Quiet(http.server.BaseHTTPRequestHandler):
    """Another site, or the server of another user of this machine."""

    def __init__(self, body: Callable[[], str], asked: list[str], *args: object) -> None:
        self.body = body
        self.asked = asked
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.asked.append(str(self.headers))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.body().encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_another_site_and_another_user_of_this_machine_decide_nothing(
    shop: Shop, review: Review, page: Page, browser: Browser
) -> None:
    link = review.link()
    page.goto(link)
    expect(page.locator("figure").first).to_be_visible()
    url, asked = link.partition("/#")[0], list[str]()
    key = "shoes/01.png"
    handler = partial(_Quiet, lambda: ATTACK % {"url": url, "key": key}, asked)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        for host in ("evil.example", "127.0.0.1"):
            attacker = page.context.new_page()
            attacker.goto(f"http://{host}:{site.server_port}/")
            expect(attacker).to_have_title("rejected,rejected,rejected,rejected")
            expect(attacker.frame_locator("#frame").locator("#grid")).to_have_count(0)
        site.shutdown()
    assert "cookie" not in "".join(asked).lower()

    rebound = page.context.new_page()
    rebound.goto(f"{url.replace('127.0.0.1', 'evil.example')}/")
    expect(rebound.locator("body")).to_contain_text("this address is not the one")

    for headers in ({}, {"Authorization": "Bearer guess"}, {"Authorization": f"Bearer {link.rpartition('=')[2]}"}):
        fields = {"decision": "take_off", "key": key, "seen": ["", ""]}
        answer = requests.post(f"{url}/decisions", json=fields, headers={"Origin": url} | headers, timeout=30)
        assert answer.status_code == 401
    assert (shop.home / "cutouts" / key).exists()
    assert shop.json("why", key)["decisions"] == []


def test_the_secrets_are_in_no_argument_and_in_no_file(shop: Shop, review: Review, page: Page) -> None:
    link = review.link()
    secret = link.rpartition("=")[2]
    page.goto(link)
    expect(page.locator("figure").first).to_be_visible()
    token = page.evaluate("localStorage.getItem('bg-pipeline review')")
    pictures = page.locator("figure img").first.get_attribute("src")
    assert pictures is not None
    secrets = [secret.encode(), token.encode(), pictures.split("/")[1].encode()]

    process = Path("/proc", str(review.process.pid))
    seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    for file in filter(Path.is_file, shop.home.rglob("*")):
        seen += file.read_bytes()
    assert [each for each in secrets if each in seen] == []
    port = int(link.split(":")[2].partition("/")[0])
    listening = subprocess.run(["cat", "/proc/net/tcp"], capture_output=True, text=True, check=True).stdout
    assert f" 0100007F:{port:04X} " in listening
    assert f" 00000000:{port:04X} " not in listening


def test_the_file_is_the_same_page_without_decisions(shop: Shop, page: Page, album: Path) -> None:
    pages = {each["collection"]: each for each in shop.json("review", "--pages")}
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto((shop.home / pages["bags"]["page"]).as_uri())
    page.locator("[data-state=all]").click()
    expect(page.locator("figure")).to_have_count(pages["bags"]["items"])
    page.locator("[data-state=published]").click()
    page.locator("h1").click()
    page.keyboard.press("Enter")
    expect(page.locator("#decide")).to_be_hidden()
    page.wait_for_function("document.querySelector('#after img').naturalWidth > 0")
    before = shop.json("status")
    page.keyboard.press("x")
    page.screenshot(animations="disabled", path=album / "review-file.png")

    assert shop.json("status")["items"] == before["items"]
    assert problems == []


def test_a_port_that_is_taken_is_named(shop: Shop, review: Review) -> None:
    port = review.link().split(":")[2].partition("/")[0]
    shop.run("review", "--serve", "--port", port, code=2)

    assert f"the review cannot use port {port}: Address already in use. Choose another with --port" in shop.err
