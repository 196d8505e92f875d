"""
Parameters of remove.bg's API v1.0, which other services keep.

By remove.bg/api with its changelog up to 2025-04, and its OpenAPI (APIs-guru/openapi-directory), read 2026-11.
"""

from collections.abc import Mapping

from bg_pipeline.core.params import (
    A_FILE,
    BOOLEAN,
    BY_CLIENT,
    NO_CUTOUT,
    WEB_URL,
    Effect,
    Param,
    matching,
    number,
    one_of,
    refused,
    transparent,
)

_KINDS = ("person", "product", "animal", "car", "graphic", "transportation")
_LENGTH = r"\d+(\.\d+)?(px|%)?"
_BACKGROUNDS = ("bg_color", "bg_image_url")


def _lengths(*counts: int) -> str:
    return "|".join(rf"{_LENGTH}( {_LENGTH}){{{count - 1}}}" for count in counts)


PARAMS: Mapping[str, Param] = {
    **refused(("image_file", "image_file_b64", "image_url"), BY_CLIENT),
    "type": Param(one_of("auto", *_KINDS)),
    "type_level": Param(one_of("none", "1", "2", "latest")),
    "format": Param(transparent("zip", "png", "webp")),
    "roi": Param(matching(_lengths(4), "four lengths in px or %: x1 y1 x2 y2")),
    "semitransparency": Param(BOOLEAN),
    "shadow_type": Param(one_of("none", "auto", "car", "drop", "3D"), Effect.COLOURS, kinds=_KINDS),
    "shadow_opacity": Param(number(0, 100, "auto", whole=True), needs="shadow_type", kinds=_KINDS),
    "add_shadow": Param(BOOLEAN, Effect.COLOURS, excludes=("shadow_type",)),
    "crop": Param(BOOLEAN, Effect.FRAME),
    "crop_margin": Param(matching(_lengths(1, 2, 4), "one, two or four lengths in px or %"), needs="crop"),
    "scale": Param(
        matching(r"original|[1-9]\d%|100%", "original, or a share from 10% to 100%"), Effect.FRAME, off=("original",)
    ),
    "position": Param(
        matching(r"original|center|\d+(\.\d+)?%( \d+(\.\d+)?%)?", "original, center, or one or two shares in %"),
        Effect.FRAME,
        off=("original",),
    ),
    "bg_color": Param(
        matching(r"#?([0-9A-Fa-f]{3,4}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})|[A-Za-z]+", "a colour, such as ffffff or white"),
        Effect.BACKDROP,
        off=(),
        excludes=("bg_image_url",),
    ),
    "bg_image_url": Param(WEB_URL, Effect.BACKDROP, off=(), excludes=("bg_color",)),
    **refused(("bg_image_file",), f"{A_FILE}: use bg_image_url"),
    **refused(("channels",), NO_CUTOUT),
}
