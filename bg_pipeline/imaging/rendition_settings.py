"""Settings of a rendition."""

import re
from pathlib import Path
from typing import Any, Literal

from PIL import ImageColor
from pydantic import Field, field_validator, model_validator

from bg_pipeline.core.formats import Alignment, Format, Metadata
from bg_pipeline.core.naming import PLAIN, name_template
from bg_pipeline.core.presets import PRESETS
from bg_pipeline.core.recipe import Rendition
from bg_pipeline.errors import ItemError
from bg_pipeline.imaging.decoding import opened
from bg_pipeline.imaging.framing import SHADOW_ROOM
from bg_pipeline.settings.part import Location, Part

_MAX_CANVAS_PIXELS = 50_000_000

_MAX_BACKGROUND_MB = 20
"""Each process that renders holds the picture behind the subject."""

_ALTERNATIVES = (("background", "background_image"), ("canvas", "longest_side"), ("padding", "fill"))
"""Fields that say the same in two ways: one replaces the other."""

_ON_A_CANVAS = ("padding", "fill", "alignment")


class RenditionSettings(Part):
    """Settings of a rendition that is made from a master, locally and free."""

    preset: Literal["", "amazon-main", "google-merchant", "shopify"] = Field(
        "",
        description="`amazon-main`, `google-merchant` or `shopify`: what a marketplace asks for; a field that is set"
        " here replaces that of the preset ([renditions.md](renditions.md)); default: none",
    )
    format: Format = Field(Format.PNG, description="`png`, `webp`, `jpg` or `avif`")
    quality: int | None = Field(
        None, ge=1, le=100, description="of `webp` (default 90), `jpg` (92) or `avif` (80), on the encoder's own scale"
    )
    background: str = Field("", description="`#rrggbb` or a colour name; default: transparent")
    background_image: Location = Field(
        "", description="file of a picture behind the subject, scaled to cover the frame; default: none"
    )
    canvas: str = Field("", description="`WIDTHxHEIGHT`, px, to put the subject on; default: the original frame")
    longest_side: int | None = Field(
        None, ge=16, le=16_000, description="longest side in px to scale the original frame to; default: its own size"
    )
    upscale: bool = Field(
        True, description="`false` enlarges nothing: a small subject stays small on its canvas, a small frame as it is"
    )
    padding: float = Field(0.0, ge=0, le=0.45, description="share of the canvas left free on each side")
    fill: float | None = Field(
        None,
        ge=0.1,
        le=1,
        description="share of the canvas's width or height that the subject fills; the same as a `padding` of half of"
        " the rest",
    )
    alignment: Alignment = Field(
        Alignment.CENTER, description="`center`, or `bottom` to let every subject stand on the same line of its canvas"
    )
    shadow: float = Field(
        0.0, ge=0, le=1, description="opacity of a drop shadow, such as 0.35; default: none. It needs room on a canvas"
    )
    metadata: Metadata = Field(
        Metadata.NONE,
        description="what is kept of the source's: `none`, `copyright` (author and rights), or `all_but_gps` (all EXIF"
        " but place, preview and maker's notes)",
    )
    output_name: str = Field(
        "",
        description="template of the output's name, without extension: `{stem}` is the picture's name, `{folder}/` its"
        " folder, `{rendition}` the name of this table. Default: `{stem}`, and `{stem}.{rendition}` for each but the"
        " first of several",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, written: Any) -> Any:
        if not isinstance(written, dict) or written.get("preset") not in PRESETS:
            return written
        replaced = {each for pair in _ALTERNATIVES for each in pair if not written.keys().isdisjoint(pair)}
        values = PRESETS[written["preset"]].values
        return {name: value for name, value in values.items() if name not in replaced} | written

    @field_validator("background")
    @classmethod
    def _a_colour(cls, value: str) -> str:
        if value:
            try:
                ImageColor.getrgb(value)
            except ValueError as error:
                raise ValueError("must be #rrggbb or the name of a colour, such as white") from error
        return value

    @field_validator("background_image")
    @classmethod
    def _a_picture(cls, value: str) -> str:
        if value:
            if "://" in value:
                raise ValueError("must be a file on this machine")
            try:
                data = Path(value).read_bytes()
            except OSError as error:
                raise ValueError(f"cannot be read: {error.strerror}") from error
            if len(data) > _MAX_BACKGROUND_MB * 10**6:
                raise ValueError(f"has at most {_MAX_BACKGROUND_MB} MB: save it smaller")
            try:
                with opened(data):
                    pass
            except ItemError as error:
                raise ValueError(f"is no picture: it {error}") from error
        return value

    @field_validator("canvas")
    @classmethod
    def _a_size(cls, value: str) -> str:
        if value and not re.fullmatch(r"[1-9]\d{0,4}x[1-9]\d{0,4}", value):
            raise ValueError("must be WIDTHxHEIGHT in pixels, such as 2000x2000")
        return value

    @field_validator("output_name")
    @classmethod
    def _a_template(cls, value: str) -> str:
        if value:
            name_template(value.replace("{rendition}", "rendition"))
        return value

    @model_validator(mode="after")
    def _can_be_made(self) -> "RenditionSettings":
        if not self.format.has_alpha and not (self.background or self.background_image):
            raise ValueError(
                f"{{format}}={self.format} cannot be transparent: set {{background}}, such as white, or"
                " {background_image}"
            )
        width, height = self._canvas or (0, 0)
        if width * height > _MAX_CANVAS_PIXELS:
            raise ValueError(
                f"{{canvas}}={self.canvas}: a canvas has at most {_MAX_CANVAS_PIXELS / 1e6:.0f} megapixels"
            )
        limit_px = self.format.max_side_px
        if any(side > limit_px for side in (width, height)):
            raise ValueError(f"{{canvas}}={self.canvas}: a {self.format} has at most {limit_px:,} pixels a side")
        return self

    @model_validator(mode="after")
    def _makes_sense(self) -> "RenditionSettings":
        for one, other in _ALTERNATIVES:
            if self._differs(one) and self._differs(other):
                raise ValueError(f"{{{one}}} and {{{other}}} exclude each other: keep one of them")
        for name in _ON_A_CANVAS:
            if self._differs(name) and not self.canvas:
                raise ValueError(f"{{{name}}} needs a {{canvas}}, such as 2000x2000")
        if not self.upscale and not (self.canvas or self.longest_side):
            raise ValueError("{upscale}=false needs a {canvas} or a {longest_side}: nothing else enlarges")
        if self.quality and not self.format.has_quality:
            raise ValueError(f"{{quality}} has no effect on {{format}}={self.format}, which loses nothing: remove it")
        if self.shadow and self.canvas and self._padding < SHADOW_ROOM:
            raise ValueError(
                f"{{shadow}} needs room on its canvas: set {{padding}} to {SHADOW_ROOM} or more, or {{fill}} to"
                f" {1 - 2 * SHADOW_ROOM:.1f} or less"
            )
        return self

    def _differs(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    @property
    def _canvas(self) -> tuple[int, int] | None:
        width, _, height = self.canvas.partition("x")
        return (int(width), int(height)) if self.canvas else None

    @property
    def _padding(self) -> float:
        # Rounded, because a digest is made of it: (1 - 0.85) / 2 is 0.07500000000000001.
        return self.padding if self.fill is None else round((1 - self.fill) / 2, 6)

    def rendition(self, name: str = "", default_name: str = PLAIN) -> Rendition:
        """
        Return the rendition.

        Args:
            name: of its table.
            default_name: template of its outputs' names where none is set.
        """
        return Rendition(
            format=self.format,
            background=self.background,
            canvas=self._canvas,
            padding=self._padding,
            background_image=Path(self.background_image).read_bytes() if self.background_image else b"",
            longest_side=self.longest_side or 0,
            alignment=self.alignment,
            upscale=self.upscale,
            shadow=self.shadow,
            quality=self.quality or 0,
            metadata=self.metadata,
            output_name=(self.output_name or default_name).replace("{rendition}", name),
        )
