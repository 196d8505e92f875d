"""Cutouts that another tool made, taken over for nothing."""

from decimal import Decimal
from typing import Any

import pytest

from bg_pipeline.core.credits import Rules
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import digest_of, purchase_id
from bg_pipeline.errors import ConfigurationError, LeaseHeld, StoreError
from bg_pipeline.pipeline.adopt import Adoption, adopt
from bg_pipeline.ports.context import DETECTION
from bg_pipeline.ports.purchasing import CutRequest
from bg_pipeline_tests.fakes import MemoryStore
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import cutout_of, encoded, opened, product


@pytest.fixture
def graph() -> Graph:
    made = Graph()
    for n in range(4):
        made.source.put(f"shoes/{n}.jpg", product(n))
    made.source.put("bags/9.jpg", product(9))
    return made


def cutouts(**named: bytes) -> MemoryStore:
    made = MemoryStore()
    made.blobs = {name.replace("__", "/") + ".png": data for name, data in named.items()}
    return made


def taken(graph: Graph, files: MemoryStore, **options: Any) -> Adoption:
    return adopt(graph.catalogue, graph.accounts, graph.policy, graph.run, files, **options)


def test_a_folder_of_another_tool_is_published_and_nothing_is_bought(graph: Graph) -> None:
    files = MemoryStore()
    files.blobs = {f"{n}.png": cutout_of(product(n)) for n in range(4)} | {
        "bags/9-withoutbg.png": cutout_of(product(9))
    }
    before = dict(files.blobs)
    found = taken(graph, files)
    assert found.adopted == {f"shoes/{n}.jpg": f"{n}.png" for n in range(4)} | {"bags/9.jpg": "bags/9-withoutbg.png"}

    done = graph.sync()
    assert (done.summary.published, done.summary.purchases, graph.remover.requests) == (5, 0, [])
    assert (files.blobs, files.writes) == (before, [])
    for key, data in graph.source.files.items():
        shown = opened(graph.outputs.blobs[key.replace(".jpg", ".png")])
        assert shown.getchannel("A").tobytes() == opened(cutout_of(data)).getchannel("A").tobytes()
    assert graph.sync().delta.changes == ()


def test_a_small_cutout_lends_its_alpha_to_the_full_resolution(graph: Graph) -> None:
    small = opened(cutout_of(product(0))).resize((24, 16))
    taken(graph, cutouts(shoes__0=encoded(small)), allow_smaller=True)
    graph.sync()

    assert opened(graph.outputs.blobs["shoes/0.png"]).size == (48, 32)


def test_an_adopted_cutout_keeps_its_own_colours(graph: Graph) -> None:
    """Another tool may have altered them on purpose; nobody describes it."""
    made = opened(cutout_of(product(0)))
    made.putpixel((24, 16), (250, 240, 20, 255))
    taken(graph, cutouts(shoes__0=encoded(made)))
    graph.sync()

    assert opened(graph.outputs.blobs["shoes/0.png"]).getpixel((24, 16)) == (250, 240, 20, 255)


def test_a_preview_is_refused_and_bought(graph: Graph) -> None:
    small = opened(cutout_of(product(0))).resize((24, 16))
    refused = taken(graph, cutouts(shoes__0=encoded(small))).refused["shoes/0.jpg"]

    assert "it is a preview, 24×16; a bought one would measure 48×32" in refused
    assert "--allow-smaller" in refused
    assert graph.sync().summary.purchases == 5


def test_a_cutout_as_large_as_a_bought_one_is_no_preview(graph: Graph) -> None:
    graph.change_recipe(side_px=24)
    small = opened(cutout_of(product(0))).resize((24, 16))

    assert taken(graph, cutouts(shoes__0=encoded(small))).adopted == {"shoes/0.jpg": "shoes/0.png"}


def test_a_wrong_pattern_is_a_sentence(graph: Graph) -> None:
    with pytest.raises(ConfigurationError, match="the pattern 'final': it names no picture"):
        taken(graph, cutouts(), pattern="final")


def test_what_does_not_show_the_picture_is_refused_with_its_reason_and_bought(graph: Graph) -> None:
    found = taken(graph, cutouts(shoes__0=cutout_of(product(150)), shoes__1=product(1), shoes__2=cutout_of(product(2))))

    assert found.adopted == {"shoes/2.jpg": "shoes/2.png"}
    assert "shoes/0.png: it shows another picture" in found.refused["shoes/0.jpg"]
    assert "shoes/1.png: the answer has no transparency" in found.refused["shoes/1.jpg"]
    assert found.nameless == 2
    assert graph.sync().summary.purchases == 4


def test_a_file_that_cannot_be_read_is_refused_and_the_others_are_taken(graph: Graph) -> None:
    files = cutouts(shoes__0=cutout_of(product(0)), shoes__1=cutout_of(product(1)))
    real = files.read

    def read(name: str) -> bytes | None:
        if name == "shoes/0.png":
            raise StoreError("Permission denied")
        return real(name)

    files.read = read  # type: ignore[method-assign]
    found = taken(graph, files)

    assert found.adopted == {"shoes/1.jpg": "shoes/1.png"}
    assert found.refused == {"shoes/0.jpg": "shoes/0.png: Permission denied"}


def test_a_dry_run_tells_the_same_and_keeps_nothing(graph: Graph) -> None:
    files = cutouts(shoes__0=cutout_of(product(0)), shoes__1=product(1))
    told = taken(graph, files, dry_run=True)
    assert (graph.masters.blobs, graph.database.masters) == ({}, {})

    assert taken(graph, files) == told
    assert len(graph.masters.blobs) == 1


def test_a_second_adoption_finds_nothing_to_do(graph: Graph) -> None:
    files = cutouts(shoes__0=cutout_of(product(0)))
    taken(graph, files)

    assert taken(graph, files) == Adoption(nameless=4)


def test_what_is_published_or_paid_for_already_is_not_replaced(graph: Graph) -> None:
    graph.sync()
    before = dict(graph.masters.blobs)
    other = opened(cutout_of(product(0)))
    other.putpixel((24, 16), (1, 2, 3, 255))

    assert taken(graph, cutouts(shoes__0=encoded(other))) == Adoption()
    assert graph.masters.blobs == before


def test_a_picture_that_changed_since_it_was_published_gets_no_cutout_of_the_old_one(graph: Graph) -> None:
    graph.sync()
    graph.source.put("shoes/0.jpg", product(1, size=(96, 64)))

    assert taken(graph, cutouts(shoes__0=cutout_of(product(1)))) == Adoption()


def test_a_sync_that_was_stopped_can_be_adopted_for(graph: Graph) -> None:
    graph.sync(cap=2)
    files = cutouts(**{f"shoes__{n}": cutout_of(product(n)) for n in range(4)}, bags__9=cutout_of(product(9)))
    found = taken(graph, files)

    assert len(found.adopted) == 3
    assert graph.sync().summary.purchases == 0


def test_the_cutout_of_one_twin_serves_all(graph: Graph) -> None:
    graph.source.put("bags/copy of 0.jpg", product(0))
    found = taken(graph, cutouts(shoes__0=cutout_of(product(0))))
    graph.sync()

    assert found.adopted == {"shoes/0.jpg": "shoes/0.png"}
    assert len(graph.remover.requests) == 4
    assert "bags/copy of 0.png" in graph.outputs.blobs


def test_of_two_files_for_one_picture_the_first_good_one_is_taken(graph: Graph) -> None:
    graph.source.put("bags/0.jpg", product(0))
    found = taken(graph, cutouts(bags__0=cutout_of(product(150)), shoes__0=cutout_of(product(0))))

    assert found.adopted == {"shoes/0.jpg": "shoes/0.png"}
    assert found.refused == {}


def test_a_purchase_that_another_run_is_making_is_left_to_it(graph: Graph) -> None:
    graph.sync(cap=0)
    wanted = purchase_id(digest_of(product(0)), graph.recipe.cut.digest)
    claim = graph.claim("shoes/0.jpg", owner="the night")
    request = CutRequest(wanted, "shoes/0.jpg", b"", "image/jpeg", 1, 1, {}, Decimal(1), claim)
    graph.ledger.open_attempt(request, "bgeraser", Rules(graph.thresholds))
    found = taken(graph, cutouts(shoes__0=cutout_of(product(0))))

    assert "another run is buying" in found.refused["shoes/0.jpg"]
    assert master_name(wanted) not in graph.masters.blobs


def test_a_file_or_picture_that_is_replaced_meanwhile_is_left_out(graph: Graph) -> None:
    files = cutouts(shoes__0=cutout_of(product(0)), shoes__1=cutout_of(product(1)))
    taken(graph, files, dry_run=True)
    graph.source.files["shoes/0.jpg"] = product(0, size=(96, 64))  # its fingerprint stays the same
    listed = list(files.list())
    del files.blobs["shoes/1.png"]
    files.list = lambda: iter(listed)  # type: ignore[method-assign]
    found = taken(graph, files)

    assert "changed after" in found.refused["shoes/0.jpg"]
    assert "no longer exists" in found.refused["shoes/1.jpg"]


def test_no_detection_runs_while_cutouts_are_taken_over(graph: Graph) -> None:
    """It would make pending, and maybe have bought, what is about to be free."""
    files = cutouts(shoes__0=cutout_of(product(0)))
    read, asked = files.read, []

    def reading(name: str) -> bytes | None:
        with pytest.raises(LeaseHeld):
            graph.leases.acquire(DETECTION, "the night")
        asked.append(name)
        return read(name)

    files.read = reading  # type: ignore[method-assign]
    taken(graph, files)

    assert asked == ["shoes/0.png"]


def test_a_paid_master_whose_record_is_lost_is_not_replaced_by_a_file(graph: Graph) -> None:
    graph.sync()
    paid = dict(graph.masters.blobs)
    again = Graph(source=graph.source, masters=graph.masters)
    found = taken(again, graph.outputs)

    assert graph.masters.blobs == paid
    assert (found.adopted, set(found.refused)) == ({}, set(graph.source.files))
    assert "still in BG_MASTERS" in found.refused["bags/9.jpg"]
    assert again.sync().summary.purchases == 0
