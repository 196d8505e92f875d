"""Each guard that keeps a cutout, by itself."""

from dataclasses import replace

import pytest

from bg_pipeline.core import deletes
from bg_pipeline.core.deletes import Action, DeletePolicy, Listing, plan_deletion, refusal
from bg_pipeline.core.records import Entry, Published, State

GOOD = Listing(1_000_000.0, complete=True, listed=5, sentinel_seen=True)
GONE = Entry(
    "c/a.jpg",
    "c",
    "h",
    "image/jpeg",
    State.DELETED,
    absent=True,
    published=Published("w", "cut", "rendition", "c/a.png", "digest", "h"),
)


@pytest.mark.parametrize(
    ("listing", "sentinel", "why"),
    [
        (GOOD, "", ""),
        (GOOD, "here.txt", ""),
        (None, "", "missing or incomplete"),
        (replace(GOOD, complete=False), "", "missing or incomplete"),
        (replace(GOOD, listed=0), "", "empty"),
        (replace(GOOD, sentinel_seen=False), "here.txt", "here.txt"),
        (replace(GOOD, sentinel_seen=False), "", ""),
    ],
)
def test_a_listing_that_cannot_be_relied_on_deletes_nothing(listing: Listing | None, sentinel: str, why: str) -> None:
    found = refusal(DeletePolicy(trash=True, sentinel=sentinel), listing)

    assert why in found
    assert bool(why) == bool(found)


@pytest.mark.parametrize(
    ("absent_since", "due"),
    [(None, False), (1_000_000.0, False), (1_000_000.0 - 86_399, False), (1_000_000.0 - 86_400, True)],
)
def test_a_picture_is_gone_when_two_listings_a_day_apart_did_not_have_it(absent_since: float | None, due: bool) -> None:
    assert deletes.is_due("c/a.jpg", absent_since, GOOD) is due


@pytest.mark.parametrize(
    ("not_looked", "due"),
    [("c/", False), ("c/a.jpg", False), ("c/a.jpg/", True), ("c", True), ("c/a", True), ("b/", True), ("c/b/", True)],
)
def test_a_picture_that_could_not_be_looked_for_is_not_gone(not_looked: str, due: bool) -> None:
    listing = replace(GOOD, not_looked=("a/", not_looked))

    assert deletes.is_due("c/a.jpg", 1.0, listing) is due


@pytest.mark.parametrize(
    ("published", "most"),
    [(1, 1), (2, 1), (8, 2), (21, 5), (80, 20), (400, 20), (401, 20), (440, 22), (1_000_000, 50_000)],
)
def test_five_percent_or_twenty_but_no_more_than_a_quarter_go_unasked(published: int, most: int) -> None:
    assert deletes.excess(most, published, 0) == ""
    assert f"at most {most} " in deletes.excess(most + 1, published, 0)
    assert deletes.excess(most + 1, published, most + 1) == ""


def test_each_listed_copy_accounts_for_one_cutout_that_goes() -> None:
    gone = [replace(GONE, key=key) for key in ("c/a.jpg", "c/b.jpg", "c/c.jpg")]

    assert [deletes.without_copy(gone, {"w": copies, "x": 9}) for copies in (0, 1, 3, 4)] == [3, 2, 0, 0]


@pytest.mark.parametrize(
    ("exists", "name_is_taken", "digest", "action"),
    [
        (False, False, "digest", Action.MOVE),
        (True, False, "digest", Action.LEAVE),
        (False, False, "other", Action.LEAVE),
        (False, True, "digest", Action.FORGET),
        (False, False, None, Action.FORGET),
        (True, True, None, Action.LEAVE),
    ],
)
def test_only_our_own_cutout_of_a_picture_that_is_gone_is_moved(
    exists: bool, name_is_taken: bool, digest: str | None, action: Action
) -> None:
    found, why = plan_deletion(GONE, exists=exists, name_is_taken=name_is_taken, digest=digest)

    assert found is action
    assert why


def test_a_name_in_the_trash_tells_the_name_before() -> None:
    aside = deletes.trash_name("c/d/a.png", 0.0)

    assert aside == ".trash/1970-01-01/c/d/a.png"
    assert deletes.output_name_of(aside) == "c/d/a.png"
