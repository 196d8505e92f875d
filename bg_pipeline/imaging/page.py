"""The contact sheet as one self-contained HTML page: pictures are inline, there is no script."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from PIL import Image, features

from bg_pipeline.imaging.encoding import encode
from bg_pipeline.imaging.sheet import Pair, printable

_INLINE_PX = 320
"""Longest side of a picture inside the page; about 15 KB each."""


@dataclass(frozen=True, slots=True)
class _Inline:
    """A picture as a data URL."""

    src: str
    width: int
    height: int
    clear: bool
    """True if it has transparent parts."""


def sheet_html(pairs: Sequence[Pair], *, title: str, facts: Sequence[tuple[str, str]]) -> str:
    """
    Return the page. Labels, notes and facts may hold any text: they are escaped.

    Args:
        pairs: as for `sheet.contact_sheet`.
        title: heading and window title.
        facts: (name, value) rows of the table above the pictures.
    """
    return _template().render(
        title=printable(title),
        facts=[(printable(name), printable(value)) for name, value in facts],
        figures=[
            {
                "label": printable(pair.label),
                "note": printable(pair.note),
                "before": _inline(pair.before) if pair.before else None,
                "after": _inline(pair.after) if pair.after else None,
            }
            for pair in pairs
        ],
    )


@cache
def _template() -> Template:
    return load_template("sheet.html")


def load_template(name: str) -> Template:
    """Return a template of this folder: it escapes every value, and an unknown one is an error."""
    environment = Environment(
        loader=PackageLoader("bg_pipeline.imaging", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _inline(picture: Image.Image) -> _Inline:
    clear = picture.has_transparency_data
    small = picture.convert("RGBA" if clear else "RGB")
    small.thumbnail((_INLINE_PX, _INLINE_PX), Image.Resampling.LANCZOS)
    if not clear:
        kind, shown = "jpeg", encode(small, format="JPEG", quality=82)
    elif features.check("webp"):
        kind, shown = "webp", encode(small, format="WEBP", quality=82)
    else:
        kind, shown = "png", encode(small, format="PNG")
    data = base64.b64encode(shown).decode()
    return _Inline(f"data:image/{kind};base64,{data}", small.width, small.height, clear)
