"""Failures from the command line: each stands until it is gone or accepted, and programs are told why."""

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.shop import Shop, ShopInHere
from bg_pipeline_tests.pictures import cut_middle, product

LONG = "shoes/" + "a very long name of a picture " * 6 + ".png"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ShopInHere]:
    vendor = SandboxState()
    with running_sandbox(vendor, cut_middle) as running:
        made = ShopInHere(tmp_path, vendor, running.base_url)
        for n in range(3):
            made.put(f"shoes/{n}.png", product(n))
        yield made


def test_a_failure_stands_until_a_person_accepts_it_and_again_when_it_changes(shop: ShopInHere) -> None:
    shop.put("shoes/broken.png", product(7)[:-25])
    shop.run("sync", code=1)
    later = shop.json("sync", code=1)
    assert later["exit"] == {"code": 1, "name": "some_failed", "reason": "1 failures stand"}
    assert (later["failed"], later["standing"]) == (0, 1)

    shop.run("failures", "accept", "shoes/broken.png", code=2)
    assert "needs a reason" in shop.err
    accepted = shop.json("failures", "accept", "shoes/broken.png", "--reason", "sold out")
    assert accepted["accepted"] == ["shoes/broken.png"]
    assert shop.json("sync")["exit"]["reason"] == "done, and no failure stands"
    assert "accepted failures that are not listed: 1" in shop.run("failures")
    (row,) = shop.json("failures", "--accepted")
    assert (row["key"], row["accepted"][:8]) == ("shoes/broken.png", "sold out")
    assert shop.json("why", "shoes/broken.png")["accepted"] == row["accepted"]

    shop.put("shoes/broken.png", product(8)[:-25])
    assert shop.json("sync", code=1)["standing"] == 1


def test_a_key_without_a_failure_is_not_accepted(shop: ShopInHere) -> None:
    shop.put("shoes/broken.png", product(7)[:-25])
    shop.run("sync", code=1)
    shop.run("failures", "accept", "shoes/broken.png", "shoes/0.png", "--reason", "x", code=2)
    assert "'shoes/0.png' has no failure that stands; nothing was accepted" in shop.err
    shop.run("failures", "accept", "--reason", "x", code=2)
    shop.run("failures", "--reason", "x", code=2)
    assert shop.json("status")["failures"] == 1


def test_skipped_items_are_listed_with_their_reasons(shop: ShopInHere) -> None:
    shop.put("shoes/notes.txt", b"no picture at all")
    (shop.home / "images/shoes/film.mp4").touch()
    os.truncate(shop.home / "images/shoes/film.mp4", 257 * 2**20)
    shop.run("sync")

    assert shop.json("failures") == []
    assert shop.json("failures", "--skipped") == [
        {"key": "shoes/film.mp4", "state": "skipped", "why": "too large, and not a picture by its name"},
        {"key": "shoes/notes.txt", "state": "skipped", "why": "not a picture, by its first bytes"},
    ]
    assert "not a picture, by its first bytes" in shop.run("failures", "--skipped")


def test_json_is_printed_after_an_error_too_with_code_name_and_reason(shop: ShopInHere) -> None:
    assert shop.json("sync", "--collection", "none", code=2)["exit"] == {
        "code": 2,
        "name": "settings",
        "reason": shop.err.splitlines()[-1].removeprefix("bg-pipeline: "),
    }
    shop.env["BG_CONCURRENCY"] = "many"
    refused = shop.json("plan", code=2)["exit"]
    assert (refused["name"], "BG_CONCURRENCY" in refused["reason"]) == ("settings", True)
    del shop.env["BG_CONCURRENCY"]
    for words, part in (
        (["sync", "--until", "late"], "late"),
        (["failures", "accept"], "--all"),
        (["sync", "--bogus"], "--bogus"),
    ):
        assert part in shop.json(*words, code=2)["exit"]["reason"]
    shop.env["BG_SENTINEL"] = "mounted"
    guarded = shop.json("sync", code=5)["exit"]
    assert (guarded["code"], guarded["name"], "BG_SENTINEL" in guarded["reason"]) == (5, "guard", True)


def test_a_table_in_a_pipe_has_every_row_on_one_line(shop: ShopInHere) -> None:
    names = [LONG, *(f"shoes/broken-{n}.png" for n in range(50))]
    for name in names:
        shop.put(name, product(7)[:-25])
    shop.env["COLUMNS"] = "80"
    printed = [shop.run("sync", code=1), Shop.run(shop, "failures")]

    for text in printed:
        for name in names:
            (line,) = [line for line in text.splitlines() if line.startswith(name)]
            assert "failed" in line
            assert line == line.rstrip()


@contextlib.contextmanager
def host_of(folder: Path, port: int) -> Iterator[None]:
    """Python's own web server."""
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            yield
        finally:
            server.terminate()


def test_a_picture_host_that_is_down_is_told_everywhere_and_is_no_failure_of_its_pictures(shop: ShopInHere) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    host = f"127.0.0.1:{port}"
    with sqlite3.connect(shop.home / "shop.db") as db:
        db.execute("CREATE TABLE pictures (key TEXT, url TEXT)")
        rows = [(f"shoes/{n}.png", f"http://{host}/shoes/{n}.png") for n in range(3)]
        db.executemany("INSERT INTO pictures VALUES (?, ?)", rows)
    db.close()
    shop.env |= {
        "BG_SOURCE": f"sqlite:///{shop.home / 'shop.db'}",
        "BG_SOURCE_QUERY": "SELECT key, url FROM pictures",
        "BG_SOURCE_HOSTS": f"http://{host}",
    }
    with host_of(shop.home / "images", port):
        assert shop.json("sync")["published"] == 3

    outage = {"host": host, "items": 3, "why": f"{host} cannot be reached"}
    down = shop.json("sync", code=1)
    assert down["exit"]["reason"] == f"{host} does not serve its 3 items"
    assert (down["hosts_down"], down["failed"], down["standing"]) == ([outage], 0, 0)
    assert f"{host} does not serve" in shop.run("sync", code=1)
    status = shop.json("status")
    assert (status["items"]["published"], status["hosts_down"]) == (3, [outage])
    assert f"the picture host {host} does not serve its 3 items" in shop.run("status")
    assert shop.json("failures")[0]["key"] == host

    with host_of(shop.home / "images", port):
        assert shop.json("sync")["exit"]["code"] == 0
    assert shop.json("status")["hosts_down"] == []
