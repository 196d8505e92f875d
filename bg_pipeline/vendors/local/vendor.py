"""Description of the classical engine on this machine."""

from decimal import Decimal
from importlib.util import find_spec

from bg_pipeline.core.vendor import FREE, Variant, Vendor
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.ports.purchasing import Remover
from bg_pipeline.ports.running import Call
from bg_pipeline.vendors.plugin import Plugin, VendorSettings


class LocalSettings(VendorSettings):
    """No settings of its own."""

    prefix = "local"


def _client(_settings: LocalSettings, call: Call) -> Remover:
    from bg_pipeline.vendors.local.engine import GrabCutEngine  # noqa: PLC0415  needed only to buy

    if not all(map(find_spec, ("cv2", "numpy"))):
        raise ConfigurationError("BG_PROVIDER=local needs its extra: pip install 'bg-pipeline[local]'")
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
