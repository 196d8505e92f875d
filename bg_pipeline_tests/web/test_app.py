"""The review over HTTP, with a client that was made by others."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import uvicorn

from bg_pipeline.core.keys import master_name
from bg_pipeline.core.records import State
from bg_pipeline.core.review import ReviewDecision
from bg_pipeline.web.access import Access
from bg_pipeline.web.app import ReviewApp
from bg_pipeline_tests.fakes import FakeRemover, MemoryStore
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import encoded, opened, product
from bg_pipeline_tests.pipeline.decisions import OF_ONE_ITEM

KEY, HELD, NO_TEXT = "bags/a.png", "bags/odd.png", "shoes/\udcff.png"


@dataclass
class Served:
    """A review on a socket, and a browser's side of it."""

    graph: Graph
    port: int
    links: list[str]
    pages: MemoryStore
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(f"{self.origin}/{path}", headers=self.headers | headers, timeout=30)

    def post(self, path: str, fields: Any, **headers: str) -> requests.Response:
        own = {"Origin": self.origin} | self.headers | headers
        return requests.post(f"{self.origin}/{path}", json=fields, headers=own, timeout=30)

    def sign_in(self) -> None:
        answer = self.post("session", {"link": self.links[-1]})
        self.headers = {"Authorization": f"Bearer {answer.json()['token']}"}

    def items(self) -> dict[str, dict[str, Any]]:
        return {item["key"]: item for item in self.get("items").json()["items"]}

    def decide(self, decision: str, key: str = KEY, **more: Any) -> requests.Response:
        fields = {"decision": decision, "key": key, "reason": "a halo", "seen": self.items()[key]["seen"]}
        return self.post("decisions", fields | more)


@pytest.fixture
def served() -> Iterator[Served]:
    """Three items: one is suspicious, and the name of one is no text."""
    graph = Graph(remover=FakeRemover([encoded(opened(product(2)).convert("RGBA"))]))
    for key, shade in ((HELD, 2), (KEY, 1), (NO_TEXT, 3)):
        graph.source.put(key, product(shade))
        graph.sync()
    listener = socket.create_server(("127.0.0.1", 0))
    made = Served(graph, listener.getsockname()[1], [], MemoryStore())
    access = Access(frozenset({made.origin}), made.links.append)
    access.new_link()
    app = ReviewApp(graph.pipeline, made.pages, access, by="ana", share=0.0).asgi()
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", ws="none", log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        made.sign_in()
        yield made
    finally:
        server.should_exit = True
        thread.join()


def test_the_page_has_no_secret_and_loads_nothing_from_elsewhere(served: Served) -> None:
    answer = served.get("")
    policy = answer.headers["Content-Security-Policy"]

    assert answer.status_code == 200
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert not answer.cookies
    for secret in (*served.links, served.headers["Authorization"].removeprefix("Bearer ")):
        assert secret not in answer.text


def test_the_items_have_what_a_decision_is_about(served: Served) -> None:
    items = served.items()

    assert next(iter(items)) == HELD
    assert items[HELD]["reason"] == "nothing was removed"
    assert set(items) == {KEY, HELD, NO_TEXT}
    entry = served.graph.items.entry(KEY)
    assert entry is not None
    assert entry.published is not None
    assert items[KEY]["seen"] == [entry.content_hash, entry.published.output_digest]
    assert set(served.get("items?collection=shoes").json()["items"][0]["key"]) == set(NO_TEXT)
    assert served.get("items").json()["price"] == float(served.graph.policy.price)


def test_every_picture_is_shown_in_every_size_and_thumbnails_are_kept(served: Served) -> None:
    data = served.get("items").json()
    for item in data["items"]:
        for digest in filter(None, (item["before"], item["after"])):
            for size in ("small", "large", "full"):
                answer = served.get(f"{data['pictures']}/{size}/{digest}.webp", Authorization="")
                assert answer.status_code == 200, answer.text
                assert opened(answer.content).format == "WEBP"
                assert "immutable" in answer.headers["Cache-Control"]
    assert len(served.pages.blobs) == 6

    served.graph.source.reads.clear()
    served.pages.full = True
    served.get(f"{data['pictures']}/small/{data['items'][0]['before']}.webp")
    assert served.graph.source.reads == []


def test_a_picture_that_has_changed_is_not_shown_as_the_one_that_is_decided_about(served: Served) -> None:
    data = served.get("items").json()
    seen = {item["key"]: item for item in data["items"]}
    served.graph.source.put(KEY, product(9))
    served.graph.outputs.blobs[KEY] = encoded(opened(product(9)))

    for digest in seen[KEY]["seen"]:
        answer = served.get(f"{data['pictures']}/large/{digest}.webp")
        assert answer.status_code == 404
        assert "has changed since the last sync" in answer.text
    served.graph.masters.remove(master_name(served.graph.items.in_state(State.QUARANTINED)[0].purchase_id))
    answer = served.get(f"{data['pictures']}/small/{seen[HELD]['after']}.webp")
    assert "not there any more" in answer.text


@pytest.mark.parametrize("decision", OF_ONE_ITEM)
def test_a_decision_is_carried_out_and_its_items_come_back(served: Served, decision: ReviewDecision) -> None:
    answer = served.decide(decision.value, NO_TEXT)

    assert answer.status_code == 200, answer.text
    (row,) = answer.json()["items"]
    assert row["key"] == NO_TEXT
    assert row["decisions"][-1] | {"at": ""} == {"decision": decision.value, "by": "ana", "at": "", "reason": "a halo"}
    assert row == served.items()[NO_TEXT]
    assert [each.decision for each in served.graph.reviews.decisions([NO_TEXT])[NO_TEXT]] == [decision]


def test_a_decision_about_a_picture_that_changed_is_refused_with_a_sentence(served: Served) -> None:
    seen = served.items()[KEY]["seen"]
    served.graph.source.put(KEY, product(9))
    served.graph.sync()
    answer = served.decide("take_off", seen=seen)

    assert answer.status_code == 409
    assert answer.json()["error"].startswith("the picture of bags/a.png has changed since it was shown")
    assert KEY in served.graph.outputs.blobs


def test_no_request_without_the_token_reads_or_decides(served: Served) -> None:
    pictures = served.get("items").json()["pictures"]
    fields = {"decision": "take_off", "key": KEY, "seen": served.items()[KEY]["seen"]}
    digest = fields["seen"][0]
    for wrong in ("", "Bearer x", f"Bearer {served.links[-1]}", f"Bearer {pictures.partition('/')[2]}"):
        assert served.get("items", Authorization=wrong).status_code == 401
        assert served.post("decisions", fields, Authorization=wrong).status_code == 401
    assert served.get(f"pictures/x/small/{digest}.webp").status_code == 404
    token = served.headers["Authorization"].removeprefix("Bearer ")
    assert served.get(f"pictures/{token}/small/{digest}.webp").status_code == 404
    assert KEY in served.graph.outputs.blobs
    assert served.graph.reviews.decisions([KEY]) == {}


def test_no_request_of_another_site_or_under_another_name_is_answered(served: Served) -> None:
    fields = {"decision": "take_off", "key": KEY, "seen": served.items()[KEY]["seen"]}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{served.port + 1}"},
        {"Host": f"evil.example:{served.port}"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        answer = served.post("decisions", fields, **headers)
        assert answer.status_code == 403, headers
        assert "Access-Control-Allow-Origin" not in answer.headers
    for path in ("", "items"):
        assert served.get(path, Host="evil.example").status_code == 403
    asked_before = requests.options(
        f"{served.origin}/decisions",
        headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"},
        timeout=30,
    )
    assert "Access-Control-Allow-Origin" not in asked_before.headers
    assert KEY in served.graph.outputs.blobs


def test_a_link_works_once(served: Served) -> None:
    used = served.links[0]

    assert len(served.links) == 2
    assert served.post("session", {"link": used}).status_code == 401
    assert served.post("session", {"link": served.links[-1]}).json()["token"]


@pytest.mark.parametrize(
    "fields",
    [
        {"decision": "buy"},
        {"decision": "redo", "key": KEY},
        {"decision": "redo", "key": KEY, "seen": ["one"]},
        {"decision": "redo", "key": KEY, "seen": None},
        [],
        "approve",
        {"decision": "approve", "key": KEY, "seen": ["", ""], "reason": "x" * 200_000},
    ],
)
def test_only_the_four_decisions_are_understood(served: Served, fields: Any) -> None:
    answer = served.post("decisions", fields)

    assert answer.status_code == 400
    assert served.graph.reviews.decisions([KEY]) == {}


def test_an_item_that_is_not_there_is_named(served: Served) -> None:
    answer = served.post("decisions", {"decision": "approve", "key": "none.png", "seen": ["", ""]})

    assert (answer.status_code, "'none.png' is not in the manifest" in answer.json()["error"]) == (409, True)
