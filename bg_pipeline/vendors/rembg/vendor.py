"""Description of the neural engine on this machine."""

from decimal import Decimal

from bg_pipeline.core.vendor import FREE, Variant, Vendor
from bg_pipeline.ports.purchasing import Remover
from bg_pipeline.ports.running import Call
from bg_pipeline.vendors.plugin import Plugin, VendorSettings


class RembgSettings(VendorSettings):
    """No settings of its own."""

    prefix = "rembg"


def _client(_settings: RembgSettings, _call: Call) -> Remover:
    from bg_pipeline.vendors.rembg.engine import RembgEngine  # noqa: PLC0415  needed only to buy

    return RembgEngine()


VENDOR = Vendor(
    name="rembg",
    title="rembg",
    variants={"": Variant(FREE, credits=Decimal(0))},
    notes=("A neural model. Needs the extra `rembg`; downloads its weights at the first use.",),
)

PLUGIN = Plugin(VENDOR, RembgSettings, lambda _settings, side_px: VENDOR.cut(side_px), _client)
