"""Tiny pictures for tests, made on the spot."""

import io
from functools import cache

from PIL import Image, ImageDraw

from bg_pipeline.core.recipe import Rendition
from bg_pipeline.core.records import Use
from bg_pipeline.imaging import rendering


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The bytes of an image file."""
    out = io.BytesIO()
    image.save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def heic(image: Image.Image, **options: object) -> bytes:
    """The bytes of a HEIC file; needs its extra."""
    from pillow_heif import from_pillow, register_heif_opener

    register_heif_opener(thumbnails=False)  # so that a test can open it again
    out = io.BytesIO()
    from_pillow(image).save(out, quality=95, **options)
    return out.getvalue()


@cache
def product(shade: int = 0, size: tuple[int, int] = (48, 32), kind: str = "PNG") -> bytes:
    """A dark box on a light backdrop; another shade is another picture, also after JPEG has blurred it."""
    image = Image.new("RGB", size, (235, 235, 235))
    box = (size[0] // 4, size[1] // 4, size[0] * 3 // 4, size[1] * 3 // 4)
    ImageDraw.Draw(image).rectangle(box, fill=(shade * 29 % 200, (shade * 53 + shade // 200 * 40) % 200, 90))
    return encoded(image, kind)


def cutout_of(sent: bytes) -> bytes:
    """What a good service answers: the same colours, and an alpha that keeps the middle."""
    with Image.open(io.BytesIO(sent)) as opened:
        image = opened.convert("RGB")
    alpha = Image.new("L", image.size, 0)
    box = (image.width // 4, image.height // 4, image.width * 3 // 4, image.height * 3 // 4)
    ImageDraw.Draw(alpha).rectangle(box, fill=255)
    image.putalpha(alpha)
    return encoded(image)


def cut_middle(image: Image.Image) -> Image.Image:
    """The outline of the box that `product` draws, as the alpha of any size of it."""
    return opened(cutout_of(encoded(image))).getchannel("A")


def opened(data: bytes) -> Image.Image:
    """Decoded to the last byte."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@cache
def noisy(kind: str, size: tuple[int, int] = (480, 360)) -> bytes:
    """A product with the grain of a camera, so that no format makes less than a few KiB of it."""
    image = opened(product(77, size))
    grain = Image.effect_noise(size, 60).convert("RGB")
    return encoded(Image.blend(image, grain, 0.4).convert("RGB"), kind)


def render(source: bytes, master: bytes, rendition: Rendition, use: Use) -> bytes:
    """One rendition alone."""
    (made,) = rendering.render(source, master, [rendition], use)
    return made
