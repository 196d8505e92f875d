"""Sizes, prices and limits."""

from collections.abc import Mapping
from decimal import Decimal

PREVIEW_PRICE = Decimal("0.25")
FULL_PRICE = Decimal(1)
"""Price in credits; remove.bg's OpenAPI description, early 2021."""

PREVIEW_PIXELS = 250_000
PNG_PIXELS = 10_000_000
PIXELS: Mapping[str, int] = {
    "preview": PREVIEW_PIXELS,
    "small": PREVIEW_PIXELS,
    "regular": PREVIEW_PIXELS,
    "medium": 1_500_000,
    "hd": 4_000_000,
    "full": 25_000_000,
    "4k": 25_000_000,
    "50MP": 50_000_000,
}
MAX_INPUT_PIXELS = 50_000_000
MAX_INPUT_MB = 22
"""Largest upload: 12 in the OpenAPI description of 2021; 22 since then, by third parties only."""
