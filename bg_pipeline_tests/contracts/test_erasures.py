"""One suite for items that a person erases: in memory, in SQLite, in PostgreSQL."""

from dataclasses import replace

import pytest

from bg_pipeline.core.erasure import Traces, forgotten_id, is_forgotten
from bg_pipeline.core.records import Master, Reason, State
from bg_pipeline.errors import ClaimLost
from bg_pipeline_tests.contracts.manifest import ONE, Manifest, seen, shown, work

MASTER = Master("w", "digest", 2, 1, content_hash="h")


@pytest.fixture
def published(manifest: Manifest) -> Manifest:
    manifest.purchases.adopt(MASTER)
    manifest.see_work("c/a.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    return manifest


def test_an_item_has_the_purchases_of_its_picture_and_those_that_its_recipe_names(published: Manifest) -> None:
    published.purchases.adopt(replace(MASTER, purchase_id="stage"))
    assert published.erasures.traces("c/a.jpg", ["named"]) == Traces(("named", "stage", "w"))


def test_what_was_bought_for_an_earlier_picture_of_the_item_is_its_own(published: Manifest) -> None:
    """Also what was made free of charge from the very same bytes, under another name."""
    attempt = published.buy("old", item_key="c/a.jpg", claim=published.claim("c/a.jpg"), sent_digest="sent")
    old = Master("old", "digest", 2, 1, "", "sent", "cut", "h-old")
    published.purchases.keep(old, attempt, ONE)
    published.purchases.adopt(replace(old, purchase_id="saved again", content_hash="h-older"))

    assert set(published.erasures.traces("c/a.jpg", []).own) == {"old", "saved again", "w"}


@pytest.mark.parametrize("use", ["listed", "published", "in the trash"])
def test_what_another_item_uses_is_shared(published: Manifest, use: str) -> None:
    published.see_work("d/b.jpg")
    if use != "listed":
        published.publish("d/b.jpg", shown("d/b.png"))
        published.observations.mark_absent(["d/b.jpg"])
    if use == "in the trash":
        published.trash.begin_trash("d/b.jpg", ".trash/d/b.png")
        published.trash.unpublish("d/b.jpg")

    assert published.erasures.traces("c/a.jpg", ["named"]) == Traces((), ("named", "w"), ("d/b.jpg",))


def test_an_item_that_is_gone_with_its_cutout_shares_nothing_and_is_named(published: Manifest) -> None:
    published.see_work("d/b.jpg")
    published.observations.mark_absent(["d/b.jpg"])

    assert published.erasures.traces("c/a.jpg", []) == Traces(("w",), (), ("d/b.jpg",))


def test_an_item_published_from_a_purchase_uses_it_even_if_its_picture_is_not_known(published: Manifest) -> None:
    attempt = published.buy("other", item_key="c/a.jpg", claim=published.claim("c/a.jpg"))
    published.purchases.keep(Master("other", "digest", 2, 1), attempt, ONE)
    published.observations.observe([seen("d/b.jpg", content="h2")])
    published.record(work("d/b.jpg", purchase_id="other"))

    assert published.erasures.traces("c/a.jpg", []) == Traces(("w",), ("other",))


def test_a_forgotten_item_stays_with_its_hash_and_until_the_end_with_its_publication(published: Manifest) -> None:
    claim = published.claim("c/a.jpg")
    published.erasures.begin("c/a.jpg", claim)
    entry = published.entry("c/a.jpg")
    assert is_forgotten(entry)
    assert (entry.published, entry.stem) == (shown("c/a.png"), "c/a")

    published.erasures.begin("c/a.jpg", claim)
    published.erasures.finish("c/a.jpg", claim)
    entry = published.entry("c/a.jpg")
    assert (entry.state, entry.purchase_id) == (State.FORGOTTEN, forgotten_id("h"))
    assert (entry.published, entry.stem, entry.trash_name, entry.reason, entry.detail) == (None, "", "", None, "")
    assert list(published.deltas.published_names()) == []
    assert published.items.states()["forgotten"] == 1
    published.queue.release(claim)
    published.claim("c/a.jpg")


def test_a_run_that_lost_its_claim_forgets_nothing(published: Manifest) -> None:
    claim = published.claim("c/a.jpg")
    published.clock.now += 1000
    published.claim("c/a.jpg")
    for step in (published.erasures.begin, published.erasures.finish):
        with pytest.raises(ClaimLost):
            step("c/a.jpg", claim)

    assert published.entry("c/a.jpg").state is State.PUBLISHED


def test_only_an_item_that_is_forgotten_to_the_end_is_lifted(published: Manifest) -> None:
    assert not published.erasures.lift("c/a.jpg")
    assert not published.erasures.lift("c/none.jpg")
    claim = published.claim("c/a.jpg")
    published.erasures.begin("c/a.jpg", claim)
    published.queue.release(claim)
    assert not published.erasures.lift("c/a.jpg")
    published.erasures.finish("c/a.jpg", published.claim("c/a.jpg"))
    assert published.erasures.lift("c/a.jpg")
    assert published.items.entry("c/a.jpg") is None


def test_the_name_of_a_forgotten_item_is_free(published: Manifest) -> None:
    published.erasures.finish("c/a.jpg", published.claim("c/a.jpg"))
    published.see("c/a.webp")
    published.record(work("c/a.webp", Reason.NEW, stem="c/a"))

    assert published.entry("c/a.webp").stem == "c/a"
