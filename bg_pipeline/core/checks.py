"""The decision whether a person has to look at a cutout before it is published."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

SMALLEST_PX = 64
"""Shorter side below which a picture has too few pixels for its edges to be measured."""


NOT_COMPARED = "it was not compared with its picture yet"
"""Suspicion of a master that was recorded without its picture at hand. The next run with both compares them."""


class Measures(NamedTuple):
    """
    Numbers of one answer, beside the picture that was sent. All are shares from 0 to 1 where no unit is given.

    The defaults are those of an answer in which nothing is wrong.
    """

    area: float = 0.5
    """Opaque share of the picture."""
    opacity: float = 1.0
    """Opacity of the most opaque parts."""
    colours: float = 0.0
    """Mean difference of the colours where it is opaque, 0 to 255."""
    marks: float = 0.0
    """Share of the opaque part where the colours differ by more than `imaging.measures.MARK`."""
    checkerboard: float = 0.0
    """Share of the opaque part that is painted over in two tones of grey."""
    edges: float = 1.0
    """Share of the outline along which the picture has an edge."""
    stretch: float = 0.0
    """Longest stretch of outline without an edge; 1 is the diagonal of the subject."""
    place: float = 1.0
    """Agreement of the edges of alpha and picture, as a share of that in the best other place."""
    pieces: float = 0.0
    """Area of islands and holes around which the picture has no edge; 1 is the area of the subject."""
    frame: float = 0.0
    """Share of the frame that was kept although the picture has no edge where that part begins and ends."""
    inverted: float = 0.0
    """Share of the frame that was kept, less that of the middle."""
    plain: float = 0.0
    """Agreement with the rectangle or ellipse around it; 1 is the shape itself."""
    backdrop: float = 0.0
    """Share of the subject in the colours of a plain backdrop."""
    missing: float = 0.0
    """Area that stands out from a plain backdrop and was removed; 1 is the area of the subject."""
    coarse: float = 0.0
    """Width of the transition, or of blocks along the outline; 1 is the longer side of the picture."""
    contrast: float = 100.0
    """Steepest steps of the picture, in per cent of black to white."""


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """The worst value of each measure that is published without a person."""

    area: float = 0.002
    opacity: float = 0.8
    edges: float = 0.75
    stretch: float = 0.1
    place: float = 0.9
    pieces: float = 0.03
    frame: float = 0.05
    inverted: float = 0.25
    plain: float = 0.97
    backdrop: float = 0.6
    missing: float = 0.25
    coarse: float = 0.015
    colours: float = 4.0
    marks: float = 0.02
    checkerboard: float = 0.05


FAINT = 8.0
"""Contrast below which a picture has no edges to hold an outline against, as white on white: `edges`, `stretch`,
`pieces`, `frame` and `backdrop` then say nothing."""


_SEPARATOR = "; "


def suspicion(measures: Measures, limits: CheckLimits, *, keeps_colours: bool) -> str:
    """
    Return why a person should look at this answer; empty if nothing is wrong with it.

    Args:
        measures: numbers of the answer.
        limits: the worst accepted values.
        keeps_colours: True if its colours have to be those of the picture that was sent.
    """
    reasons = [
        each.reason(measures)
        for each in CHECKS
        if (keeps_colours or not each.of_colours) and each.fails(measures, limits)
    ]
    return _SEPARATOR.join(reasons)


def failed_checks(reasons: str) -> int:
    """Return the number of reasons in what `suspicion` returned."""
    return len(reasons.split(_SEPARATOR)) if reasons else 0


class Check(NamedTuple):
    """One check: a measure against the limit of the same name."""

    name: str
    text: str
    """What is wrong; `{}` is the measure."""
    fails: Callable[[Measures, CheckLimits], bool]
    of_colours: bool = False

    def reason(self, measures: Measures) -> str:
        value = getattr(measures, self.name)
        shown = f"{value:.1f}" if self.name == "colours" else _percent(value)
        return self.text.format(shown)


def _percent(share: float) -> str:
    return f"{share:.1%}" if abs(share) < 0.1 else f"{share:.0%}"


def _above(name: str) -> Callable[[Measures, CheckLimits], bool]:
    return lambda measures, limits: bool(getattr(measures, name) > getattr(limits, name))


def _below(name: str) -> Callable[[Measures, CheckLimits], bool]:
    return lambda measures, limits: bool(getattr(measures, name) < getattr(limits, name))


def _if_visible(fails: Callable[[Measures, CheckLimits], bool]) -> Callable[[Measures, CheckLimits], bool]:
    return lambda measures, limits: measures.contrast >= FAINT and fails(measures, limits)


def _is_plain_shape(measures: Measures, limits: CheckLimits) -> bool:
    # A box or a ball has such an outline too, and then the picture has an edge all along it.
    return measures.plain > limits.plain and measures.edges < 0.9 and measures.contrast >= FAINT


CHECKS = (
    Check("area", "only {} of the picture was kept", _below("area")),
    Check("opacity", "the subject is see-through: at most {} opaque", _below("opacity")),
    Check("inverted", "it is inverted: of the frame {} more was kept than of the middle", _above("inverted")),
    Check("backdrop", "{} of the cutout has the colours of the backdrop", _if_visible(_above("backdrop"))),
    Check("plain", "the outline is a plain rectangle or ellipse ({}), and not that of the subject", _is_plain_shape),
    Check("edges", "the picture has an edge along only {} of the outline", _if_visible(_below("edges"))),
    Check("stretch", "a stretch of the outline has no edge in the picture: {} of the subject's diagonal",
          _if_visible(_above("stretch"))),
    Check("place", "the outline fits the picture better in another place (fit here: {} of that)", _below("place")),
    Check("pieces", "pieces of backdrop were kept, or holes cut, as large as {} of the subject",
          _if_visible(_above("pieces"))),
    Check("frame", "backdrop was kept along {} of the frame", _if_visible(_above("frame"))),
    Check("missing", "a part of the subject is missing, as large as {} of what was kept", _above("missing")),
    Check("coarse", "the outline is coarse, as if enlarged: steps of {} of the longer side", _above("coarse")),
    Check("checkerboard", "{} of the subject is a checkerboard, painted over the picture", _above("checkerboard")),
    Check("colours", "its colours are not those of the picture that was sent: mean difference {} of 255",
          _above("colours"), of_colours=True),
    Check("marks", "{} of the subject is marked or painted over, as by a watermark", _above("marks"), of_colours=True),
)  # fmt: skip
"""In the order of the reasons. The gravest are first."""
