"""A lost manifest, brought back for nothing."""

import pytest

from bg_pipeline.core.keys import marked_stem, master_name
from bg_pipeline.core.recipe import digest_of, purchase_id
from bg_pipeline.core.records import State
from bg_pipeline.errors import LeaseHeld, StoreError
from bg_pipeline.pipeline.rebuild import RebuildResult, rebuild
from bg_pipeline.ports.context import DETECTION
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import encoded, opened, product

pytestmark = pytest.mark.pictures


@pytest.fixture
def graph() -> Graph:
    made = Graph()
    for n in range(60):
        made.source.put(f"{'shoes' if n % 2 else 'bags'}/{n}.png", product(n))
    made.source.put("hats/copy.png", product(1))
    made.sync()
    return made


def without_manifest(graph: Graph) -> Graph:
    """The same source, outputs and masters, and an empty manifest."""
    return Graph(source=graph.source, outputs=graph.outputs, masters=graph.masters, recipe=graph.recipe)


def rebuilt(graph: Graph) -> RebuildResult:
    return rebuild(graph.catalogue, graph.accounts, graph.policy, graph.run)


def test_a_lost_manifest_comes_back_from_the_masters_and_nothing_is_bought(graph: Graph) -> None:
    before = dict(graph.outputs.blobs)
    again = without_manifest(graph)
    found = rebuilt(again)
    assert (found.known, found.taken_in, found.damaged) == (0, 60, {})

    done = again.sync()
    assert (done.summary.published, done.summary.purchases, again.remover.requests) == (61, 0, [])
    assert again.outputs.blobs == before
    assert again.sync().delta.changes == ()


def test_without_a_rebuild_the_masters_in_the_store_are_found_one_by_one(graph: Graph) -> None:
    done = without_manifest(graph).sync().summary

    assert (done.published, done.purchases, done.saved) == (61, 0, 61)


def test_masters_under_the_names_of_an_older_scheme_come_back_too(graph: Graph) -> None:
    """A master keeps its file name for life, however purchases are called by now."""
    older = graph.recipe.cut.digests[-1]
    assert older != graph.recipe.cut.digest
    for picture in {digest_of(data) for data in graph.source.files.values()}:
        now, before = (master_name(purchase_id(picture, cut)) for cut in (graph.recipe.cut.digest, older))
        graph.masters.blobs[before] = graph.masters.blobs.pop(now)
    names = set(graph.masters.blobs)
    again = without_manifest(graph)
    assert rebuilt(again) == RebuildResult(taken_in=60)

    assert (again.sync().summary.published, again.remover.requests) == (61, [])
    assert set(again.masters.blobs) == names


def test_a_rebuild_can_be_repeated_and_leaves_a_whole_manifest_as_it_is(graph: Graph) -> None:
    before = dict(graph.database.entries), dict(graph.database.masters)
    assert rebuilt(graph) == RebuildResult(known=60)
    assert (graph.database.entries, graph.database.masters) == before

    again = without_manifest(graph)
    rebuilt(again)
    assert rebuilt(again) == RebuildResult(known=60)


def test_outputs_whose_masters_are_lost_too_become_masters(graph: Graph) -> None:
    before = {name: opened(data).tobytes() for name, data in graph.outputs.blobs.items()}
    for name in list(graph.masters.blobs)[:25]:
        del graph.masters.blobs[name]
    again = without_manifest(graph)
    found = rebuilt(again)

    assert found.taken_in == 35
    assert len(found.adoption.adopted) == 25
    assert again.sync().summary.purchases == 0
    assert {name: opened(data).tobytes() for name, data in again.outputs.blobs.items()} == before
    assert again.sync().delta.changes == ()


def test_a_damaged_master_is_named_and_its_output_takes_its_place(graph: Graph) -> None:
    work = next(e.published.purchase_id for e in graph.items.entries() if e.key == "bags/0.png" and e.published)
    graph.masters.blobs[master_name(work)] = graph.masters.blobs[master_name(work)][:-30]
    again = without_manifest(graph)
    found = rebuilt(again)

    assert found.damaged.keys() == {master_name(work)}
    assert found.adoption.adopted == {"bags/0.png": "bags/0.png"}
    assert again.sync().summary.purchases == 0


def test_foreign_files_among_the_masters_are_left_alone(graph: Graph) -> None:
    graph.masters.blobs |= {"README.txt": b"", "ab/" + "c" * 64: b"", "zz/" + "z" * 64: b""}
    again = without_manifest(graph)

    assert rebuilt(again) == RebuildResult(taken_in=60)


def test_twins_keep_the_names_that_they_had(graph: Graph) -> None:
    """The plain name went to the first comer, which is not the first in key order."""
    graph.source.put("hats/a.png", product(100))
    graph.sync()
    graph.source.put("hats/a.jpg", product(101))
    graph.sync()
    before = dict(graph.outputs.blobs)
    assert f"{marked_stem('hats/a.jpg')}.png" in before
    again = without_manifest(graph)
    rebuilt(again)
    again.sync()

    assert again.outputs.blobs == before


def test_what_was_in_quarantine_is_in_quarantine_again(graph: Graph) -> None:
    graph.remover._script = iter([encoded(opened(product(70)).convert("RGBA"))])
    graph.source.put("hats/full.png", product(70))
    assert graph.sync().summary.quarantined == 1
    again = without_manifest(graph)
    rebuilt(again)
    done = again.sync()

    assert (done.summary.quarantined, done.summary.purchases) == (1, 0)
    assert [e.key for e in again.items.in_state(State.QUARANTINED)] == ["hats/full.png"]


def test_a_listing_of_the_masters_that_breaks_off_is_an_error(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    def listing() -> object:
        yield next(iter(graph.masters.blobs))
        raise StoreError("the masters cannot be listed")

    monkeypatch.setattr(graph.masters, "list", listing)
    with pytest.raises(StoreError):
        rebuilt(without_manifest(graph))


def test_a_rebuild_waits_for_a_detection_and_a_detection_for_it(graph: Graph) -> None:
    lease = graph.leases.acquire(DETECTION, "the night")
    with pytest.raises(LeaseHeld, match="the night"):
        rebuilt(graph)
    graph.leases.release(lease)

    listing, asked = graph.outputs.list, []

    def listed() -> object:
        asked.append(graph.leases.leases())
        return listing()

    graph.outputs.list = listed  # type: ignore[method-assign, assignment]
    rebuilt(graph)
    assert all([lease.name for lease, _ in held] == [DETECTION] for held in asked)
