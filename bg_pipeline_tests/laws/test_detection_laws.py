"""Laws of names, slices and deletes, and of the manifest's own view of what is up to date."""

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from bg_pipeline.core import deletes
from bg_pipeline.core.delta import Goal, is_up_to_date
from bg_pipeline.core.failures import is_standing
from bg_pipeline.core.keys import fold, key_bytes, plain_stem, preferred_stem, stems_for, unsafe
from bg_pipeline.core.recipe import Recipe
from bg_pipeline.core.records import Entry, State
from bg_pipeline.core.rehash import Slice
from bg_pipeline.core.survey import Judged, survey
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.deltas import SqlDeltas
from bg_pipeline.manifest.failures import SqlFailures
from bg_pipeline.manifest.rows import MAIN
from bg_pipeline.manifest.schema import acceptances, items, publications
from bg_pipeline_tests.core.deltas import stems_given
from bg_pipeline_tests.laws.strategies import entries, keys, recipes


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path_factory.mktemp('laws')}/manifest.db")
    else:
        made = Database(request.getfixturevalue("postgres_server"))
    yield made
    made.close()


def _fill(database: Database, catalogue: int, known: list[Entry]) -> None:
    rows = [
        {
            "catalogue_id": catalogue,
            "key": e.key,
            "collection": e.collection,
            "content_hash": e.content_hash,
            "media_type": e.media_type,
            "state": e.state,
            "reason": e.reason or "",
            "purchase_id": e.purchase_id,
            "stem": e.stem or None,
            "absent": e.absent,
            "problem": e.problem,
            "changed_at": 0.0,
        }
        for e in known
    ]
    shown = [
        {"catalogue_id": catalogue, "key": e.key, "rendition": MAIN, **asdict(e.published)}
        for e in known
        if e.published
    ]
    with database.write() as conn:
        conn.execute(delete(items))
        conn.execute(delete(publications))
        conn.execute(delete(acceptances))
        if rows:
            conn.execute(insert(items), rows)
        if shown:
            conn.execute(insert(publications), shown)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=entries(), recipe=recipes, missing=st.booleans(), rerender=st.booleans())
def test_the_manifest_and_the_delta_agree_on_what_is_up_to_date(
    database: Database, known: list[Entry], recipe: Recipe, missing: bool, rerender: bool
) -> None:
    catalogue = catalogue_id(database)
    _fill(database, catalogue, known)
    deltas = SqlDeltas(database, catalogue)
    goal = Goal.of(recipe, rerender=rerender)
    lost = {e.key: "a.png" for e in known if is_up_to_date(e, goal)} if missing else {}

    rest = [*deltas.out_of_date(goal), *deltas.get_many(sorted(lost, key=key_bytes))]
    piecemeal = survey(rest, lambda _key: goal, lost, Judged(deltas.count() - len(rest)))
    whole = survey(known, lambda _key: goal, lost)

    assert {e.key for e in deltas.out_of_date(goal)} == {
        e.key for e in known if not is_up_to_date(e, goal) and not (e.absent and e.state is State.DELETED)
    }
    assert piecemeal.unchanged == whole.unchanged
    assert [c.change for c in piecemeal.candidates] == [c.change for c in whole.candidates]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=entries())
def test_the_manifest_and_the_core_agree_on_what_stands(database: Database, known: list[Entry]) -> None:
    catalogue = catalogue_id(database)
    _fill(database, catalogue, known)
    failures = SqlFailures(database, catalogue)
    standing = {e.key for e in known if is_standing(e)}

    assert {each.key for each in failures.standing()} == standing
    assert set(failures.accept([e.key for e in known], "a reason")) == standing
    assert all(each.accepted == "a reason" for each in failures.standing())


@st.composite
def _rival_keys(draw: st.DrawFn) -> list[str]:
    """Keys of which some are called as others would be, once marked."""
    several = draw(st.lists(keys, min_size=1, max_size=6, unique=True))
    for key in draw(st.lists(st.sampled_from(several), max_size=4)):
        stems = stems_for(key)
        chosen = [next(stems) for _ in range(3)][draw(st.integers(0, 2))]
        several.append(chosen + draw(st.sampled_from([".png", ".jpg", "/x.jpg", ""])))
    return sorted(set(several), key=key_bytes)


@given(several=_rival_keys())
def test_distinct_keys_get_distinct_outputs_even_where_one_is_called_like_the_mark_of_another(
    several: list[str],
) -> None:
    stems = stems_given(several)

    assert len({fold(stem) for stem in stems.values()}) == len(several)


@given(several=_rival_keys(), others=st.sets(keys))
def test_no_allocated_stem_is_one_that_is_taken(several: list[str], others: set[str]) -> None:
    taken = {fold(preferred_stem(key)) for key in others}

    assert not taken & {fold(stem) for stem in stems_given(several, taken.__contains__).values()}


_LONG = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), max_size=300)


@given(key=keys | st.lists(_LONG, min_size=1).map("/".join))
def test_every_stem_fits_into_every_store_and_is_not_hidden(key: str) -> None:
    stems = stems_for(key)
    for stem in (next(stems), next(stems)):
        assert len(key_bytes(stem)) <= 850
        assert all(len(key_bytes(part)) <= 250 for part in stem.split("/"))
        if not unsafe(key):
            assert not any(part.startswith(".") for part in stem.split("/"))


@given(several=st.lists(keys, unique=True))
def test_no_output_is_the_folder_of_another(several: list[str]) -> None:
    """A file `a.png` and a folder `a.png` cannot both be."""
    names = {f"{stem}.png" for stem in stems_given(several).values()}
    folders = {name[:at] for name in names for at, sign in enumerate(name) if sign == "/"}

    assert not {fold(name) for name in names} & {fold(folder) for folder in folders}


@given(key=keys)
def test_a_plain_stem_is_kept_where_nothing_speaks_against_it(key: str) -> None:
    fits = all(
        not part.startswith(".") and not part.lower().endswith((".png", ".jpg", ".webp"))
        for part in key.split("/")[:-1]
    ) and not plain_stem(key).rpartition("/")[2].startswith(".")
    fits = fits and not any(unicodedata.category(character) == "Cc" for character in key)

    assert fits <= (preferred_stem(key) == plain_stem(key))


@given(key=st.binary(), of=st.integers(1, 30))
def test_the_slices_of_a_round_hold_every_key_once(key: bytes, of: int) -> None:
    assert sum(Slice(number, of).holds(key) for number in range(of)) == 1


def test_slices_are_of_about_one_size() -> None:
    chance = random.Random(1)
    held = sum(Slice(3, 7).holds(f"shoes/{chance.randrange(10**9)}.jpg".encode()) for _ in range(7000))

    assert 900 < held < 1100


@given(
    exists=st.booleans(),
    taken=st.booleans(),
    digest=st.sampled_from([None, "digest", "other"]),
    known=entries(),
)
def test_a_cutout_is_moved_only_if_no_guard_objects(
    exists: bool, taken: bool, digest: str | None, known: list[Entry]
) -> None:
    for entry in known:
        action, why = deletes.plan_deletion(entry, exists=exists, name_is_taken=taken, digest=digest)
        ours = entry.published is not None and digest == entry.published.output_digest

        assert why
        assert (action is deletes.Action.MOVE) == (not exists and not taken and ours)


@given(count=st.integers(0, 10**6), published=st.integers(0, 10**6), allowed=st.integers(0, 10**6))
def test_more_than_the_ceiling_goes_only_if_it_was_asked_for(count: int, published: int, allowed: int) -> None:
    stopped = bool(deletes.excess(count, published, allowed))

    assert stopped == (count > max(allowed, 1, min(20, published // 4), published // 20))


@given(
    ended_at=st.floats(0, 1e10), absent_since=st.none() | st.floats(0, 1e10), apart=st.floats(0, deletes.APART_S / 2)
)
def test_nothing_is_due_that_was_there_within_a_day(ended_at: float, absent_since: float | None, apart: float) -> None:
    listing = deletes.Listing(ended_at, complete=True, listed=1, sentinel_seen=True)

    assert not deletes.is_due("a", ended_at - apart, listing)
    if deletes.is_due("a", absent_since, listing):
        assert absent_since is not None
        assert absent_since <= ended_at - deletes.APART_S
