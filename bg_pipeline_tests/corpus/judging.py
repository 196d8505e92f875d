"""The checks, run on cases and faults."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from bg_pipeline.core.checks import CheckLimits, suspicion
from bg_pipeline.imaging.measures import measure
from bg_pipeline.imaging.pictures import inspected
from bg_pipeline_tests.corpus.drawn import Case
from bg_pipeline_tests.corpus.faults import FAULTS, differs

LIMITS = CheckLimits()


def reason(case: Case, answer: Image.Image) -> str:
    """Why a person has to look at an answer; empty if it would be published."""
    return inspected(answer).suspicion or suspicion(measure(case.sent, answer), LIMITS, keeps_colours=True)


class Result(NamedTuple):
    case: Case
    fault: str
    """Empty for the right answer."""
    reason: str


def results(cases: Sequence[Case], faults: Sequence[str] = tuple(FAULTS), share: float = 1.0) -> Iterator[Result]:
    """Judge the right answers of all cases, and the wrong ones of this share of them."""
    rng = np.random.default_rng(0)
    for number, case in enumerate(cases):
        yield Result(case, "", reason(case, case.answer))
        other = cases[(number + 7) % len(cases)]
        for fault in faults if rng.random() < share else ():
            wrong = FAULTS[fault](case, other)
            if differs(case, wrong):
                yield Result(case, fault, reason(case, wrong))
