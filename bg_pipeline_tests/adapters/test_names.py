"""The names of one folder, in the order of their bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core.keys import key_bytes
from bg_pipeline.stores.file import names
from bg_pipeline.stores.file.names import in_byte_order


@pytest.fixture(autouse=True, scope="module")
def _small_runs():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(names, "_RUN", 7)
        patched.setattr(names, "_PIECE", 3)
        yield


@given(st.sets(st.text("ab/é\udc80\U0001f600", min_size=1, max_size=4), max_size=60))
def test_names_come_in_the_order_of_their_bytes_however_many_there_are(given_names: set[str]) -> None:
    assert list(in_byte_order(given_names)) == sorted(given_names, key=key_bytes)


def test_all_names_are_taken_before_the_first_is_given() -> None:
    rest = iter(map(str, range(100)))
    in_byte_order(rest)
    assert list(rest) == []
