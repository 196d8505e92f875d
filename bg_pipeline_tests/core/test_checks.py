"""Whether a person has to look at a cutout is decided by numbers and limits, with a reason."""

from dataclasses import fields
from typing import Any

import pytest

from bg_pipeline.core.checks import CHECKS, FAINT, CheckLimits, Measures, suspicion

SOUND = Measures()

BEYOND: dict[str, tuple[dict[str, Any], str]] = {
    "area": ({"area": 0.001}, "only 0.1% of the picture was kept"),
    "opacity": ({"opacity": 0.4}, "at most 40% opaque"),
    "inverted": ({"inverted": 0.9}, "it is inverted"),
    "backdrop": ({"backdrop": 0.7}, "70% of the cutout has the colours of the backdrop"),
    "plain": ({"plain": 0.99, "edges": 0.8}, "a plain rectangle or ellipse"),
    "edges": ({"edges": 0.4}, "an edge along only 40% of the outline"),
    "stretch": ({"stretch": 0.3}, "30% of the subject's diagonal"),
    "place": ({"place": 0.5}, "fits the picture better in another place"),
    "pieces": ({"pieces": 0.1}, "pieces of backdrop were kept"),
    "frame": ({"frame": 0.3}, "backdrop was kept along 30% of the frame"),
    "missing": ({"missing": 1.0}, "a part of the subject is missing"),
    "coarse": ({"coarse": 0.03}, "the outline is coarse"),
    "checkerboard": ({"checkerboard": 0.5}, "checkerboard"),
    "colours": ({"colours": 12.0}, "mean difference 12.0 of 255"),
    "marks": ({"marks": 0.1}, "as by a watermark"),
}


def why(*, keeps_colours: bool = True, limits: CheckLimits | None = None, **measures: float) -> str:
    return suspicion(SOUND._replace(**measures), limits or CheckLimits(), keeps_colours=keeps_colours)


def test_a_sound_answer_needs_no_person() -> None:
    assert why() == ""


@pytest.mark.parametrize("name", BEYOND)
def test_each_limit_has_a_check_with_a_reason_in_words(name: str) -> None:
    measures, words = BEYOND[name]

    assert words in why(**measures)


def test_every_limit_has_a_check_and_every_check_a_limit() -> None:
    assert {each.name for each in fields(CheckLimits)} == {check.name for check in CHECKS} == set(BEYOND)


@pytest.mark.parametrize("name", BEYOND)
def test_what_is_just_at_the_limit_is_published(name: str) -> None:
    limit = getattr(CheckLimits(), name)

    assert why(**{name: limit}) == ""


@pytest.mark.parametrize(
    ("name", "off"),
    [
        *((name, 0.0) for name in ("area", "opacity", "edges", "place")),
        *((name, 1.0) for name in ("inverted", "backdrop", "plain", "stretch", "pieces", "frame", "coarse")),
        *((name, 1.0) for name in ("checkerboard", "marks")),
        ("missing", 100.0),
        ("colours", 255.0),
    ],
)
def test_each_check_can_be_switched_off_by_its_limit(name: str, off: float) -> None:
    worst = {"missing": 99.0, "colours": 255.0}.get(name, off)

    assert why(limits=CheckLimits(**{name: off}), **{name: worst}) == ""


def test_a_cut_that_is_asked_for_other_colours_is_not_held_for_its_colours() -> None:
    assert why(keeps_colours=False, colours=90.0, marks=1.0) == ""
    assert why(keeps_colours=False, opacity=0.4)


def test_a_picture_without_edges_holds_no_outline_against_them() -> None:
    """White on white: there, the measures of edges are chance."""
    assert why(contrast=FAINT - 0.1, edges=0.1, stretch=0.9, pieces=0.5, frame=0.5, backdrop=0.9) == ""
    assert why(contrast=FAINT, edges=0.1)


def test_all_reasons_are_given() -> None:
    reasons = why(opacity=0.4, colours=12.0).split("; ")

    assert [reason.split()[0] for reason in reasons] == ["the", "its"]
