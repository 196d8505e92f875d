"""Clients of remove.bg for Node and for browsers, from the package index; only the host in their URLs is changed."""

import base64
import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from bg_pipeline.sandbox.serve import RunningSandbox
from bg_pipeline_tests.e2e.test_browser import page  # noqa: F401  a fixture
from bg_pipeline_tests.e2e.test_browser import pytestmark as browser_marks
from bg_pipeline_tests.pictures import opened
from bg_pipeline_tests.sandbox import client

BIN = Path(sys.executable).parent
CLIENTS = Path(__file__).parent / "npm"

pytestmark = pytest.mark.processes
in_a_browser = browser_marks[1]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory, shared: RunningSandbox) -> Path:
    """A folder with the clients of the lock file."""
    folder = tmp_path_factory.mktemp("npm") / "clients"
    shutil.copytree(CLIENTS, folder)
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", f"--cache={folder.parent / 'cache'}")
    subprocess.run([BIN / "npm", "ci", *quiet], cwd=folder, check=True)
    for module in (folder / "node_modules/remove.bg").rglob("*.js"):
        module.write_text(module.read_text().replace("https://api.remove.bg", shared.base_url))
    return folder


@pytest.mark.parametrize("name", ["with-axios", "with-fetch", "with-request", "with-removebg"])
def test_each_client_for_node_saves_a_picture_with_transparency(
    clients: Path, shared: RunningSandbox, tmp_path: Path, name: str
) -> None:
    (tmp_path / "a.png").write_bytes(client.picture(80, 60))
    result = tmp_path / "no-bg.png"
    words = [BIN / "node", clients / f"{name}.cjs", f"{shared.base_url}/v1.0/removebg", tmp_path / "a.png", result]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    saved = sorted(tmp_path.glob("no-bg*"))
    assert len(saved) == (2 if name == "with-removebg" else 1)
    for path in saved:
        picture = opened(path.read_bytes())
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGBA", (80, 60))
        assert picture.getchannel("A").getextrema() == (0, 255)
    if name == "with-removebg":
        told = json.loads(done.stdout)
        assert base64.b64decode(told["base64img"]) == result.read_bytes()
        assert (told["creditsCharged"], told["resultWidth"], told["detectedType"]) == ("0.25", "80", "product")


@pytest.fixture
def shop_page(clients: Path) -> Iterator[str]:
    """A page of another origin than the sandbox."""
    shutil.copy(clients / "node_modules/axios/dist/axios.min.js", clients)
    (clients / "a.png").write_bytes(client.picture(80, 60))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=clients)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/page.html"
        server.shutdown()


@in_a_browser
@pytest.mark.parametrize(("path", "size"), [("/v1.0/removebg", "auto"), ("/v1/segment", "full")])
def test_a_page_in_a_browser_shows_the_picture_and_reads_a_refusal(
    shop_page: str,
    shared: RunningSandbox,
    page: Page,  # noqa: F811
    path: str,
    size: str,
) -> None:
    page.goto(shop_page)
    page.evaluate("([url, size]) => send(url, 'a.png', size)", [f"{shared.base_url}{path}", size])

    for name in ("fetched", "by-axios"):
        picture = page.locator(f"#{name}")
        assert picture.evaluate("each => each.decode().then(() => [each.naturalWidth, each.naturalHeight])") == [80, 60]
    assert re.fullmatch(r"40[13] \{.+\}", page.locator("#refused").text_content() or "")
