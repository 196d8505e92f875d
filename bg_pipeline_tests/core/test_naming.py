"""Templates of output names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core.formats import Format
from bg_pipeline.core.naming import name_template
from bg_pipeline.core.recipe import Rendition


@pytest.mark.parametrize(
    ("template", "stem", "name"),
    [
        ("{stem}", "shoes/a", "shoes/a"),
        ("{stem}.thumb", "shoes/a", "shoes/a.thumb"),
        ("t_{stem}", "shoes/red/a", "shoes/red/t_a"),
        ("thumbs/{folder}/{stem}", "shoes/red/a", "thumbs/shoes/red/a"),
        ("thumbs/{folder}/{stem}", "a", "thumbs/a"),
        ("{folder}/s-{stem}", "shoes/a", "shoes/s-a"),
        ("{folder}/{stem}/main", "shoes/a", "shoes/a/main"),
    ],
)
def test_a_name_follows_its_template(template: str, stem: str, name: str) -> None:
    assert name_template(template).name_of(stem) == name
    assert Rendition(Format.WEBP, output_name=template).name_of(stem) == f"{name}.webp"


parts = st.text("ab.~ä_", min_size=1, max_size=4)
stems = st.lists(parts, min_size=1, max_size=3).map("/".join)
templates = st.sampled_from(
    ["{stem}", "{stem}.b", "a{stem}", "a/{folder}/{stem}", "{folder}/a{stem}b", "{folder}/{stem}/a"]
)


@given(templates, stems, stems)
def test_two_items_never_get_one_name_and_a_name_tells_its_item(template: str, one: str, other: str) -> None:
    made = name_template(template)

    assert made.stem_of(made.name_of(one)) == one
    assert (made.name_of(one) == made.name_of(other)) == (one == other)


@given(templates, stems)
def test_a_name_that_no_item_would_get_tells_none(template: str, name: str) -> None:
    stem = name_template(template).stem_of(name)

    assert stem is None or name_template(template).name_of(stem) == name


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("thumb", "must have {stem} once"),
        ("{stem}{stem}", "must have {stem} once"),
        ("{stem}-{size}", "must have {stem} once"),
        ("{stem}/{folder}/x", "must have {stem} once"),
        ("thumbs/{stem}", "must have {folder}/ too"),
        ("{stem}/main", "must have {folder}/ too"),
        ("/a/{folder}/{stem}", "parts are not empty"),
        ("../{folder}/{stem}", "begin with no dot"),
        (".{stem}", "begin with no dot"),
        ("a//{folder}/{stem}", "parts are not empty"),
        ("a\\{stem}", "parts are not empty"),
        ("{stem}" + "x" * 61, "at most 60 letters"),
    ],
)
def test_a_template_that_could_lose_an_output_is_refused(template: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        name_template(template)
