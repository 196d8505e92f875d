"""One suite for replaced outputs and for what was taken back: in memory, in SQLite, in PostgreSQL."""

from dataclasses import replace

import pytest

from bg_pipeline.core.records import Published, State
from bg_pipeline.core.revert import Previous, Reverted, RunPublications
from bg_pipeline.errors import ClaimLost
from bg_pipeline_tests.contracts.manifest import Manifest, shown

KEY = "c/a.jpg"
OLD = Published("p1", "cut", "rendition", "c/a.png", "d1", "h1", "run 1")
NEW = Published("p2", "cut 2", "rendition 2", "c/a.webp", "d2", "h2", "run 2")


def kept(run: str = "run 2", former: Published | None = OLD, name: str = "kept/1", key: str = KEY) -> Previous:
    return Previous(key, run, former, 7.5 if former else None, name, "d1" if name else "")


@pytest.fixture
def replaced(manifest: Manifest) -> Manifest:
    """An item that run 1 published, and run 2 again; and one that only run 2 published."""
    manifest.see_work(KEY, "c/b.jpg")
    manifest.publish(KEY, OLD)
    manifest.previous.begin(kept())
    manifest.publish(KEY, NEW)
    manifest.publish("c/b.jpg", replace(NEW, output_name="c/b.png"))
    return manifest


def test_a_publication_names_its_run(replaced: Manifest) -> None:
    assert replaced.entry(KEY).published == NEW
    assert [e.key for e in replaced.previous.published_by("run 2")] == [KEY, "c/b.jpg"]
    assert [e.key for e in replaced.previous.published_by("run 1")] == [KEY]  # replaced since
    assert replaced.previous.published_by("") == []


def test_what_a_run_replaced_is_on_record_with_its_whole_origin(replaced: Manifest) -> None:
    (record,) = replaced.previous.of_item(KEY)
    now = replaced.clock.now

    assert record == replace(kept(), replaced_at=record.replaced_at)
    assert 0 < record.replaced_at <= now
    assert replaced.previous.of_run("run 2") == {KEY: [record]}
    assert replaced.previous.of_run("run 1") == {}
    assert replaced.previous.of_item("c/b.jpg") == []


def test_a_record_without_publication_or_bytes_stays_so(manifest: Manifest) -> None:
    manifest.see_work(KEY)
    for made in (kept(former=None), kept("run 3", name="")):
        manifest.previous.begin(made)
        (record,) = manifest.previous.of_run(made.run)[KEY]
        assert record == replace(made, replaced_at=record.replaced_at)


def test_a_run_that_begins_again_has_one_record(replaced: Manifest) -> None:
    replaced.previous.begin(kept(name="kept/2"))

    assert [each.kept_name for each in replaced.previous.of_item(KEY)] == ["kept/2"]


def test_runs_are_listed_with_what_of_them_is_still_published(replaced: Manifest) -> None:
    assert [(each.run, each.items) for each in replaced.previous.runs()] == [("run 2", 2)]
    replaced.trash.unpublish("c/b.jpg")
    replaced.see_work("c/c.jpg")
    replaced.clock.now += 10
    replaced.publish("c/c.jpg", replace(OLD, output_name="c/c.png"))
    late, early = replaced.previous.runs()

    assert isinstance(late, RunPublications)
    assert [(each.run, each.items) for each in (late, early)] == [("run 1", 1), ("run 2", 1)]
    assert late.first_at == late.last_at > early.last_at


def test_a_former_publication_returns_whole_and_what_it_replaces_is_on_record(replaced: Manifest) -> None:
    before = replaced.entry(KEY)
    claim = replaced.claim(KEY)
    replaced.reversions.put_back([kept()], Reverted.of(KEY, NEW, "ana"), claim)
    entry = replaced.entry(KEY)

    assert (entry.published, entry.published_at, entry.state, entry.purchase_id) == (OLD, 7.5, State.PUBLISHED, "p1")
    assert entry.revision == before.revision + 1
    (reverted,) = replaced.reversions.all()
    assert reverted == Reverted(KEY, "run 2", "ana", "h2", "cut 2", "rendition 2", reverted.reverted_at)
    assert reverted.reverted_at > 0


def test_an_item_that_waits_for_work_keeps_its_state(replaced: Manifest) -> None:
    replaced.set_state(KEY, State.FAILED, "a reason", "p3")
    replaced.reversions.put_back([kept()], Reverted.of(KEY, NEW, "ana"), replaced.claim(KEY))
    entry = replaced.entry(KEY)

    assert (entry.state, entry.purchase_id, entry.published) == (State.FAILED, "p3", OLD)


def test_nothing_returns_under_a_lost_claim(replaced: Manifest) -> None:
    lost = replaced.claim(KEY)
    replaced.queue.release(lost)

    with pytest.raises(ClaimLost):
        replaced.reversions.put_back([kept()], Reverted.of(KEY, NEW, "ana"), lost)
    assert (replaced.entry(KEY).published, replaced.reversions.all()) == (NEW, [])


def test_what_was_taken_back_is_lifted_by_run_and_key(replaced: Manifest) -> None:
    for run in ("run 2", "run 3"):
        replaced.reversions.record(Reverted.of(KEY, replace(NEW, run=run), "ana"))
    replaced.reversions.record(Reverted.of("c/b.jpg", NEW, "ana"))
    replaced.reversions.lift("run 2", [KEY])

    assert [(each.key, each.run) for each in replaced.reversions.all()] == [(KEY, "run 3"), ("c/b.jpg", "run 2")]


def test_what_is_due_has_no_later_record_with_the_same_bytes(manifest: Manifest) -> None:
    manifest.see_work(KEY, "c/b.jpg")
    manifest.previous.begin(kept("run 1"))
    manifest.previous.begin(kept("run 2", name=""))
    manifest.previous.begin(kept("run 2", name="kept/2", key="c/b.jpg"))
    then = manifest.clock.now
    manifest.clock.now += 100
    manifest.previous.begin(kept("run 3"))

    assert manifest.previous.expired(then - 1, 9) == []
    assert [(each.key, each.run) for each in manifest.previous.expired(then + 1, 9)] == [
        (KEY, "run 2"),
        ("c/b.jpg", "run 2"),
    ]
    assert len(manifest.previous.expired(then + 200, 9)) == 4
    assert [each.run for each in manifest.previous.expired(then + 200, 1)] == ["run 1"]


def test_a_publication_whose_former_output_is_dropped_names_no_run(replaced: Manifest) -> None:
    replaced.previous.drop(replaced.previous.expired(replaced.clock.now + 1, 9))

    assert replaced.previous.of_item(KEY) == []
    assert replaced.entry(KEY).published == replace(NEW, run="")
    assert [e.key for e in replaced.previous.published_by("run 2")] == ["c/b.jpg"]


def test_nothing_of_it_stays_of_an_item_that_is_erased(replaced: Manifest) -> None:
    replaced.reversions.record(Reverted.of(KEY, NEW, "ana"))
    claim = replaced.claim(KEY)
    replaced.erasures.begin(KEY, claim)
    replaced.erasures.finish(KEY, claim)

    assert (replaced.previous.of_item(KEY), replaced.reversions.all()) == ([], [])


def test_an_unknown_run_stays_unknown(manifest: Manifest) -> None:
    manifest.see_work(KEY)
    manifest.publish(KEY, shown("c/a.png"))

    assert manifest.previous.runs() == []


def test_all_outputs_of_an_item_return_together(manifest: Manifest) -> None:
    thumb = replace(OLD, output_name="thumb/a.png", output_digest="d3")
    manifest.see_work(KEY)
    manifest.queue.publish(KEY, NEW, manifest.claim(KEY), {"wide": replace(NEW, output_name="wide/a.png")})
    rows = [kept(), replace(kept(name="kept/3"), published=thumb, rendition="thumb")]
    for row in rows:
        manifest.previous.begin(row)
    recorded = manifest.previous.of_run("run 2")[KEY]
    assert {(each.rendition, each.published) for each in recorded} == {("main", OLD), ("thumb", thumb)}
    manifest.reversions.put_back(recorded, Reverted.of(KEY, NEW, "ana"), manifest.claim(KEY))

    assert manifest.entry(KEY).published == OLD
    assert [(o.rendition, o.published) for o in manifest.items.outputs([KEY])[KEY]] == [("thumb", thumb)]
