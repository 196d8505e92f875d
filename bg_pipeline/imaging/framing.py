"""The frame of an output: which part of a cutout is its subject, and where on a canvas it stands."""

import math

from PIL import Image, ImageFilter

from bg_pipeline.core.formats import Alignment
from bg_pipeline.core.recipe import Rendition

Box = tuple[int, int, int, int]
"""Left, upper, right and lower border in px."""

_VISIBLE = 16
"""Alpha of 255 from which a pixel belongs to the subject. At 6 % a black haze on white is hardly seen; vendors and
codecs leave values of 1 to 8 far from the subject, and the soft edge of a subject passes 16 within a pixel or two."""

_COARSE_PX = 512
"""Longest side of a copy in which a speck of a few pixels fades below `_VISIBLE`, and a hair of one pixel does not."""

_SHADOW_BLUR, _SHADOW_DROP = 0.015, 0.02
"""Standard deviation of a drop shadow, and its way down, as shares of the subject's longest side."""

SHADOW_ROOM = _SHADOW_DROP + 2 * _SHADOW_BLUR
"""Share of the subject's longest side that a drop shadow takes below it."""


def subject_box(alpha: Image.Image) -> Box:
    """Return the box of the subject; the whole frame if nothing in it is visible."""
    whole = (0, 0, *alpha.size)
    step = math.ceil(max(alpha.size) / _COARSE_PX)
    coarse = _visible_box(alpha.reduce(step) if step > 1 else alpha)
    if coarse is None:
        return _visible_box(alpha) or whole
    left, upper, right, lower = (side * step for side in coarse)
    around = (max(0, left - step), max(0, upper - step), min(whole[2], right + step), min(whole[3], lower + step))
    box = _visible_box(alpha.crop(around)) or (0, 0, around[2] - around[0], around[3] - around[1])
    return around[0] + box[0], around[1] + box[1], around[0] + box[2], around[1] + box[3]


def _visible_box(alpha: Image.Image) -> Box | None:
    return alpha.point(lambda a: 255 if a >= _VISIBLE else 0).getbbox()


def framed(cutout: Image.Image, rendition: Rendition) -> Image.Image:
    """
    Return a cutout (RGBA) in the frame of a rendition, with its shadow; the cutout itself if nothing changes.

    Half transparent edges keep their colours: Pillow scales RGBA with its alpha multiplied in.
    """
    frame = _on_canvas(cutout, rendition.canvas, rendition) if rendition.canvas else _scaled(cutout, rendition)
    return _with_shadow(frame, rendition.shadow) if rendition.shadow else frame


def _scaled(cutout: Image.Image, rendition: Rendition) -> Image.Image:
    scale = rendition.longest_side / max(cutout.size) if rendition.longest_side else 1.0
    if scale == 1.0 or (scale > 1.0 and not rendition.upscale):
        return cutout
    width, height = (max(1, round(side * scale)) for side in cutout.size)
    return cutout.resize((width, height), Image.Resampling.LANCZOS)


def _on_canvas(cutout: Image.Image, canvas: tuple[int, int], rendition: Rendition) -> Image.Image:
    left, upper, right, lower = subject_box(cutout.getchannel("A"))
    room = [max(1, round(side * (1 - 2 * rendition.padding))) for side in canvas]
    scale = min(room[0] / (right - left), room[1] / (lower - upper))
    if not rendition.upscale:
        scale = min(scale, 1.0)
    width, height = (max(1, round(side * scale)) for side in (right - left, lower - upper))
    across = (canvas[0] - width) // 2
    down = (canvas[1] - height) // 2
    if rendition.alignment is Alignment.BOTTOM:
        down = canvas[1] - round(canvas[1] * rendition.padding) - height
    # All that the canvas has room for, or the faint end of a shadow would be cut off in a line.
    scales = width / (right - left), height / (lower - upper)
    start = across - left * scales[0], down - upper * scales[1]
    end = start[0] + cutout.width * scales[0], start[1] + cutout.height * scales[1]
    target = (
        max(0, math.ceil(start[0] - 1e-6)),
        max(0, math.ceil(start[1] - 1e-6)),
        min(canvas[0], math.floor(end[0] + 1e-6)),
        min(canvas[1], math.floor(end[1] + 1e-6)),
    )
    source = (
        max(0.0, (target[0] - start[0]) / scales[0]),
        max(0.0, (target[1] - start[1]) / scales[1]),
        min(float(cutout.width), (target[2] - start[0]) / scales[0]),
        min(float(cutout.height), (target[3] - start[1]) / scales[1]),
    )
    size = max(1, target[2] - target[0]), max(1, target[3] - target[1])
    frame = Image.new("RGBA", canvas, (0, 0, 0, 0))
    frame.paste(cutout.resize(size, Image.Resampling.LANCZOS, box=source), target[:2])
    return frame


def _with_shadow(frame: Image.Image, opacity: float) -> Image.Image:
    alpha = frame.getchannel("A")
    left, upper, right, lower = subject_box(alpha)
    side = max(right - left, lower - upper)
    fallen = Image.new("L", frame.size, 0)
    fallen.paste(alpha, (0, round(side * _SHADOW_DROP)))
    cast = fallen.filter(ImageFilter.GaussianBlur(side * _SHADOW_BLUR)).point(lambda a: round(a * opacity))
    under = Image.new("RGBA", frame.size, (0, 0, 0, 0))
    under.putalpha(cast)
    return Image.alpha_composite(under, frame)
