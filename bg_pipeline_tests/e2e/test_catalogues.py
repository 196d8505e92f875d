"""Two catalogues on one account, as a user of the command line meets them."""

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.e2e.two_shops import TwoShops
from bg_pipeline_tests.pictures import cut_middle


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[TwoShops]:
    vendor = SandboxState()
    with running_sandbox(vendor, cut_middle) as running:
        yield TwoShops(tmp_path, vendor, running.base_url)


def test_what_spends_wants_a_name_or_all_and_what_only_tells_tells_all(shops: TwoShops) -> None:
    for words in (["sync"], ["plan"], ["retry"], ["why", "both.png"], ["export"], ["prune"]):
        shops.run(*words, code=2)
        assert "choose one: --catalogue brand_a or brand_b" in shops.err, words
    shops.run("sync", "--catalogue", "brand_c", code=2)
    assert "there is no catalogue 'brand_c'; there are: brand_a, brand_b" in shops.err
    shops.run("sync", "--catalogue", "brand_a", "--all", code=2)

    assert set(shops.json("status")) == {"brand_a", "brand_b", "exit"}
    assert "catalogue brand_b:" in shops.run("status")
    told = shops.json("failures")
    assert (told["brand_a"], told["brand_b"], told["exit"]["code"]) == ([], [], 0)
    shops.run("failures", "accept", "--all", code=2)
    assert "choose one: --catalogue" in shops.err
    assert [gate["provider"] for gate in shops.json("gate")] == ["main"]
    assert not shops.vendor.ledger.charges()


def test_a_picture_that_two_catalogues_have_is_bought_once_and_the_ledger_tells_who_spent_what(shops: TwoShops) -> None:
    done = shops.json("sync", "--all")

    assert [(done[name]["published"], done[name]["purchases"]) for name in ("brand_a", "brand_b")] == [(2, 2), (2, 1)]
    assert done["exit"] == {"code": 0, "name": "done", "reason": "done"}
    assert sorted(str(path.relative_to(shops.home)) for path in shops.home.glob("?/cutouts/**/*.png")) == [
        *("a/cutouts/both.png", "a/cutouts/own/a.png", "b/cutouts/both.png", "b/cutouts/own/b.png")
    ]
    told = shops.json("ledger")
    assert {name: facts["charged"] for name, facts in told["catalogues"].items()} == {"brand_a": 2.0, "brand_b": 1.0}
    assert told["providers"]["main"]["charged"] == len(shops.vendor.ledger.charges()) == 3
    assert [each["catalogue"] for each in shops.json("ledger", "--catalogue", "brand_b")["attempts"]] == ["brand_b"]
    rows = list(csv.DictReader(io.StringIO(shops.run("ledger", "--csv"))))
    assert sorted(row["catalogue"] for row in rows) == ["brand_a", "brand_a", "brand_b"]
    assert "brand_b" in shops.run("ledger")


def test_a_variable_names_the_catalogue_of_every_command(shops: TwoShops) -> None:
    shops.env["BG_CATALOGUE"] = "brand_b"

    assert shops.json("sync")["published"] == 2
    assert shops.json("status")["items"]["published"] == 2
    assert not (shops.home / "a" / "cutouts").exists()


def test_what_is_broken_in_one_catalogue_stops_no_other_and_the_exit_code_is_the_worst(shops: TwoShops) -> None:
    shops.write(brand_b="collection_depth = 99")
    done = shops.json("sync", "--all", code=2)
    assert (done["brand_a"]["published"], done["brand_b"]["exit"]["name"]) == (2, "settings")
    assert "collection_depth" in done["brand_b"]["exit"]["reason"]
    assert done["exit"] == {"code": 2, "name": "settings", "reason": "brand_b: settings"}
    assert "brand_b: [catalogue.brand_b] collection_depth: must be a whole number from 1 to 10" in shops.err
    assert len(shops.json("ledger")["attempts"]) == 2

    shops.write()
    shutil.rmtree(shops.home / "a" / "images")
    done = shops.json("sync", "--all", code=7)
    assert (done["brand_a"]["exit"]["name"], done["brand_b"]["published"]) == ("fatal", 2)
    assert shops.json("status")["brand_a"]["items"]["published"] == 2


def test_the_doctor_checks_each_catalogue(shops: TwoShops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bg_pipeline.cli.doctor._dagster", lambda: iter(()))
    told = {finding["check"]: finding["ok"] for finding in shops.json("doctor")}
    assert {"brand_a: source", "brand_b: source", "brand_b: output", "brand_b: account main", "vendors"} <= set(told)

    shops.write(brand_b="collection_depth = 99")
    told = {finding["check"]: finding["ok"] for finding in shops.json("doctor", code=2)}
    assert (told["brand_a: settings"], told["brand_b: settings"], told["brand_a: source"]) == (True, False, True)
    assert "brand_b: source" not in told
    assert "brand_b: settings" not in {each["check"] for each in shops.json("doctor", "--catalogue", "brand_a")}


def test_forgetting_an_item_of_one_catalogue_leaves_the_master_that_another_uses(shops: TwoShops) -> None:
    shops.run("sync", "--all")
    (shops.home / "a/images/both.png").unlink()
    shops.run("forget", "--catalogue", "brand_a", "both.png", "--yes")
    (shops.home / "b/cutouts/both.png").unlink()

    assert not (shops.home / "a/cutouts/both.png").exists()
    assert shops.json("sync", "--catalogue", "brand_b")["published"] == 1
    assert len(shops.vendor.ledger.charges()) == 3


def test_one_catalogue_needs_no_name_and_is_shown_as_ever(shop: Shop) -> None:
    assert shop.json("sync")["published"] == 5
    assert shop.json("sync", "--all")["published"] == 0
    assert shop.json("status", "--catalogue", "default")["items"]["published"] == 5
    assert "catalogue" not in shop.run("status")
