"""What is named like a picture and is none is a failure with a reason; what a setting leaves out is skipped."""

import pytest
from PIL import Image

from bg_pipeline.core.media import Animated, sniff, why_no_picture
from bg_pipeline.core.records import Reason, State
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import encoded, heic, noisy, opened, product

TIFF = encoded(Image.new("RGB", (8, 8)), "TIFF")


@pytest.mark.parametrize(
    ("key", "data", "said"),
    [
        ("shoes/page.jpg", b"<html></html>", "named like a picture"),
        ("shoes/EMPTY.JPEG", b"", "is empty"),
        ("shoes/logo.svg", b"<svg></svg>", "named like a picture"),
        ("shoes/raw.nef", TIFF, "camera raw"),
        ("shoes/raw.CR3", b"\0\0\0\x18ftypcrx ", "camera raw"),
    ],
)
def test_what_is_only_named_like_a_picture_fails_with_its_reason(key: str, data: bytes, said: str) -> None:
    graph = Graph()
    graph.source.put(key, data)
    done = graph.sync()
    entry = graph.items.entry(key)

    assert entry is not None
    assert (entry.state, done.delta.counts["failed"], graph.remover.requests) == (State.FAILED, 1, [])
    assert said in entry.detail
    again = graph.sync().delta
    assert (again.changes, again.counts["failed"]) == ((), 1), "each night would count as a change"


@pytest.mark.parametrize("key", ["shoes/README.txt", "shoes/prices.csv", "shoes/README", "shoes/10.250"])
def test_what_is_not_named_like_a_picture_is_skipped(key: str) -> None:
    graph = Graph()
    graph.source.put(key, b"BMW, and other words")
    graph.sync()

    assert [e.key for e in graph.items.in_state(State.SKIPPED)] == [key]
    assert why_no_picture(key, "", 20) == ""


def test_a_page_that_becomes_a_picture_is_bought() -> None:
    graph = Graph()
    graph.source.put("shoes/a.jpg", b"<html></html>")
    graph.sync()
    graph.items.retry()
    assert graph.process().summary.published == 0
    graph.source.put("shoes/a.jpg", product(1, kind="JPEG"))

    assert graph.sync().summary.published == 1


def test_a_published_picture_that_becomes_a_page_keeps_its_cutout_and_is_a_failure() -> None:
    graph = Graph()
    graph.source.put("shoes/a.jpg", product(1, kind="JPEG"))
    graph.sync()
    graph.source.put("shoes/a.jpg", b"<html></html>")
    done = graph.sync()

    assert (done.delta.counts["failed"], list(graph.outputs.blobs)) == (1, ["shoes/a.png"])
    assert [e.key for e in graph.failures.standing()] == ["shoes/a.jpg"]
    graph.source.put("shoes/a.jpg", product(1, kind="JPEG"))
    assert (graph.sync().summary.standing, len(graph.remover.requests)) == (0, 1)


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("AVIF", "image/avif"), ("JPEG2000", "image/jp2"), ("BMP", "image/bmp"), ("TIFF", "image/tiff")],
)
def test_a_picture_is_known_by_its_first_bytes(kind: str, media_type: str) -> None:
    assert sniff(encoded(Image.new("RGB", (8, 8)), kind)) == media_type


def test_heic_is_known_by_the_brands_behind_a_general_one() -> None:
    data = heic(Image.new("RGB", (8, 8)))
    assert sniff(data) == "image/heic"
    assert sniff(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic") == "image/heic"
    assert sniff(b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif") == "image/avif"
    assert sniff(b"\0\0\0\x14ftypisom\0\0\0\0mp42") == ""


@pytest.mark.parametrize("kind", ["AVIF", "WEBP", "BMP", "TIFF"])
def test_a_small_copy_that_set_its_length_first_is_looked_at_again(kind: str) -> None:
    graph = Graph()
    whole = noisy(kind, (48, 36))
    graph.source.put("shoes/a", whole[: len(whole) - 200] + bytes(200))
    graph.source.modified_at["shoes/a"] = graph.clock.now - 60
    done = graph.sync()
    assert (done.scan.still_written.keys(), graph.remover.requests) == ({"shoes/a"}, [])

    graph.source.put("shoes/a", whole)
    assert graph.sync().summary.published == 1


def test_a_copy_of_which_nothing_is_written_yet_is_no_failure() -> None:
    graph = Graph()
    graph.source.put("shoes/a.jpg", bytes(5000))
    graph.source.modified_at["shoes/a.jpg"] = graph.clock.now - 60

    assert graph.sync().scan.still_written.keys() == {"shoes/a.jpg"}
    assert graph.items.entry("shoes/a.jpg") is None


@pytest.mark.parametrize("kind", ["AVIF", "WEBP"])
def test_a_small_copy_that_nobody_goes_on_with_cannot_be_read(kind: str) -> None:
    graph = Graph()
    whole = noisy(kind, (48, 36))
    graph.source.put("shoes/a", whole[: len(whole) // 2].ljust(len(whole), b"\0"))
    graph.source.modified_at["shoes/a"] = graph.clock.now - 2 * 3600

    assert (graph.sync().scan.unreadable.keys(), graph.remover.requests) == ({"shoes/a"}, [])


def film() -> bytes:
    frames = [opened(product(n)) for n in (1, 2)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("policy", "state"),
    [(Animated.FAIL, State.FAILED), (Animated.SKIP, State.SKIPPED), (Animated.FIRST_FRAME, State.PUBLISHED)],
)
def test_an_animation_is_handled_as_set_and_then_left_alone(policy: Animated, state: State) -> None:
    graph = Graph(animated=policy)
    graph.source.put("shoes/a.gif", film())
    first = graph.sync()
    entry = graph.items.entry("shoes/a.gif")

    assert entry is not None
    assert entry.state is state
    assert first.summary.failed == (policy is Animated.FAIL)
    assert len(first.summary.failures) == (policy is Animated.FAIL)
    assert len(graph.remover.requests) == (policy is Animated.FIRST_FRAME)
    assert graph.sync().delta.work == ()
    assert graph.items.entry("shoes/a.gif") == entry


@pytest.mark.parametrize("policy", [Animated.FAIL, Animated.SKIP])
def test_after_another_setting_a_retry_publishes_the_animation(policy: Animated) -> None:
    graph = Graph(animated=policy)
    graph.source.put("shoes/a.gif", film())
    graph.source.put("shoes/notes.txt", b"words")
    graph.sync()
    graph.animated = Animated.FIRST_FRAME

    assert graph.items.retry() == ["shoes/a.gif"]
    assert graph.sync().summary.by_reason == {Reason.UNFINISHED: 1}
