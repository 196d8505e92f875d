"""The review pages as files."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from bg_pipeline.core.keys import gallery_page, thumbnail_name
from bg_pipeline.core.records import State
from bg_pipeline.core.review import ReviewDecision
from bg_pipeline.errors import StoreError
from bg_pipeline.pipeline.review import ReviewItem, decide, review_item
from bg_pipeline.web.page import Page, data_of, served_page, static_page
from bg_pipeline.web.serve import DEFAULT_PORT, port_of
from bg_pipeline.web.static import THUMBNAIL_PX, write_page
from bg_pipeline_tests.fakes import FakeRemover, MemoryStore
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import encoded, opened, product


@pytest.fixture
def graph() -> Graph:
    """Eighty items of one collection, of which one is suspicious, and one of another."""
    made = Graph(remover=FakeRemover([encoded(opened(product(0)).convert("RGBA"))]))
    made.source.put("bags/00.png", product(0))
    made.sync()
    for n in range(1, 80):
        made.source.put(f"bags/{n:02}.png", product(n))
    made.source.put("shoes/1.png", product(100, (1000, 500)))
    made.sync()
    return made


def written(
    graph: Graph, pages: MemoryStore, collection: str = "bags", most_new: int | None = None
) -> dict[str, dict[str, Any]]:
    write_page(graph.pipeline, pages, collection, share=0.1, most_new=most_new)
    return {item["key"]: item for item in data_in(pages.blobs[gallery_page(collection)].decode())["items"]}


def data_in(html: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    data: dict[str, Any] = json.loads(text)
    return data


class Tags(HTMLParser):
    """Collects every tag and attribute."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_a_page_has_all_items_of_its_collection_the_suspicious_ones_first(graph: Graph) -> None:
    items = written(graph, MemoryStore())

    assert len(items) == 80
    assert next(iter(items.values()))["state"] == State.QUARANTINED
    assert all(item["before"] and item["after"] for item in items.values())


def test_thumbnails_are_small_shared_and_made_once(graph: Graph) -> None:
    pages = MemoryStore()
    (item,) = written(graph, pages, "shoes").values()
    assert opened(pages.blobs[thumbnail_name(item["before"])]).size == (THUMBNAIL_PX, THUMBNAIL_PX // 2)

    pages.writes.clear()
    graph.source.reads.clear()
    written(graph, pages, "shoes")
    assert (pages.writes, graph.source.reads) == ([gallery_page("shoes")], [])


def test_a_night_adds_the_thumbnails_of_a_few_items_the_suspicious_ones_first(graph: Graph) -> None:
    pages, counts = MemoryStore(), []
    for _ in range(3):
        items = written(graph, pages, most_new=30)
        shown = [bool(item["before"]) for item in items.values()]
        assert shown == sorted(shown, reverse=True)
        counts.append(sum(shown))

    assert counts == [30, 60, 80]


def test_a_picture_that_cannot_be_read_is_missing_and_the_page_is_there(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_name: str) -> bytes:
        raise StoreError("not mounted")

    monkeypatch.setattr(graph.outputs, "read", fail)
    graph.source.put("bags/01.png", b"changed")
    items = written(graph, MemoryStore())

    assert items["bags/01.png"]["before"] == ""
    assert items["bags/02.png"]["after"] == ""
    assert items["bags/02.png"]["before"]


def test_a_file_names_what_was_decided_and_offers_no_server(graph: Graph) -> None:
    decide(graph.pipeline, ReviewDecision.TAKE_OFF, "bags/05.png", "ana", "not for sale")
    pages = MemoryStore()
    items = written(graph, pages)
    html = pages.blobs[gallery_page("bags")].decode()

    assert items["bags/05.png"]["decisions"][0]["reason"] == "not for sale"
    (policy,) = [attrs["content"] for tag, attrs in Tags(html).seen if attrs.get("http-equiv")]
    assert policy is not None
    assert "connect-src 'none'" in policy
    assert data_in(html)["pictures"] == ""


@pytest.mark.parametrize("page", [served_page(), static_page("Cutouts", data_of([]))], ids=["served", "file"])
def test_only_the_style_and_the_program_of_the_page_itself_may_run(page: Page) -> None:
    for kind, pattern in (("style-src", r"<style>(.*?)</style>"), ("script-src", r"<script>(.*?)</script>")):
        (text,) = re.findall(pattern, page.html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in page.content_security_policy
    for tag, attrs in Tags(page.html).seen:
        assert "style" not in attrs
        assert not [name for name in attrs if name.startswith("on")]
        assert not {"src", "href"} & attrs.keys(), tag
    assert "http://" not in page.html
    assert "https://" not in page.html


def test_no_name_and_no_reason_becomes_markup(graph: Graph) -> None:
    evil = "</script><img src=x onerror=alert(1)><!--<script>&amp;\u2028\udcff"
    entry = graph.items.entry("bags/00.png")
    assert entry is not None
    result = review_item(graph.catalogue, graph.accounts, graph.policy, "bags/00.png").result
    item = ReviewItem(replace(entry, key=evil, collection=evil, detail=evil), result)
    html = static_page(evil, data_of([item])).html

    assert {tag for tag, _ in Tags(html).seen} == {tag for tag, _ in Tags(static_page("t", data_of([])).html).seen}
    (row,) = data_in(html)["items"]
    assert row["key"] == evil


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("", DEFAULT_PORT),
        ("http://127.0.0.1:9000", 9000),
        ("http://localhost:9001/", 9001),
        ("https://review.shop.example", DEFAULT_PORT),
        ("https://review.shop.example:444", DEFAULT_PORT),
    ],
)
def test_the_port_is_that_of_the_setting_if_it_names_this_machine(url: str, port: int) -> None:
    assert port_of(url) == port
