"""What a vendor's account may do: a balance that is behind, single refusals, long waits, a new key."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.stub_vendor import StubVendor, stub_vendor


@pytest.fixture
def vendor() -> Iterator[StubVendor]:
    with stub_vendor(StubVendor()) as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, vendor: StubVendor) -> Shop:
    made = Shop(tmp_path, vendor, vendor.base_url)
    made.env["BG_CONCURRENCY"] = "4"
    return made


def fill(shop: Shop, collections: int, pictures: int) -> None:
    for n in range(collections * pictures):
        shop.put(f"c{n % collections:02}/{n:03}.png", product(n, size=(40 + n % 50, 30 + n // 50)))


def test_a_balance_that_is_behind_does_not_hide_the_threshold(shop: Shop, vendor: StubVendor) -> None:
    vendor.start_with(120)
    vendor.lag_s = 5.0
    fill(shop, collections=12, pictures=10)
    shop.run("sync", code=3)

    assert vendor.credits == 49  # the purchase that goes below the threshold is the last
    facts = shop.json("status")["gate"]["bgeraser"]
    assert (facts["state"], facts["reason"], facts["balance"]) == ("closed", "low_credits", 49)
    assert facts["drift"] >= 0

    shop.run("sync", code=3)
    assert vendor.credits == 49


def test_what_others_spend_is_seen_near_the_threshold_as_soon_as_the_balance_shows_it(
    shop: Shop, vendor: StubVendor
) -> None:
    vendor.start_with(120)
    vendor.lag_s = 0.5
    vendor.latency_s = 0.2

    def spends_too(number: int, _image: bytes) -> None:
        if number % 3 == 0:
            vendor.spend(1)

    vendor.answers = spends_too
    fill(shop, collections=12, pictures=10)
    shop.run("sync", code=3)

    assert 50 - 25 <= vendor.credits <= 50  # what one lag and ten purchases hide
    assert "the vendor showed" in shop.run("status")


def test_a_balance_below_zero_is_a_balance(shop: Shop, vendor: StubVendor) -> None:
    vendor.start_with(-3)
    fill(shop, collections=1, pictures=2)
    shop.run("sync", code=3)

    assert vendor.sold == []
    facts = shop.json("status")["gate"]["bgeraser"]
    assert (facts["reason"], facts["balance"], facts["reading"]) == ("low_credits", -3, -3)
