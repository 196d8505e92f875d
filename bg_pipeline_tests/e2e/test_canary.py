"""A changed recipe is tried by the command line, with real stores and a sandbox that counts every charge."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.shop import ShopInHere
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.sandbox.client import cut_left_half

PICTURES = 7


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShopInHere]:
    """Seven published pictures, and a recipe that has changed since."""
    monkeypatch.chdir(tmp_path)
    vendor = SandboxState()
    with running_sandbox(vendor, cut_left_half) as running:
        made = ShopInHere(tmp_path, vendor, running.base_url)
        for n in range(PICTURES):
            made.put(f"shoes/{n}.png", product(n))
        assert made.json("canary", "--yes")["exit"]["reason"].startswith("no purchase waits for a changed recipe")
        made.json("sync")
        made.env["BG_MAX_PIXELS_SENT"] = "1200"
        yield made


def charges(shop: ShopInHere) -> int:
    return len(shop.vendor.ledger.charges())


def test_a_recipe_is_refused_priced_tried_accepted_and_bought(shop: ShopInHere) -> None:
    refused = shop.json("sync", "--apply-recipe-change", code=5)["exit"]["reason"]
    assert "7 purchases of a changed recipe were requested" in refused
    assert "bg-pipeline canary" in shop.run("plan")
    shown = shop.run("canary", answer="n\n")
    assert "5 pictures: at most 5 credits" in shown
    assert "nothing was bought" in shown
    assert charges(shop) == PICTURES
    assert "nothing to accept" in shop.json("canary", "accept", code=2)["exit"]["reason"]

    shown = shop.run("canary", answer="y\n")
    assert "in sum: " in shown
    page = shop.home / ".bg_pipeline/gallery/canary/index.html"
    assert str(page) in shown
    assert page.read_text(encoding="utf-8").count("<figure>") == 5
    assert charges(shop) == PICTURES + 5
    assert shop.json("sync")["published"] == 0
    trials = shop.json("canary", "--yes")["trials"]
    assert {"key", "rating", "difference", "problem"} <= trials[0].keys()
    assert charges(shop) == PICTURES + 5

    assert shop.json("canary", "accept", "--why", "better edges")["reason"] == "better edges"
    assert "accepted: " in shop.run("canary", "accept")
    assert shop.json("sync", "--apply-recipe-change")["published"] == PICTURES
    assert charges(shop) == 2 * PICTURES
    assert "nothing to try" in shop.run("canary", "--yes")


def test_golden_pictures_and_a_limit_choose_what_is_tried(shop: ShopInHere) -> None:
    shop.env["BG_GOLDEN"] = "shoes/3.png, shoes/[56].png"
    assert [each["key"] for each in shop.json("canary", "--yes", "--sample", "2")["trials"]] == [
        "shoes/3.png",
        "shoes/5.png",
    ]
    shop.env["BG_GOLDEN"] = "!shoes/3.png"
    assert "golden" in shop.json("canary", "--yes", code=2)["exit"]["reason"].lower()


def test_without_canary_is_an_option_of_its_own(shop: ShopInHere) -> None:
    assert shop.json("sync", "--apply-recipe-change", "--without-canary")["published"] == PICTURES


def test_what_cannot_be_asked_for_is_a_sentence(shop: ShopInHere) -> None:
    for words in (("accept", "--yes"), ("accept", "--sample", "1"), ("--why", "x", "--yes")):
        assert "--why belongs to accept" in shop.json("canary", *words, code=2)["exit"]["reason"]
    assert "needs --yes" in shop.json("canary", code=2)["exit"]["reason"]
