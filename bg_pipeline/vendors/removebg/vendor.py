"""Description of remove.bg."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from pydantic import Field

from bg_pipeline.core.params import refused
from bg_pipeline.core.recipe import Cut
from bg_pipeline.core.vendor import EndOfService, FreeCalls, Price, Tier, Variant, Vendor
from bg_pipeline.ports.purchasing import Remover
from bg_pipeline.ports.running import Call
from bg_pipeline.settings.part import ApiKey, ServiceUrl
from bg_pipeline.vendors.plugin import KeyedSettings, Plugin
from bg_pipeline.vendors.removebg.params import PARAMS


class RemoveBgSettings(KeyedSettings):
    """Settings of one account at remove.bg."""

    prefix = "removebg"

    api_key: ApiKey | None = Field(None, description="key from the remove.bg dashboard")
    base_url: ServiceUrl = Field("https://api.remove.bg", description="or the sandbox: `http://127.0.0.1:8787`")
    size: Literal["preview", "medium", "hd", "full", "50MP", "auto"] = Field(
        "full",
        description="`preview` (0.25 megapixels), `medium` (1.5), `hd` (4), `full` (25), `50MP`, or `auto`: what the"
        " balance allows",
    )


_PIXELS_1 = {
    "preview": 250_000,
    "medium": 1_500_000,
    "hd": 4_000_000,
    "full": 25_000_000,
    "50MP": 50_000_000,
    "auto": 25_000_000,
}


def _former(side_px: int, _variant: str, params: Mapping[str, str]) -> tuple[int, int]:
    pixels = _PIXELS_1.get(params.get("size", ""), 0)
    return side_px, min(pixels, 10_000_000) if params.get("format") == "png" else pixels


_QUARTER, _ONE = Decimal("0.25"), Decimal(1)

VENDOR = Vendor(
    name="removebg",
    title="remove.bg",
    variants={
        "": Variant(
            Price(
                Decimal("0.20"),
                "$0.20 to 0.90 by volume: bgeraser.ink/blog/batch-background-removal-api-guide (a competitor; no"
                " official table was found); 50 free calls a month: remove.bg/api; read 2026-11",
            ),
            own_url="https://api.remove.bg",
            params={**PARAMS, **refused(("size",), "REMOVEBG_SIZE sets it")},
            free_calls=FreeCalls("50 free calls a month: remove.bg/api, read 2026-11", a_month=50),
        )
    },
    tiers={
        "preview": Tier(_QUARTER, 250_000),
        "medium": Tier(_ONE, 1_500_000),
        "hd": Tier(_ONE, 4_000_000),
        "full": Tier(_ONE, 25_000_000),
        "50MP": Tier(_ONE, 50_000_000),
        "auto": Tier(_ONE, 25_000_000, credits_small=_QUARTER),
    },
    format_pixels={"png": 10_000_000},
    rate_unit_px=1_000_000,
    top_up="https://www.remove.bg/pricing",
    suffixes=("-removebg", "-removebg-preview"),
    notes=("Colours and alpha come apart, in a ZIP: fewer bytes, and up to 25 megapixels with transparency.",),
    sources=(
        (
            "sizes and their credits: its OpenAPI (APIs-guru/openapi-directory, remove.bg 1.0.0) and its summary"
            " at registry.lap.sh, read 2026-11; a recorded call shows that `auto` bills the price of `preview` for what"
            " fits into it (remove-bg/ruby, VCR cassettes)"
        ),
        "parameters: remove.bg/api with its changelog, and its OpenAPI, read 2026-11",
        "above 10 megapixels it sends transparency as ZIP or WebP only: its OpenAPI, read 2026-11",
        (
            "its rate limit counts megapixels, at least one a call: remove.bg/api, 'Rate limit', read 2026-11; the"
            " examples do not show whether it rounds up, so bg-pipeline does"
        ),
        (
            "suffixes: remove-bg/go's, which writes beside the source (processor/determine_output_path.go), and the"
            " download page's, read 2026-11"
        ),
        "the top-up page is its price list; it was not looked up",
    ),
    end=EndOfService(
        datetime(2026, 12, 1, 8, tzinfo=UTC),
        "the self-serve API and unused credits end, Enterprise contracts go on",
        "four pages that quote remove.bg's own banner (PixMiller's migration guide, two posts on dev.to, Leonardo.Ai's"
        " migration guide), read 2026-11; remove.bg's own page was not seen",
    ),
    former=_former,
)


def _cut(settings: RemoveBgSettings, side_px: int) -> Cut:
    return VENDOR.cut(side_px, base_url=settings.base_url, params={"size": settings.size, **settings.form})


def _client(settings: RemoveBgSettings, call: Call) -> Remover:
    from bg_pipeline.vendors.removebg.client import RemoveBg, Service  # noqa: PLC0415  needed only to buy

    return RemoveBg(settings.access, Service(settings.base_url), call)


PLUGIN = Plugin(VENDOR, RemoveBgSettings, _cut, _client)
