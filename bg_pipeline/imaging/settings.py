"""Settings of the decoders, and of the checks."""

from typing import Annotated

from pydantic import Field

from bg_pipeline.core.checks import CheckLimits
from bg_pipeline.imaging.workers import Limits
from bg_pipeline.settings.part import Part

_DEFAULT = CheckLimits()

Share = Annotated[float, Field(ge=0, le=1)]


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


class CheckSettings(Part):
    """
    Limits of the checks: a cutout beyond one is not published, and waits in quarantine for `bg-pipeline review`. A
    change counts for results that come after it.
    """

    prefix = "bg_check"

    edges: Share = Field(
        _DEFAULT.edges, description="smallest share of the outline along which the picture has an edge; 0: off"
    )
    stretch: Share = Field(
        _DEFAULT.stretch,
        description="longest stretch of outline without an edge in the picture, as a share of the subject's diagonal;"
        " 1: off",
    )
    place: Share = Field(
        _DEFAULT.place,
        description="smallest agreement of the outline with the picture's edges, as a share of that in another place;"
        " 0: off",
    )
    pieces: Share = Field(
        _DEFAULT.pieces,
        description="largest area of islands and holes without an edge, as a share of the subject; 1: off",
    )
    frame: Share = Field(
        _DEFAULT.frame, description="largest share of the frame along which backdrop seems to be left; 1: off"
    )
    inverted: Share = Field(
        _DEFAULT.inverted,
        description="by how much more of the frame may be kept than of the middle, as a share; 1: off",
    )
    plain: Share = Field(
        _DEFAULT.plain,
        description="largest agreement of an outline with a plain rectangle or ellipse, where the picture has no such"
        " edge; 1: off",
    )
    backdrop: Share = Field(
        _DEFAULT.backdrop, description="largest share of the cutout in the colours of a plain backdrop; 1: off"
    )
    missing: float = Field(
        _DEFAULT.missing,
        ge=0,
        le=100,
        description="largest area that stands out from a plain backdrop and was removed; 1 is as large as the cutout;"
        " 100: off",
    )
    coarse: Share = Field(
        _DEFAULT.coarse,
        description="widest transition, or largest blocks, along the outline, as a share of the longer side; 1: off",
    )
    area: Share = Field(_DEFAULT.area, description="smallest share of the picture that is kept; 0: off")
    opacity: Share = Field(
        _DEFAULT.opacity, description="smallest opacity of the most opaque parts of the subject; 0: off"
    )
    colours: float = Field(
        _DEFAULT.colours,
        ge=0,
        le=255,
        description="largest mean difference of the answer's colours from the picture that was sent, of 255, where a"
        " cut keeps them; right answers stay below 1.6, those of other pictures have 12 and more. 255: off",
    )
    marks: Share = Field(
        _DEFAULT.marks, description="largest share of the subject that is painted over, as by a watermark; 1: off"
    )
    checkerboard: Share = Field(
        _DEFAULT.checkerboard, description="largest share of the subject that is a painted checkerboard; 1: off"
    )

    @property
    def limits(self) -> CheckLimits:
        return CheckLimits(**self.model_dump())
