"""Description of the classical engine on this machine."""

from decimal import Decimal

from bg_pipeline.core.vendor import FREE, Variant, Vendor
from bg_pipeline.ports.purchasing import Remover
from bg_pipeline.ports.running import Call
from bg_pipeline.vendors.plugin import Plugin, VendorSettings


class LocalSettings(VendorSettings):
    """No settings of its own."""

    prefix = "local"


def _client(_settings: LocalSettings, call: Call) -> Remover:
    from bg_pipeline.vendors.local.engine import GrabCutEngine  # noqa: PLC0415  needed only to buy

    return GrabCutEngine(call)


VENDOR = Vendor(
    name="local",
    title="local",
    variants={"": Variant(FREE, credits=Decimal(0))},
    notes=(
        (
            "Classical computer vision (GrabCut). For one subject on a plain backdrop; it fails on clutter, hair and"
            " glass."
        ),
        "Needs the extra `local`.",
    ),
)

PLUGIN = Plugin(VENDOR, LocalSettings, lambda _settings, side_px: VENDOR.cut(side_px), _client)
