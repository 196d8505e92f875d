"""Pictures behind URLs in a night: a host that is down, a URL that is wrong, and what a person is shown of both."""

import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bg_pipeline.core.alerts import HOLD_S, Kind
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import FetchFailed, HostFailed, HostUnavailable
from bg_pipeline.net import fetch as fetching
from bg_pipeline.net.hosts import HostedPictures
from bg_pipeline.stores.sql import source as sql_source
from bg_pipeline.stores.sql.source import SqlSource
from bg_pipeline_tests.adapters.server import Vendor, vendor
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.alerting.shop import kinds, lines, told

KEYS = [f"shoes/{n}.png" for n in range(4)]


@pytest.fixture
def host() -> Iterator[Vendor]:
    with vendor() as made:
        for n, key in enumerate(KEYS):
            made.say(f"/{key}", body=product(n))
        yield made


def shop(folder: Path, urls: dict[str, str], *trusted: str) -> Graph:
    """A catalogue in SQLite of pictures behind URLs, by key."""
    with sqlite3.connect(folder / "shop.db") as db:
        db.execute("CREATE TABLE pictures (key TEXT, url TEXT)")
        db.executemany("INSERT INTO pictures VALUES (?, ?)", urls.items())
    db.close()
    return Graph(source=source_of(folder, *trusted))


def source_of(folder: Path, *trusted: str) -> Any:
    """The source of one more process: each judges the hosts by itself."""
    return SqlSource(f"sqlite:///{folder / 'shop.db'}", "SELECT key, url FROM pictures", hosts=trusted)


def shop_of(host: Vendor, folder: Path) -> Graph:
    return shop(folder, {key: f"{host.base_url}/{key}" for key in KEYS}, host.base_url)


def break_down(host: Vendor, how: str, patch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        match how:
            case "is silent":
                patch.setattr(sql_source, "_FETCH_S", 0.3)
                host.say(f"/{key}", manner="silent")
            case "breaks off":
                host.say(f"/{key}", body=b"", headers={"Content-Length": "9"})
            case "refuses":
                fetching._session.cache_clear()  # its open connections need no new one
                patch.setattr("urllib3.util.connection.create_connection", refuse)
            case _:
                host.say(f"/{key}", int(how))


def refuse(*_args: object, **_options: object) -> socket.socket:
    raise ConnectionRefusedError


@pytest.mark.parametrize("how", ["503", "500", "429", "is silent", "breaks off", "refuses"])
def test_a_host_that_serves_nothing_is_one_outage_and_changes_no_item(
    how: str, host: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = shop_of(host, tmp_path)
    assert graph.sync().summary.published == 4
    cutouts = dict(graph.outputs.blobs)
    name = host.base_url.removeprefix("http://")

    with monkeypatch.context() as patch:
        break_down(host, how, patch)
        graph.source = source_of(tmp_path, host.base_url)
        done = graph.sync()
    (outage,) = done.summary.hosts_down
    assert (outage.host, outage.items) == (name, 4)
    assert name in outage.why
    assert (done.summary.exit_code, done.summary.standing, done.summary.not_looked) == (Exit.SOME_FAILED, 0, {})
    assert done.summary.exit_reason == f"{name} does not serve its 4 items"
    assert {graph.database.entries[key].state for key in KEYS} == {State.PUBLISHED}
    assert graph.outputs.blobs == cutouts

    assert kinds(graph) == [Kind.HOST_DOWN]
    assert told(graph) == [f"the picture host {name} does not serve: 4 items wait"]
    assert told(graph) == []
    for n, key in enumerate(KEYS):
        host.say(f"/{key}", body=product(n))
    graph.source = source_of(tmp_path, host.base_url)
    assert graph.sync().summary.exit_code is Exit.DONE
    told(graph)
    graph.clock.now += HOLD_S + 1
    assert told(graph) == [f"the picture host {name} does not serve: 4 items wait"]
    assert kinds(graph) == []
    assert len(graph.remover.requests) == 4


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_url_that_its_host_refuses_is_a_failure_of_this_picture(status: int, host: Vendor, tmp_path: Path) -> None:
    graph = shop_of(host, tmp_path)
    graph.sync()
    host.say(f"/{KEYS[0]}", status)
    done = graph.sync()

    assert (done.summary.exit_code, done.summary.standing, done.summary.hosts_down) == (Exit.SOME_FAILED, 1, ())
    assert graph.database.entries[KEYS[0]].state is State.PUBLISHED
    assert f"answered {status}" in lines(graph, Kind.UNREADABLE)


def test_all_urls_dead_is_a_failure_of_each_and_every_cutout_stays(host: Vendor, tmp_path: Path) -> None:
    graph = shop_of(host, tmp_path)
    graph.sync()
    for key in KEYS:
        host.say(f"/{key}", 404)
    done = graph.sync()

    assert (done.summary.exit_code, done.summary.standing, len(graph.outputs.blobs)) == (Exit.SOME_FAILED, 4, 4)
    assert {graph.database.entries[key].state for key in KEYS} == {State.PUBLISHED}
    assert told(graph) == ["4 pictures or folders cannot be read"]


def test_one_slow_picture_of_a_host_that_serves_others_is_looked_at_again(
    host: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = shop_of(host, tmp_path)
    graph.sync()
    host.say(f"/{KEYS[0]}", manner="silent")
    monkeypatch.setattr(sql_source, "_FETCH_S", 1.0)
    graph.source = source_of(tmp_path, host.base_url)
    done = graph.sync()

    assert (done.summary.hosts_down, done.summary.standing, list(done.summary.not_looked)) == ((), 0, [KEYS[0]])
    assert done.summary.exit_code is Exit.SOME_FAILED
    assert KEYS[0] in lines(graph, Kind.UNREADABLE)


def test_a_url_that_is_not_https_is_a_failure_that_names_the_setting(host: Vendor, tmp_path: Path) -> None:
    good = {key: f"{host.base_url}/{key}" for key in KEYS}
    graph = shop(tmp_path, good | {"shoes/plain.png": "http://pictures.example/a.png"}, host.base_url)
    for _ in range(2):
        done = graph.sync()
        assert (done.summary.exit_code, done.summary.standing) == (Exit.SOME_FAILED, 1)

    (failure,) = graph.failures.standing()
    assert failure.key == "shoes/plain.png"
    assert "not https; if this host is your own, add it to BG_SOURCE_HOSTS" in failure.why


def names_of(*known: str, error: int) -> object:
    real = socket.getaddrinfo

    def look_up(host: str, *args: object, **options: object) -> object:
        if host in known:
            return real(host, *args, **options)  # type: ignore[arg-type]
        raise socket.gaierror(error, "no")

    return look_up


def test_a_name_that_does_not_exist_is_a_failure_of_this_picture(
    host: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", names_of("127.0.0.1", error=socket.EAI_NONAME))
    good = {key: f"{host.base_url}/{key}" for key in KEYS}
    graph = shop(tmp_path, good | {"shoes/typo.png": "https://cdn.example.con/a.png"}, host.base_url)
    done = graph.sync()

    assert (done.summary.standing, done.summary.hosts_down) == (1, ())
    assert "no such host" in graph.failures.standing()[0].why


@pytest.mark.parametrize("error", [socket.EAI_NONAME, socket.EAI_AGAIN])
def test_names_that_cannot_be_looked_up_at_all_are_an_outage(
    error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", names_of(error=error))
    graph = shop(tmp_path, {key: f"https://cdn.example.com/{key}" for key in KEYS})
    done = graph.sync()

    assert [(each.host, each.items) for each in done.summary.hosts_down] == [("cdn.example.com", 4)]
    assert (done.summary.standing, done.summary.exit_code) == (0, Exit.SOME_FAILED)


def test_a_host_that_is_down_is_asked_a_few_times_and_again_after_a_while() -> None:
    asked: list[str] = []
    now = [0.0]

    def fetch(url: str) -> bytes:
        asked.append(url)
        raise HostFailed("cdn.example.com answered 503", status=503)

    pictures = HostedPictures(fetch, lambda: now[0])
    for n in range(40):
        with pytest.raises(HostUnavailable, match="503"):
            pictures.fetch(f"https://cdn.example.com/{n}")
    assert len(asked) == 10
    now[0] += 3600.0
    with pytest.raises(HostUnavailable):
        pictures.fetch("https://cdn.example.com/again")
    assert len(asked) == 11


def test_a_host_that_is_down_keeps_no_other_host_from_being_asked() -> None:
    def fetch(url: str) -> bytes:
        if "down" in url:
            raise HostFailed("down.example answered 503", status=503)
        if "missing" in url:
            raise FetchFailed("up.example answered 404", status=404)
        return b"a picture"

    pictures = HostedPictures(fetch, lambda: 0.0)
    for n in range(20):
        with pytest.raises(HostUnavailable):
            pictures.fetch(f"https://down.example/{n}")
        with pytest.raises(FetchFailed, match="404"):
            pictures.fetch(f"https://up.example/missing/{n}")
    assert pictures.fetch("https://up.example/a.png") == b"a picture"


def test_a_host_that_answers_for_other_urls_is_asked_on() -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        raise FetchFailed("404", status=404) if "missing" in url else HostFailed("503", status=503)

    pictures = HostedPictures(fetch, lambda: 0.0)
    for n in range(12):
        for url in (f"https://cdn.example.com/{n}", f"https://cdn.example.com/missing/{n}"):
            with pytest.raises((FetchFailed, HostUnavailable)):
                pictures.fetch(url)
    assert len(asked) == 24
