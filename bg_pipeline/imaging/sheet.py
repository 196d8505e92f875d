"""Contact sheets: before beside after, as a picture and as a page."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_INK, _MUTED, _ALARM, _PAPER, _FRAME = "#1c1e21", "#6a6f76", "#b3261e", "#ffffff", "#d9dce1"
_LIGHT, _DARK, _SQUARE_PX = "#ffffff", "#e3e6ea", 8
_GAP_PX, _LINE_PX = 16, 16
_PAGE_PX = 320
"""Longest side of a picture in the page, which holds all of them inline."""


@dataclass(frozen=True)
class Pair:
    """One item before and after; without an `after`, `note` says why."""

    label: str
    before: Image.Image | None
    after: Image.Image | None
    note: str = ""


def contact_sheet(pairs: Sequence[Pair], *, columns: int = 4, cell_px: int = 200, title: str = "") -> Image.Image:
    """
    All pairs in a grid, RGB.

    Args:
        pairs: thumbnails of any size.
        columns: pairs in a row.
        cell_px: longest side of one picture.
        title: a line above; empty for none.
    """
    columns = max(1, min(columns, len(pairs)))
    wide, high = 2 * cell_px + _GAP_PX, cell_px + 2 * _LINE_PX + _GAP_PX
    top = 2 * _GAP_PX + _LINE_PX if title else _GAP_PX
    size = (columns * wide + _GAP_PX, -(-len(pairs) // columns) * high + top)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((_GAP_PX, _GAP_PX), title, _INK, _font(18))
    for index, pair in enumerate(pairs):
        corner = (_GAP_PX + index % columns * wide, top + index // columns * high)
        _draw_pair(sheet, draw, pair, corner, cell_px)
    return sheet


def sheet_png(pairs: Sequence[Pair], *, columns: int = 4, cell_px: int = 200, title: str = "") -> bytes:
    """`contact_sheet` as the bytes of a PNG."""
    out = io.BytesIO()
    contact_sheet(pairs, columns=columns, cell_px=cell_px, title=title).save(out, "PNG", optimize=True)
    return out.getvalue()


def sheet_html(pairs: Sequence[Pair], *, title: str, facts: Sequence[tuple[str, str]]) -> str:
    """One page that needs nothing else: pictures are inline."""
    rows = "".join(f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in facts)
    figures = "\n".join(map(_figure, pairs))
    return _PAGE.format(title=_text(title), facts=f"<table>{rows}</table>" if rows else "", figures=figures)


def _draw_pair(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, pair: Pair, corner: tuple[int, int], cell_px: int
) -> None:
    left, top = corner
    for picture, x in ((pair.before, left), (pair.after, left + cell_px)):
        box = (x, top, x + cell_px - 1, top + cell_px - 1)
        if picture is not None:
            sheet.paste(_fitted(picture, cell_px), (x, top))
        else:
            for start, end in (((box[0] + 40, box[1] + 40), box[2:]), ((box[2] - 40, box[1] + 40), (box[0], box[3]))):
                draw.line((start, (end[0] - 40 if end[0] == box[2] else end[0] + 40, end[1] - 40)), _ALARM, 3)
        draw.rectangle(box, outline=_FRAME)
    _line(draw, pair.label, (left, top + cell_px + 3), 2 * cell_px, _INK, 13)
    colour = _MUTED if pair.after is not None else _ALARM
    _line(draw, pair.note, (left, top + cell_px + 3 + _LINE_PX), 2 * cell_px, colour, 11)


def _fitted(picture: Image.Image, cell_px: int) -> Image.Image:
    cell = (
        _checkerboard((cell_px, cell_px)) if picture.has_transparency_data else Image.new("RGB", (cell_px,) * 2, _PAPER)
    )
    small = picture.convert("RGBA")
    small.thumbnail((cell_px, cell_px), Image.Resampling.LANCZOS)
    cell.paste(small, ((cell_px - small.width) // 2, (cell_px - small.height) // 2), small)
    return cell


def _checkerboard(size: tuple[int, int]) -> Image.Image:
    board = Image.new("RGB", size, _LIGHT)
    draw = ImageDraw.Draw(board)
    for y in range(0, size[1], _SQUARE_PX):
        for x in range(y // _SQUARE_PX % 2 * _SQUARE_PX, size[0], 2 * _SQUARE_PX):
            draw.rectangle((x, y, x + _SQUARE_PX - 1, y + _SQUARE_PX - 1), _DARK)
    return board


def _line(draw: ImageDraw.ImageDraw, text: str, corner: tuple[int, int], width: int, colour: str, size: int) -> None:
    font = _font(size)
    line = _printable(text)
    if draw.textlength(line, font) > width:
        while line and draw.textlength(line + "…", font) > width:
            line = line[:-1]
        line += "…"
    draw.text(corner, line, colour, font)


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _printable(text: str) -> str:
    safe = text.encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() else "?" for c in safe)


def _figure(pair: Pair) -> str:
    after = (
        f'<img class="clear" alt="after" src="{_inline(pair.after)}">' if pair.after else '<div class="none">✕</div>'
    )
    before = f'<img alt="before" src="{_inline(pair.before)}">' if pair.before else '<div class="none">✕</div>'
    note = f'<small class="{"" if pair.after else "alarm"}">{_text(pair.note)}</small>' if pair.note else ""
    return f"<figure><div>{before}{after}</div><figcaption>{_text(pair.label)}{note}</figcaption></figure>"


def _inline(picture: Image.Image) -> str:
    small = picture.copy()
    small.thumbnail((_PAGE_PX, _PAGE_PX), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=85)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"


def _text(text: str) -> str:
    return html.escape(_printable(text))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --square: #8883; }}
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; }}
table {{ margin: 0 0 1.5rem; border-spacing: 0; }} th {{ text-align: left; font-weight: 500; padding-right: 1.5rem; }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: 1.25rem; }}
figure {{ margin: 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }}
figure div {{ display: grid; grid-template-columns: 1fr 1fr; align-items: stretch; }}
img {{ width: 100%; height: 100%; object-fit: contain; }}
.clear {{ background: repeating-conic-gradient(var(--square) 0 25%, transparent 0 50%) 0 0 / 16px 16px; }}
.none {{ place-content: center; text-align: center; font-size: 3rem; color: #b3261e; min-height: 8rem; }}
figcaption {{ padding: .5rem .75rem; overflow-wrap: anywhere; }} small {{ display: block; opacity: .7; }}
.alarm {{ color: #c5221f; opacity: 1; }}
</style></head>
<body><h1>{title}</h1>
{facts}
<main>
{figures}
</main></body></html>
"""
