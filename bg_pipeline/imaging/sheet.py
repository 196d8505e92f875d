"""Contact sheets: pictures before and after, side by side in one picture."""

import io
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil

from PIL import Image, ImageDraw, ImageFont

_PAGE, _CARD, _LINE, _WELL = "#f2f4f7", "#ffffff", "#dde1e7", "#eceff3"
_INK, _MUTED, _ALARM, _BLUSH = "#1d2129", "#667085", "#b42318", "#fdf0ee"
_SQUARES = ("#ffffff", "#e4e7ec")
_FINE = 4
"""Factor by which corners are drawn larger and then shrunk: Pillow draws them without smoothing."""

_PLAIN = str.maketrans("–—‘’“”×", "--''\"\"x")

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


@dataclass(frozen=True)
class Pair:
    """One item before and after; without an `after` it has failed, and `note` gives the reason."""

    label: str
    before: Image.Image | None
    after: Image.Image | None
    note: str = ""


def contact_sheet(pairs: Sequence[Pair], *, columns: int = 4, cell_px: int = 200, title: str = "") -> Image.Image:
    """
    Draw all pairs in a grid, RGB.

    Args:
        pairs: pictures of any size and mode; they are shrunk, never enlarged.
        columns: pairs in a row; at most the number of pairs.
        cell_px: width and height of one picture, px; at least 48.
        title: a line above; empty for none.
    """
    cell_px = max(48, cell_px)
    columns = max(1, min(columns, len(pairs)))
    rows = -(-len(pairs) // columns)
    gap, pad = max(8, cell_px // 12), max(6, cell_px // 20)
    wide, high = 2 * (cell_px + pad) + pad, cell_px + 2 * pad + _line_px(cell_px)[2]
    head = gap + (round(cell_px * 0.16) if title else 0)
    size = gap + columns * (wide + gap), head + rows * (high + gap) + (gap if not rows else 0)
    sheet = Image.new("RGB", size, _PAGE)
    if title:
        font = _font(max(15, round(cell_px * 0.11)))
        line = _fit(title, font, size[0] - 2 * gap, tail=0)
        ImageDraw.Draw(sheet).text((gap, (head + gap // 3) // 2), line, _INK, font, anchor=_anchor(font, "lm"))
    for index, pair in enumerate(pairs):
        corner = gap + index % columns * (wide + gap), head + index // columns * (high + gap)
        sheet.paste(_card(pair, (wide, high), cell_px, pad), corner, _rounded((wide, high), pad))
    return sheet


def sheet_png(pairs: Sequence[Pair], *, columns: int = 4, cell_px: int = 200, title: str = "") -> bytes:
    """Return `contact_sheet` as the bytes of a PNG."""
    out = io.BytesIO()
    contact_sheet(pairs, columns=columns, cell_px=cell_px, title=title).save(out, "PNG")
    return out.getvalue()


def _line_px(cell_px: int) -> tuple[int, int, int]:
    """Return the font sizes of label and note, and the height of both lines together."""
    label, note = max(11, round(cell_px * 0.070)), max(10, round(cell_px * 0.058))
    return label, note, round(label * 1.45) + round(note * 1.9)


def _card(pair: Pair, size: tuple[int, int], cell_px: int, pad: int) -> Image.Image:
    card = Image.new("RGB", size, _CARD)
    draw = ImageDraw.Draw(card)
    draw.rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), pad, outline=_LINE)
    cell = _rounded((cell_px, cell_px), max(3, pad // 2))
    card.paste(_picture(pair.before, cell_px) if pair.before else _blank("no picture", "", cell_px), (pad, pad), cell)
    after = _picture(pair.after, cell_px) if pair.after else _blank("no cutout", pair.note, cell_px)
    card.paste(after, (2 * pad + cell_px, pad), cell)

    label_px, note_px, _ = _line_px(cell_px)
    left, top, room = pad + 1, 2 * pad + cell_px, size[0] - 2 * pad - 2
    font = _font(label_px)
    draw.text((left, top), _fit(pair.label, font, room, tail=0.6), _INK, font, anchor=_anchor(font, "la"))
    if pair.after:  # a failed item shows the reason in place of its cutout
        font = _font(note_px)
        top += round(label_px * 1.45)
        draw.text((left, top), _fit(pair.note, font, room, tail=0), _MUTED, font, anchor=_anchor(font, "la"))
    return card


def _picture(picture: Image.Image, cell_px: int) -> Image.Image:
    """Draw a cell with the picture in its middle, on squares where it is transparent."""
    clear = picture.has_transparency_data
    small = picture.convert("RGBA" if clear else "RGB")
    small.thumbnail((cell_px, cell_px), Image.Resampling.LANCZOS)
    cell = _squares(cell_px).copy() if clear else Image.new("RGB", (cell_px, cell_px), _WELL)
    position = (cell_px - small.width) // 2, (cell_px - small.height) // 2
    cell.paste(small, position, small if clear else None)
    return cell


def _blank(head: str, why: str, cell_px: int) -> Image.Image:
    """Draw a cell for a missing picture: a cross, a heading, and as much of the reason as fits."""
    cell = Image.new("RGB", (cell_px, cell_px), _BLUSH if why or head == "no cutout" else _WELL)
    draw = ImageDraw.Draw(cell)
    ink = _ALARM if head == "no cutout" else _MUTED
    middle, arm = cell_px / 2, cell_px * 0.06
    sign = Image.new("L", (cell_px * _FINE, cell_px * _FINE))
    pen = ImageDraw.Draw(sign)
    y = cell_px * 0.30
    for slope in (-1, 1):
        ends = [((middle + side * arm) * _FINE, (y + side * slope * arm) * _FINE) for side in (-1, 1)]
        pen.line(ends, 255, round(cell_px * 0.022 * _FINE))
    ring = [(middle - arm * 2.1) * _FINE, (y - arm * 2.1) * _FINE, (middle + arm * 2.1) * _FINE]
    pen.ellipse((*ring, (y + arm * 2.1) * _FINE), outline=255, width=round(cell_px * 0.018 * _FINE))
    cell.paste(ink, (0, 0), sign.reduce(_FINE))
    font = _font(max(11, round(cell_px * 0.075)))
    draw.text((middle, cell_px * 0.53), head, ink, font, anchor=_anchor(font, "mm"))
    font = _font(max(10, round(cell_px * 0.058)))
    for row, line in enumerate(_wrapped(why, font, round(cell_px * 0.86), rows=4)):
        draw.text((middle, cell_px * (0.65 + 0.083 * row)), line, _INK, font, anchor=_anchor(font, "mm"))
    return cell


@cache
def _rounded(size: tuple[int, int], radius: int) -> Image.Image:
    mask = Image.new("L", (size[0] * _FINE, size[1] * _FINE))
    box = (0, 0, mask.width - 1, mask.height - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius * _FINE, 255)
    return mask.reduce(_FINE)


@cache
def _squares(side: int) -> Image.Image:
    """Draw a checkerboard, the sign for transparency."""
    square = max(5, side // 20)
    board = Image.new("RGB", (side, side), _SQUARES[0])
    draw = ImageDraw.Draw(board)
    for y in range(0, side, square):
        for x in range(y // square % 2 * square, side, 2 * square):
            draw.rectangle((x, y, x + square - 1, y + square - 1), _SQUARES[1])
    return board


@cache
def _font(size: int) -> Font:
    return ImageFont.load_default(size)


def _anchor(font: Font, where: str) -> str | None:
    """Return the text anchor, if any: without FreeType there is one bitmap font, which supports none."""
    return where if isinstance(font, ImageFont.FreeTypeFont) else None


def _fit(text: str, font: Font, room_px: int, *, tail: float) -> str:
    """Shorten the text to the available width; `tail` is the share kept of its end, where names differ."""
    line = _drawable(text)
    if font.getlength(line) <= room_px:
        return line

    def shortened(kept: int) -> str:
        end = round(kept * tail)
        return line[: kept - end].rstrip() + "..." + (line[-end:] if end else "")

    most = bisect_right(range(len(line)), room_px, key=lambda kept: ceil(font.getlength(shortened(kept)))) - 1
    return shortened(most) if most > 0 else ""


def _wrapped(text: str, font: Font, room_px: int, rows: int) -> list[str]:
    lines: list[str] = []
    for word in _drawable(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= room_px:
            lines[-1] = longer
        elif len(lines) == rows:
            lines[-1] = _fit(longer, font, room_px, tail=0)
            break
        else:
            lines.append(word)
    return [_fit(line, font, room_px, tail=0) for line in lines]


def _drawable(text: str) -> str:
    """Reduce the text to ASCII for Pillow's own font: accents are dropped, other letters become a question mark."""
    parts = unicodedata.normalize("NFKD", printable(text).translate(_PLAIN))
    return "".join(c for c in parts if not unicodedata.combining(c)).encode("ascii", "replace").decode()


def printable(text: str) -> str:
    """Make a file name printable: it may hold control characters, and bytes that are not text."""
    safe = text.encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() else " " for c in safe)
