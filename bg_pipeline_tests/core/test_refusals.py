"""When a picture that was refused is sent again."""

from decimal import Decimal

import pytest

from bg_pipeline.core.records import Attempt, AttemptState
from bg_pipeline.core.refusals import FIRST_WAIT_S, LONGEST_WAIT_S, refused_lately
from bg_pipeline.core.responses import ResponseKind

REFUSED, OTHER = ResponseKind.REFUSED, ResponseKind.TRANSIENT


def attempts(*kinds: str, every_s: float = 10.0) -> list[Attempt]:
    return [
        Attempt(n, "w", "bgeraser", AttemptState.REFUSED, Decimal(1), Decimal(0), every_s * n, every_s * n, kind=kind)
        for n, kind in enumerate(kinds, 1)
    ]


@pytest.mark.parametrize(
    ("kinds", "wait_s"),
    [
        pytest.param((), 0, id="never tried"),
        pytest.param((REFUSED,), FIRST_WAIT_S, id="once"),
        pytest.param((REFUSED,) * 3, 4 * FIRST_WAIT_S, id="three times"),
        pytest.param((REFUSED,) * 200, LONGEST_WAIT_S, id="for weeks"),
        pytest.param((REFUSED, REFUSED, OTHER), 0, id="something else since"),
        pytest.param((REFUSED, REFUSED, OTHER, REFUSED), FIRST_WAIT_S, id="once since something else"),
        pytest.param(("account", "account"), 0, id="the account was refused, not the picture"),
    ],
)
def test_the_wait_doubles_with_each_refusal_in_a_row_up_to_a_day(kinds: tuple[str, ...], wait_s: float) -> None:
    made = attempts(*kinds)
    last = made[-1].ended_at if made else 0.0
    assert last is not None

    assert (refused_lately(made, 0.0, last + wait_s - 1) is None) == (wait_s == 0)
    assert refused_lately(made, 0.0, last + wait_s) is None


def test_refusals_before_a_person_opened_the_gate_do_not_count() -> None:
    made = attempts(REFUSED, REFUSED)

    assert refused_lately(made, 20.0, 21.0) is None
    assert refused_lately(made, 15.0, 20.0 + FIRST_WAIT_S) is None


def test_it_is_said_how_often_a_picture_was_refused_and_until_when_it_waits() -> None:
    said = str(refused_lately(attempts(REFUSED, REFUSED), 0.0, 21.0))

    assert "refused this picture 2 times in a row" in said
    assert "not sent again before 1970-01-01 00:20 UTC" in said
