"""Check which of a vendor's parameters may be passed through."""

from collections.abc import Mapping

from bg_pipeline.core.vendor import Vendor

BY_CLIENT = "the client sets it"
ALPHA = "the answer would have no transparency: use BG_BACKGROUND, which is free"
FRAME = "the answer would have another size, and be refused after it was paid for: use BG_CANVAS, which is free"
COLOURS = "the answer would show something else than the picture, and be refused after it was paid for"


def refusal(vendor: Vendor, variant: str, params: Mapping[str, str]) -> str:
    """Return the reason not to pass these parameters; empty if none. Unknown names pass: vendors add new ones."""
    refused = vendor.variants[variant].refused
    if refused is None:
        return f"{vendor.name} takes no parameters" if params else ""
    for name, value in params.items():
        group = name.partition(".")[0]
        group = next((whole for whole in vendor.grouped if group.startswith(whole)), group)
        if group in refused:
            return f"{name} cannot be passed: {refused[group]}"
        if name in {"format", "export.format"} and value not in vendor.formats:
            return f"{name}={value} cannot be passed: only {', '.join(vendor.formats)} carry transparency"
    return ""
