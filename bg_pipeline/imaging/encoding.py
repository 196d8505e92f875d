"""Encode pictures: the formats of outputs, their limits, and no metadata but what is given."""

import io
from typing import Any

from PIL import Image

from bg_pipeline.core.formats import Format
from bg_pipeline.errors import ItemUnreadable
from bg_pipeline.imaging.png import png

ENCODERS: dict[Format, dict[str, Any]] = {
    Format.PNG: {"format": "PNG"},
    Format.WEBP: {"format": "WEBP", "quality": 90, "method": 4},
    Format.JPG: {"format": "JPEG", "quality": 92, "subsampling": 0},
    Format.AVIF: {"format": "AVIF", "quality": 80, "subsampling": "4:4:4", "speed": 9},
}
"""Options of `encode` for each format."""

MASTER_FORMATS = tuple(ENCODERS[kind]["format"] for kind in Format if kind.has_alpha)
"""Formats that an answer, and so a master, can have."""


def encode(image: Image.Image, **options: Any) -> bytes:
    """
    Encode a picture without its own metadata. Every picture that is sent, stored or shown goes through here.

    Pillow's encoders copy entries of `info`, such as a comment, and fail if they are too long.
    """
    if options["format"] == "PNG":
        return png(image, options.get("icc_profile", b""), options.get("exif", b""))
    image.info = {}
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


def require_fitting(size: tuple[int, int], kind: Format) -> None:
    """
    Raises:
        ItemUnreadable: a picture of this size cannot be a file of this format.
    """
    if max(size) > kind.max_side_px:
        raise ItemUnreadable(
            f"{size[0]}×{size[1]} px, and a {kind.upper()} has at most {kind.max_side_px:,} px a side: choose another "
            "BG_FORMAT or a BG_CANVAS, then run `bg-pipeline retry`"
        )
