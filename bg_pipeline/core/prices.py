"""Compute the price of a cut, and detect answers of a lower tier."""

from decimal import Decimal

from bg_pipeline.core.recipe import Cut
from bg_pipeline.core.vendor import Vendor

PREVIEW_PIXELS = 250_000
"""The smallest size that vendors sell, and the only one that may cost less."""


def credits_for_stage(vendor: Vendor, stage: Cut, pixels: int | None) -> Decimal:
    """
    Return the price in credits of the one POST that makes a stage (`Cut.stages`) from the previous one.

    Args:
        vendor: the vendor that sells it.
        stage: the cut alone, or with its tools so far.
        pixels: pixels of the picture to send; None where unknown, which gives the highest possible price.
    """
    each = vendor.variants[stage.variant].credits
    tier = vendor.tiers.get(stage.params.get("size", ""))
    if not each or stage.tools or tier is None:
        return each
    if tier.credits_small is not None and pixels is not None and pixels <= PREVIEW_PIXELS:
        return tier.credits_small
    return tier.credits


def credits_for(vendor: Vendor, cut: Cut, pixels: int | None) -> Decimal:
    """Return the price of one whole purchase, with its further tools; `pixels` as in `credits_for_stage`."""
    return sum((credits_for_stage(vendor, stage, pixels) for stage in cut.stages), Decimal(0))


def downgrade(expected: Decimal, charged: Decimal | None, sent_pixels: int, got_pixels: int | None) -> str:
    """
    Return the reason to think that an answer is of a lower tier than requested; empty if there is none.

    Args:
        expected: credits that the tier costs.
        charged: credits charged, if the vendor states them. Zero is a free call, not a lower tier.
        sent_pixels: pixels of the picture that was sent, which fits into the tier.
        got_pixels: pixels of the answer, if the vendor states them.
    """
    if got_pixels is not None and got_pixels < sent_pixels:
        return f"{got_pixels:,} pixels were returned, {sent_pixels:,} were sent"
    if charged and charged < expected and sent_pixels > PREVIEW_PIXELS:
        return f"{charged} credits were charged, but the price is {expected}"
    return ""


def quote(
    vendor: Vendor, cut: Cut, purchases: int, balance: Decimal | None, low: Decimal
) -> dict[str, float | bool | None]:
    """
    Return an upper bound of the cost of this number of purchases, in JSON types.

    Args:
        vendor: the vendor that sells.
        cut: the cut to buy.
        purchases: number of purchases.
        balance: credits left; None where unknown: then the result does not say if they are enough.
        low: credits that must be left afterwards.
    """
    each = vendor.variants[cut.variant].price.usd_per_credit
    needed = credits_for(vendor, cut, None) * purchases
    return {
        "credits": float(needed),
        "money_usd": None if each is None else round(float(needed * each), 2),
        "balance": None if balance is None else float(balance),
        "enough": True if not needed else None if balance is None else balance - needed >= low,
    }
