"""Description of any service that keeps the protocol of remove.bg's API v1.0."""

from dataclasses import replace
from decimal import Decimal
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from bg_pipeline.core.params import refused
from bg_pipeline.core.recipe import Cut
from bg_pipeline.core.vendor import Price, Tier, Variant, Vendor
from bg_pipeline.ports.purchasing import Remover
from bg_pipeline.ports.running import Call
from bg_pipeline.settings.part import ApiKey, ServiceUrl, UrlPath
from bg_pipeline.vendors.plugin import KeyedSettings, Plugin
from bg_pipeline.vendors.removebg.params import PARAMS

_PATH = "/v1.0/removebg"


def _names(value: str) -> str:
    if not all(value.split(".")):
        raise ValueError("must be names with points between them, such as data.attributes.credits.total")
    return value


class ProtocolSettings(KeyedSettings):
    """Settings of one account at such a service."""

    prefix = "removebg_protocol"
    required: ClassVar = ("base_url", "api_key")

    api_key: ApiKey | None = Field(None, description="key of the service")
    base_url: ServiceUrl = Field(
        "", description="of the service, maybe with a path: `https://api.cutouts.example/removebg`"
    )
    path: UrlPath = Field(_PATH, description="path of the call")
    auth: Literal["x-api-key", "bearer"] = Field(
        "x-api-key", description="how the key is sent: `x-api-key` or `bearer`"
    )
    account_path: UrlPath = Field(
        "",
        description="path of the balance, such as `/v1.0/account`; empty if the service has none: then only caps hold",
    )
    balance_field: Annotated[str, AfterValidator(_names)] = Field(
        "data.attributes.credits.total", description="where the balance is in that answer"
    )
    credits_per_call: Decimal = Field(
        Decimal(1),
        gt=0,
        le=1000,
        description="credits that a call costs, for plans and caps; an answer that says less is a lower quality",
    )
    usd_per_credit: Decimal | None = Field(None, ge=0, le=1000, description="US dollars per credit, for plans")
    size: Literal["preview", "medium", "hd", "full", "50MP", "auto"] = Field(
        "full", description="as at remove.bg: `preview`, `medium`, `hd`, `full`, `50MP` or `auto`"
    )

    @model_validator(mode="after")
    def _leads_to_a_service(self) -> "ProtocolSettings":
        if self.api_key and not self.base_url:
            raise ValueError("{base_url} must be set: {api_key} is sent there and nowhere else")
        return self


VENDOR = Vendor(
    name="removebg_protocol",
    title="a service with remove.bg's protocol",
    variants={
        "": Variant(
            Price(None, "each service has its own: set `usd_per_credit`; read 2026-11"),
            params={**PARAMS, **refused(("size",), "REMOVEBG_PROTOCOL_SIZE sets it")},
        )
    },
    tiers={
        "preview": Tier(Decimal(1), 250_000),
        "medium": Tier(Decimal(1), 1_500_000),
        "hd": Tier(Decimal(1), 4_000_000),
        "full": Tier(Decimal(1), 25_000_000),
        "50MP": Tier(Decimal(1), 50_000_000),
        "auto": Tier(Decimal(1), 25_000_000),
    },
    format_pixels={"png": 10_000_000},
    notes=(
        (
            "Each account names its service by `base_url`, so several can stand in a fallback order:"
            ' `[account.first]` and `[account.second]`, both with `vendor = "removebg_protocol"`.'
        ),
        "Host and path are part of the name of what is bought, the name of the account is not.",
        "A service's own further parameters go into `params_unchecked`.",
        "`format` is `png` unless `params` has another: not every service knows the ZIP.",
    ),
    sources=("protocol, sizes and limits: see remove.bg; what a service does otherwise was not seen, read 2026-11",),
)


def _described(settings: ProtocolSettings) -> Vendor:
    """Return the description with the price and the host of one service."""
    price = settings.credits_per_call
    variant = replace(VENDOR.variants[""], price=Price(settings.usd_per_credit, "usd_per_credit"), credits=price)
    return replace(
        VENDOR,
        title=urlsplit(settings.base_url).hostname or VENDOR.title,
        variants={"": variant},
        has_balance=bool(settings.account_path),
        tiers={name: replace(tier, credits=price) for name, tier in VENDOR.tiers.items()},
    )


def _cut(settings: ProtocolSettings, side_px: int) -> Cut:
    params = {"size": settings.size, "format": "png", **settings.form}
    service = urlsplit(settings.base_url + settings.path)
    cut = VENDOR.cut(side_px, base_url=settings.base_url, params=params)
    # Two services may share a host behind a gateway.
    port = f":{service.port}" if service.port else ""
    return replace(cut, endpoint=f"{service.hostname or ''}{port}{service.path}")


def _client(settings: ProtocolSettings, call: Call) -> Remover:
    from bg_pipeline.vendors.removebg.client import RemoveBg, Service  # noqa: PLC0415  needed only to buy

    service = Service(
        settings.base_url,
        name=urlsplit(settings.base_url).hostname or "",
        path=settings.path,
        account_path=settings.account_path,
        balance=settings.balance_field.split("."),
        is_bearer=settings.auth == "bearer",
        advice="Check that the account's api_key is right and belongs to its base_url, that the service takes its"
        " params, and that auth is its way to send the key",
    )
    return RemoveBg(settings.access, service, call)


PLUGIN = Plugin(VENDOR, ProtocolSettings, _cut, _client, described=_described)
