"""`compare` by the command line: three vendors and the engine on this machine, a real database, one page."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.shop import ShopInHere
from bg_pipeline_tests.pictures import cut_middle, product

ALL = ("compare", "--with", "bgeraser, removebg,photoroom,local")
VENDORS = ("bgeraser", "removebg", "photoroom")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ShopInHere]:
    vendor = SandboxState()
    with running_sandbox(vendor, cut_middle) as running:
        made = ShopInHere(tmp_path, vendor, running.base_url)
        for name in ("REMOVEBG", "PHOTOROOM"):
            made.env |= {f"{name}_API_KEY": "canary-key", f"{name}_BASE_URL": running.base_url}
        for n in range(5):
            made.put(f"{('bags', 'shoes')[n % 2]}/{n}.png", product(n, (96, 72)))
        yield made


def paid(shop: ShopInHere) -> dict[str, int]:
    return dict(Counter(charge.vendor for charge in shop.vendor.ledger.charges()))


def page_of(shop: ShopInHere) -> Path:
    return shop.home / ".bg_pipeline/gallery/comparison/index.html"


def test_the_price_is_shown_and_asked_before_anything_is_bought(shop: ShopInHere) -> None:
    shown = shop.run(*ALL, "--sample", "3", answer="n\n")

    assert re.search(r"^removebg +3 +0 +3 +0\.60 +1,000 +yes$", shown, re.MULTILINE)
    assert "up to 9 credits?" in shown
    assert "nothing was bought" in shown
    assert "there is no terminal to ask at" in shop_error(shop, *ALL)
    assert "--json cannot ask" in shop_error(shop, *ALL, "--json")
    assert "up to" not in shop.run(*ALL, "--dry-run")
    assert shop.json(*ALL, "--dry-run")["credits"] == 15
    assert (paid(shop), page_of(shop).exists()) == ({}, False)


def shop_error(shop: ShopInHere, *words: str) -> str:
    shop.run(*words, code=2)
    return shop.err


@pytest.mark.processes
def test_each_vendor_cuts_the_same_pictures_once_and_a_later_sync_pays_for_none_of_them(shop: ShopInHere) -> None:
    first = shop.json(*ALL, "--yes")
    assert paid(shop) == dict.fromkeys(VENDORS, 5)
    assert sorted(first["accounts"]) == sorted([*VENDORS, "local"])
    assert {name: figures["credits_now"] for name, figures in first["accounts"].items()} == {
        **dict.fromkeys(VENDORS, 5.0),
        "local": 0.0,
    }
    assert first["accounts"]["removebg"]["money_usd"] == 1.0
    assert [each["in_flight"] for each in first["accounts"]["photoroom"]["throughput"]] == [1, 2]
    assert [path for path in (shop.home / "cutouts").rglob("*") if path.suffix == ".png"] == []

    again = shop.json(*ALL, "--yes")
    assert again["pictures"] == first["pictures"]
    assert {figures["credits_now"] for figures in again["accounts"].values()} == {0.0}
    assert shop.json("sync")["published"] == 5
    assert paid(shop) == dict.fromkeys(VENDORS, 5)
    attempts = shop.json("ledger")["attempts"]
    assert {each["run"].partition(" ")[0] for each in attempts} == {"command"}
    assert Counter(each["provider"] for each in attempts) == {**dict.fromkeys(VENDORS, 5), "local": 5}


@pytest.mark.processes
def test_the_page_has_every_picture_and_loads_nothing(shop: ShopInHere) -> None:
    shown = shop.run(*ALL, "--yes")
    page = page_of(shop).read_text()

    assert f"page: {page_of(shop)}" in shown
    assert page.count('<img alt="source"') == 5
    assert page.count('<img class="result"') == 20
    assert set(re.findall(r'(?:src|href)="([^"]{0,15})', page)) == {"data:image/webp"}
    assert "<script" not in page
    for word in ("bags/0.png", "shoes/3.png", "photoroom", "USD for 1,000", "8 in flight"):
        assert word in page

    elsewhere = shop.home / "reports" / "of.html"
    shop.run(*ALL, "--yes", "--to", str(elsewhere))
    assert elsewhere.read_text().count('<img class="result"') == 20


@pytest.mark.processes
def test_a_forgotten_item_leaves_no_picture_on_the_page_of_the_comparison(shop: ShopInHere) -> None:
    shop.run(*ALL, "--yes", "--sample", "2")
    masters = shop.home / ".bg_pipeline/masters"
    assert len([path for path in masters.rglob("*") if path.is_file()]) >= 8
    for key in [path.relative_to(shop.home / "images").as_posix() for path in (shop.home / "images").rglob("*.png")]:
        shop.run("forget", key, "--yes", "--although-listed")

    assert not page_of(shop).exists()
    assert list(masters.rglob("*.png")) == []


@pytest.mark.processes
def test_a_limit_holds_and_what_is_missing_is_named(shop: ShopInHere) -> None:
    shown = shop.run(*ALL, "--yes", "--max-credits", "7", code=1)

    assert sum(paid(shop).values()) == 7
    assert re.search(r"removebg +the next image costs 1 credits, but 7 of the 7 of this run are spent", shown)
    shop.env["BG_MAX_CREDITS_PER_RUN"] = "1"
    shop.run(*ALL, "--yes", code=1)
    assert sum(paid(shop).values()) == 8


def test_without_names_all_accounts_with_a_key_are_compared(shop: ShopInHere) -> None:
    assert list(shop.json("compare", "--dry-run")["accounts"]) == [*VENDORS]
    del shop.env["PHOTOROOM_API_KEY"]
    assert list(shop.json("compare", "--dry-run")["accounts"]) == ["bgeraser", "removebg"]
    shop.env["BG_PROVIDER"] = "local"
    assert list(shop.json("compare", "--dry-run")["accounts"]) == ["local", "bgeraser", "removebg"]
    assert "--with=photoroom needs PHOTOROOM_API_KEY" in shop_error(shop, "compare", "--with", "photoroom")
    assert "--with: must be one of" in shop_error(shop, "compare", "--with", "nosuch")
    assert "there are: bags, shoes" in shop_error(shop, "compare", "--collection", "hats")
    of_shoes = shop.json("compare", "--dry-run", "--collection", "shoes")["pictures"]
    assert sorted(of_shoes) == ["shoes/1.png", "shoes/3.png"]


def test_parameters_of_the_catalogues_account_stay_its_own_in_any_order_of_names(shop: ShopInHere) -> None:
    shop.env |= {"BG_PROVIDER": "removebg", "BG_PARAMS": "type=product"}
    shop.run("sync")
    bought = paid(shop)
    offers = shop.json("compare", "--dry-run", "--with", "photoroom,removebg")["accounts"]

    assert bought == {"removebg": 5}
    assert {name: offer["to_make"] for name, offer in offers.items()} == {"photoroom": 5, "removebg": 0}


def test_of_two_accounts_at_one_vendor_the_first_stands_for_both(shop: ShopInHere) -> None:
    tables = "[account.{}]\nvendor = 'bgeraser'\napi_key = 'canary-{}'\nbase_url = '{}'\n"
    urls = shop.env.pop("BGERASER_BASE_URL")
    del shop.env["BGERASER_API_KEY"]
    shop.env["BG_PROVIDER"] = "spare"
    written = "".join(tables.format(name, name, urls) for name in ("main", "spare"))
    (shop.home / "bg_pipeline.toml").write_text(written)

    assert list(shop.json("compare", "--dry-run")["accounts"]) == ["spare", "removebg", "photoroom"]
    assert "main and spare sell the same cut" in shop_error(shop, "compare", "--with", "main,spare")
