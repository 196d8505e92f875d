"""Settings of the decoders, and of a rendition."""

import re

from PIL import ImageColor
from pydantic import Field, field_validator, model_validator

from bg_pipeline.core.formats import Format
from bg_pipeline.core.recipe import Rendition
from bg_pipeline.imaging.workers import Limits
from bg_pipeline.settings.part import Part

_MAX_CANVAS_PIXELS = 50_000_000


class DecoderSettings(Part):
    """Settings of the processes that decode pictures."""

    max_megapixels: int = Field(
        Limits().max_pixels // 10**6,
        ge=1,
        le=1000,
        description="largest picture that is decoded, in megapixels: a larger one fails. Memory and time that a decoder"
        " may take grow with it: 24 MB and 2.4 s a megapixel",
    )

    @property
    def limits(self) -> Limits:
        return Limits(self.max_megapixels * 10**6)


class RenditionSettings(Part):
    """Settings of the rendition that is made from a master, locally and free."""

    format: Format = Field(Format.PNG, description="`png`, `webp` or `jpg`")
    background: str = Field("", description="`#rrggbb` or a colour name; default: transparent")
    canvas: str = Field("", description="`WIDTHxHEIGHT`, px, to centre the subject on; default: the original frame")
    padding: float = Field(0.0, ge=0, le=0.45, description="share of the canvas left free on each side")

    @field_validator("background")
    @classmethod
    def _a_colour(cls, value: str) -> str:
        if value:
            try:
                ImageColor.getrgb(value)
            except ValueError as error:
                raise ValueError("must be #rrggbb or the name of a colour, such as white") from error
        return value

    @field_validator("canvas")
    @classmethod
    def _a_size(cls, value: str) -> str:
        if value and not re.fullmatch(r"[1-9]\d{0,4}x[1-9]\d{0,4}", value):
            raise ValueError("must be WIDTHxHEIGHT in pixels, such as 2000x2000")
        return value

    @model_validator(mode="after")
    def _can_be_made(self) -> "RenditionSettings":
        if not self.format.has_alpha and not self.background:
            raise ValueError(f"{{format}}={self.format} cannot be transparent: set {{background}}, such as white")
        width, height = self.rendition.canvas or (0, 0)
        if width * height > _MAX_CANVAS_PIXELS:
            raise ValueError(
                f"{{canvas}}={self.canvas}: a canvas has at most {_MAX_CANVAS_PIXELS / 1e6:.0f} megapixels"
            )
        limit_px = self.format.max_side_px
        if any(side > limit_px for side in self.rendition.canvas or ()):
            raise ValueError(f"{{canvas}}={self.canvas}: a {self.format} has at most {limit_px:,} pixels a side")
        return self

    @property
    def rendition(self) -> Rendition:
        width, _, height = self.canvas.partition("x")
        size = (int(width), int(height)) if self.canvas else None
        return Rendition(self.format, self.background, size, self.padding)
