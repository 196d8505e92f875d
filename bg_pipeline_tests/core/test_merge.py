"""Two sorted streams side by side."""

import pytest

from bg_pipeline.core.merge import merge_join


def test_streams_are_paired_by_key() -> None:
    pairs = merge_join([b"a", b"c"], [b"b", b"c", b"d"], bytes, bytes)

    assert list(pairs) == [(b"a", None), (None, b"b"), (b"c", b"c"), (None, b"d")]


@pytest.mark.parametrize("bad", [[b"b", b"a"], [b"a", b"a"]], ids=["out of order", "twice"])
def test_a_stream_that_is_not_ascending_is_refused(bad: list[bytes]) -> None:
    """Going on would report items as gone that are there."""
    with pytest.raises(ValueError, match="out of order"):
        list(merge_join(bad, [], bytes, bytes))
