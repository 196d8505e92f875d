"""Description of PhotoRoom."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Literal

from pydantic import Field

from bg_pipeline.core.recipe import Cut
from bg_pipeline.core.vendor import FreeCalls, Price, Tier, Variant, Vendor
from bg_pipeline.ports.purchasing import Remover
from bg_pipeline.ports.running import Call
from bg_pipeline.settings.part import ApiKey, ServiceUrl
from bg_pipeline.vendors.photoroom.params import BASIC, PLUS, UPSCALED_PX
from bg_pipeline.vendors.plugin import KeyedSettings, Plugin

SANDBOX_PREFIX = "sandbox_"
"""Prefix of a real key for free, watermarked calls (docs.photoroom.com, 'Sandbox mode', read 2026-11)."""

_WATERMARKED = " sandbox"
"""Suffix of a plan: a watermarked cutout must not count as a bought one."""


class PhotoRoomSettings(KeyedSettings):
    """Settings of one account at PhotoRoom."""

    prefix = "photoroom"

    api_key: ApiKey | None = Field(
        None, description="key from the PhotoRoom dashboard; `sandbox_` before it: free and watermarked"
    )
    base_url: ServiceUrl = Field(
        "", description="default: the vendor's two hosts; or the sandbox: `http://127.0.0.1:8787`"
    )
    plan: Literal["basic", "plus"] = Field(
        "basic", description="`basic` (`/v1/segment`) or `plus` (`/v2/edit`, five times the price)"
    )
    size: Literal["preview", "medium", "hd", "full"] = Field(
        "full", description="on `basic`: `preview` (0.25 megapixels), `medium` (1.5), `hd` (4) or `full` (36)"
    )


_PIXELS_1 = {"preview": 250_000, "medium": 1_500_000, "hd": 4_000_000, "full": 36_000_000}


def _former(side_px: int, _variant: str, params: Mapping[str, str]) -> tuple[int, int]:
    return min(side_px, 6000), _PIXELS_1.get(params.get("size", ""), 0)


_ONE = Decimal(1)

_BASIC = Variant(
    Price(Decimal("0.02"), "$0.02 an image, 10 free a month: docs.photoroom.com/getting-started/pricing, read 2026-11"),
    params=BASIC,
)

_PLUS = Variant(
    Price(Decimal("0.10"), "$0.10 an image: docs.photoroom.com/getting-started/pricing, read 2026-11"),
    params=PLUS,
)


def _watermarked(variant: Variant) -> Variant:
    price = Price(Decimal(0), "free and watermarked: docs.photoroom.com, read 2026-11")
    calls = FreeCalls("docs.photoroom.com, 'Sandbox mode', read 2026-11", a_day=100, a_month=1000)
    return replace(variant, price=price, credits=Decimal(0), free_calls=calls)


VENDOR = Vendor(
    name="photoroom",
    title="PhotoRoom",
    variants={
        "basic": _BASIC,
        "plus": _PLUS,
        f"basic{_WATERMARKED}": _watermarked(_BASIC),
        f"plus{_WATERMARKED}": _watermarked(_PLUS),
    },
    unit="image",
    tiers={
        "preview": Tier(_ONE, 250_000),
        "medium": Tier(_ONE, 1_500_000),
        "hd": Tier(_ONE, 4_000_000),
        "full": Tier(_ONE, 36_000_000),
    },
    max_side_px=6000,
    top_up="https://app.photoroom.com/api-dashboard",
    suffixes=("-photoroom", "-Photoroom"),
    notes=("A key with `sandbox_` before it is free; its watermarked cutouts never count as bought.",),
    sources=(
        (
            "sizes: its OpenAPI (tryAGI/Photoroom), read 2026-11; an old page prices `preview` at 0.25 images, the"
            " present ones do not, so it counts as a whole image"
        ),
        "parameters: its OpenAPI (tryAGI/Photoroom), and for headers docs.photoroom.com, read 2026-11",
        "the longest side: docs.photoroom.com, 'File size, resolution and format', read 2026-11",
        "the top-up page: named in its 402 answer, read 2026-11",
    ),
    former=_former,
)


def _cut(settings: PhotoRoomSettings, side_px: int) -> Cut:
    is_free = settings.api_key is not None and settings.key.startswith(SANDBOX_PREFIX)
    params = {**({"size": settings.size} if settings.plan == "basic" else {}), **settings.form}
    most_px = UPSCALED_PX.get(params.get("upscale.mode", ""), side_px)
    if side_px > most_px:
        raise ValueError(
            f"{{params}}: upscale.mode={params['upscale.mode']} takes pictures of at most {most_px} px: set"
            f" BG_MAX_PIXELS_SENT={most_px}"
        )
    variant = settings.plan + (_WATERMARKED if is_free else "")
    return VENDOR.cut(side_px, variant, base_url=settings.base_url, params=params)


def _client(settings: PhotoRoomSettings, _call: Call) -> Remover:
    from bg_pipeline.vendors.photoroom.client import PhotoRoom  # noqa: PLC0415  needed only to buy

    return PhotoRoom(settings.access, plan=settings.plan, base_url=settings.base_url)


PLUGIN = Plugin(VENDOR, PhotoRoomSettings, _cut, _client)
