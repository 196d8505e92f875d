"""Pictures that a shop made of others."""

from bg_pipeline.core.copies import count_copies, marked_copies
from bg_pipeline.core.filters import Filter


def copies(*keys: str) -> dict[str, int]:
    return count_copies(marked_copies(keys), keys)


def test_copies_beside_their_original_are_counted_by_the_pattern_that_leaves_them_out() -> None:
    sizes = [f"a/photo-{size}.jpg" for size in ("150x150", "300x300", "1024x768")]
    others = ["b/x.jpg", "b/x_small.png", "b/x-scaled.jpg", "b/x@2x.jpg", "b/x-Thumb.jpg"]

    assert copies("a/photo.jpg", *sizes, *others) == {
        "*-[0-9]*x[0-9]*.*": 3,
        "*[_-]small.*": 1,
        "*-scaled.*": 1,
        "*@[0-9]x.*": 1,
        "*[_-]thumb.*": 1,
    }


def test_several_sizes_of_one_picture_are_copies_also_without_it() -> None:
    assert copies("a/p-150x150.jpg", "a/p-300x300.jpg", "a/q-150x150.jpg") == {"*-[0-9]*x[0-9]*.*": 1}


def test_a_name_that_only_ends_like_a_copy_is_none() -> None:
    assert copies("a/shirt_small.jpg", "b/shirt.jpg", "a/table-80x120.jpg", "a/10.2.jpg", "a/10.3.jpg") == {}


def test_each_pattern_leaves_out_its_copies_and_not_their_originals() -> None:
    keys = [
        "p.jpg",
        *(f"p{mark}.jpg" for mark in ("-300x300", "-scaled", "_small", "-medium", "_large", "-thumb", "@2x")),
    ]
    for key, (_, pattern) in marked_copies(keys).items():
        chosen = Filter(exclude=[pattern])
        assert (chosen.leaves_out(key), chosen.leaves_out("p.jpg")) == (pattern, "")
    assert len(marked_copies(keys)) == 7
