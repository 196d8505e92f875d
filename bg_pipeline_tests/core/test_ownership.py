"""Which stores a manifest may work with."""

import pytest

from bg_pipeline.core.ownership import Ownership, decide_ownership

OURS, THEIRS = "a" * 32, "b" * 32


@pytest.mark.parametrize(
    ("mark", "is_full", "knows_purchases", "result"),
    [
        (OURS, True, True, Ownership.OURS),
        (OURS, True, False, Ownership.OURS),
        (OURS, False, False, Ownership.OURS),
        (THEIRS, True, True, Ownership.FOREIGN),
        (THEIRS, False, False, Ownership.FOREIGN),
        ("", False, True, Ownership.NEW),
        ("", False, False, Ownership.NEW),
        ("", True, True, Ownership.NEW),
        ("", True, False, Ownership.FOREIGN),
    ],
)
def test_a_store_belongs_to_the_manifest_of_its_mark_and_without_one_to_a_manifest_that_bought(
    mark: str, is_full: bool, knows_purchases: bool, result: Ownership
) -> None:
    decision = decide_ownership(OURS, mark, is_full=is_full, knows_purchases=knows_purchases)

    assert decision.ownership is result
    assert decision.because
