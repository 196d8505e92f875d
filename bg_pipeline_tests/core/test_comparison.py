"""Which pictures are compared, how they are shared out over the loads, and what results add up to."""

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core.comparison import (
    LOADS,
    Cost,
    Result,
    cost_of,
    pictures_for,
    share_out,
    sum_up,
    take_sample,
)
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Attempt, AttemptState, Entry, Master, State


def entry(key: str, picture: str | None = None, state: State = State.PUBLISHED, **values: object) -> Entry:
    content_hash = digest_of((key if picture is None else picture).encode())
    return Entry(key, key.partition("/")[0], content_hash, "image/png", state, **values)  # type: ignore[arg-type]


SHOP = [entry(f"{name}/{n}") for name, count in (("bags", 200), ("hats", 7), ("shoes", 1)) for n in range(count)]

shops = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 30)), max_size=60).map(
    lambda rows: [entry(f"{name}/{n}", picture=str(number)) for n, (name, number) in enumerate(rows)]
)


def test_a_sample_has_one_of_each_collection_before_a_second_one_of_any() -> None:
    assert Counter(e.collection for e in take_sample(SHOP, 3)) == {"bags": 1, "hats": 1, "shoes": 1}
    assert Counter(e.collection for e in take_sample(SHOP, 20)) == {"bags": 12, "hats": 7, "shoes": 1}


@given(shops, st.integers(1, 12), st.randoms(use_true_random=False))
def test_a_sample_has_no_picture_twice_and_is_the_same_in_any_order(shop, count, random) -> None:
    sample = take_sample(shop, count)
    shuffled = random.sample(shop, len(shop))

    assert len(sample) == min(count, len({e.content_hash for e in shop}))
    assert len({e.content_hash for e in sample}) == len(sample)
    assert [e.content_hash for e in take_sample(shuffled, count)] == [e.content_hash for e in sample]


@given(shops, st.integers(1, 12), st.integers(0, 12))
def test_a_larger_sample_holds_a_smaller_one_so_that_nothing_is_bought_twice(shop, count, more) -> None:
    smaller, larger = take_sample(shop, count), take_sample(shop, count + more)

    assert {e.content_hash for e in smaller} <= {e.content_hash for e in larger}


def test_a_new_picture_changes_at_most_one_place_of_a_sample() -> None:
    before = {e.key for e in take_sample(SHOP, 20)}
    for n in range(50):
        after = {e.key for e in take_sample([*SHOP, entry(f"bags/new-{n}")], 20)}
        assert len(before - after) <= 1


@pytest.mark.parametrize(
    "left_out",
    [
        entry("a/failed", state=State.FAILED),
        entry("a/withdrawn", state=State.WITHDRAWN),
        entry("a/forgotten", state=State.FORGOTTEN),
        entry("a/skipped", state=State.SKIPPED),
        entry("a/gone", absent=True),
        entry("a/locked", problem="Permission denied"),
        Entry("a/text", "a", digest_of(b"text"), "", State.PENDING),
        Entry("a/new", "a", "", "image/png", State.PENDING),
    ],
    ids=lambda e: e.key,
)
def test_what_cannot_or_must_not_be_cut_out_is_in_no_sample(left_out: Entry) -> None:
    assert [e.key for e in take_sample([left_out, entry("a/fine")], 9)] == ["a/fine"]


@given(st.integers(0, 300), st.integers(1, 64))
def test_each_picture_is_bought_once_and_no_load_is_larger_than_its_pictures(pictures: int, most: int) -> None:
    loads = share_out(pictures, most)

    assert sum(load.pictures for load in loads) == pictures
    assert all(load.in_flight <= min(load.pictures, most) for load in loads)
    assert [load.in_flight for load in loads] == list(LOADS[: len(loads)])


def test_twenty_pictures_are_enough_for_all_loads() -> None:
    assert [(load.in_flight, load.pictures) for load in share_out(20, 8)] == [(1, 2), (2, 3), (5, 6), (8, 9)]
    assert [load.in_flight for load in share_out(pictures_for(8) - 1, 8)] == [1, 2, 5]


def attempt(number: int, state: AttemptState, seconds: float | None, charged: str = "0", run: str = "now") -> Attempt:
    ended_at = None if seconds is None else 100 + seconds
    return Attempt(number, f"p{number}", "a", state, Decimal(1), Decimal(charged), 100, ended_at, run=run)


def test_a_result_took_the_seconds_of_its_stages_and_cost_all_that_was_charged_for_it() -> None:
    attempts = [
        attempt(1, AttemptState.UNUSABLE, 9, "1", run="before"),
        attempt(2, AttemptState.CHARGED, 2, "1"),
        attempt(3, AttemptState.CHARGED, 1.5, "0.25"),
        attempt(4, AttemptState.IN_DOUBT, 30),
        attempt(5, AttemptState.REFUSED, 1),
    ]

    assert cost_of(attempts, "now") == Cost(3.5, Decimal("2.25"), Decimal("1.25"), Decimal(1))
    assert cost_of([], "now") == Cost()


def test_results_are_sound_doubtful_or_failed_and_the_slowest_of_few_is_the_95th_percentile() -> None:
    def made(n: int, doubt: str = "") -> Result:
        cost = Cost(float(n), Decimal(1))
        return Result(str(n), Master(f"p{n}", "", 1, 1, doubt), "", cost)

    sums = sum_up([*(made(n) for n in range(1, 20)), made(40, "it is empty"), Result("x", None, "refused", Cost(99))])

    assert (sums.sound, sums.doubtful, sums.failed, sums.credits) == (19, 1, 1, 20)
    assert (sums.median_s, sums.p95_s) == (10.5, 19)
    assert sum_up([made(3)]).p95_s == 3
    assert sum_up([]).median_s is None
