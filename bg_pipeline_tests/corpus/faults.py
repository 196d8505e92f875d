"""What can be wrong with an answer: functions of a right case, and of another one."""

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from bg_pipeline_tests.corpus.drawn import Case

Fault = Callable[[Case, Case], Image.Image]
"""Takes the case and another one; returns the wrong answer, of the size of the right one."""


def _with(case: Case, alpha: Image.Image) -> Image.Image:
    answer = case.answer.copy()
    answer.putalpha(alpha)
    return answer


def _alpha(case: Case) -> Image.Image:
    return case.answer.getchannel("A")


def _moved(x: float, y: float) -> Fault:
    def fault(case: Case, _other: Case) -> Image.Image:
        moved = Image.new("L", case.sent.size)
        moved.paste(_alpha(case), (round(x * case.sent.width), round(y * case.sent.height)))
        return _with(case, moved)

    return fault


def _scaled(factor: float) -> Fault:
    def fault(case: Case, _other: Case) -> Image.Image:
        w, h = case.sent.size
        small = _alpha(case).resize((round(w * factor), round(h * factor)), Image.Resampling.BICUBIC)
        moved = Image.new("L", (w, h))
        moved.paste(small, ((w - small.width) // 2, (h - small.height) // 2))
        return _with(case, moved)

    return fault


def _grown(share: float) -> Fault:
    def fault(case: Case, _other: Case) -> Image.Image:
        step = max(1, round(abs(share) * min(case.sent.size)))
        return _with(case, _near(_alpha(case), step) if share > 0 else ImageOps.invert(_near(_inverted(case), step)))

    return fault


def _near(alpha: Image.Image, radius: int) -> Image.Image:
    """Opaque up to so many pixels from what is half opaque."""
    solid = alpha.point(lambda a: 255 if a > 127 else 0)
    return solid.filter(ImageFilter.BoxBlur(radius)).point(lambda a: 255 if a else 0)


def _inverted(case: Case) -> Image.Image:
    return ImageOps.invert(_alpha(case))


def _without(box: tuple[float, float, float, float]) -> Fault:
    """Clear a part of the subject's bounding box."""

    def fault(case: Case, _other: Case) -> Image.Image:
        alpha = _alpha(case)
        left, top, right, bottom = alpha.point(lambda a: 255 if a > 127 else 0).getbbox() or (0, 0, *alpha.size)
        w, h = right - left, bottom - top
        part = (left + box[0] * w - 9, top + box[1] * h - 9, left + box[2] * w + 9, top + box[3] * h + 9)
        if box[0] > 0:
            part = (left + box[0] * w, *part[1:])
        if box[1] > 0:
            part = (part[0], top + box[1] * h, *part[2:])
        if box[2] < 1:
            part = (*part[:2], left + box[2] * w, part[3])
        if box[3] < 1:
            part = (*part[:3], top + box[3] * h)
        ImageDraw.Draw(alpha).rectangle(part, fill=0)
        return _with(case, alpha)

    return fault


def _opaque(share: float) -> Fault:
    return lambda case, _other: _with(case, _alpha(case).point(lambda a: round(a * share)))


def _enlarged(factor: int, how: Image.Resampling) -> Fault:
    def fault(case: Case, _other: Case) -> Image.Image:
        w, h = case.sent.size
        small = _alpha(case).resize((max(2, w // factor), max(2, h // factor)), Image.Resampling.BOX)
        return _with(case, small.resize((w, h), how))

    return fault


def _shape(name: str) -> Fault:
    def fault(case: Case, _other: Case) -> Image.Image:
        w, h = case.sent.size
        mask = Image.new("L", (w, h))
        getattr(ImageDraw.Draw(mask), name)((0.14 * w, 0.12 * h, 0.85 * w, 0.87 * h), fill=255)
        return _with(case, mask)

    return fault


def _box_of_subject(case: Case, _other: Case) -> Image.Image:
    mask = Image.new("L", case.sent.size)
    ImageDraw.Draw(mask).rectangle(_alpha(case).getbbox() or (0, 0, 1, 1), fill=255)
    return _with(case, mask)


def _turned(degrees: int) -> Fault:
    def fault(case: Case, _other: Case) -> Image.Image:
        return _with(case, _alpha(case).rotate(degrees, expand=True).resize(case.sent.size))

    return fault


def _another_outline(case: Case, other: Case) -> Image.Image:
    return _with(case, _alpha(other).resize(case.sent.size))


def _swapped(_case: Case, other: Case) -> Image.Image:
    return other.answer.resize(_case.sent.size)


def _chequered(case: Case, _other: Case) -> Image.Image:
    """Transparency drawn as a pattern, as on a screen of an editor."""
    w, h = case.sent.size
    y, x = np.mgrid[:h, :w]
    squares = np.where((x // 12 + y // 12) % 2, 255, 204).astype(np.uint8)
    baked = Image.merge("RGB", [Image.fromarray(squares)] * 3)
    baked.paste(case.sent, mask=_alpha(case))
    alpha = Image.new("L", (w, h), 255)
    ImageDraw.Draw(alpha).rectangle((0, 0, w, 3), fill=0)
    baked.putalpha(alpha)
    return baked


def _backdrop_left(case: Case, _other: Case) -> Image.Image:
    """Only a margin was removed."""
    w, h = case.sent.size
    alpha = Image.new("L", (w, h))
    ImageDraw.Draw(alpha).rectangle((0.04 * w, 0.05 * h, 0.97 * w, 0.96 * h), fill=255)
    return _with(case, alpha)


def _floor_left(case: Case, _other: Case) -> Image.Image:
    w, h = case.sent.size
    alpha = _alpha(case)
    ImageDraw.Draw(alpha).rectangle((0, 0.72 * h, w, h), fill=255)
    return _with(case, alpha)


def _watermark(case: Case, _other: Case) -> Image.Image:
    answer = case.answer.convert("RGB")
    layer = Image.new("L", answer.size)
    pen, font = ImageDraw.Draw(layer), ImageFont.load_default(28)
    for y in range(0, answer.height, 60):
        for x in range(-40 * (y // 60 % 2), answer.width, 150):
            pen.text((x, y), "PREVIEW", fill=110, font=font)
    light = np.asarray(answer.convert("L")).mean()
    answer.paste((0, 0, 0) if light > 128 else (255, 255, 255), mask=layer)
    answer.putalpha(_alpha(case))
    return answer


def _tinted(case: Case, _other: Case) -> Image.Image:
    r, g, b, a = case.answer.split()
    shifted = Image.merge("RGB", (r.point(lambda v: min(255, v + 14)), g, b.point(lambda v: max(0, v - 14))))
    shifted.putalpha(a)
    return shifted


def _grey(case: Case, _other: Case) -> Image.Image:
    answer = ImageOps.grayscale(case.answer.convert("RGB")).convert("RGB")
    answer = ImageEnhance.Brightness(answer).enhance(0.85)
    answer.putalpha(_alpha(case))
    return answer


def _spots(kept: bool) -> Fault:
    """Round pieces of backdrop kept, or of the subject lost."""

    def fault(case: Case, _other: Case) -> Image.Image:
        alpha, rng = _alpha(case), np.random.default_rng(5)
        solid = np.asarray(alpha) > 127
        beside = np.asarray(_near(alpha if kept else ImageOps.invert(alpha), 20))
        ys, xs = np.nonzero(beside == 0)
        if len(xs) < 50:
            return _with(case, alpha)
        r = max(9, 0.14 * np.sqrt(solid.sum()))
        pen = ImageDraw.Draw(alpha)
        for _ in range(4):
            at = int(rng.integers(len(xs)))
            pen.ellipse((xs[at] - r, ys[at] - r, xs[at] + r, ys[at] + r), fill=255 if kept else 0)
        return _with(case, alpha)

    return fault


FAULTS: Mapping[str, Fault] = {
    "shifted by a twelfth": _moved(1 / 12, 1 / 16),
    "shifted by 3 %": _moved(0.03, -0.015),
    "mirrored": lambda case, _other: _with(case, ImageOps.mirror(_alpha(case))),
    "upside down": lambda case, _other: _with(case, ImageOps.flip(_alpha(case))),
    "turned by 90 degrees": _turned(90),
    "turned by 15 degrees": lambda case, _other: _with(case, _alpha(case).rotate(15)),
    "another picture's outline": _another_outline,
    "another picture's answer": _swapped,
    "scaled to 85 %": _scaled(0.85),
    "grown by 4 %": _grown(0.04),
    "shrunk by 4 %": _grown(-0.04),
    "inverted": lambda case, _other: _with(case, _inverted(case)),
    "left half missing": _without((0, 0, 0.5, 1)),
    "lower half missing": _without((0, 0.5, 1, 1)),
    "a quarter missing": _without((0.5, 0, 1, 0.5)),
    "opacity of 40 %": _opaque(0.4),
    "opacity of 65 %": _opaque(0.65),
    "coarse: blocks of 16 px": _enlarged(16, Image.Resampling.NEAREST),
    "coarse: enlarged 16 times": _enlarged(16, Image.Resampling.BICUBIC),
    "plain square": _shape("rectangle"),
    "plain ellipse": _shape("ellipse"),
    "box around the subject": _box_of_subject,
    "baked checkerboard": _chequered,
    "most of the backdrop left": _backdrop_left,
    "the floor left": _floor_left,
    "pieces of backdrop left": _spots(kept=True),
    "holes in the subject": _spots(kept=False),
    "watermark": _watermark,
    "colours shifted": _tinted,
    "without colour": _grey,
    "empty": lambda case, _other: _with(case, Image.new("L", case.sent.size)),
    "nothing removed": lambda case, _other: _with(case, Image.new("L", case.sent.size, 255)),
}


def differs(case: Case, answer: Image.Image) -> bool:
    """Return False where the fault leaves the answer as good as it was: a symmetric product in a mirror."""
    right, wrong = (np.asarray(each.getchannel("A"), np.float32) / 255 for each in (case.answer, answer))
    union = np.maximum(right, wrong).sum()
    if union == 0 or np.minimum(right, wrong).sum() / union < 0.93:
        return True
    return (
        float(
            np.abs(np.asarray(answer.convert("RGB"), np.float32) - np.asarray(case.sent, np.float32))[
                right > 0.9
            ].mean()
        )
        > 1.7
    )
