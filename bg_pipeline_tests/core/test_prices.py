"""What a cut costs, how large its answer can be, and what may be passed through."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bg_pipeline.core.prices import credits_for, credits_for_stage, downgrade, quote
from bg_pipeline.core.recipe import Cut, Tool
from bg_pipeline.core.vendor import FREE, Price, Tier, Variant, Vendor
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.vendors.registry import OURS, plugin
from bg_pipeline.wiring.settings import compose

QUARTER, ONE, NOTHING = Decimal("0.25"), Decimal(1), Decimal(0)
VENDORS = {name: plugin(name).vendor for name in OURS}


def cut(vendor: str, variant: str = "", **params: str) -> Cut:
    return VENDORS[vendor].cut(2500, variant, params=params)


@pytest.mark.parametrize(
    ("bought", "pixels", "expected"),
    [
        (cut("local"), None, NOTHING),
        (cut("rembg"), None, NOTHING),
        (cut("bgeraser", "tools"), None, ONE),
        (cut("bgeraser", "v1", size="full"), 100, ONE),
        (cut("removebg", size="preview"), None, QUARTER),
        (cut("removebg", size="medium"), 100, ONE),
        (cut("removebg", size="hd"), 100, ONE),
        (cut("removebg", size="full"), 100, ONE),
        (cut("removebg", size="50MP"), 100, ONE),
        pytest.param(cut("removebg", size="auto"), 166_500, QUARTER, id="auto, recorded: 500x333"),
        pytest.param(cut("removebg", size="auto"), 777_600, ONE, id="auto, recorded: 720x1080"),
        pytest.param(cut("removebg", size="auto"), None, ONE, id="auto, before it was looked at"),
        (cut("photoroom", "basic", size="full"), None, ONE),
        (cut("photoroom", "basic", size="preview"), None, ONE),
        (cut("photoroom", "plus"), None, ONE),
        (cut("photoroom", "basic sandbox", size="full"), None, NOTHING),
    ],
)
def test_each_tier_has_its_price(bought: Cut, pixels: int | None, expected: Decimal) -> None:
    assert credits_for(VENDORS[bought.provider], bought, pixels) == expected


def test_a_purchase_costs_what_its_stages_cost_together() -> None:
    whole = replace(cut("bgeraser", "tools"), tools=(Tool("upscale"), Tool("crop")))
    bgeraser = VENDORS["bgeraser"]

    assert [credits_for_stage(bgeraser, stage, None) for stage in whole.stages] == [ONE, ONE, ONE]
    assert credits_for(bgeraser, whole, None) == 3


def test_a_tool_costs_a_call_and_not_the_size_of_the_cut() -> None:
    vendor = Vendor("acme", "Acme", {"": Variant(FREE)}, tiers={"small": Tier(QUARTER, 100)})
    whole = vendor.cut(2500, params={"size": "small"}, tools=(Tool("upscale"),))

    assert [credits_for_stage(vendor, stage, None) for stage in whole.stages] == [QUARTER, ONE]


@pytest.mark.parametrize(
    ("bought", "expected"),
    [
        (cut("local"), 0),
        (cut("bgeraser", "tools"), 0),
        (cut("bgeraser", "v1"), 10_000_000),
        (cut("removebg", size="preview"), 250_000),
        (cut("removebg", size="full"), 25_000_000),
        (cut("removebg", size="full", format="png"), 10_000_000),
        (cut("removebg", size="full", format="webp"), 25_000_000),
        (cut("removebg", size="hd", format="png"), 4_000_000),
        (cut("photoroom", "basic", size="medium"), 1_500_000),
        (cut("photoroom", "plus"), 0),
    ],
)
def test_no_more_is_sent_than_a_tier_gives_back(bought: Cut, expected: int) -> None:
    assert bought.max_pixels == expected


@pytest.mark.parametrize(
    ("expected", "charged", "sent", "got", "said"),
    [
        (ONE, ONE, 1_000_000, 1_000_000, ""),
        (ONE, None, 1_000_000, None, ""),
        (ONE, NOTHING, 1_000_000, 1_000_000, ""),
        (ONE, QUARTER, 250_000, 250_000, ""),
        (QUARTER, QUARTER, 250_000, 250_000, ""),
        (ONE, QUARTER, 1_000_000, 1_000_000, "0.25 credits"),
        (ONE, QUARTER, 1_000_000, None, "0.25 credits"),
        (ONE, ONE, 1_000_000, 250_000, "250,000 pixels"),
        (ONE, ONE, 100, 99, "99 pixels"),
    ],
)
def test_a_lower_tier_shows_in_pixels_or_credits(
    expected: Decimal, charged: Decimal | None, sent: int, got: int | None, said: str
) -> None:
    found = downgrade(expected, charged, sent, got)

    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_a_quote_says_whether_the_balance_lasts_above_the_threshold() -> None:
    bgeraser, v1 = VENDORS["bgeraser"], cut("bgeraser", "v1")

    assert quote(bgeraser, v1, 100, Decimal(150), Decimal(50))["enough"] is True
    assert quote(bgeraser, v1, 101, Decimal(150), Decimal(50))["enough"] is False
    assert quote(bgeraser, v1, 101, None, Decimal(50))["enough"] is None
    assert quote(bgeraser, v1, 0, None, Decimal(50))["enough"] is True
    assert quote(bgeraser, v1, 1000, None, Decimal(50))["money_usd"] == 39.0


def test_a_vendor_without_a_published_price_is_quoted_in_credits_alone() -> None:
    vendor = Vendor("acme", "Acme", {"": Variant(Price(None, "acme.example publishes none, read 2026-11"))})
    found = quote(vendor, vendor.cut(2500), 3, None, Decimal(0))

    assert (found["credits"], found["money_usd"]) == (3.0, None)


def test_vendors_can_be_compared_side_by_side() -> None:
    offers = compose(RawSettings()).offers()
    found = {offer.name: quote(offer.vendor, offer.cut, 1000, None, Decimal(0))["money_usd"] for offer in offers}

    # Others may be installed.
    # A service with remove.bg's protocol is known only by its settings.
    assert {name: found[name] for name in OURS if name != "removebg_protocol"} == {
        "local": 0.0,
        "rembg": 0.0,
        "bgeraser": 39.0,
        "removebg": 200.0,
        "photoroom": 20.0,
    }


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)
def test_every_fact_has_a_source_and_a_date(vendor: Vendor) -> None:
    facts = [variant.price for variant in vendor.variants.values()]

    assert all(price is FREE or "read 2026-11" in price.source for price in facts)
    assert all("read 2026-11" in source or "not looked up" in source for source in vendor.sources)
    assert vendor.sources or all(price is FREE for price in facts)


@pytest.mark.parametrize(
    ("size", "units"),
    [((625, 400), 1), ((1600, 1200), 2), ((2500, 1600), 4), ((4000, 2500), 10), ((6250, 4000), 25)],
    ids=str,
)
def test_a_call_counts_for_the_units_of_its_vendor(size: tuple[int, int], units: float) -> None:
    assert VENDORS["removebg"].units(*size) == units
    assert VENDORS["bgeraser"].units(*size) == 1
