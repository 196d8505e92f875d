"""Which file belongs to which item, by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core.adoption import match, stems_from_before
from bg_pipeline.core.keys import marked_stem, preferred_stem
from bg_pipeline.core.naming import name_template
from bg_pipeline_tests.laws.strategies import keys

SUFFIXES = ("-removebg", "-removebg-preview", "-Photoroom")
"""What the tools of a vendor append."""


@pytest.mark.parametrize(
    ("catalogue", "names", "pairs"),
    [
        (["shoes/a.jpg"], ["shoes/a.png"], {"shoes/a.jpg": "shoes/a.png"}),
        (["shoes/a.jpg"], ["a.png"], {"shoes/a.jpg": "a.png"}),
        (["a.b.jpg"], ["a.b.png", "a.png"], {"a.b.jpg": "a.b.png"}),
        (["shoes/a.jpg"], ["shoes/a-withoutbg.png"], {"shoes/a.jpg": "shoes/a-withoutbg.png"}),
        (["shoes/a.jpg"], ["a-removebg-preview.PNG"], {"shoes/a.jpg": "a-removebg-preview.PNG"}),
        (["a.jpg"], ["a.webp"], {"a.jpg": "a.webp"}),
        *(
            (["shoes/l.jpg"], [f"shoes/{name}.png"], {"shoes/l.jpg": f"shoes/{name}.png"})
            for name in ("l_no_bg", "l_nobg", "l-no-background", "l_cutout", "l.out", "l_rembg", "l (1)", "l.jpg")
        ),
        (["shoes/l.jpg"], ["l-Photoroom.png"], {"shoes/l.jpg": "l-Photoroom.png"}),
        (["shoes/l.jpg"], ["l.jpg.png"], {"shoes/l.jpg": "l.jpg.png"}),
        (["shoes/a.jpg"], ["shoes/a.png", "a.png"], {"shoes/a.jpg": "shoes/a.png"}),
        (["a.jpg", "shoes/a.jpg"], ["a.png", "shoes/a.png"], {"a.jpg": "a.png", "shoes/a.jpg": "shoes/a.png"}),
        (
            ["bags/a.jpg", "shoes/a.jpg"],
            ["a.png", "shoes/a.png"],
            {"shoes/a.jpg": "shoes/a.png", "bags/a.jpg": "a.png"},
        ),
        (["a.jpg"], ["a.jpg", "a.json", "b.png", "shoes/a.png"], {}),
        (["A.jpg"], ["a.png"], {}),
    ],
)
def test_a_file_is_given_to_the_item_that_it_is_named_after(
    catalogue: list[str], names: list[str], pairs: dict[str, str]
) -> None:
    found = match(catalogue, catalogue, names, SUFFIXES)

    assert (found.pairs, found.unclear) == (pairs, {})


@pytest.mark.parametrize(
    ("wanted", "catalogue", "names", "why"),
    [
        (["bags/a.jpg", "shoes/a.jpg"], [], ["a.png"], "may also be the cutout of"),
        (["a.jpg", "a.png"], [], ["a.png"], "may also be the cutout of"),
        (["bags/a.jpg"], ["shoes/a.jpg"], ["a.png"], "a.png may also be the cutout of shoes/a.jpg"),
        (["a.jpg"], [], ["a.webp", "a.png"], "both a.png and a.webp may be its cutout"),
    ],
    ids=["two folders", "two formats of the source", "the other has a master", "two files"],
)
def test_where_names_leave_a_doubt_nothing_is_taken(
    wanted: list[str], catalogue: list[str], names: list[str], why: str
) -> None:
    found = match(wanted, [*wanted, *catalogue], names, SUFFIXES)

    assert found.pairs == {}
    assert found.unclear.keys() == set(wanted)
    assert all(why in reason for reason in found.unclear.values())


def test_our_own_name_for_a_twin_settles_whose_the_plain_one_is() -> None:
    catalogue = ["a.jpg", "a.png"]
    marked = f"{marked_stem('a.jpg')}.png"

    assert match(catalogue, catalogue, ["a.png", marked], SUFFIXES).pairs == {"a.jpg": marked, "a.png": "a.png"}
    for template in ("{stem}", "{stem}_main", "web/{folder}/{stem}"):
        names = [f"{name_template(template).name_of(stem)}.png" for stem in ("a", marked_stem("a.jpg"))]
        stems = stems_from_before(catalogue, names, lambda _, template=template: name_template(template))
        assert stems == {"a.jpg": marked_stem("a.jpg")}


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{stem}_final", "shoes/a_final.png"),
        ("{stem}_final", "a_final.webp"),
        ("cut-{name}", "shoes/cut-a.jpg.png"),
        ("{folder}-done/{stem}", "shoes-done/a.png"),
        ("/done/{folder}/{stem}-1", "done/shoes/a-1.png"),
    ],
)
def test_a_pattern_names_the_cutouts(pattern: str, name: str) -> None:
    assert match(["shoes/a.jpg"], ["shoes/a.jpg"], [name], (), pattern).pairs == {"shoes/a.jpg": name}


@pytest.mark.parametrize("pattern", ["final", "{stem}{0}", "{key}", "{stem", "{stem!x}"])
def test_a_pattern_that_names_no_picture_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="it "):
        match(["a.jpg"], ["a.jpg"], ["a.png"], (), pattern)


@st.composite
def folders(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """A catalogue, and files of which some are named after its items."""
    catalogue = draw(st.lists(keys, unique=True, max_size=8))
    stems = [stem for key in catalogue for stem in (preferred_stem(key), preferred_stem(key).rpartition("/")[2])]
    named = st.builds(
        lambda stem, suffix, extension: f"{stem}{suffix}.{extension}",
        st.sampled_from(stems or ["a"]),
        st.sampled_from(["", "-withoutbg"]),
        st.sampled_from(["png", "webp", "jpg"]),
    )
    return catalogue, draw(st.lists(named | keys, unique=True, max_size=8))


@given(made=folders(), data=st.data())
def test_no_file_is_given_to_two_items_and_order_does_not_matter(
    made: tuple[list[str], list[str]], data: st.DataObject
) -> None:
    catalogue, names = made
    found = match(catalogue, catalogue, names, SUFFIXES)

    assert len(set(found.pairs.values())) == len(found.pairs)
    assert set(found.pairs.values()) <= set(names)
    assert found.pairs.keys().isdisjoint(found.unclear)
    assert found.pairs.keys() | found.unclear.keys() <= set(catalogue)
    shuffled = data.draw(st.permutations(catalogue))
    assert match(shuffled, shuffled, data.draw(st.permutations(names)), SUFFIXES) == found


@given(made=folders())
def test_what_is_wanted_changes_nothing_about_whose_a_file_is(made: tuple[list[str], list[str]]) -> None:
    catalogue, names = made
    every = match(catalogue, catalogue, names, SUFFIXES)
    for key in catalogue:
        one = match([key], catalogue, names, SUFFIXES)
        assert (one.pairs.get(key), one.unclear.get(key)) == (every.pairs.get(key), every.unclear.get(key))
