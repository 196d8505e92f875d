"""What tests of decisions share: three published items, and what became of them."""

from collections.abc import Callable

from bg_pipeline.core.records import Entry
from bg_pipeline.core.review import ReviewDecision
from bg_pipeline.pipeline.review import ReviewItem, decide, items_to_review
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import encoded, opened, product

APPROVE, REJECT, REDO, TAKE_OFF, SWAP = ReviewDecision
OF_ONE_ITEM = (APPROVE, REJECT, REDO, TAKE_OFF)
KEY, TWIN, OTHER = "bags/a.png", "shoes/same.png", "bags/b.png"


def three_published() -> Graph:
    """Three published items; two of them have the same picture."""
    made = Graph()
    for key, shade in ((KEY, 1), (TWIN, 1), (OTHER, 2)):
        made.source.put(key, product(shade))
    assert made.sync().summary.published == 3
    return made


def choose(graph: Graph, decision: ReviewDecision, key: str = KEY, reason: str = "a halo") -> list[str]:
    return decide(graph.pipeline, decision, key, "ana", reason)


def entry_of(graph: Graph, key: str = KEY) -> Entry:
    entry = graph.items.entry(key)
    assert entry is not None
    return entry


def shown(graph: Graph, share: float = 0.0) -> dict[str, ReviewItem]:
    items = items_to_review(graph.catalogue, graph.accounts, graph.policy, share=share)
    return {item.entry.key: item for item in items}


def marked(column: int) -> Callable[[bytes], bytes]:
    """Other answers than before: they keep one pixel more."""

    def mark(answer: bytes) -> bytes:
        image = opened(answer)
        image.putpixel((column, 0), (9, 9, 9, 255))
        return encoded(image)

    return mark


def in_trash(graph: Graph) -> set[str]:
    return {name for name in graph.outputs.blobs if name.startswith(".trash/")}


def on_shop(graph: Graph) -> set[str]:
    return set(graph.outputs.list())


def bought(graph: Graph) -> int:
    return len(graph.remover.requests)
