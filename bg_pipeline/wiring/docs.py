"""
Documents generated from the code: all settings, and the facts about each vendor.

    python -m bg_pipeline.wiring.docs settings > docs/settings.md
    python -m bg_pipeline.wiring.docs vendors > docs/vendors.md
"""

import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from bg_pipeline.alerts.settings import AlertSettings
from bg_pipeline.core.vendor import Variant, Vendor
from bg_pipeline.imaging.settings import RenditionSettings
from bg_pipeline.pipeline.settings import CatalogueSettings, ScheduleSettings
from bg_pipeline.purchasing.settings import PurchasingSettings
from bg_pipeline.settings.part import Part
from bg_pipeline.stores.locations import MastersLocation
from bg_pipeline.stores.registry import BUILT_IN
from bg_pipeline.vendors.plugin import VendorSettings
from bg_pipeline.vendors.registry import OURS, plugin

_SETTINGS = """\
# Settings

Made by `python -m bg_pipeline.wiring.docs settings`; a test compares.

Settings come from the environment, from `.env`, or from `bg_pipeline.toml`, in this order. The file has the same names
in lower case. Relative paths start at the folder in which the command, or Dagster, is started.

For one catalogue, the variables below are all that is needed. The file may also hold tables. A setting has the name of
its variable there, without what stands before the first `_`, in lower case:

```toml
[account.main]            # one account at a vendor; ledger, gate and limits know it by this name
vendor = "{first}"       # default: the name of the table
api_key = "..."

[account.spare]
vendor = "{second}"
api_key = "..."

[catalogue.default]
source = "s3://shop/images"
output = "s3://shop/cutouts"
accounts = ["main", "spare"]     # the second where the first cannot

[rendition.main]
format = "webp"
```

A variable is the short form of a field in the only table of its kind, so a key can stay out of the file:
`{variable}` is the `api_key` of the only account at {first}. Where no table is, the variables describe the
catalogue `default`, the rendition `main`, and accounts that are called like their vendors. The same setting in both
places is an error. Several accounts can be set, but so far only one catalogue and one rendition. The manifest knows a
catalogue by its name: another name is another catalogue.
"""

_VENDORS = """\
# Vendors

Made by `python -m bg_pipeline.wiring.docs vendors`; a test compares.

`BG_PROVIDER` names who removes the background; [settings.md](settings.md) has all settings. The clients were built from
public pages and recorded answers, never against the live services. `bg-pipeline sandbox` simulates the vendors on one
port: their wire formats, a ledger of all charges at `/_sandbox/ledger`, and credits, latency, limits and faults at
`/_sandbox/state`. Faults come by script (`--faults`) or by chance (`--fault-rate 0.05 --seed 7`).

Other packages can bring vendors by the entry point group `bg_pipeline.vendors`; `bg-pipeline doctor` lists all.
"""


_S3 = """\
Credentials and region for S3 come from where every AWS tool looks for them: `AWS_ACCESS_KEY_ID` and
`AWS_SECRET_ACCESS_KEY`, a profile, or the machine's role.
"""


def settings() -> str:
    """Return the text of docs/settings.md."""
    vendors = [plugin(name) for name in OURS]
    stores = [kind.settings for kind in BUILT_IN if not issubclass(CatalogueSettings, kind.settings)]
    first, second, *_ = (each.vendor.name for each in vendors if "api_key" in each.settings.model_fields)
    names = ", ".join(f"`{name}`" for name in OURS)
    sections = [
        _SETTINGS.format(first=first, second=second, variable=f"{first.upper()}_API_KEY"),
        "## Catalogue: `[catalogue.NAME]`\n",
        *_table([CatalogueSettings]),
        f"`BG_PROVIDER` takes {names}, and what other packages bring: [vendors.md](vendors.md).\n",
        "## Accounts: `[account.NAME]`\n",
        *_table([VendorSettings]),
    ]
    for each in vendors:
        own = [name for name in each.settings.model_fields if name not in VendorSettings.model_fields]
        if own:
            sections += [f"### {each.vendor.title}\n", *_table([each.settings], own)]
    sections += [
        "## Rendition: `[rendition.NAME]`\n",
        *_table([RenditionSettings]),
        "## For all of them\n",
        "These are variables alone; no table has them.\n",
        *_table([MastersLocation, PurchasingSettings, *stores, ScheduleSettings, AlertSettings]),
        _S3,
    ]
    return "\n".join(sections)


def _table(parts: Iterable[type[Part]], only: Iterable[str] | None = None) -> Iterator[str]:
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for part in parts:
        for name, variable in part.short_names().items():
            if only is None or name in only:
                field = part.model_fields[name]
                in_table = "" if variable == f"{part.prefix}_{name}" else f"; in a table: `{name}`"
                yield f"| `{variable.upper()}`{in_table} | {_default(field)} | {field.description} |"
    yield ""


def _default(field: FieldInfo) -> str:
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    return "–" if value in (None, "", ()) else f"`{value}`"


def vendors() -> str:
    """Return the text of docs/vendors.md."""
    return "\n".join([_VENDORS, *(_section(plugin(name).vendor) for name in OURS)])


def _section(vendor: Vendor) -> str:
    lines = [f"## {vendor.title}", "", " ".join([f"`BG_PROVIDER={vendor.name}`.", *vendor.notes]), ""]
    if any(variant.credits for variant in vendor.variants.values()):
        lines += [
            f"| variant | {vendor.unit}s a call | USD each | source |",
            "|---|---|---|---|",
            *(_variant(name, variant, vendor) for name, variant in vendor.variants.items()),
            "",
        ]
    if vendor.tiers:
        lines += [f"| size | {vendor.unit}s | megapixels at most |", "|---|---|---|"]
        for name, tier in vendor.tiers.items():
            small = "" if tier.credits_small is None else f", {tier.credits_small} for what fits into `preview`"
            lines.append(f"| `{name}` | {tier.credits}{small} | {_megapixels(tier.max_pixels)} |")
        lines.append("")
    facts = list(_facts(vendor))
    if facts:
        lines += [*(f"- {fact}" for fact in facts), ""]
    if vendor.sources:
        lines += ["Read:", "", *(f"- {source}" for source in vendor.sources), ""]
    return "\n".join(lines)


def _variant(name: str, variant: Variant, vendor: Vendor) -> str:
    prices = {tier.credits for tier in vendor.tiers.values()} if variant.credits else set()
    prices = prices or {variant.credits}
    each = " to ".join(str(price) for price in sorted({min(prices), max(prices)}))
    usd = "–" if variant.price.usd_per_credit is None else str(variant.price.usd_per_credit)
    return f"| {f'`{name}`' if name else '–'} | {each} | {usd} | {variant.price.source} |"


def _facts(vendor: Vendor) -> Iterator[str]:
    for name, variant in vendor.variants.items():
        if variant.max_pixels:
            yield f"`{name}` answers with at most {_megapixels(variant.max_pixels)} megapixels"
    for name, pixels in vendor.format_pixels.items():
        yield f"with `format={name}` it answers with at most {_megapixels(pixels)} megapixels"
    if vendor.max_side_px:
        yield f"it takes pictures of at most {vendor.max_side_px} px on the longest side"
    if vendor.rate_unit_px:
        yield f"a call counts once in its rate limit for each {_megapixels(vendor.rate_unit_px)} megapixels"
    if vendor.top_up:
        yield f"{vendor.unit}s are bought at {vendor.top_up}"


def _megapixels(pixels: int) -> str:
    return f"{(Decimal(pixels) / 1_000_000).normalize():f}"


if __name__ == "__main__":
    sys.stdout.write({"settings": settings, "vendors": vendors}[sys.argv[1]]())
