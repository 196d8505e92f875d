"""Whatever renditions a catalogue has had: after a sync exactly the wanted outputs stand, for nothing."""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bg_pipeline.core.formats import Format
from bg_pipeline.core.naming import BESIDE, PLAIN
from bg_pipeline.core.recipe import Rendition, digest_of
from bg_pipeline.core.records import MAIN, State
from bg_pipeline_tests.graph import RECIPE, Graph
from bg_pipeline_tests.pictures import opened, product
from bg_pipeline_tests.pipeline.test_crashes import killed

KEYS = ["a/0.png", "a/1.png", "2.png"]
MAINS = [Rendition(), Rendition(Format.WEBP), Rendition(Format.JPG, "white"), Rendition(output_name="{stem}_x")]
OTHERS = {
    "thumb": [Rendition(longest_side=16), Rendition(Format.WEBP, longest_side=16), Rendition(longest_side=12)],
    "card": [Rendition(canvas=(20, 20)), Rendition(Format.JPG, "red", (20, 20))],
    "wide": [Rendition(canvas=(30, 10), output_name="wide/{folder}/{stem}")],
}

sets = st.tuples(
    st.sampled_from(MAINS), st.fixed_dictionaries({}, optional={name: st.sampled_from(OTHERS[name]) for name in OTHERS})
)
keys = st.sampled_from(KEYS)
steps = st.one_of(
    st.tuples(st.just("renditions"), sets, st.just(0)),
    st.tuples(st.just("picture"), keys, st.integers(0, 3)),
    st.tuples(st.just("lose"), st.integers(0, 20), st.just(0)),
    st.tuples(st.just("kill"), st.integers(1, 160), st.booleans()),
    st.tuples(st.just("sync"), st.just(0), st.just(0)),
)
FOREIGN = {"a/0.thumb.txt": b"of a person", "a/readme.png": b"of another program"}


def _named(rendition: Rendition, name: str) -> Rendition:
    is_named = rendition.output_name != PLAIN
    return rendition if is_named else replace(rendition, output_name=BESIDE.replace("{rendition}", name))


@dataclass
class Shop:
    """A catalogue whose renditions change."""

    graph: Graph = field(default_factory=Graph)
    kills: int = 0
    """Each may repeat the purchase that was in flight."""

    def __post_init__(self) -> None:
        for number, key in enumerate(KEYS):
            self.graph.source.put(key, product(number, size=(24, 16)))
        self.graph.outputs.blobs |= FOREIGN

    def take(self, step: tuple[str, object, object]) -> None:
        action, what, number = step
        graph = self.graph
        if action == "renditions":
            main, others = what  # type: ignore[misc]
            named = {name: _named(each, name) for name, each in others.items()}
            graph.recipe = replace(RECIPE, rendition=main, others=named)
        elif action == "picture":
            graph.source.put(str(what), product(int(number), size=(24, 16)))  # type: ignore[call-overload]
        elif action == "lose" and (ours := sorted(set(graph.outputs.list()) - FOREIGN.keys())):
            del graph.outputs.blobs[ours[int(what) % len(ours)]]  # type: ignore[call-overload]
        elif action == "kill":
            self.kills += 1
            killed(graph, int(what), bool(number))  # type: ignore[call-overload]
            graph.clock.now += 100
            # With other renditions, what was written and not yet recorded would be a file that no record names.
            self.sync()
        elif action == "sync":
            self.sync()

    def sync(self) -> None:
        graph = self.graph
        graph.sync()
        self.check()
        writes, requests = len(graph.outputs.writes), len(graph.remover.requests)
        again = graph.sync()
        assert (len(graph.outputs.writes), len(graph.remover.requests)) == (writes, requests)
        assert again.delta.work == ()

    def check(self) -> None:
        graph, renditions = self.graph, self.graph.recipe.renditions
        wanted: set[str] = set()
        for key in KEYS:
            entry = graph.items.entry(key)
            assert entry is not None
            assert entry.published is not None
            assert entry.state is State.PUBLISHED
            further = graph.items.outputs([key]).get(key, ())
            records = {MAIN: entry.published, **{each.rendition: each.published for each in further}}
            assert records.keys() == renditions.keys()
            for name, rendition in renditions.items():
                output = rendition.name_of(entry.stem)
                data = graph.outputs.blobs[output]
                assert (records[name].output_name, records[name].output_digest) == (output, digest_of(data))
                longest = rendition.longest_side or 24
                assert opened(data).size == (rendition.canvas or (longest, round(longest * 2 / 3)))
                wanted.add(output)
        assert set(graph.outputs.list()) == wanted | FOREIGN.keys()
        assert {name: graph.outputs.blobs[name] for name in FOREIGN} == FOREIGN
        bought = {request.content_hash for request in graph.remover.requests}
        assert len(bought) <= len(graph.remover.requests) <= len(bought) + self.kills


@settings(max_examples=40, deadline=None)
@given(taken=st.lists(steps, min_size=2, max_size=9))
def test_exactly_the_wanted_outputs_stand_and_nothing_is_bought_for_them(
    taken: list[tuple[str, object, object]],
) -> None:
    shop = Shop()
    for step in taken:
        shop.take(step)
    shop.sync()
