"""The same picture under other bytes, and pictures that are cut out already."""

import contextlib
import threading
from decimal import Decimal

from PIL import Image, PngImagePlugin

from bg_pipeline.core.recipe import AS_IT_IS, Recipe, Rendition
from bg_pipeline.ports.purchasing import OpenAttempt
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import cutout_of, encoded, opened, product
from bg_pipeline_tests.pipeline.purchase.shop import FIRST, shop


def test_a_picture_of_which_only_the_metadata_changed_is_not_bought_again() -> None:
    graph = shop()
    graph.sync()
    described = PngImagePlugin.PngInfo()
    described.add_text("Author", "the new photographer")
    graph.source.put("c/1.png", encoded(opened(product(1)), pnginfo=described, compress_level=9))
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases, done.summary.saved) == (1, 0, Decimal(1))
    assert len(graph.remover.requests) == 1


def test_two_files_with_one_picture_are_bought_once_also_when_both_are_new() -> None:
    """While one is in flight the other waits for the end of the run, not for the next night."""
    graph = shop(concurrency=4)
    described = PngImagePlugin.PngInfo()
    described.add_text("Author", "somebody")
    graph.source.put("c/2.png", encoded(opened(product(1)), pnginfo=described))
    together = threading.Barrier(2)

    def hold(_request: object) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(timeout=0.3)

    graph.remover.before = hold
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases, done.summary.failures) == (2, 1, [])


def test_two_files_with_one_picture_are_bought_once_when_the_second_waits_for_a_slot_meanwhile() -> None:
    """It looked for a master while the first was in flight, and is sent when that one is kept."""
    graph = shop(concurrency=4)
    described = PngImagePlugin.PngInfo()
    described.add_text("Author", "somebody")
    graph.source.put("c/2.png", encoded(opened(product(1)), pnginfo=described))
    both_looked, kept = threading.Barrier(2), threading.Event()
    real_twin, real_open, real_keep = graph.purchases.same_payload, graph.ledger.open_attempt, graph.purchases.keep
    turns = iter([True])

    def twin(*asked: str) -> object:
        found = real_twin(*asked)
        with contextlib.suppress(threading.BrokenBarrierError):
            both_looked.wait(timeout=5)
        both_looked.abort()
        return found

    def open_attempt(*asked: object) -> OpenAttempt:
        if not next(turns, False):
            kept.wait(timeout=5)
        return real_open(*asked)  # type: ignore[arg-type]

    def keep_master(*asked: object) -> None:
        real_keep(*asked)  # type: ignore[arg-type]
        kept.set()

    graph.purchases.same_payload, graph.ledger.open_attempt = twin, open_attempt  # type: ignore[assignment,method-assign]
    graph.purchases.keep = keep_master  # type: ignore[assignment,method-assign]
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases, done.summary.failures) == (2, 1, [])


def test_a_damaged_master_of_the_same_picture_is_not_taken_over() -> None:
    graph = shop()
    graph.sync()
    (name,) = graph.masters.blobs
    graph.masters.blobs[name] = cutout_of(product(7))
    described = PngImagePlugin.PngInfo()
    described.add_text("Author", "the new photographer")
    graph.source.put("c/2.png", encoded(opened(product(1)), pnginfo=described))
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases) == (1, 1)


def test_a_picture_that_was_turned_and_says_so_is_the_same_picture() -> None:
    graph = shop()
    graph.sync()
    turned = opened(product(1)).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    graph.source.put("c/1.png", encoded(turned, exif=exif))

    assert graph.sync().summary.purchases == 0


def test_a_picture_that_is_cut_out_already_is_published_as_it_is_unpaid() -> None:
    graph = Graph()
    done_already = cutout_of(product(3))
    graph.source.put("c/done.png", done_already)
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases, graph.remover.requests) == (1, 0, [])
    shown, alpha = opened(graph.outputs.blobs["c/done.png"]), opened(done_already).getchannel("A")
    assert shown.getchannel("A").tobytes() == alpha.tobytes()
    entry = graph.items.entry("c/done.png")
    assert entry is not None
    assert entry.published is not None
    assert entry.published.cut_digest == AS_IT_IS.digest
    assert graph.sync().delta.counts["unchanged"] == 1


def test_a_picture_that_is_cut_out_already_is_bought_where_the_policy_says_so() -> None:
    graph = Graph(recipe=Recipe((FIRST,), Rendition(), keep_cutouts=False))
    graph.source.put("c/done.png", cutout_of(product(3)))

    assert graph.sync().summary.purchases == 1


def test_rounded_corners_are_no_cutout() -> None:
    graph = Graph()
    image = opened(product(3, size=(200, 100))).convert("RGBA")
    for x, y in ((0, 0), (199, 0), (0, 99), (199, 99)):
        image.putpixel((x, y), (0, 0, 0, 0))
    graph.source.put("c/card.png", encoded(image))

    assert graph.sync().summary.purchases == 1
