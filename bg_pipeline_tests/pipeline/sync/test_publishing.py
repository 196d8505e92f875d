"""The whole job on fakes: what is bought, what is published, what is left alone."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest

from bg_pipeline.core.formats import Format
from bg_pipeline.core.recipe import Rendition
from bg_pipeline.core.records import Reason, State, Use
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import ItemRejected
from bg_pipeline.imaging.alpha import unpacked
from bg_pipeline.imaging.rendering import render
from bg_pipeline.pipeline.detect import detect
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import opened, product
from bg_pipeline_tests.pipeline.states import state_of


def test_every_picture_gets_a_cutout_and_is_bought_once(graph: Graph) -> None:
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases, done.summary.credits) == (4, 4, Decimal(4))
    assert sorted(graph.outputs.blobs) == ["bags/9.png", "shoes/0.png", "shoes/1.png", "shoes/2.png"]
    assert opened(graph.outputs.blobs["shoes/0.png"]).mode == "RGBA"
    assert done.summary.exit_code is Exit.DONE


def test_a_second_sync_over_an_unchanged_catalogue_does_nothing(graph: Graph) -> None:
    graph.sync()
    graph.source.reads.clear()
    graph.outputs.writes.clear()
    done = graph.sync()

    assert (len(graph.remover.requests), graph.source.reads, graph.outputs.writes) == (4, [], [])
    assert done.delta.counts["unchanged"] == 4
    assert done.delta.changes == ()


def test_a_touched_file_is_hashed_again_and_costs_nothing(graph: Graph) -> None:
    graph.sync()
    graph.source.put("shoes/0.png", product(0))
    done = graph.sync()

    assert done.scan.hashed == 1
    assert done.summary.published == 0


def test_a_changed_file_is_bought_again(graph: Graph) -> None:
    graph.sync()
    graph.source.put("shoes/0.png", product(50))
    done = graph.sync()

    assert done.summary.by_reason == {Reason.CHANGED: 1}
    assert done.summary.purchases == 1


def test_renames_and_copies_are_published_and_free(graph: Graph) -> None:
    graph.sync()
    graph.source.put("bags/moved.png", graph.source.files.pop("shoes/0.png"))
    graph.source.put("bags/copy.png", product(1))
    done = graph.sync()

    assert done.summary.purchases == 0
    assert (done.summary.renamed, done.summary.duplicates) == (1, 1)
    assert {"bags/moved.png", "bags/copy.png", "shoes/0.png"} <= set(graph.outputs.blobs)
    assert state_of(graph, "shoes/0.png") is State.DELETED


def test_twins_in_two_collections_are_bought_once(graph: Graph) -> None:
    graph.source.put("hats/twin.png", product(9))
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases) == (5, 4)


def test_an_output_that_another_host_publishes_while_the_outputs_are_listed_stays_published(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph.sync(cap=0)
    listed, names = list(graph.outputs.list()), graph.deltas.published_names

    def after_another_published(first: bytes, end: bytes | None) -> Iterator[tuple[str, str]]:
        graph.process()
        return names(first, end)

    monkeypatch.setattr(graph.deltas, "published_names", after_another_published)
    monkeypatch.setattr(graph.outputs, "list", lambda: iter(listed))
    detect(*graph.pipeline.context)

    assert graph.items.states()["published"] == 4


def test_a_lost_output_is_made_again_from_its_master(graph: Graph) -> None:
    graph.sync()
    before = graph.outputs.blobs.pop("shoes/1.png")
    done = graph.sync()

    assert done.summary.by_reason == {Reason.OUTPUT_MISSING: 1}
    assert (done.summary.purchases, graph.outputs.blobs["shoes/1.png"]) == (0, before)


def test_a_new_rendition_is_made_of_the_masters_and_free(graph: Graph) -> None:
    graph.sync()
    graph.change_recipe(background="white", format=Format.JPG)
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases) == (4, 0)
    assert opened(graph.outputs.blobs["shoes/0.jpg"]).format == "JPEG"


def test_a_new_cut_is_bought_only_when_asked_for(graph: Graph) -> None:
    graph.sync()
    graph.change_recipe(side_px=40)

    assert graph.sync().summary.purchases == 0
    assert graph.sync(apply_recipe_change=True).summary.purchases == 4


def test_a_corrupt_picture_fails_alone_uncharged_with_its_name_and_a_reason(graph: Graph) -> None:
    graph.source.put("shoes/broken.png", product(7)[:-25])
    done = graph.sync()

    assert (done.summary.published, done.summary.failed, done.summary.purchases) == (4, 1, 4)
    assert done.summary.failures[0].key == "shoes/broken.png"
    assert "cannot be read as a picture" in done.summary.failures[0].detail
    assert done.summary.exit_code is Exit.SOME_FAILED


def test_a_failed_picture_is_not_tried_again_by_itself_but_by_retry(graph: Graph) -> None:
    graph.remover = FakeRemover([ItemRejected("no subject")])
    graph.sync()
    again = graph.sync()
    assert (again.summary.published, again.delta.counts["failed"]) == (0, 1)

    graph.items.retry(None)
    assert graph.sync().summary.published == 1


def test_what_is_no_picture_is_skipped_without_a_call(graph: Graph) -> None:
    graph.source.put("shoes/page.html", b"<html></html>")
    graph.source.put("shoes/empty.txt", b"")
    done = graph.sync()

    assert done.delta.counts["skipped"] == 2
    assert len(graph.remover.requests) == 4
    assert state_of(graph, "shoes/page.html") is State.SKIPPED


def test_an_unreadable_file_stops_no_other_and_is_read_when_it_can_be(graph: Graph) -> None:
    graph.source.unreadable.add("shoes/0.png")
    first = graph.sync()
    assert (first.summary.published, first.scan.unreadable.keys()) == (3, {"shoes/0.png"})

    graph.source.unreadable.clear()
    assert graph.sync().summary.published == 1


def test_a_film_among_the_pictures_is_skipped_unread(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bg_pipeline.core.sources.MAX_SOURCE_BYTES", 10_000)
    graph.source.put("shoes/film.mp4", b"\0" * 10_001)
    done = graph.sync()

    assert "shoes/film.mp4" not in graph.source.reads
    assert (done.delta.counts["skipped"], done.scan.unreadable) == (1, {})


def test_an_answer_is_not_decoded_again_to_be_published(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    alphas = []

    def seen(source: bytes, master: bytes, renditions: Sequence[Rendition], use: Use, alpha: bytes) -> list[bytes]:
        alphas.append((use, unpacked(alpha).size))
        return render(source, master, renditions, use, alpha)

    monkeypatch.setattr("bg_pipeline.pipeline.publish.render", seen)
    graph.sync()

    assert alphas == [(Use.ALPHA, (48, 32))] * 4
