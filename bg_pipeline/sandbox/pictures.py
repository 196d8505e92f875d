"""Picture operations that all vendors share: decode, shrink, put on a background, encode."""

import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from PIL import Image, ImageColor, ImageFilter, UnidentifiedImageError

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels."""

Colour = tuple[int, int, int, int]
"""Red, green, blue, alpha."""

_FORMATS: Mapping[str, tuple[str, dict[str, Any]]] = {
    # Level 1, as compressing harder only takes time: `latency_s` simulates the vendor's time.
    "png": ("image/png", {"compress_level": 1}),
    "jpg": ("image/jpeg", {"quality": 90}),
    "webp": ("image/webp", {"quality": 90, "method": 0}),
    "avif": ("image/avif", {"quality": 90, "speed": 10}),
}
_ENCODERS = {"jpg": "JPEG"}


class Flaw(Enum):
    """Reason why an upload cannot be used."""

    NO_PICTURE = auto()
    DAMAGED = auto()
    TOO_MANY_PIXELS = auto()


class UnreadablePicture(Exception):
    """An upload that cannot be used; `size` is set if there are too many pixels."""

    def __init__(self, flaw: Flaw, size: tuple[int, int] = (0, 0)) -> None:
        super().__init__(flaw.name)
        self.flaw = flaw
        self.size = size


@dataclass(frozen=True, slots=True)
class File:
    content: bytes
    media_type: str


def decode(data: bytes, max_pixels: int = 50_000_000) -> Image.Image:
    """
    Return the pixels as stored, RGBA, without metadata.

    Raises:
        UnreadablePicture: it is no JPEG, PNG or WebP, is damaged, or has more pixels than `max_pixels`.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP"))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadablePicture(Flaw.TOO_MANY_PIXELS) from error
    except UnidentifiedImageError as error:
        raise UnreadablePicture(Flaw.NO_PICTURE) from error
    except Exception as error:  # Pillow's decoders may raise any exception for a damaged file
        raise UnreadablePicture(Flaw.DAMAGED) from error
    with image:
        if image.width * image.height > max_pixels:
            raise UnreadablePicture(Flaw.TOO_MANY_PIXELS, image.size)
        try:
            rgba = image.convert("RGBA")
        except Exception as error:  # as above
            raise UnreadablePicture(Flaw.DAMAGED) from error
    rgba.info = {}
    return rgba


def encode(image: Image.Image, kind: str) -> File:
    """Encode as png, jpg, webp or avif; a JPEG gets white where the picture is transparent."""
    if kind == "jpg" and image.mode == "RGBA":
        image = on_colour(image, (255, 255, 255, 255)).convert("RGB")
    media_type, options = _FORMATS[kind]
    buffer = io.BytesIO()
    image.save(buffer, _ENCODERS.get(kind, kind.upper()), **options)
    return File(buffer.getvalue(), media_type)


def shrink(image: Image.Image, max_pixels: int) -> Image.Image:
    """Shrink a picture to at most `max_pixels`, in the same proportions."""
    pixels = image.width * image.height
    if pixels <= max_pixels:
        return image
    factor = math.sqrt(max_pixels / pixels)
    return image.resize((max(1, int(image.width * factor)), max(1, int(image.height * factor))))


def on_colour(image: Image.Image, colour: Colour) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, colour), image)


def colour(text: str) -> Colour | None:
    """Parse 3, 4, 6 or 8 hexadecimal digits, with or without `#`, or a CSS name; return None for other texts."""
    if re.fullmatch("#?([0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})", text):
        text = "#" + text.removeprefix("#")
    elif not text.isalpha():
        return None
    try:
        rgba = ImageColor.getcolor(text, "RGBA")
    except ValueError:
        return None
    assert isinstance(rgba, tuple)
    red, green, blue, alpha = rgba
    return red, green, blue, alpha


def with_shadow(image: Image.Image, opacity: float) -> Image.Image:
    """Draw a soft shadow under the subject of a cutout, a little below and to the right of it."""
    shift = max(1, round(min(image.size) * 0.03))
    shape = Image.new("L", image.size)
    shape.paste(image.getchannel("A"), (shift, shift))
    shape = shape.filter(ImageFilter.GaussianBlur(shift)).point(lambda value: round(value * opacity))
    shadow = Image.new("RGBA", image.size, (0, 0, 0, 0))
    shadow.putalpha(shape)
    return Image.alpha_composite(shadow, image)


def is_transparent(image: Image.Image) -> bool:
    return image.mode == "RGBA" and image.getchannel("A").getextrema() != (255, 255)
