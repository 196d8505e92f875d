"""
What is known of one vendor, or of one engine on this machine, as a value.

Each vendor's own folder fills it in. What computes with it (`prices`, `params`, `limits`) knows no vendor by name.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from bg_pipeline.core.recipe import Cut, Tool


@dataclass(frozen=True, slots=True)
class Price:
    """What one credit costs."""

    usd_per_credit: Decimal | None
    """None where the vendor publishes no price."""
    source: str
    """Who says so, and when it was read."""


FREE = Price(Decimal(0), "made on this machine")


@dataclass(frozen=True, slots=True)
class Tier:
    """One size that a vendor sells."""

    credits: Decimal
    max_pixels: int
    """Of the answer: the vendor shrinks larger pictures to this."""
    credits_small: Decimal | None = None
    """Price of a picture of at most `prices.PREVIEW_PIXELS`, where it is another one."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One of a vendor's public APIs, or one of its plans: they differ in price and in what comes back."""

    price: Price
    credits: Decimal = Decimal(1)
    """Of a call that no size prices. Zero: every call is free, whatever its size."""
    own_url: str = ""
    """
    The base URL that is the vendor's own, the neutral endpoint of a cut. Pinned: it is part of the names of cuts.

    A setting whose default moves elsewhere must not pass what it gets there for the vendor's. Empty where the client
    has the vendor's hosts: then only a base URL that is set is an endpoint.
    """
    refused: Mapping[str, str] | None = None
    """Parameters that may not be passed through, and why. A name stands for its whole group: `background` for
    `background.color` too. None: it takes no parameters at all."""
    max_pixels: int = 0
    """Most pixels of an answer, whatever its size tier; 0: no limit."""


def _no_limits(side_px: int, _variant: str, _params: Mapping[str, str]) -> tuple[int, int]:
    return side_px, 0


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor, or one engine on this machine. All sizes in px."""

    name: str
    """As settings, ledger and the names of cuts have it."""
    title: str
    """As people write it."""
    variants: Mapping[str, Variant]
    """By the name in `Cut.variant`; the empty name where there is only one."""
    unit: str = "credit"
    """What is bought and counted down."""
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    """By the value of the parameter `size`."""
    format_pixels: Mapping[str, int] = field(default_factory=dict)
    """Most pixels of an answer, by the value of the parameter `format`, where that is less than the tier's."""
    max_side_px: int = 0
    """Longest side that it takes; 0: no limit."""
    rate_unit_px: int = 0
    """Pixels that count as one call of its rate limit; 0: a call is one call, whatever it holds."""
    formats: Sequence[str] = ()
    """Values of `format` that carry transparency, and that the client reads."""
    grouped: Sequence[str] = ()
    """Beginnings that stand for a group of parameters: `padding` for `paddingTop`."""
    top_up: str = ""
    """The page on which credits are bought."""
    suffixes: Sequence[str] = ()
    """What its own tools append to the name of a cutout."""
    notes: Sequence[str] = ()
    """What a person who chooses should know, in sentences."""
    sources: Sequence[str] = ()
    """Where the facts above, other than prices, were read, and when."""
    former: Callable[[int, str, Mapping[str, str]], tuple[int, int]] = _no_limits
    """
    Longest side and most pixels as the older names of cuts have them, by side that was asked for, variant, parameters.

    Frozen with the scheme cut/1: what was bought is found by it.
    """

    def units(self, width_px: int, height_px: int) -> float:
        """Units of the rate limit that a call counts for, rounded up."""
        return float(math.ceil(width_px * height_px / self.rate_unit_px)) if self.rate_unit_px else 1.0

    def cut(
        self,
        side_px: int,
        variant: str = "",
        *,
        base_url: str = "",
        params: Mapping[str, str] | None = None,
        tools: tuple[Tool, ...] = (),
    ) -> Cut:
        """
        The cut that is bought here.

        Args:
            side_px: longest side that is asked for.
            variant: one of `variants`.
            base_url: where it is bought; empty for the vendor's own hosts.
            params: form fields that are passed to the vendor, the size tier among them.
            tools: the vendor's further tools, each a purchase of its own.
        """
        params = params or {}
        is_own = base_url == self.variants[variant].own_url
        return Cut(
            provider=self.name,
            side_px=side_px,
            endpoint="" if is_own else urlsplit(base_url).hostname or "",
            variant=variant,
            params=params,
            tools=tools,
            vendor_side_px=self.max_side_px,
            max_pixels=self.max_pixels(variant, params),
            former=self.former(side_px, variant, params),
        )

    def max_pixels(self, variant: str, params: Mapping[str, Any]) -> int:
        """
        Pixels to which a picture has to be shrunk before it is sent; 0: as many as there are.

        So the answer measures what was sent, and one that does not is a lower tier than was asked for.
        """
        if most := self.variants[variant].max_pixels:
            return most
        tier = self.tiers.get(params.get("size", ""))
        if tier is None:
            return 0
        return min(tier.max_pixels, self.format_pixels.get(params.get("format", ""), tier.max_pixels))
