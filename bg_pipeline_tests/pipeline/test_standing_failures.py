"""Failures stand until they are gone or accepted; a host that is down is no failure of its pictures."""

import pytest

from bg_pipeline.core.hosts import PictureHost
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import ConfigurationError, HostUnavailable
from bg_pipeline.pipeline.failures import accept
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

KEY = "shoes/0.png"


@pytest.fixture
def graph() -> Graph:
    made = Graph()
    for n in range(4):
        made.source.put(f"shoes/{n}.png", product(n))
    return made


def state_of(graph: Graph, key: str) -> State | None:
    entry = graph.items.entry(key)
    return entry.state if entry else None


def test_what_cannot_be_read_is_a_failure_every_night_until_it_can_be(graph: Graph) -> None:
    graph.source.unreadable.add(KEY)
    for _ in range(2):
        done = graph.sync()
        assert (done.summary.exit_code, done.summary.standing, done.summary.failed) == (Exit.SOME_FAILED, 1, 1)
    assert state_of(graph, KEY) is State.FAILED

    graph.source.unreadable.clear()
    done = graph.sync()
    assert (done.summary.published, done.summary.exit_code) == (1, Exit.DONE)


def test_a_published_item_that_cannot_be_read_now_keeps_its_cutout_and_the_night_says_so(graph: Graph) -> None:
    graph.sync()
    graph.source.unreadable.add(KEY)
    graph.source.versions[KEY] += 1
    done = graph.sync()

    assert (state_of(graph, KEY), done.summary.exit_code) == (State.PUBLISHED, Exit.SOME_FAILED)
    graph.source.unreadable.clear()
    assert (graph.sync().summary.exit_code, len(graph.remover.requests)) == (Exit.DONE, 4)


def test_an_accepted_failure_counts_no_more_until_it_changes(graph: Graph) -> None:
    graph.source.unreadable.add(KEY)
    graph.sync()
    with pytest.raises(ConfigurationError, match="needs a reason"):
        accept(graph.catalogue, graph.policy, [KEY], " ")
    assert accept(graph.catalogue, graph.policy, [KEY], "sold out") == [KEY]
    assert [graph.sync().summary.exit_code for _ in range(2)] == [Exit.DONE] * 2

    graph.source.unreadable.clear()
    graph.source.put(KEY, product(9)[:-25])
    assert graph.sync().summary.exit_code is Exit.SOME_FAILED
    assert graph.sync().summary.exit_code is Exit.SOME_FAILED


def test_a_host_that_is_down_changes_no_item_and_goes_on_by_itself(graph: Graph) -> None:
    graph.sync()
    host, real = PictureHost("cdn.example.com"), graph.source.read

    def read(_key: str) -> bytes:
        host.failed("cdn.example.com answered 503", 0.0)
        raise HostUnavailable("cdn.example.com answered 503", host=host)

    for key in graph.source.files:
        graph.source.versions[key] += 1
    graph.source.read = read  # type: ignore[method-assign]
    done = graph.sync()

    assert [(each.host, each.items) for each in done.summary.hosts_down] == [("cdn.example.com", 4)]
    assert (done.summary.exit_code, state_of(graph, KEY)) == (Exit.SOME_FAILED, State.PUBLISHED)
    graph.source.read = real  # type: ignore[method-assign]
    assert graph.sync().summary.exit_code is Exit.DONE
