"""Whatever happens to a catalogue: no master goes that anything needs, and of what is erased nothing is left."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.erasure import forgotten_id
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import AttemptState, State
from bg_pipeline.pipeline.detect import scan
from bg_pipeline.pipeline.erase import forget
from bg_pipeline.pipeline.prune import prune
from bg_pipeline.ports.purchasing import CutRequest
from bg_pipeline_tests.fakes import MemoryStore
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product

DAY_S = 86_400.0
KEEP_DAYS, TRASH_DAYS = 10, 2
KEYS = ["a/0.png", "a/1.png", "b/2.png", "c.png"]
PICTURES = [product(n, size=(24, 16)) for n in range(3)]
NEEDED = {AttemptState.INTENT, AttemptState.ANSWERED, AttemptState.IN_DOUBT}

keys = st.sampled_from(KEYS)
steps = st.one_of(
    st.tuples(st.just("put"), keys, st.integers(0, 2)),
    st.tuples(st.just("delete"), keys, st.just(0)),
    st.tuples(st.just("rename"), keys, st.integers(0, 3)),
    st.tuples(st.just("sync"), keys, st.sampled_from([0, 1, 3, KEEP_DAYS, 2 * KEEP_DAYS])),
    st.tuples(st.just("prune"), keys, st.just(0)),
    st.tuples(st.just("look"), keys, st.sampled_from([0, 1, KEEP_DAYS])),
    st.tuples(st.just("forget"), keys, st.just(0)),
)


@dataclass
class Shop:
    """A catalogue and what a person would keep in mind of it."""

    graph: Graph = field(
        default_factory=lambda: Graph(
            deletes=DeletePolicy(trash=True, days=TRASH_DAYS), keep_masters_days=KEEP_DAYS, concurrency=1
        )
    )
    last_used: dict[str, float] = field(default_factory=dict)
    """By picture, the last time at which an item had it."""
    erased: set[str] = field(default_factory=set)
    """Pictures of which the last item was erased since they were bought."""
    bought: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.graph.remover.before = self.on_request
        self.graph.source.put("always/there.png", product(99, size=(24, 16)))

    def on_request(self, request: CutRequest) -> None:
        picture, now = request.content_hash, self.graph.clock.now
        entries = self.graph.database.entries.values()
        assert forgotten_id(picture) not in {e.purchase_id for e in entries if e.state is State.FORGOTTEN}
        if picture in self.bought:
            unused_s = now - self.last_used.get(picture, 0.0)
            assert picture in self.erased or unused_s >= KEEP_DAYS * DAY_S, "bought twice within its days"
        self.bought.append(picture)
        self.erased.discard(picture)

    def take(self, step: tuple[str, str, int]) -> None:
        action, key, number = step
        graph = self.graph
        if action == "put":
            graph.source.put(key, PICTURES[number])
        elif action == "delete":
            graph.source.files.pop(key, None)
        elif action == "rename" and key in graph.source.files:
            graph.source.put(KEYS[number], graph.source.files.pop(key))
        elif action == "sync":
            graph.clock.now += number * DAY_S
            graph.sync(allow_deletes=99)
        elif action == "look":
            graph.clock.now += number * DAY_S
            scan(graph.catalogue, graph.policy, graph.run)
        elif action == "prune":
            graph.clock.now += DAY_S
            prune(graph.catalogue, graph.accounts, graph.policy, graph.run, allow=99)
        elif action == "forget" and graph.items.entry(key) is not None:
            self.forget(key)
        self.check()

    def forget(self, key: str) -> None:
        graph = self.graph
        before, others = stored(graph), graph.database.entries.keys() - {key}
        mine, of_others = names_of(graph, {key}), names_of(graph, others)
        erasure = forget(graph.pipeline, MemoryStore(), (key,))[key]
        after = stored(graph)

        assert not mine & after.keys() - of_others
        assert {name: after.get(name) for name in of_others} == {name: before.get(name) for name in of_others}
        if not erasure.same_picture:
            assert not {before[name] for name in mine if name in before} & set(after.values())
        self.erased |= set(self.bought) - used(graph)

    def check(self) -> None:
        graph = self.graph
        for picture in used(graph):
            self.last_used[picture] = graph.clock.now
        for entry in graph.database.entries.values():
            shown = entry.published
            if shown is None or entry.state is State.FORGOTTEN:
                continue
            if (not entry.absent and entry.state is State.PUBLISHED) or entry.trash_name or shown.output_name:
                assert shown.purchase_id in graph.database.masters, "its master is off record"
                assert master_name(shown.purchase_id) in graph.masters.blobs, "its master is gone"
        for name in graph.database.masters:
            assert master_name(name) in graph.masters.blobs, "a record without its bytes"
        needed = {a.purchase_id for a in graph.database.attempts.values() if a.state in NEEDED}
        assert not needed & graph.database.pruned.keys()


def names_of(graph: Graph, several: set[str]) -> set[str]:
    """The files of these items, in any store."""
    names = set()
    for entry in (graph.database.entries[key] for key in several):
        shown = entry.published
        if shown and (shown.output_name or entry.trash_name):
            names |= {f"outputs/{each}" for each in (shown.output_name, entry.trash_name) if each}
            names.add(f"masters/{master_name(shown.purchase_id)}")
    return names


def used(graph: Graph) -> set[str]:
    pictures = {digest_of(data) for data in graph.source.files.values()}
    for entry in graph.database.entries.values():
        if entry.published and (entry.published.output_name or entry.trash_name) and entry.state is not State.FORGOTTEN:
            pictures.add(entry.published.content_hash)
    return pictures


def stored(graph: Graph) -> dict[str, bytes]:
    stores = {"outputs": graph.outputs, "masters": graph.masters, "spool": graph.spool}
    return {f"{name}/{each}": data for name, store in stores.items() for each, data in store.blobs.items()}


@settings(max_examples=30, deadline=None)
@given(taken=st.lists(steps, min_size=3, max_size=14))
def test_pruning_and_erasing_take_only_what_nothing_needs_and_buy_nothing_twice(
    taken: list[tuple[str, str, int]],
) -> None:
    shop = Shop()
    for step in taken:
        shop.take(step)
    shop.take(("sync", KEYS[0], 0))
