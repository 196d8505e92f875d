"""The room that answers need, and how long results are asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core.answers import MAX_ANSWER_BYTES, RESULT_HOST_S, RESULT_URL_S, answer_bytes, is_expired


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_the_room_for_an_answer_holds_every_cutout_of_that_size(width: int, height: int) -> None:
    assert answer_bytes(width, height) >= min(MAX_ANSWER_BYTES, 4 * width * height + 1000)
    assert answer_bytes(width, height, enlarged=True) >= min(MAX_ANSWER_BYTES, 4 * 4 * width * 4 * height)


@pytest.mark.parametrize(
    ("age_s", "refused", "expired"),
    [
        (RESULT_URL_S - 1, True, False),
        (RESULT_URL_S + 1, True, True),
        (RESULT_URL_S + 1, False, False),
        (RESULT_HOST_S + 1, False, True),
    ],
)
def test_a_url_expires_sooner_than_a_host_is_given_up(age_s: float, refused: bool, expired: bool) -> None:
    assert is_expired(age_s, refused=refused) is expired
