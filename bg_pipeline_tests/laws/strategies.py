"""What catalogues, manifests and names can look like."""

from hypothesis import strategies as st

from bg_pipeline.core.recipe import Cut, Recipe, Rendition, work_id
from bg_pipeline.core.records import Entry, Published, Reason, State

_PART = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12).filter(
    lambda part: part not in {".", ".."}
)

segments = _PART | st.sampled_from(["a", "A", "a.jpg", "a.png", "é", "e\u0301", "a...b", "%2E", " x ", "x,y", "[a]"])
keys = st.lists(segments, min_size=1, max_size=3).map("/".join)

collections = st.lists(segments, max_size=3).map("/".join) | st.sampled_from([".", "..", "...", "a\udcffb"])

contents = st.sampled_from(["1", "2", "3", ""]).map(lambda digit: digit * 64)

recipes = st.builds(
    Recipe,
    st.lists(
        st.builds(Cut, st.sampled_from(["bgeraser", "local"]), st.sampled_from([1000, 2500])),
        min_size=1,
        max_size=2,
        unique_by=lambda cut: cut.hash,
    ).map(tuple),
    st.builds(Rendition, st.sampled_from(["png", "webp"])),
)


def published(content: str, recipe: Recipe, stem: str) -> Published:
    """What a finished item is recorded with."""
    cut, rendition = recipe.cut.hash, recipe.rendition.hash
    return Published(work_id(content, cut), cut, rendition, f"{stem}.png", "digest", content)


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """A manifest after a complete scan: any mixture of states, seen and published bytes."""
    made = []
    for number, key in enumerate(draw(st.lists(keys, unique=True, max_size=12))):
        stem = draw(st.sampled_from(["", f"stem{number}"]))
        shown = draw(st.none() | st.builds(published, contents, recipes, st.just(f"stem{number}")))
        state = draw(st.sampled_from(State))
        if state is State.PUBLISHED and shown is None:
            state = State.PENDING
        made.append(
            Entry(
                key=key,
                collection=key.rpartition("/")[0],
                content_hash=draw(contents),
                media_type=draw(st.sampled_from(["image/png", ""])),
                state=state,
                reason=draw(st.sampled_from([None, *Reason])),
                work_id=shown.work_id if shown else "",
                stem=stem,
                absent=draw(st.booleans()),
                published=shown,
            )
        )
    return made
