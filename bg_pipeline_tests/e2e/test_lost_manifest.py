"""A manifest that is lost, or another one, beside stores that are full of what was paid for."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.schema import purchases
from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.pictures import cutout_of, product
from bg_pipeline_tests.stub_vendor import StubVendor

pytestmark = pytest.mark.processes

PICTURES = 20


@pytest.fixture
def shop(tmp_path: Path, vendor: StubVendor) -> Shop:
    """A shop with 20 published pictures."""
    made = Shop(tmp_path, vendor, vendor.base_url)
    for n in range(PICTURES):
        made.put(f"bags/{n:02}.png", product(n))
    assert made.json("sync")["published"] == len(vendor.charges) == PICTURES
    vendor.sold.clear()
    return made


def lose_manifest(shop: Shop) -> None:
    for file in (shop.home / ".bg_pipeline").glob("manifest.db*"):
        file.unlink()


def test_a_lost_manifest_stops_and_is_rebuilt_and_nothing_is_bought(shop: Shop, vendor: StubVendor) -> None:
    lose_manifest(shop)
    for words in (["sync"], ["plan"], ["sync", "--collection", "bags"], ["retry"]):
        shop.run(*words, code=5)
        assert f"BG_OUTPUT ({shop.home}/cutouts) belongs to another manifest" in shop.err
        assert "bg-pipeline rebuild" in shop.err
    assert "another manifest" in shop.json("status")["guard"]
    bad = {f["check"]: f["detail"] for f in shop.json("doctor", code=2) if not f["ok"]}
    assert list(bad) == ["identity"]
    assert "bg-pipeline rebuild" in bad["identity"]

    assert shop.json("rebuild")["masters_taken_in"] == PICTURES
    assert shop.json("sync")["published"] == PICTURES
    assert shop.json("status")["guard"] is None
    assert shop.json("sync")["published"] == 0
    assert vendor.sold == []


def test_a_lost_manifest_of_a_version_without_marks_stops_too(shop: Shop, vendor: StubVendor) -> None:
    for mark in shop.home.rglob(".bg-pipeline-manifest"):
        shutil.rmtree(mark)
    lose_manifest(shop)
    shop.run("sync", code=5)

    assert "is full, but the manifest knows of no purchase" in shop.err
    assert vendor.sold == []


def test_another_manifest_beside_these_stores_stops(shop: Shop, vendor: StubVendor) -> None:
    other = Shop(shop.home / "other", vendor, vendor.base_url)
    other.put("bags/1.png", product(50))
    assert other.json("sync")["published"] == 1
    shop.env["BG_STATE"] = f"sqlite:///{shop.home}/other/.bg_pipeline/manifest.db"
    shop.run("sync", code=5)

    assert "other/.bg_pipeline/manifest.db" in shop.err
    assert len(vendor.sold) == 1


def test_a_command_in_a_subfolder_works_with_the_same_manifest(shop: Shop, vendor: StubVendor) -> None:
    (shop.home / ".env").write_text("BG_OUTPUT=./cutouts\n")
    home, shop.home = shop.home, shop.home / "images" / "bags"
    assert shop.json("sync")["published"] == 0
    said = {f["check"]: f["detail"] for f in shop.json("doctor")}

    assert vendor.sold == []
    assert sorted(path.name for path in shop.home.iterdir()) == [f"{n:02}.png" for n in range(PICTURES)]
    assert said["settings"] == f"complete; relative paths start at {home}"
    for check, folder in {
        "manifest": ".bg_pipeline/manifest.db",
        "source": "images",
        "output": "cutouts",
        "masters": ".bg_pipeline/masters",
        "spool": ".bg_pipeline/spool",
        "gallery": ".bg_pipeline/gallery",
    }.items():
        assert f"{home}/{folder}" in said[check]


def test_a_lost_record_of_a_purchase_buys_nothing_while_its_master_is_in_the_store(
    shop: Shop, vendor: StubVendor
) -> None:
    database = Database(f"sqlite:///{shop.home}/.bg_pipeline/manifest.db")
    with database.write() as conn:
        conn.execute(purchases.delete())
    database.close()
    for file in (shop.home / "cutouts").rglob("*.png"):
        file.unlink()
    done = shop.json("sync")

    assert (done["published"], done["purchases"], done["saved"]) == (PICTURES, 0, PICTURES)
    assert vendor.sold == []


def test_a_manifest_restored_from_yesterday_finds_what_was_bought_since(shop: Shop, vendor: StubVendor) -> None:
    file = shop.home / ".bg_pipeline" / "manifest.db"
    with sqlite3.connect(file) as conn, sqlite3.connect(shop.home / "yesterday.db") as copy:
        conn.backup(copy)
    shop.put("bags/new.png", product(90))
    shop.run("sync")
    vendor.sold.clear()
    lose_manifest(shop)
    (shop.home / "yesterday.db").rename(file)

    assert shop.json("sync")["published"] == 1
    assert vendor.sold == []


def test_cutouts_of_another_tool_in_the_output_are_adopted_first(tmp_path: Path, vendor: StubVendor) -> None:
    shop = Shop(tmp_path, vendor, vendor.base_url)
    shop.put("bags/1.png", product(1))
    (tmp_path / "cutouts" / "bags").mkdir(parents=True)
    (tmp_path / "cutouts" / "bags" / "1.png").write_bytes(cutout_of(product(1)))
    shop.run("sync", code=5)
    assert "bg-pipeline adopt" in shop.err
    shop.run("adopt", "--dry-run")
    shop.run("sync", code=5)

    assert len(shop.json("adopt")["adopted"]) == 1
    assert shop.json("sync")["published"] == 1
    assert vendor.sold == []


def test_files_in_the_output_that_are_no_cutouts_stay_and_do_not_stop_after_adopt(
    tmp_path: Path, vendor: StubVendor
) -> None:
    shop = Shop(tmp_path, vendor, vendor.base_url)
    shop.put("bags/1.png", product(1))
    (tmp_path / "cutouts").mkdir()
    (tmp_path / "cutouts" / "index.html").write_text("a shop")
    shop.run("sync", code=5)
    assert shop.json("adopt")["adopted"] == []

    assert shop.json("sync")["published"] == 1
    assert (tmp_path / "cutouts" / "index.html").read_text() == "a shop"
