"""The part of the catalogue that is hashed again."""

from bg_pipeline.core.rehash import Slice, day_of, due_slice

_DAY = 86_400.0


def test_a_slice_is_due_once_a_day_and_the_next_one_is_the_one_after_the_last() -> None:
    assert due_slice(7, 5 * _DAY, None) == Slice(0, 7)
    assert due_slice(7, 5 * _DAY + 9, (5, 0)) is None
    assert due_slice(7, 6 * _DAY, (5, 0)) == Slice(1, 7)
    assert due_slice(7, 6 * _DAY, (5, 6)) == Slice(0, 7)


def test_a_schedule_that_leaves_out_days_leaves_out_no_slice() -> None:
    last, seen = None, set()
    for week in range(7):
        slice_ = due_slice(7, week * 7 * _DAY, last)
        assert slice_
        seen.add(slice_.number)
        last = (day_of(week * 7 * _DAY), slice_.number)

    assert seen == set(range(7))


def test_no_slice_is_ever_due_where_none_is_wanted() -> None:
    assert due_slice(0, 5 * _DAY, None) is None


def test_a_last_slice_of_a_longer_round_is_followed_by_one_of_this_round() -> None:
    assert due_slice(2, 6 * _DAY, (5, 6)) == Slice(1, 2)
