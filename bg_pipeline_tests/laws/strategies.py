"""What catalogues, manifests and names can look like."""

from hypothesis import strategies as st

from bg_pipeline.core.recipe import Cut, Recipe, Rendition, purchase_id
from bg_pipeline.core.records import Entry, Published, Reason, State

_PART = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12).filter(
    lambda part: part not in {".", ".."}
)

segments = _PART | st.sampled_from(["a", "A", "a.jpg", "a.png", "é", "e\u0301", "a...b", "%2E", " x ", "x,y", "[a]"])
keys = st.lists(segments, min_size=1, max_size=3).map("/".join)

collections = st.lists(segments, max_size=3).map("/".join) | st.sampled_from([".", "..", "...", "a\udcffb"])

contents = st.sampled_from(["1", "2", "3", ""]).map(lambda digit: digit * 64)

CUTS = [Cut(provider, side_px) for provider in ("bgeraser", "local") for side_px in (1000, 2500)]
RENDITIONS = [Rendition("png"), Rendition("webp")]

recipes = st.builds(
    Recipe,
    st.lists(st.sampled_from(CUTS), min_size=1, max_size=2, unique_by=lambda cut: cut.digest).map(tuple),
    st.sampled_from(RENDITIONS),
)


def published(content: str, recipe: Recipe, stem: str, scheme: int = 0) -> Published:
    """Make the record of a finished item, with the names of the present scheme, or with -1 of the oldest."""
    cut, rendition = recipe.cut.digests[scheme], recipe.rendition.digests[scheme]
    return Published(purchase_id(content, cut), cut, rendition, f"{stem}.png", "digest", content)


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """A manifest after a complete scan: any mixture of states, seen and published bytes."""
    made = []
    for number, key in enumerate(draw(st.lists(keys, unique=True, max_size=12))):
        stem = draw(st.sampled_from(["", f"stem{number}"]))
        shown = draw(
            st.none() | st.builds(published, contents, recipes, st.just(f"stem{number}"), st.sampled_from([0, -1]))
        )
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
                purchase_id=shown.purchase_id if shown else "",
                stem=stem,
                absent=draw(st.booleans()),
                problem=draw(st.sampled_from(["", "", "", "Permission denied"])),
                published=shown,
            )
        )
    return made
