"""What a cut costs and how large its answer can be, for every provider and size tier."""

from dataclasses import dataclass
from decimal import Decimal

from bg_pipeline.core.recipe import Cut


@dataclass(frozen=True, slots=True)
class Price:
    """What one credit costs."""

    usd_per_credit: Decimal | None
    """None where the provider publishes no price."""
    source: str


FREE = Price(Decimal(0), "made on this machine")

PRICES = {
    ("local", ""): FREE,
    ("rembg", ""): FREE,
    ("bgeraser", "tools"): Price(
        Decimal("0.039"),
        "15 free a month: bgeraser.ink/blog/batch-background-removal-api-guide; this surface's paid plans are not"
        " published, so those of v1 stand in: check your own; read 2026-11",
    ),
    ("bgeraser", "v1"): Price(
        Decimal("0.039"),
        "$39 for 1,000 a month, $99 for 3,000, $299 for 10,000; 10 free a day: bgeraser.ink/api-docs, read 2026-11",
    ),
    ("removebg", ""): Price(
        Decimal("0.20"),
        "$0.20 to 0.90 by volume: bgeraser.ink/blog/batch-background-removal-api-guide (a competitor; no official table"
        " was found); 50 free calls a month: remove.bg/api; read 2026-11",
    ),
    ("photoroom", "basic"): Price(
        Decimal("0.02"), "$0.02 an image, 10 free a month: docs.photoroom.com/getting-started/pricing, read 2026-11"
    ),
    ("photoroom", "plus"): Price(
        Decimal("0.10"), "$0.10 an image: docs.photoroom.com/getting-started/pricing, read 2026-11"
    ),
    ("photoroom", "basic sandbox"): Price(Decimal(0), "free and watermarked: docs.photoroom.com, read 2026-11"),
    ("photoroom", "plus sandbox"): Price(Decimal(0), "free and watermarked: docs.photoroom.com, read 2026-11"),
}
"""By provider and surface."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One size that a provider sells."""

    credits: Decimal
    max_pixels: int
    """Of the answer: what is larger is shrunk to this by the provider."""


_QUARTER, _ONE = Decimal("0.25"), Decimal(1)
PREVIEW_PIXELS = 250_000

TIERS = {
    "removebg": {
        "preview": Tier(_QUARTER, PREVIEW_PIXELS),
        "medium": Tier(_ONE, 1_500_000),
        "hd": Tier(_ONE, 4_000_000),
        "full": Tier(_ONE, 25_000_000),
        "50MP": Tier(_ONE, 50_000_000),
        "auto": Tier(_ONE, 25_000_000),
    },
    "photoroom": {
        "preview": Tier(_ONE, PREVIEW_PIXELS),
        "medium": Tier(_ONE, 1_500_000),
        "hd": Tier(_ONE, 4_000_000),
        "full": Tier(_ONE, 36_000_000),
    },
}
"""
remove.bg's OpenAPI (APIs-guru/openapi-directory, remove.bg 1.0.0) and its digest at registry.lap.sh; a recorded call
shows that `auto` bills the preview's price for what fits into it (remove-bg/ruby, VCR cassettes). PhotoRoom's OpenAPI
(tryAGI/Photoroom); an old page has its preview at 0.25, the present ones do not, so a whole image is reckoned with.
All read 2026-11.
"""

_REMOVEBG_PNG_PIXELS = 10_000_000
"""Above this remove.bg sends transparency as ZIP or WebP only (its OpenAPI, read 2026-11)."""

MAX_SIDE_PX = {"photoroom": 6000}
"""Longest side a provider takes: docs.photoroom.com, 'File size, resolution and format', read 2026-11."""


def credits_for_stage(stage: Cut, pixels: int | None) -> Decimal:
    """
    Price of the one POST that makes a stage (`Cut.stages`) of what came before it.

    Args:
        stage: the cut alone, or with its steps so far.
        pixels: of the picture that is sent; None before it was looked at, and then the most that it can cost.
    """
    if stage.provider in {"local", "rembg"} or stage.surface.endswith("sandbox"):
        return Decimal(0)
    tier = TIERS.get(stage.provider, {}).get(stage.params.get("size", ""))
    if stage.steps or tier is None:
        return _ONE  # bgeraser: 1 a call, whatever the tool (bgeraser.ink/blog/bgeraser-api-quickstart, read 2026-11)
    if stage.params["size"] == "auto" and pixels is not None and pixels <= PREVIEW_PIXELS:
        return _QUARTER
    return tier.credits


def credits_for(cut: Cut, pixels: int | None) -> Decimal:
    """Price of one whole work, its further steps included; `pixels` as in `credits_for_stage`."""
    return sum((credits_for_stage(stage, pixels) for stage in cut.stages), Decimal(0))


def max_pixels(cut: Cut) -> int:
    """
    Pixels to which a picture has to be shrunk before it is sent; 0: as many as there are.

    So the answer measures what was sent, and one that does not is a lower tier than was asked for.
    """
    if cut.provider == "bgeraser" and cut.surface == "v1":
        return _REMOVEBG_PNG_PIXELS  # it claims to match remove.bg
    tier = TIERS.get(cut.provider, {}).get(cut.params.get("size", ""))
    if tier is None:
        return 0
    png = cut.provider == "removebg" and cut.params.get("format") == "png"
    return min(tier.max_pixels, _REMOVEBG_PNG_PIXELS) if png else tier.max_pixels


def downgrade(expected: Decimal, charged: Decimal | None, sent_pixels: int, got_pixels: int | None) -> str:
    """
    Why an answer is of a lower tier than was asked for; empty if nothing says so.

    Args:
        expected: credits that the tier costs.
        charged: what the provider says that it charged, if it does. Nothing at all is a free call, not a lower tier.
        sent_pixels: of the picture that was sent, which fits into the tier.
        got_pixels: of the answer, if the provider says so.
    """
    if got_pixels is not None and got_pixels < sent_pixels:
        return f"{got_pixels:,} pixels came back for {sent_pixels:,}"
    if charged and charged < expected and sent_pixels > PREVIEW_PIXELS:
        return f"{charged} credits were charged where {expected} are the price"
    return ""


def quote(cut: Cut, purchases: int, balance: Decimal | None, low: Decimal) -> dict[str, float | bool | None]:
    """
    What so many works cost at most, in types that JSON has.

    Args:
        cut: what is bought, and of whom.
        purchases: how many works.
        balance: credits left; None where unknown, and then nobody knows whether it is enough.
        low: what has to be left afterwards.
    """
    price = PRICES[cut.provider, cut.surface]
    needed = credits_for(cut, None) * purchases
    usd = None if price.usd_per_credit is None else round(float(needed * price.usd_per_credit), 2)
    return {
        "credits": float(needed),
        "money_usd": usd,
        "balance": None if balance is None else float(balance),
        "enough": True if not needed else None if balance is None else balance - needed >= low,
    }
