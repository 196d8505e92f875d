"""Erasing and pruning by the command line: real stores, a real database, and a sandbox that counts every charge."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.shop import Shop, ShopInHere
from bg_pipeline_tests.pictures import cut_middle, product


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ShopInHere]:
    vendor = SandboxState()
    with running_sandbox(vendor, cut_middle) as running:
        made = ShopInHere(tmp_path, vendor, running.base_url)
        for n in range(3):
            made.put(f"shoes/{n}.png", product(n))
        made.put("bags/twin.png", product(0))
        made.run("sync")
        yield made


def files(shop: Shop) -> dict[str, bytes]:
    """Everything in the stores and the gallery, and not in the manifest."""
    folders = [shop.home / "cutouts", *(shop.home / ".bg_pipeline" / name for name in ("masters", "spool", "gallery"))]
    return {
        path.relative_to(shop.home).as_posix(): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


def charges(shop: Shop) -> int:
    return len(shop.vendor.ledger.charges())


def age_masters(shop: Shop, days: int) -> None:
    """Let the masters that are unused be so for longer: nothing else knows of their time."""
    with sqlite3.connect(shop.home / ".bg_pipeline" / "manifest.db") as conn:
        conn.execute("UPDATE purchases SET unused_since = unused_since - ?", [days * 86_400])
    conn.close()


def test_an_item_is_erased_after_a_question_that_shows_what_goes(shop: ShopInHere) -> None:
    page = shop.home / ".bg_pipeline" / "gallery" / "shoes.html"
    page.parent.mkdir()
    page.write_text("<html>")
    before = files(shop)
    (shop.home / "images/shoes/1.png").unlink()
    shown = shop.run("forget", "shoes/1.png", answer="n\n")
    assert "nothing was erased" in shown
    assert "shoes/1.png: 1 outputs, 1 masters, 0 answers, 1 pages" in shown
    assert "shoes.html" in shown
    assert "The rows of the ledger stay" in shown
    assert files(shop) == before

    assert "erased 1 outputs, 1 masters" in shop.run("forget", "shoes/1.png", answer="y\n")
    gone = before.keys() - files(shop).keys()
    (master,) = [name for name in gone if "/masters/" in name]
    assert gone == {"cutouts/shoes/1.png", ".bg_pipeline/gallery/shoes.html", master}
    assert not {before[name] for name in gone} & set(files(shop).values())
    assert shop.json("status")["items"]["forgotten"] == 1
    assert shop.json("why", "shoes/1.png")["state"] == "forgotten"


def test_what_is_still_in_the_source_is_erased_only_on_purpose_and_not_bought_again(shop: ShopInHere) -> None:
    before, paid = files(shop), charges(shop)
    shop.run("forget", "shoes/1.png", "--yes", code=2)
    assert "shoes/1.png is still in BG_SOURCE" in shop.err
    assert "--although-listed" in shop.err
    assert files(shop) == before

    (erased,) = shop.json("forget", "shoes/1.png", "--yes", "--although-listed")
    assert (erased["outputs"], len(erased["masters"])) == (["shoes/1.png"], 1)
    after = files(shop)
    assert (shop.json("sync")["published"], shop.json("plan")["purchases"]) == (0, 0)
    assert (files(shop), charges(shop)) == (after, paid)

    assert shop.json("forget", "shoes/1.png", "--allow-again")["allowed"] == ["shoes/1.png"]
    assert shop.json("sync")["published"] == 1
    assert charges(shop) == paid + 1


def test_a_twin_keeps_its_master_and_is_named(shop: ShopInHere) -> None:
    (shop.home / "images/shoes/0.png").unlink()
    shown = shop.run("forget", "shoes/0.png", "--yes")
    assert "the same picture is, or was last, at bags/twin.png" in shown
    assert "cutouts/bags/twin.png" in files(shop)
    assert shop.json("check", "--masters")["damaged_masters"] == []


def test_json_cannot_ask_and_a_wrong_key_is_a_sentence(shop: ShopInHere) -> None:
    shop.run("forget", "shoes/1.png", "--json", code=2)
    assert "--yes" in shop.err
    shop.run("forget", "shoes/1.png", "--although-listed", code=2)
    assert "no terminal to ask at: --yes" in shop.err
    shop.run("forget", "shoes/none.png", "--yes", code=2)
    assert "'shoes/none.png' is not in the manifest" in shop.err
    shop.run("forget", "shoes/1.png", "--allow-again", code=2)
    assert "shoes/1.png is not forgotten" in shop.err


def test_masters_that_no_item_uses_are_pruned_after_their_days_and_a_return_is_a_purchase_with_its_history(
    shop: ShopInHere,
) -> None:
    first, paid = (shop.home / "images/shoes/1.png").read_bytes(), charges(shop)
    shop.put("shoes/1.png", product(50))
    shop.run("sync")
    assert "1 masters are used by no item; BG_MASTERS_KEEP_DAYS is 0" in shop.run("prune")
    shop.env["BG_MASTERS_KEEP_DAYS"] = "30"
    shop.run("sync")
    assert "1 masters are used by no item; 0 of them for more than 30 days" in shop.run("prune", "--dry-run")

    age_masters(shop, 31)
    before = files(shop)
    planned = shop.json("prune", "--dry-run")
    assert (len(planned["due"]), planned["bytes"] > 0, files(shop)) == (1, True, before)
    assert "nothing was deleted" in shop.run("prune", answer="n\n")
    assert files(shop) == before
    assert "1 were deleted, 0 wait" in shop.run("prune", answer="y\n")
    (gone,) = before.keys() - files(shop).keys()
    assert gone.endswith(planned["due"][0])

    shop.put("shoes/1.png", first)
    assert "1 of these were bought before; their masters were pruned" in shop.run("plan")
    assert shop.json("plan")["pruned"] == 1
    shop.run("sync")
    assert charges(shop) == paid + 2


def test_a_night_prunes_and_says_so(shop: ShopInHere) -> None:
    shop.env["BG_MASTERS_KEEP_DAYS"] = "30"
    shop.put("shoes/1.png", product(50))
    shop.run("sync")
    shop.run("sync")
    age_masters(shop, 31)

    assert "masters that no item used: 1 were deleted, 0 wait" in shop.run("sync")


def test_status_shows_what_is_stored_by_what_is_on_the_disk(shop: ShopInHere) -> None:
    shop.put("shoes/1.png", product(50))
    shop.run("sync")
    sizes = shop.json("status", "--sizes")["sizes"]
    on_disk = files(shop)

    def of(folder: str) -> dict[str, int]:
        held = [data for name, data in on_disk.items() if name.startswith(folder)]
        return {"files": len(held), "size_bytes": sum(map(len, held))}

    assert sizes["outputs"] == of("cutouts/")
    assert sizes["masters"] == of(".bg_pipeline/masters/")
    assert sizes["masters that no item uses"]["files"] == 1
    assert (sizes["trash"], sizes["spool"]) == ({"files": 0, "size_bytes": 0},) * 2
    assert "masters in quarantine" in shop.run("status", "--sizes")
    assert "sizes" not in shop.json("status")
