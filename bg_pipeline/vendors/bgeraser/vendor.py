"""Description of bgeraser.ink."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from bg_pipeline.core.params import BY_CLIENT, Param, refused, transparent
from bg_pipeline.core.recipe import Cut, Tool
from bg_pipeline.core.vendor import FreeCalls, Price, Variant, Vendor
from bg_pipeline.ports.purchasing import Remover
from bg_pipeline.ports.running import Call
from bg_pipeline.settings.part import ApiKey, FieldName, ServiceUrl, UrlPath, form
from bg_pipeline.vendors.plugin import KeyedSettings, Plugin
from bg_pipeline.vendors.removebg.params import PARAMS


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address of one of its public APIs, and the way to send the key."""

    base_url: str
    path: str
    account_path: str
    auth: str


ENDPOINTS = {
    "tools": Endpoint("https://bgeraser.ink", "/api/tools/bg-removal", "/api/account", "bearer"),
    "v1": Endpoint("https://api.bgeraser.ink", "/v1/removebg", "/v1/account", "x-api-key"),
}
"""APIs by bgeraser.ink/blog/bgeraser-api-quickstart and /api-docs, read 2026-11; v1's account as at remove.bg."""


TOOLS = ("upscale", "generative-fill", "generative-expand", "magic-select", "crop", "brush")
"""Tools besides the cut: bgeraser.ink/blog/bgeraser-api-quickstart, read 2026-11, which names no parameters."""


class BgeraserSettings(KeyedSettings):
    """Settings of one account at bgeraser."""

    prefix = "bgeraser"

    api_key: ApiKey | None = Field(None, description="key from the bgeraser dashboard")
    api: Literal["tools", "v1"] = Field(
        "tools", description="one of its two public APIs, `tools` or `v1`; the next four default to what it documents"
    )
    base_url: ServiceUrl = Field(
        "", description="default: the host of the API; or the sandbox: `http://127.0.0.1:8787`"
    )
    path: UrlPath = Field("", description="path of the call")
    account_path: UrlPath = Field("", description="path of the balance")
    auth: Literal["", "bearer", "x-api-key"] = Field("", description="`bearer` or `x-api-key`: how the key is sent")
    file_field: FieldName = Field("image_file", description="form field for the picture")
    tools: str = Field(
        "",
        description="further tools after the cut, each a purchase: `upscale?factor=2,generative-expand`. Their names:"
        f" {', '.join(f'`{name}`' for name in TOOLS)}",
    )
    tools_only: bool = Field(
        False, description="`true` applies the tools to the picture itself, without a cut before them"
    )

    @model_validator(mode="after")
    def _can_be_followed(self) -> "BgeraserSettings":
        if self.tools and self.api != "tools":
            raise ValueError("{tools} needs {api}=tools")
        if self.tools_only and not self.tools:
            raise ValueError("{tools_only} needs {tools}: with neither a cut nor a tool, nothing would be done")
        for tool in self.further_tools:
            why = VENDOR.refusal("tools", tool.params)
            if why or self.file_field in tool.params:
                raise ValueError(f"{{tools}}: {why or 'the picture is not a parameter'}")
        return self

    @property
    def endpoint(self) -> Endpoint:
        """The documented endpoint of its API, overridden by the settings."""
        defaults = ENDPOINTS[self.api]
        return Endpoint(
            self.base_url or defaults.base_url,
            self.path or defaults.path,
            self.account_path or defaults.account_path,
            self.auth or defaults.auth,
        )

    @property
    def further_tools(self) -> tuple[Tool, ...]:
        tools = []
        for text in filter(None, (part.strip() for part in self.tools.split(","))):
            name, _, params = text.partition("?")
            if name not in TOOLS:
                raise ValueError(
                    f"{{tools}}: bgeraser has no tool {name}; it has {', '.join(TOOLS)}. Write them with commas, such"
                    " as upscale?factor=2,generative-expand"
                )
            try:
                tools.append(Tool(name, form(params)))
            except ValueError as error:
                raise ValueError(f"{{tools}} {error}") from None
        return tuple(tools)


def _former(side_px: int, variant: str, _params: Mapping[str, str]) -> tuple[int, int]:
    return side_px, 10_000_000 if variant == "v1" else 0


_USD = Decimal("0.039")

VENDOR = Vendor(
    name="bgeraser",
    title="bgeraser",
    variants={
        "tools": Variant(
            Price(
                _USD,
                "15 free a month: bgeraser.ink/blog/batch-background-removal-api-guide; the paid plans of this API are"
                " not published, so those of v1 stand in: check your own; read 2026-11",
            ),
            own_url="https://bgeraser.ink",
            params={**refused(("image_file", "image", "file"), BY_CLIENT), "format": Param(transparent("png", "webp"))},
            takes_others=True,
        ),
        "v1": Variant(
            Price(
                _USD,
                "$39 for 1,000 a month, $99 for 3,000, $299 for 10,000; 10 free a day: bgeraser.ink/api-docs, read"
                " 2026-11",
            ),
            own_url="https://api.bgeraser.ink",
            params={**PARAMS, **refused(("size",), BY_CLIENT), "format": Param(transparent("png", "webp"))},
            free_calls=FreeCalls("10 free calls a day: bgeraser.ink/api-docs, read 2026-11", a_day=10),
            max_pixels=10_000_000,
        ),
    },
    top_up="https://bgeraser.ink",
    notes=(
        (
            "The vendor's pages describe two APIs and disagree; `BGERASER_API` picks one, and host, path,"
            " authentication and file field are settings."
        ),
    ),
    sources=(
        "results are removed within an hour: bgeraser.ink/blog/batch-background-removal-api-guide, read 2026-11",
        (
            "5 to 8 requests in flight, and retries after 1 s, twice as long each time up to 60 s, at most five:"
            " bgeraser.ink/blog/batch-background-removal-api-guide, read 2026-11; bg-pipeline starts with"
            " these values at every vendor"
        ),
        "one credit a call, whatever the tool: bgeraser.ink/blog/bgeraser-api-quickstart, read 2026-11",
        "v1 claims to match remove.bg, which sends no PNG above 10 megapixels: bgeraser.ink/api-docs, read 2026-11",
        (
            "credits are bought in the dashboard behind its front page: bgeraser.ink/blog/bgeraser-api-quickstart, read"
            " 2026-11"
        ),
    ),
    former=_former,
)


def _cut(settings: BgeraserSettings, side_px: int) -> Cut:
    # By default remove.bg's API, which v1 copies, makes a preview and leaves the format open.
    params = {"size": "full", "format": "png"} if settings.api == "v1" else {}
    return VENDOR.cut(
        side_px,
        settings.api,
        base_url=settings.endpoint.base_url,
        params={**params, **settings.form},
        tools=settings.further_tools,
        tools_only=settings.tools_only,
    )


def _client(settings: BgeraserSettings, _call: Call) -> Remover:
    from bg_pipeline.vendors.bgeraser.client import Bgeraser  # noqa: PLC0415  needed only to buy

    endpoint = settings.endpoint
    return Bgeraser(
        settings.access,
        base_url=endpoint.base_url,
        path=endpoint.path,
        account_path=endpoint.account_path,
        auth=endpoint.auth,
        file_field=settings.file_field,
    )


PLUGIN = Plugin(VENDOR, BgeraserSettings, _cut, _client)
