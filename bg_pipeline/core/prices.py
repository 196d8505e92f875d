"""What a cut costs, and whether an answer is what was paid for."""

from decimal import Decimal

from bg_pipeline.core.recipe import Cut
from bg_pipeline.core.vendor import Vendor

PREVIEW_PIXELS = 250_000
"""The smallest size that vendors sell, and the only one that may cost less."""


def credits_for_stage(vendor: Vendor, stage: Cut, pixels: int | None) -> Decimal:
    """
    Price of the one POST that makes a stage (`Cut.stages`) of what came before it, in credits.

    Args:
        vendor: who sells it.
        stage: the cut alone, or with its tools so far.
        pixels: of the picture that is sent; None before it was looked at, and then the most that it can cost.
    """
    each = vendor.variants[stage.variant].credits
    tier = vendor.tiers.get(stage.params.get("size", ""))
    if not each or stage.tools or tier is None:
        return each
    if tier.credits_small is not None and pixels is not None and pixels <= PREVIEW_PIXELS:
        return tier.credits_small
    return tier.credits


def credits_for(vendor: Vendor, cut: Cut, pixels: int | None) -> Decimal:
    """Price of one whole purchase, its further tools included; `pixels` as in `credits_for_stage`."""
    return sum((credits_for_stage(vendor, stage, pixels) for stage in cut.stages), Decimal(0))


def downgrade(expected: Decimal, charged: Decimal | None, sent_pixels: int, got_pixels: int | None) -> str:
    """
    Why an answer is of a lower tier than was asked for; empty if nothing says so.

    Args:
        expected: credits that the tier costs.
        charged: what the vendor says that it charged, if it does. Nothing at all is a free call, not a lower tier.
        sent_pixels: of the picture that was sent, which fits into the tier.
        got_pixels: of the answer, if the vendor says so.
    """
    if got_pixels is not None and got_pixels < sent_pixels:
        return f"{got_pixels:,} pixels came back for {sent_pixels:,}"
    if charged and charged < expected and sent_pixels > PREVIEW_PIXELS:
        return f"{charged} credits were charged where {expected} are the price"
    return ""


def quote(
    vendor: Vendor, cut: Cut, purchases: int, balance: Decimal | None, low: Decimal
) -> dict[str, float | bool | None]:
    """
    What so many purchases cost as an upper bound, in types that JSON has.

    Args:
        vendor: who sells.
        cut: what is bought.
        purchases: how many.
        balance: credits left; None where unknown, and then it is unknown whether it is enough.
        low: what has to be left afterwards.
    """
    each = vendor.variants[cut.variant].price.usd_per_credit
    needed = credits_for(vendor, cut, None) * purchases
    return {
        "credits": float(needed),
        "money_usd": None if each is None else round(float(needed * each), 2),
        "balance": None if balance is None else float(balance),
        "enough": True if not needed else None if balance is None else balance - needed >= low,
    }
