"""Which of a vendor's parameters may be passed through, and why others may not."""

from collections.abc import Mapping

_CLIENT = "the client sets it"
_ALPHA = "the answer would have no transparency: BG_BACKGROUND does it here, free"
_FRAME = (
    "the answer would not measure what was sent, and be refused after it was paid for: BG_CANVAS does it here, free"
)
_COLOURS = "the answer would not show what was sent, and be refused after it was paid for"

_REMOVEBG = {
    **dict.fromkeys(("image_file", "image_file_b64", "image_url"), _CLIENT),
    **dict.fromkeys(("channels", "bg_color", "bg_image_url", "bg_image_file"), _ALPHA),
    **dict.fromkeys(("crop", "crop_margin", "scale", "position"), _FRAME),
}

_REFUSED: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("bgeraser", "tools"): dict.fromkeys(("image_file", "image", "file"), _CLIENT),
    ("bgeraser", "v1"): {**_REMOVEBG, "size": _CLIENT},
    ("removebg", ""): {**_REMOVEBG, "size": "REMOVEBG_SIZE sets it"},
    ("photoroom", "basic"): {
        "image_file": _CLIENT,
        "size": "PHOTOROOM_SIZE sets it",
        **dict.fromkeys(("channels", "bg_color"), _ALPHA),
        "crop": _FRAME,
    },
    ("photoroom", "plus"): {
        **dict.fromkeys(("imageFile", "imageUrl", "removeBackground", "outputSize", "referenceBox"), _CLIENT),
        "background": _ALPHA,
        **dict.fromkeys(
            ("maxWidth", "maxHeight", "padding", "margin", "scaling", "horizontalAlignment", "verticalAlignment"),
            _FRAME,
        ),
        **dict.fromkeys(("ignorePaddingAndSnapOnCroppedSides", "upscale", "expand", "uncrop", "templateId"), _FRAME),
        **dict.fromkeys(("lighting", "beautify", "flatLay", "ghostMannequin", "virtualModel", "editWithAI"), _COLOURS),
    },
}
"""By provider and surface. A name stands for its whole group: `background` for `background.color` too."""

_FORMATS = {"removebg": ("zip", "png", "webp"), "bgeraser": ("png", "webp"), "photoroom": ("png", "webp")}


def refusal(provider: str, surface: str, params: Mapping[str, str]) -> str:
    """Why these cannot be passed through; empty if they can. Unknown names can: vendors add new ones."""
    refused = _REFUSED.get((provider, surface.removesuffix(" sandbox")))
    if refused is None:
        return f"{provider} takes no parameters" if params else ""
    for name, value in params.items():
        group = name.partition(".")[0]
        # PhotoRoom has one for each side: paddingTop.
        group = next((whole for whole in ("padding", "margin") if group.startswith(whole)), group)
        if group in refused:
            return f"{name} cannot be passed: {refused[group]}"
        if name in {"format", "export.format"} and value not in _FORMATS[provider]:
            return f"{name}={value} cannot be passed: only {', '.join(_FORMATS[provider])} carry transparency here"
    return ""
