"""On which pictures a changed recipe is tried, what their differences mean, and when it may be bought for all."""

from dataclasses import replace

import pytest

from bg_pipeline.core.canary import (
    SAMPLE,
    Difference,
    Extent,
    Rating,
    Trial,
    choose,
    in_sum,
    in_words,
    rating_of,
    refusal,
)
from bg_pipeline.core.records import Change, Reason

NONE = Difference(0.0, 0.0, 0.0, 0.0)


def cut_of(key: str) -> str:
    return "special" if key.startswith("cars/") else "cut"


def change(key: str, *, purchase: bool = True) -> Change:
    return Change(key, key.rpartition("/")[0], Reason.RECIPE_CHANGED, "", purchase=purchase)


HELD = [change(f"{folder}/{n}.jpg") for folder in ("bags", "cars", "shoes") for n in range(40)]


def keys(changes: list[Change]) -> list[str]:
    return [each.key for each in changes]


def test_without_golden_pictures_a_stable_sample_has_pictures_of_each_collection() -> None:
    sample = choose(HELD, (), cut_of, None)

    assert len(sample) == SAMPLE
    assert {each.collection for each in sample} == {"bags", "cars", "shoes"}
    assert keys(sample) == keys(choose(HELD[::-1], (), cut_of, None))
    fewer = [each for each in HELD if each in sample or each.key.endswith("7.jpg")]
    assert keys(choose(fewer, (), cut_of, None)) == keys(sample)
    assert len(choose(HELD, (), cut_of, 50)) == 50
    assert len(choose(HELD[:2], (), cut_of, None)) == 2
    assert choose([], ("bags/",), cut_of, None) == []


def test_each_cut_is_tried() -> None:
    many = [change(f"c{n}/x.jpg") for n in range(30)] + [change("cars/9.jpg")]

    assert "cars/9.jpg" in keys(choose(many, (), cut_of, None))


def test_golden_pictures_are_tried_where_the_recipe_would_buy_them_again() -> None:
    assert keys(choose(HELD, ("bags/3.jpg", "shoes/1*.jpg"), cut_of, None)) == [
        "bags/3.jpg",
        "shoes/1.jpg",
        *(f"shoes/1{n}.jpg" for n in range(10)),
    ]
    assert keys(choose(HELD, ("shoes/",), cut_of, 1)) == ["shoes/0.jpg"]
    assert len(choose(HELD, ("gone/",), cut_of, None)) == SAMPLE


@pytest.mark.parametrize(
    ("difference", "rating"),
    [
        (NONE, Rating.AS_BEFORE),
        (Difference(0.005, 1.0, 0.01, 0.005), Rating.AS_BEFORE),
        (Difference(0.006, 0.0, 0.0, 0.0), Rating.SLIGHT),
        (Difference(0.0, 1.1, 0.0, 0.0), Rating.SLIGHT),
        (Difference(0.0, 0.0, 0.011, 0.0), Rating.SLIGHT),
        (Difference(0.0, 0.0, 0.0, 0.006), Rating.SLIGHT),
        (Difference(0.021, 0.0, 0.0, 0.0), Rating.CLEAR),
        (Difference(0.0, 3.1, 0.0, 0.0), Rating.CLEAR),
        (Difference(0.0, 0.0, 0.051, 0.0), Rating.CLEAR),
        (Difference(0.0, 0.0, 0.0, 0.021), Rating.CLEAR),
    ],
)
def test_one_large_measure_is_enough_for_a_rating(difference: Difference, rating: Rating) -> None:
    assert rating_of(Trial("a", "cut", difference)) is rating
    assert rating_of(Trial("a", "cut", difference, "the cutout is empty")) is Rating.SUSPICIOUS


def test_the_ratings_are_counted_in_words() -> None:
    trials = [Trial("a", "c", NONE), Trial("b", "c", NONE), Trial("d", "c", problem="refused")]

    assert in_sum(trials) == "2 as before; 1 no cutout"
    assert in_sum([]) == "nothing was tried"
    assert in_words(None) == ""
    assert in_words(Difference(0.5, 2.25, 0.031, 0.2)) == (
        "alpha 50.0%, colour ΔE 2.2, pixels changed 3.1%, box moved 20.0%"
    )


def test_more_than_a_few_purchases_of_a_changed_recipe_need_an_accepted_canary_of_each_cut() -> None:
    bags, cars = HELD[:40], HELD[40:80]

    assert refusal(bags[:SAMPLE], cut_of, ()) == ""
    assert "6 purchases of a changed recipe were requested" in refusal(bags[: SAMPLE + 1], cut_of, ())
    assert refusal(bags, cut_of, {"cut"}) == ""
    assert "40 purchases" in refusal([*bags, *cars], cut_of, {"cut"})
    assert refusal([*bags, *cars], cut_of, {"cut", "special"}) == ""
    assert refusal([replace(each, purchase=False) for each in bags], cut_of, ()) == ""


def test_what_is_requested_is_counted_within_its_collections_and_sample() -> None:
    assert Extent().of(HELD) == HELD
    assert Extent(frozenset({"bags"})).of(HELD) == HELD[:40]
    assert keys(Extent(sample=2).of(HELD)) == [
        *("bags/0.jpg", "bags/1.jpg"),
        *("cars/0.jpg", "cars/1.jpg"),
        *("shoes/0.jpg", "shoes/1.jpg"),
    ]
    assert keys(Extent(frozenset({"shoes"}), 1).of(HELD)) == ["shoes/0.jpg"]
