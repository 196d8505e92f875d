"""Validate and parse the parameters of a call."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from bg_pipeline.sandbox.pictures import Colour
from bg_pipeline.sandbox.removebg.errors import InvalidParameter
from bg_pipeline.sandbox.removebg.prices import PIXELS

_COARSE_TYPES = frozenset({"person", "product", "animal", "car"})
_FINE_TYPES = _COARSE_TYPES | {"car_interior", "car_part", "transportation", "graphics"}


@dataclass(frozen=True, slots=True)
class Length:
    """Length in pixels, or as a share of another length."""

    value: float
    is_share: bool

    def px(self, whole_px: int) -> float:
        return self.value * whole_px if self.is_share else self.value


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parsed parameters."""

    size: str
    format: str
    alpha_only: bool
    roi: tuple[Length, Length, Length, Length] | None
    margins: tuple[Length, Length, Length, Length] | None
    """Top, right, bottom and left margin of the cropped subject; None for no crop."""
    scale: float | None
    position: tuple[float, float] | None
    background: Colour | Image.Image | None
    type: str
    """Value of the type header; empty for no header."""
    as_json: bool
    shadow_opacity: float
    """From 0 to 1; 0 for no shadow."""


def parse_parameters(texts: Mapping[str, str], *, background: Colour | Image.Image | None, as_json: bool) -> Parameters:
    margins = _margins(texts.get("crop_margin", "0"))
    _parse_choice(texts, "semitransparency", "true", "false")
    scale = texts.get("scale", "original")
    position = texts.get("position", "original" if scale == "original" else "center")
    return Parameters(
        size=_parse_choice(texts, "size", "preview", "auto", *PIXELS),
        format=_parse_choice(texts, "format", "auto", "png", "jpg", "zip", "webp"),
        alpha_only=_parse_choice(texts, "channels", "rgba", "alpha") == "alpha",
        roi=_roi(texts["roi"]) if "roi" in texts else None,
        margins=margins if texts.get("crop") == "true" else None,
        scale=None if scale == "original" else _share("scale", scale, least=0.1),
        position=None if position == "original" else _position(position),
        background=background,
        type=_type_header(texts.get("type", "auto"), texts.get("type_level", "1")),
        as_json=as_json,
        shadow_opacity=_shadow(texts),
    )


def _shadow(texts: Mapping[str, str]) -> float:
    """Parse `shadow_type` and `shadow_opacity` (remove.bg/api, since 2024-06); `add_shadow` is their predecessor."""
    default = "auto" if texts.get("add_shadow") == "true" else "none"
    kind = _parse_choice(texts, "shadow_type", default, "none", "auto", "car", "drop", "3D")
    opacity = texts.get("shadow_opacity", "auto")
    if opacity != "auto" and not (opacity.isdecimal() and int(opacity) <= 100):
        raise InvalidParameter("invalid_shadow_opacity")
    if kind == "none":
        return 0.0
    return (90 if kind == "car" else 50) / 100 if opacity == "auto" else int(opacity) / 100


def _parse_choice(texts: Mapping[str, str], name: str, default: str, *others: str) -> str:
    value = texts.get(name, default)
    if value not in {default, *others}:
        raise InvalidParameter(f"invalid_{name}")
    return value


def _require(name: str, value: Any) -> Any:
    if value is None:
        raise InvalidParameter(f"invalid_{name}")
    return value


def _length(text: str) -> Length | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(px|%)?", text)
    if match is None:
        return None
    is_share = match[2] == "%"
    return Length(float(match[1]) / 100 if is_share else float(match[1]), is_share)


def _roi(text: str) -> tuple[Length, Length, Length, Length]:
    """Parse the region of interest; some clients leave `px` out."""
    lengths = [_require("roi", _length(part)) for part in text.split()]
    if len(lengths) != 4:
        raise InvalidParameter("invalid_roi")
    return lengths[0], lengths[1], lengths[2], lengths[3]


def _margins(text: str) -> tuple[Length, Length, Length, Length]:
    lengths: list[Length] = [_require("crop_margin", _length(part)) for part in text.split()]
    match lengths:
        case [every]:
            return every, every, every, every
        case [upright, across]:
            return upright, across, upright, across
        case [top, right, bottom, left]:
            return top, right, bottom, left
        case _:
            raise InvalidParameter("invalid_crop_margin")


def _share(name: str, text: str, *, least: float = 0.0) -> float:
    length = _length(text)
    if length is None or not length.is_share or not least <= length.value <= 1:
        raise InvalidParameter(f"invalid_{name}")
    return length.value


def _position(text: str) -> tuple[float, float]:
    if text == "center":
        return 0.5, 0.5
    shares = [_share("position", part) for part in text.split()]
    match shares:
        case [both]:
            return both, both
        case [across, down]:
            return across, down
        case _:
            raise InvalidParameter("invalid_position")


def _type_header(wanted: str, level: str) -> str:
    """Return the subject type for the header: as requested, product for `auto`, other for an unknown type."""
    if level == "none":
        return ""
    subject_type = {"auto": "product", "graphic": "graphics"}.get(wanted, wanted)
    return subject_type if subject_type in (_COARSE_TYPES if level == "1" else _FINE_TYPES) else "other"
