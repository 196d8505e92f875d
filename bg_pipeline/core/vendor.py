"""
The facts about one vendor, or one engine on this machine, as a value.

Each vendor's own folder provides them. The modules that use them (`prices`, `params`, `limits`) name no vendor.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from bg_pipeline.core.params import Param, refusal
from bg_pipeline.core.recipe import Cut, Tool


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one credit."""

    usd_per_credit: Decimal | None
    """US dollars per credit; None where the vendor publishes no price."""
    source: str
    """Source of the price, and the date when it was read."""


FREE = Price(Decimal(0), "made on this machine")


@dataclass(frozen=True, slots=True)
class EndOfService:
    """The announced end of a vendor's API."""

    at: datetime
    what: str
    """What ends, and what becomes of credits and contracts: one sentence without a full stop."""
    source: str
    """Source of the announcement, and the date when it was read."""


@dataclass(frozen=True, slots=True)
class FreeCalls:
    """Calls that a vendor makes without a charge."""

    source: str
    """Source of the numbers, and the date when it was read."""
    a_day: int = 0
    """0: no such limit."""
    a_month: int = 0
    """0: no such limit."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One size that a vendor sells."""

    credits: Decimal
    max_pixels: int
    """Most pixels of the answer: the vendor shrinks larger pictures to this."""
    credits_small: Decimal | None = None
    """Price of a picture of at most `prices.PREVIEW_PIXELS`, where it differs."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One of a vendor's public APIs, or one of its plans: they differ in price and in their results."""

    price: Price
    credits: Decimal = Decimal(1)
    """Price of a call without a size tier. Zero: every call is free at any size."""
    own_url: str = ""
    """
    The base URL that is the vendor's own, the neutral endpoint of a cut. Pinned: it is part of the names of cuts.

    If the default of a setting changes, results from there must not count as the vendor's. Empty where the client
    knows the vendor's hosts: then only an explicitly set base URL is an endpoint.
    """
    params: Mapping[str, Param] = field(default_factory=dict)
    """The parameters that it documents; with any other, the answer's own colours are published."""
    free_calls: FreeCalls | None = None
    """Calls that are free; None where there are none, or where they are part of the balance."""
    takes_others: bool = False
    """True if it has parameters that it does not document: any name then passes."""
    max_pixels: int = 0
    """Most pixels of an answer in any size tier; 0: no limit."""


def _no_limits(side_px: int, _variant: str, _params: Mapping[str, str]) -> tuple[int, int]:
    return side_px, 0


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor, or one engine on this machine. All sizes in px."""

    name: str
    """Name in settings, ledger and names of cuts."""
    title: str
    """Name for people."""
    variants: Mapping[str, Variant]
    """Variants by the name in `Cut.variant`; the empty name where there is only one."""
    unit: str = "credit"
    """Name of the unit that is bought and counted down."""
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    """Tiers by the value of the parameter `size`."""
    format_pixels: Mapping[str, int] = field(default_factory=dict)
    """Most pixels of an answer, by the value of the parameter `format`, where that is less than the tier's."""
    max_side_px: int = 0
    """Longest side that it accepts; 0: no limit."""
    rate_unit_px: int = 0
    """Pixels that count as one call of its rate limit; 0: every call counts as one call."""
    top_up: str = ""
    """The page on which credits are bought."""
    suffixes: Sequence[str] = ()
    """Suffixes that its own tools append to the name of a cutout."""
    notes: Sequence[str] = ()
    """Sentences for a person who chooses a vendor."""
    facts: Sequence[str] = ()
    """Further facts for that person, each a line of a list."""
    sources: Sequence[str] = ()
    """Sources of the facts above, other than prices, with the dates when they were read."""
    has_balance: bool = True
    """False where no balance can be read: then only caps limit what is spent."""
    end: EndOfService | None = None
    """The announced end of its own hosts; services that keep its protocol go on."""
    former: Callable[[int, str, Mapping[str, str]], tuple[int, int]] = _no_limits
    """
    Longest side and most pixels in the older names of cuts, by requested side, variant, parameters.

    Frozen with the scheme cut/1: older purchases are looked up by it.
    """

    def units(self, width_px: int, height_px: int) -> float:
        """Return the units of the rate limit that a call counts for, rounded up."""
        return float(math.ceil(width_px * height_px / self.rate_unit_px)) if self.rate_unit_px else 1.0

    def end_of_service(self, cut: Cut, now: float) -> str:
        """Return the announced end of the service that makes this cut, in words; empty if none is known."""
        if self.end is None or cut.endpoint:
            return ""
        days = math.ceil((self.end.at.timestamp() - now) / 86_400)
        when = f"in {days} days" if days > 1 else "within a day" if days == 1 else "it is over"
        return (
            f"{self.title} announced its end for {self.end.at:%Y-%m-%d %H:%M} UTC ({when}): {self.end.what}. Name"
            " another vendor or engine in BG_PROVIDER, as the only one or after it"
        )

    def refusal(self, variant: str, passed: Mapping[str, str]) -> str:
        """Return the reason not to pass these parameters; empty if none."""
        sold = self.variants[variant]
        return refusal(self.title, sold.params, passed, others=sold.takes_others)

    def cut(
        self,
        side_px: int,
        variant: str = "",
        *,
        base_url: str = "",
        params: Mapping[str, str] | None = None,
        tools: tuple[Tool, ...] = (),
        tools_only: bool = False,
    ) -> Cut:
        """
        Return the cut to buy here.

        Args:
            side_px: requested longest side.
            variant: one of `variants`.
            base_url: URL to buy it from; empty for the vendor's own hosts.
            params: form fields that are passed to the vendor, including the size tier.
            tools: the vendor's further tools, each a purchase of its own.
            tools_only: True if they are applied to the picture itself, without a cut before them.
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
            tools_only=tools_only,
            vendor_side_px=self.max_side_px,
            max_pixels=self.max_pixels(variant, params),
            former=self.former(side_px, variant, params),
        )

    def max_pixels(self, variant: str, params: Mapping[str, Any]) -> int:
        """
        Return the pixels to which a picture must be shrunk before it is sent; 0: no shrinking.

        So the answer has the size of the picture sent; a smaller answer is a lower tier than requested.
        """
        if most := self.variants[variant].max_pixels:
            return most
        tier = self.tiers.get(params.get("size", ""))
        if tier is None:
            return 0
        return min(tier.max_pixels, self.format_pixels.get(params.get("format", ""), tier.max_pixels))
