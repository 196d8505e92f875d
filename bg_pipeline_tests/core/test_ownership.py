"""Which stores a manifest may work with."""

import pytest

from bg_pipeline.core.ownership import Ownership, decide_ownership, identity_in, mark_of

OURS, THEIRS = "a" * 32, "b" * 32


@pytest.mark.parametrize(
    ("mark", "is_full", "knows_purchases", "result"),
    [
        (mark_of(OURS), True, True, Ownership.OURS),
        (mark_of(OURS), True, False, Ownership.OURS),
        (mark_of(OURS), False, False, Ownership.OURS),
        (mark_of(THEIRS), True, True, Ownership.FOREIGN),
        (mark_of(THEIRS), False, False, Ownership.FOREIGN),
        (None, False, True, Ownership.NEW),
        (None, False, False, Ownership.NEW),
        (None, True, True, Ownership.NEW),
        (None, True, False, Ownership.FOREIGN),
    ],
)
def test_a_store_belongs_to_the_manifest_of_its_mark_and_without_one_to_a_manifest_that_bought(
    mark: bytes | None, is_full: bool, knows_purchases: bool, result: Ownership
) -> None:
    decision = decide_ownership(OURS, mark, is_full=is_full, knows_purchases=knows_purchases)

    assert decision.ownership is result
    assert decision.because


@pytest.mark.parametrize("mark", [b"", b"\n", OURS.encode(), b"\xff\xfe", b"something of a person\n"])
def test_a_mark_that_cannot_be_read_belongs_to_another_manifest(mark: bytes) -> None:
    assert decide_ownership(OURS, mark, is_full=True, knows_purchases=True).ownership is Ownership.FOREIGN


def test_a_mark_names_its_manifest_and_tells_people_what_it_is() -> None:
    assert identity_in(mark_of(OURS)) == OURS
    assert b"Leave this file" in mark_of(OURS)
