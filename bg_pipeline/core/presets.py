"""Renditions that marketplaces ask for: what they publish, in the fields of a rendition."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Preset:
    """Values for the fields of a rendition."""

    title: str
    values: Mapping[str, Any]
    """By field of `[rendition.NAME]`, each as the marketplace asks for it, or within what it allows."""
    rules: str
    """What it publishes, in words."""
    source: str
    """The page, and the month in which it was read."""


PRESETS: Mapping[str, Preset] = {
    "amazon-main": Preset(
        "Amazon, main image",
        {"format": "jpg", "background": "#ffffff", "canvas": "2000x2000", "fill": 0.9},
        "background pure white (255, 255, 255), without shadow, text or border; the product fills at least 85 % of the "
        "frame; 500 to 10,000 px on the longest side, zoom from 1,000; JPEG preferred, or PNG, TIFF, GIF",
        "sellercentral.amazon.com/help/hub/reference/G1881, Product image guide, read 2026-11",
    ),
    "google-merchant": Preset(
        "Google Merchant Center, image_link",
        {"format": "jpg", "background": "#ffffff", "canvas": "1500x1500", "fill": 0.85, "upscale": False},
        "background white or transparent; the product fills 75 to 90 %; at least 1,500 × 1,500 px advised, 500 × 500 "
        "required from 2027-01-31, at most 64 megapixels and 16 MB; not scaled up; JPEG or WebP preferred",
        "support.google.com/merchants/answer/6324350, read 2026-11",
    ),
    "shopify": Preset(
        "Shopify, product media",
        {"format": "webp", "canvas": "2048x2048"},
        "2,048 × 2,048 px looks best for a square, at most 5,000 × 5,000 px and 20 MB; it names neither background nor "
        "margin",
        "help.shopify.com/en/manual/products/product-media/product-media-types, read 2026-11",
    ),
}
