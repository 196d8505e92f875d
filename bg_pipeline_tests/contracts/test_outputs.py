"""One suite for several outputs of an item: in memory, in SQLite, in PostgreSQL."""

from dataclasses import replace

import pytest

from bg_pipeline.core.records import Output, Published, Reason, State
from bg_pipeline_tests.contracts.manifest import Manifest, shown, work

KEY, TWIN = "c/a.jpg", "c/b.jpg"
THUMB = replace(shown("c/a.thumb.webp"), output_digest="thumb", rendition_digest="small")
CARD = replace(shown("cards/a.jpg"), output_digest="card")


@pytest.fixture
def published(manifest: Manifest) -> Manifest:
    manifest.see_work(KEY, TWIN)
    manifest.publish(KEY, shown("c/a.png"), thumb=THUMB, card=CARD)
    manifest.publish(TWIN, shown("c/b.png"))
    return manifest


def others(manifest: Manifest, key: str = KEY) -> dict[str, Published]:
    return {each.rendition: each.published for each in manifest.items.outputs([key]).get(key, ())}


def test_all_outputs_are_recorded_together(published: Manifest) -> None:
    assert published.items.outputs([KEY, TWIN, "unknown"]) == {KEY: [Output("card", CARD), Output("thumb", THUMB)]}
    assert published.entry(KEY).published == shown("c/a.png")
    assert published.items.outputs([]) == {}


def test_outputs_of_renditions_that_are_no_longer_wanted_go_off_record(published: Manifest) -> None:
    newer = replace(THUMB, output_digest="newer")
    published.publish(KEY, shown("c/a.png"), thumb=newer)

    assert others(published) == {"thumb": newer}
    published.publish(KEY, shown("c/a.png"))
    assert others(published) == {}


def test_names_of_all_outputs_are_published(published: Manifest) -> None:
    assert list(published.deltas.published_names()) == [
        ("c/a.png", KEY),
        ("c/a.thumb.webp", KEY),
        ("c/b.png", TWIN),
        ("cards/a.jpg", KEY),
    ]


def test_a_name_is_published_by_an_item_and_not_by_the_others(published: Manifest) -> None:
    for name in ("c/a.png", "c/a.thumb.webp", "cards/a.jpg"):
        assert published.trash.is_published(name)
        assert published.trash.is_published(name, but=TWIN)
        assert not published.trash.is_published(name, but=KEY)


def test_an_item_counts_once_whatever_its_outputs(published: Manifest) -> None:
    assert [e.key for e in published.items.entries()] == [KEY, TWIN]
    assert published.trash.copies([shown("").purchase_id]) == {shown("").purchase_id: 2}
    assert published.deltas.publishing_keys([shown("").purchase_id]) == {shown("").purchase_id: KEY}


def test_one_altered_output_of_any_rendition_makes_the_item_pending(published: Manifest) -> None:
    assert not published.items.mark_stale(KEY, "another")
    assert published.items.mark_stale(KEY, "thumb")
    assert (published.entry(KEY).state, published.entry(KEY).reason) == (State.PENDING, Reason.OUTPUT_MISSING)


def test_an_item_with_any_output_left_on_the_shop_is_gone_with_it(published: Manifest) -> None:
    published.observations.mark_absent([KEY])
    published.trash.unpublish(KEY)
    published.trash.unpublish(KEY, "card")
    assert [e.key for e in published.trash.gone_since(published.clock.now)] == [KEY]

    published.trash.unpublish(KEY, "thumb")
    assert published.trash.gone_since(published.clock.now) == []
    assert {each.output_name for each in others(published).values()} == {""}


def test_each_output_goes_to_the_trash_and_comes_back_by_itself(published: Manifest) -> None:
    published.trash.begin_trash(KEY, ".trash/thumb", "thumb")
    published.trash.unpublish(KEY, "thumb")
    assert [e.key for e in published.trash.in_trash()] == [KEY]
    assert [e.key for e in published.trash.in_trash(before=published.clock.now + 1)] == [KEY]
    assert published.trash.in_trash(before=0.0) == []
    (card, thumb) = published.items.outputs([KEY])[KEY]
    assert (card.trash_name, thumb.trash_name, thumb.published.output_name) == ("", ".trash/thumb", "")
    assert published.entry(KEY).trash_name == ""

    published.trash.end_trash(KEY, "c/a.thumb.webp", "thumb")
    assert published.items.outputs([KEY])[KEY] == [Output("card", CARD), Output("thumb", THUMB)]
    assert published.trash.in_trash() == []


def test_an_output_that_is_deleted_from_the_trash_has_no_name(published: Manifest) -> None:
    published.trash.begin_trash(KEY, ".trash/thumb", "thumb")
    published.trash.unpublish(KEY, "thumb")
    published.trash.end_trash(KEY, rendition="thumb")

    assert published.items.outputs([KEY])[KEY][1] == Output("thumb", replace(THUMB, output_name=""))


def test_a_withdrawn_item_with_any_output_left_is_on_the_shop(published: Manifest) -> None:
    published.set_state(KEY, State.WITHDRAWN)
    published.trash.unpublish(KEY)
    assert [e.key for e in published.reviews.withdrawn_on_shop()] == [KEY]

    for rendition in ("card", "thumb"):
        published.trash.unpublish(KEY, rendition)
    assert published.reviews.withdrawn_on_shop() == []


def test_a_name_that_is_given_on_takes_all_outputs_with_it(manifest: Manifest) -> None:
    manifest.see("c/a.JPG")
    manifest.record(work("c/a.JPG", stem="c/a"))
    manifest.publish("c/a.JPG", shown("c/a.png"), thumb=THUMB)
    manifest.observations.mark_absent(["c/a.JPG"])
    manifest.see(KEY)
    manifest.record(work(KEY, stem="c/a"))

    assert manifest.entry(KEY).stem == "c/a"
    assert others(manifest, "c/a.JPG")["thumb"].output_name == ""


def test_an_erased_item_has_no_outputs(published: Manifest) -> None:
    claim = published.claim(KEY)
    published.erasures.begin(KEY, claim)
    published.erasures.finish(KEY, claim)

    assert others(published) == {}
    assert published.entry(KEY).published is None
