"""A run is reverted by the command line, with real stores and a sandbox that counts every charge."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.shop import ShopInHere
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.sandbox.client import cut_left_half


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShopInHere]:
    monkeypatch.chdir(tmp_path)
    vendor = SandboxState()
    with running_sandbox(vendor, cut_left_half) as running:
        made = ShopInHere(tmp_path, vendor, running.base_url)
        for n in range(2):
            made.put(f"shoes/{n}.png", product(n))
        yield made


def outputs(shop: ShopInHere) -> dict[str, bytes]:
    folder = shop.home / "cutouts"
    files = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: data for name, data in names.items() if not name.startswith(".")}


def test_a_run_is_listed_previewed_reverted_and_done_again(shop: ShopInHere) -> None:
    shop.json("sync")
    before = outputs(shop)
    shop.put("shoes/0.png", product(50))
    shop.put("shoes/new.png", product(51))
    shop.env["BG_FORMAT"] = "webp"
    shop.json("sync")
    paid = len(shop.vendor.ledger.charges())
    (last,) = shop.json("revert")  # of the first run, nothing is published any more
    assert last["items"] == 3
    assert last["run"] in shop.run("revert")

    planned = shop.json("revert", last["run"], "--dry-run")
    assert (planned["put_back"], planned["taken_off"]) == (["shoes/0.png", "shoes/1.png"], ["shoes/new.png"])
    assert outputs(shop) != before
    done = shop.json("revert", last["run"])
    assert {name: done[name] for name in ("put_back", "taken_off", "left")} == {
        name: planned[name] for name in ("put_back", "taken_off", "left")
    }
    assert outputs(shop) == before

    assert shop.json("sync")["published"] == 0
    assert shop.json("plan")["reverted"] == {last["run"]: 2}
    assert f"`bg-pipeline revert '{last['run']}' --redo`" in shop.run("plan")
    facts = shop.json("why", "shoes/0.png")
    assert "reverted the run" in facts["reverted"]
    assert facts["run"].startswith("command ")
    assert shop.json("status", "--sizes")["sizes"]["previous outputs"]["files"] == 2

    assert sorted(shop.json("revert", last["run"], "--redo")["redone"]) == [
        "shoes/0.png",
        "shoes/1.png",
        "shoes/new.png",
    ]
    assert shop.json("sync")["published"] == 2
    assert len(outputs(shop)) >= 3
    assert len(shop.vendor.ledger.charges()) == paid


def test_what_cannot_be_asked_for_is_a_sentence(shop: ShopInHere) -> None:
    shop.json("sync")
    assert "no cutout is published by the run 'nobody'" in shop.json("revert", "nobody", code=2)["exit"]["reason"]
    for words in (("--dry-run",), ("--redo",), ("--collection", "shoes"), ("x", "--redo", "--dry-run")):
        assert "need a RUN" in shop.json("revert", *words, code=2)["exit"]["reason"]


def test_what_is_left_is_told_with_its_reason(shop: ShopInHere) -> None:
    shop.json("sync")
    shop.put("shoes/0.png", product(50))
    shop.json("sync")
    (shop.home / "cutouts/shoes/0.png").write_bytes(b"another program's")
    run = shop.json("revert")[0]["run"]

    assert "another program wrote shoes/0.png" in shop.run("revert", run, code=1)
    assert (shop.home / "cutouts/shoes/0.png").read_bytes() == b"another program's"
