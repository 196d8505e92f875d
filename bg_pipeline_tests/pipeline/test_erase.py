"""An item is erased: nothing made of its picture is left, and it does not come back."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import cast

import pytest

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.erasure import is_forgotten
from bg_pipeline.core.keys import gallery_page, master_name, thumbnail_name
from bg_pipeline.core.recipe import Tool, purchase_id
from bg_pipeline.core.records import AttemptState, State
from bg_pipeline.errors import ConfigurationError, ForeignStore, ItemBlocked, LeaseHeld, ResultAwaited, SourceUnreadable
from bg_pipeline.pipeline.detect import scan
from bg_pipeline.pipeline.erase import allow_again, find, forget, refuse_listed
from bg_pipeline.ports.context import DETECTION
from bg_pipeline.web.static import write_page
from bg_pipeline_tests.crashing import PORTS, Fuse, Killed, Wired, wired
from bg_pipeline_tests.fakes import FakeRemover, MemoryStore
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.states import state_of

DAY_S = 86_400.0
KEY = "shoes/0.png"


@pytest.fixture
def graph() -> Graph:
    made = Graph(deletes=DeletePolicy(trash=True))
    for n in range(4):
        made.source.put(f"shoes/{n}.png", product(n))
    made.sync()
    return made


@pytest.fixture
def pages() -> MemoryStore:
    made = MemoryStore()
    for collection in ("shoes", "bags"):
        made.write(gallery_page(collection), b"<html>")
    return made


def stored(graph: Graph) -> dict[str, bytes]:
    stores = {"outputs": graph.outputs, "masters": graph.masters, "spool": graph.spool}
    return {f"{name}/{each}": data for name, store in stores.items() for each, data in store.blobs.items()}


def of_item(graph: Graph, key: str) -> set[bytes]:
    """The bytes that are stored of an item."""
    entry = graph.items.entry(key)
    assert entry is not None
    assert entry.published is not None
    name = entry.published.output_name or entry.trash_name
    return {graph.outputs.blobs[name], graph.masters.blobs[master_name(entry.published.purchase_id)]}


def test_nothing_of_an_erased_item_is_left_and_all_of_the_others_is(graph: Graph, pages: MemoryStore) -> None:
    mine, before = of_item(graph, KEY), stored(graph)
    del graph.source.files[KEY]
    erased = forget(graph.pipeline, pages, (KEY,))[KEY]

    assert (erased.outputs, len(erased.masters), erased.pages) == (("shoes/0.png",), 1, ("shoes.html",))
    assert stored(graph) == {name: data for name, data in before.items() if data not in mine}
    assert len(before) - len(stored(graph)) == 2
    assert list(pages.blobs) == ["bags.html"]
    entry = graph.items.entry(KEY)
    assert entry is not None
    assert (entry.state, entry.published, entry.stem, entry.purchase_id != "") == (State.FORGOTTEN, None, "", True)
    assert [m.purchase_id for m in graph.purchases.masters() if master_name(m.purchase_id) in erased.masters] == []


def of_two(graph: Graph, name: str) -> None:
    """Let the manifest say of two items that this output is theirs, as after a name was given to another item."""
    for key in (KEY, "shoes/1.png"):
        graph.database.rename_output(key, name)


@pytest.mark.parametrize("name", ["shoes/0.png", "shoes/1.png"])
def test_an_output_that_a_listed_item_shows_stays_when_the_item_that_had_its_name_is_gone(
    graph: Graph, pages: MemoryStore, name: str
) -> None:
    of_two(graph, name)
    del graph.source.files[KEY]
    scan(graph.catalogue, graph.policy, graph.run)
    erased = forget(graph.pipeline, pages, (KEY,))[KEY]

    assert name not in erased.outputs
    assert name in graph.outputs.blobs


def test_the_file_of_another_format_stays_if_another_item_shows_it(graph: Graph, pages: MemoryStore) -> None:
    graph.outputs.write("shoes/0.webp", b"a cutout of shoes/1.png")
    graph.database.rename_output("shoes/1.png", "shoes/0.webp")
    erased = forget(graph.pipeline, pages, (KEY,))[KEY]

    assert erased.outputs == ("shoes/0.png",)
    assert graph.outputs.blobs["shoes/0.webp"] == b"a cutout of shoes/1.png"


def test_the_ledger_keeps_what_was_charged_for_it(graph: Graph, pages: MemoryStore) -> None:
    before = list(graph.ledger.log(0.0))
    forget(graph.pipeline, pages, (KEY,))

    assert list(graph.ledger.log(0.0)) == before


def test_an_erased_item_that_is_still_listed_is_not_bought_until_its_bytes_change(
    graph: Graph, pages: MemoryStore
) -> None:
    forget(graph.pipeline, pages, (KEY,))
    requests, files = len(graph.remover.requests), stored(graph)
    for _ in range(2):
        assert graph.sync(rerender=True, apply_recipe_change=True).delta.counts["skipped"] == 1
        graph.clock.now += DAY_S
    assert (len(graph.remover.requests), stored(graph)) == (requests, files)

    graph.source.put(KEY, product(50))
    graph.sync()
    assert state_of(graph, KEY) is State.PUBLISHED
    assert len(graph.remover.requests) == requests + 1


def test_an_erased_item_that_is_deleted_and_comes_back_is_not_bought(graph: Graph, pages: MemoryStore) -> None:
    data = graph.source.files.pop(KEY)
    forget(graph.pipeline, pages, (KEY,))
    requests = len(graph.remover.requests)
    for _ in range(3):
        graph.sync()
        graph.clock.now += DAY_S
    graph.source.put(KEY, data)
    graph.source.put("bags/other-name.png", data)
    graph.sync()

    assert len(graph.remover.requests) == requests
    assert (state_of(graph, KEY), state_of(graph, "bags/other-name.png")) == (State.FORGOTTEN, State.SKIPPED)


def test_a_person_can_allow_an_erased_item_again(graph: Graph, pages: MemoryStore) -> None:
    forget(graph.pipeline, pages, (KEY,))
    graph.sync()
    allow_again(graph.catalogue, (KEY,))
    requests = len(graph.remover.requests)
    graph.sync()

    assert state_of(graph, KEY) is State.PUBLISHED
    assert len(graph.remover.requests) == requests + 1
    with pytest.raises(ConfigurationError, match="is not forgotten"):
        allow_again(graph.catalogue, (KEY,))


def test_what_a_twin_uses_stays_and_the_twin_is_named(graph: Graph, pages: MemoryStore) -> None:
    graph.source.put("bags/twin.png", product(0))
    graph.sync()
    requests = len(graph.remover.requests)
    erased = forget(graph.pipeline, pages, (KEY,))[KEY]

    assert (erased.masters, erased.same_picture, len(erased.shared) > 0) == ((), ("bags/twin.png",), True)
    assert "shoes/0.png" not in graph.outputs.blobs
    del graph.outputs.blobs["bags/twin.png"]
    graph.sync()
    assert "bags/twin.png" in graph.outputs.blobs
    assert len(graph.remover.requests) == requests
    # Without the twin, nothing holds the master any more.
    mine = of_item(graph, "bags/twin.png")
    forget(graph.pipeline, pages, ("bags/twin.png",))
    assert not mine & set(stored(graph).values())


def test_copies_in_the_trash_damaged_masters_and_files_of_another_format_go_too(
    graph: Graph, pages: MemoryStore
) -> None:
    entry = graph.items.entry(KEY)
    assert entry is not None
    graph.masters.write(f".damaged/{master_name(entry.purchase_id)}", b"damaged")
    graph.outputs.write("shoes/0.webp", b"an earlier format")
    graph.outputs.write("shoes/0~x.png", b"another's")
    del graph.source.files[KEY]
    graph.sync()
    graph.clock.now += DAY_S
    graph.sync()
    entry = graph.items.entry(KEY)
    assert entry is not None
    assert entry.trash_name in graph.outputs.blobs
    forget(graph.pipeline, pages, (KEY,))

    assert [name for name in stored(graph) if "/0." in name or "damaged" in name] == []
    assert "shoes/0~x.png" in graph.outputs.blobs


def test_masters_of_earlier_pictures_and_of_stages_go_too(graph: Graph, pages: MemoryStore) -> None:
    graph.source.put(KEY, product(50))
    graph.change_recipe(tools=(Tool("shadow"),))
    graph.sync()
    entry = graph.items.entry(KEY)
    assert entry is not None
    bought = {r.purchase_id for r in graph.remover.requests if r.item_key == KEY}
    stages = {purchase_id(entry.content_hash, stage.digest) for stage in graph.recipe.cut.stages}
    assert stages < bought
    assert {master_name(each) for each in bought} <= set(graph.masters.blobs)
    forget(graph.pipeline, pages, (KEY,))

    assert not {master_name(each) for each in bought} & set(graph.masters.blobs)
    assert len(graph.masters.blobs) == 3


def test_a_paid_answer_in_the_spool_goes_and_its_charge_stays(pages: MemoryStore) -> None:
    graph = Graph()
    graph.source.put(KEY, product(0))

    def not_ready(_answer: bytes) -> bytes:
        raise ResultAwaited("not ready")

    graph.remover.opens = not_ready
    graph.sync()
    assert (len(graph.spool.blobs), [a.state for a in graph.ledger.log(0.0)]) == (1, [AttemptState.ANSWERED])
    forget(graph.pipeline, pages, (KEY,))

    assert graph.spool.blobs == {}
    (attempt,) = graph.ledger.log(0.0)
    assert (attempt.state, attempt.credits_charged) == (AttemptState.LOST, Decimal(1))
    graph.remover.opens = lambda answer: answer
    graph.sync()
    assert (graph.masters.blobs, len(graph.remover.requests)) == ({}, 1)


def test_the_answer_of_a_killed_run_goes_too_and_its_charge_is_no_doubt(pages: MemoryStore) -> None:
    """Its attempt is still open, and only its answer shows that it was charged."""
    graph = Graph()
    graph.source.put(KEY, product(0))

    def killed(_answer: bytes) -> bytes:
        raise Killed

    graph.remover.opens = killed
    with pytest.raises(Killed):
        graph.sync()
    assert len(graph.spool.blobs) == 1
    graph.clock.now += 1000
    graph.stop.clear()
    graph.remover = FakeRemover()
    forget(graph.pipeline, pages, (KEY,))
    graph.sync()

    assert (graph.spool.blobs, graph.masters.blobs, graph.remover.requests) == ({}, {}, [])
    assert [a.state for a in graph.ledger.log(0.0)] == [AttemptState.CHARGED]


def test_an_item_in_the_hands_of_another_run_is_refused_and_stays_as_it_is(graph: Graph, pages: MemoryStore) -> None:
    before, claim = stored(graph), graph.claim(KEY)
    with pytest.raises(LeaseHeld, match=r"shoes/0\.png: another run works on it.* 20 seconds"):
        forget(graph.pipeline, pages, (KEY,))
    assert (stored(graph), state_of(graph, KEY)) == (before, State.PUBLISHED)

    graph.queue.release(claim)
    graph.leases.acquire(DETECTION, "another")
    with pytest.raises(LeaseHeld):
        forget(graph.pipeline, pages, (KEY,))
    assert stored(graph) == before


def test_a_key_that_is_no_item_is_refused(graph: Graph, pages: MemoryStore) -> None:
    for step in (lambda: find(graph.pipeline, pages, "none.png"), lambda: forget(graph.pipeline, pages, ("none.png",))):
        with pytest.raises(ConfigurationError, match=r"'none\.png' is not in the manifest"):
            step()


def test_what_the_source_still_has_or_may_have_is_refused_first(graph: Graph) -> None:
    with pytest.raises(ConfigurationError, match="--although-listed"):
        refuse_listed(graph.catalogue, (KEY,))
    del graph.source.files[KEY]
    refuse_listed(graph.catalogue, (KEY,))

    class Away(type(graph.source)):  # type: ignore[misc]
        def exists(self, key: str) -> bool:
            raise SourceUnreadable("not mounted")

    with pytest.raises(SourceUnreadable):
        refuse_listed(replace(graph.catalogue, source=Away()), (KEY,))


def test_in_the_stores_of_another_manifest_nothing_is_erased(graph: Graph, pages: MemoryStore) -> None:
    before, graph.identity, graph.masters.marked_by = stored(graph), "mine", "another"
    with pytest.raises(ForeignStore):
        forget(graph.pipeline, pages, (KEY,))

    assert stored(graph) == before


def test_after_a_store_failed_the_same_call_erases_the_rest(graph: Graph, pages: MemoryStore) -> None:
    mine = of_item(graph, KEY)
    store, blocked = graph.masters, MemoryStore()
    blocked.blobs = store.blobs

    def refuse(name: str) -> None:
        raise ItemBlocked(f"{name} cannot be removed")

    blocked.remove = refuse  # type: ignore[method-assign]
    graph.masters = blocked
    with pytest.raises(ItemBlocked):
        forget(graph.pipeline, pages, (KEY,))
    assert mine & set(stored(graph).values())

    graph.masters = store
    forget(graph.pipeline, pages, (KEY,))
    assert not mine & set(stored(graph).values())


@pytest.mark.every_call
@pytest.mark.parametrize("listed", [False, True], ids=["deleted", "listed"])
@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
def test_wherever_an_erasure_is_killed_the_same_call_completes_it_and_nothing_is_bought(
    after: bool, listed: bool
) -> None:
    """Nights come in between, and one of them would move the cutout of a deleted picture to the trash."""
    kills = 0
    while True:
        graph, pages = shop()
        if not listed:
            del graph.source.files[KEY]
            graph.sync()
        mine, requests = of_item(graph, KEY), len(graph.remover.requests)
        others = {name: data for name, data in stored(graph).items() if data not in mine}
        if not killed(graph, pages, lambda graph, pages: forget(graph.pipeline, pages, (KEY,)), kills + 1, after):
            break
        kills += 1
        where = f"killed at call {kills}"
        graph.sync()
        graph.clock.now += DAY_S
        graph.sync()
        forget(graph.pipeline, pages, (KEY,))

        assert not mine & set(stored(graph).values()), where
        assert stored(graph) == others, where
        entry = graph.items.entry(KEY)
        assert entry is not None, where
        assert is_forgotten(entry), where
        assert entry.published is None, where
        assert gallery_page("shoes") not in pages.blobs, where
        graph.sync()
        assert len(graph.remover.requests) == requests, where
    assert kills > 15


def shop() -> tuple[Graph, MemoryStore]:
    graph, pages = Graph(deletes=DeletePolicy(trash=True)), MemoryStore()
    pages.write(gallery_page("shoes"), b"<html>")
    for n in range(2):
        graph.source.put(f"shoes/{n}.png", product(n, size=(48, 32)))
    graph.sync()
    return graph, pages


def killed(graph: Graph, pages: MemoryStore, act: Callable[[Graph, MemoryStore], object], at: int, after: bool) -> bool:
    """Act until the fuse burns; whether it did."""
    fuse = Fuse(at, after)
    try:
        with wired(graph, fuse, (*PORTS, "erasures", "retention")):
            act(graph, cast("MemoryStore", Wired(pages, fuse)))
    except Killed:
        return True
    finally:
        graph.clock.now += 1000
    return False


def test_the_thumbnails_of_a_forgotten_item_go_with_its_page(graph: Graph) -> None:
    pages = MemoryStore()
    write_page(graph.pipeline, pages, "shoes", share=0.0)
    entry = graph.items.entry(KEY)
    assert entry is not None
    assert entry.published is not None
    own = {thumbnail_name(entry.content_hash), thumbnail_name(entry.published.output_digest)}
    assert own <= pages.blobs.keys()
    del graph.source.files[KEY]
    graph.sync()
    forget(graph.pipeline, pages, (KEY,))

    assert own & pages.blobs.keys() == set()
