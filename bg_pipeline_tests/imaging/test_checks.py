"""The checks let right cutouts pass and hold wrong ones: a sample of `benchmarks.checks`, which judges all."""

from functools import cache

import pytest

from bg_pipeline.core.checks import CheckLimits
from bg_pipeline.imaging.measures import measure
from bg_pipeline_tests.corpus.drawn import HARD, Case, hard, visible
from bg_pipeline_tests.corpus.faults import FAULTS, differs
from bg_pipeline_tests.corpus.judging import reason
from bg_pipeline_tests.corpus.photographed import photographed
from bg_pipeline_tests.pictures import cut_middle, encoded, opened, product

BUSY = {"holes in the subject", "pieces of backdrop left", "the floor left"}
"""Faults that cannot be seen where surface or backdrop has edges everywhere, such as wood."""

SAMPLE = tuple(range(100, 120))


@cache
def drawn_one(seed: int) -> Case:
    return visible(seed)


@cache
def shot() -> tuple[Case, ...]:
    return tuple(photographed(4))


@pytest.mark.parametrize("seed", SAMPLE)
def test_a_right_cutout_of_a_visible_subject_is_published(seed: int) -> None:
    case = drawn_one(seed)

    assert reason(case, case.answer) == "", case.name


@pytest.mark.parametrize("number", range(4))
def test_a_right_cutout_of_a_photographed_product_is_published(number: int) -> None:
    case = shot()[number]

    assert reason(case, case.answer) == "", case.name


@pytest.mark.parametrize("kind", HARD)
def test_right_cutouts_of_hard_subjects_are_published(kind: str) -> None:
    cases = [hard(kind, seed) for seed in (20, 21, 22)]

    assert [case.name for case in cases if reason(case, case.answer)] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_cutout_waits_for_a_person(fault: str) -> None:
    cases = [*(drawn_one(seed) for seed in SAMPLE[:3]), shot()[1]]
    passed = []
    for number, case in enumerate(cases):
        wrong = FAULTS[fault](case, cases[(number + 1) % len(cases)])
        if differs(case, wrong) and not reason(case, wrong):
            passed.append(case.name)

    # A part whose border runs along another edge of the picture cannot be seen; nor a hole in a busy surface.
    unseen = 1 if "missing" in fault or fault in BUSY else 0
    assert len(passed) <= unseen, passed


@pytest.mark.parametrize("shade", range(4))
def test_colours_in_a_jpeg_of_a_small_picture_are_its_own(shade: int) -> None:
    """Its colours have half the size, so those of product and backdrop mix across the edge."""
    sent = opened(product(shade))
    answer = opened(encoded(sent, "JPEG", quality=75, subsampling=2))
    answer.putalpha(cut_middle(sent))
    measures = measure(sent, answer)

    assert measures.colours < CheckLimits().colours
    assert measures.marks == 0
