"""What a cut costs, how large its answer can be, and what may be passed through."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bg_pipeline.config import PROVIDERS, Settings
from bg_pipeline.core.params import refusal
from bg_pipeline.core.prices import PRICES, credits_for, credits_for_stage, downgrade, max_pixels, quote
from bg_pipeline.core.recipe import Cut, Step

QUARTER, ONE, NOTHING = Decimal("0.25"), Decimal(1), Decimal(0)


def cut(provider: str, surface: str = "", **params: str) -> Cut:
    return Cut(provider, 2500, surface=surface, params=params)


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
    assert credits_for(bought, pixels) == expected


def test_a_work_costs_what_its_stages_cost_together() -> None:
    whole = replace(cut("bgeraser", "tools"), steps=(Step("upscale"), Step("crop")))

    assert [credits_for_stage(stage, None) for stage in whole.stages] == [ONE, ONE, ONE]
    assert credits_for(whole, None) == 3


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
    assert max_pixels(bought) == expected


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
    v1 = cut("bgeraser", "v1")

    assert quote(v1, 100, Decimal(150), Decimal(50))["enough"] is True
    assert quote(v1, 101, Decimal(150), Decimal(50))["enough"] is False
    assert quote(v1, 101, None, Decimal(50))["enough"] is None
    assert quote(v1, 0, None, Decimal(50))["enough"] is True
    assert quote(v1, 1000, None, Decimal(50))["money_usd"] == 39.0


def test_providers_can_be_compared_side_by_side() -> None:
    settings = Settings()

    assert {name: quote(settings.cut(name), 1000, None, Decimal(0))["money_usd"] for name in PROVIDERS} == {
        "local": 0.0,
        "rembg": 0.0,
        "bgeraser": 39.0,
        "removebg": 200.0,
        "photoroom": 20.0,
    }


@pytest.mark.parametrize("price", PRICES.values(), ids=map(str, PRICES))
def test_every_price_has_a_source_and_a_date(price: object) -> None:
    source = price.source  # type: ignore[attr-defined]

    assert source == "made on this machine" or "read 2026-11" in source


@pytest.mark.parametrize(
    ("provider", "surface", "params"),
    [
        ("bgeraser", "tools", {"image": "x"}),
        ("bgeraser", "v1", {"size": "preview"}),
        ("bgeraser", "v1", {"format": "zip"}),
        ("removebg", "", {"channels": "alpha"}),
        ("removebg", "", {"crop_margin": "10%"}),
        ("removebg", "", {"bg_color": "fff"}),
        ("removebg", "", {"image_url": "https://a.example"}),
        ("removebg", "", {"format": "auto"}),
        ("photoroom", "basic", {"crop": "true"}),
        ("photoroom", "basic sandbox", {"channels": "alpha"}),
        ("photoroom", "plus", {"background.color": "ffffff"}),
        ("photoroom", "plus", {"paddingTop": "0.1"}),
        ("photoroom", "plus", {"removeBackground": "false"}),
        ("photoroom", "plus", {"export.format": "jpeg"}),
        ("photoroom", "plus", {"lighting.mode": "ai.auto"}),
        ("local", "", {"a": "b"}),
    ],
)
def test_what_would_break_an_answer_is_not_passed_through(provider: str, surface: str, params: dict[str, str]) -> None:
    assert refusal(provider, surface, params)


@pytest.mark.parametrize(
    ("provider", "surface", "params"),
    [
        ("local", "", {}),
        ("bgeraser", "tools", {"model": "v2"}),
        ("removebg", "", {"type": "product", "type_level": "2", "roi": "0% 0% 90% 90%", "format": "webp"}),
        ("removebg", "", {"semitransparency": "false", "add_shadow": "true"}),
        ("photoroom", "basic", {"despill": "true", "format": "webp"}),
        ("photoroom", "plus", {"shadow.mode": "ai.soft", "export.format": "webp", "segmentation.prompt": "the shoe"}),
    ],
)
def test_anything_else_is(provider: str, surface: str, params: dict[str, str]) -> None:
    assert refusal(provider, surface, params) == ""
