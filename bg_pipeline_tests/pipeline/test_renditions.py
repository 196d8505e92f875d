"""Several outputs of one item: made together, recorded together, and treated alike."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bg_pipeline.cli.render import history, show_history
from bg_pipeline.cli.terminal import Terminal
from bg_pipeline.core.deletes import TRASH, DeletePolicy
from bg_pipeline.core.export import REMOVED, Naming, Row
from bg_pipeline.core.formats import Format
from bg_pipeline.core.keys import marked_stem
from bg_pipeline.core.recipe import Recipe, Rendition
from bg_pipeline.core.recipes import SpecialRecipe
from bg_pipeline.core.records import State
from bg_pipeline.core.revert import PREVIOUS
from bg_pipeline.core.review import ReviewDecision
from bg_pipeline.errors import ConfigurationError, StoreError
from bg_pipeline.imaging import rendering
from bg_pipeline.pipeline.erase import forget
from bg_pipeline.pipeline.export import Earlier, Request, export
from bg_pipeline.pipeline.rebuild import rebuild
from bg_pipeline.pipeline.review import decide
from bg_pipeline.pipeline.trash import restore
from bg_pipeline.pipeline.verify import Problem, sample, verify
from bg_pipeline_tests.fakes import MemoryStore
from bg_pipeline_tests.graph import RECIPE, Graph
from bg_pipeline_tests.pictures import opened, product
from bg_pipeline_tests.pipeline.decisions import marked

DAY_S = 86_400.0
THUMB = Rendition(Format.WEBP, longest_side=20, output_name="{stem}.thumb")
CARD = Rendition(Format.JPG, "white", (30, 30), output_name="cards/{folder}/{stem}")
ALL = replace(RECIPE, others={"thumb": THUMB, "card": CARD})
KEY = "bags/a.png"
OUTPUTS = ["bags/a.png", "bags/a.thumb.webp", "cards/bags/a.jpg"]


def shop(recipe: Recipe = ALL) -> Graph:
    made = Graph(recipe=recipe, deletes=DeletePolicy(trash=True))
    for n, key in enumerate((KEY, "bags/b.png", "shoes/c.png", "shoes/d.png", "e.png")):
        made.source.put(key, product(n))
    made.sync()
    return made


@pytest.fixture
def graph() -> Graph:
    return shop()


def outputs_of(graph: Graph, key: str = KEY) -> list[str]:
    """Those in the shop, of the item's stem."""
    stem = key.rpartition(".")[0]
    return sorted(name for name in graph.outputs.list() if stem in name)


def in_trash(graph: Graph) -> list[str]:
    return sorted(name.split("/", 2)[2] for name in graph.outputs.blobs if name.startswith(TRASH))


def lose(graph: Graph, key: str = KEY) -> None:
    """The picture is gone for a day and two listings."""
    del graph.source.files[key]
    graph.sync()
    graph.clock.now += DAY_S + 1


def test_all_outputs_are_made_of_one_purchase_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    whole = rendering.decode
    monkeypatch.setattr(rendering, "decode", lambda data: decoded.append(len(data)) or whole(data))
    graph = shop()

    assert outputs_of(graph) == OUTPUTS
    assert (len(graph.remover.requests), len(decoded), len(graph.outputs.blobs)) == (5, 5, 15)
    assert opened(graph.outputs.blobs["bags/a.thumb.webp"]).width == 20
    assert opened(graph.outputs.blobs["cards/bags/a.jpg"]).size == (30, 30)


def test_an_added_rendition_makes_only_its_own_outputs_for_nothing() -> None:
    graph = shop(RECIPE)
    graph.outputs.writes.clear()
    graph.recipe = replace(RECIPE, others={"thumb": THUMB})
    done = graph.sync()

    assert (done.delta.counts["recipe_changed"], done.summary.purchases, len(graph.remover.requests)) == (5, 0, 5)
    assert len(graph.outputs.writes) == 5
    assert all(name.endswith(".thumb.webp") for name in graph.outputs.writes)


def test_a_removed_rendition_takes_its_outputs_away_and_leaves_what_others_wrote(graph: Graph) -> None:
    graph.outputs.blobs["cards/shoes/c.jpg"] = b"of a person"
    graph.outputs.writes.clear()
    graph.recipe = replace(RECIPE, others={"thumb": THUMB})
    graph.sync()

    assert [name for name in graph.outputs.blobs if name.startswith("cards/")] == ["cards/shoes/c.jpg"]
    assert [name for name in graph.outputs.writes if not name.startswith(PREVIOUS)] == []
    assert graph.items.outputs([KEY])[KEY][0].rendition == "thumb"


def test_a_changed_format_takes_the_old_file_away_if_it_is_ours() -> None:
    graph = shop(RECIPE)
    graph.outputs.blobs["shoes/c.png"] = b"of a person"
    graph.recipe = replace(RECIPE, rendition=Rendition(Format.WEBP))
    graph.sync()

    assert sorted(graph.outputs.list()) == [
        *("bags/a.webp", "bags/b.webp", "e.webp", "shoes/c.png", "shoes/c.webp", "shoes/d.webp")
    ]


def test_an_old_file_that_is_another_item_s_by_now_stays() -> None:
    graph = shop(RECIPE)
    other = graph.database.entries["bags/b.png"]
    assert other.published is not None
    graph.database.entries["bags/b.png"] = replace(other, published=replace(other.published, output_name="bags/a.png"))
    before = graph.outputs.blobs["bags/a.png"]
    graph.recipe = replace(RECIPE, rendition=Rendition(Format.WEBP))
    graph.special = [SpecialRecipe(("b.png",), RECIPE)]
    graph.sync()

    assert graph.outputs.blobs["bags/a.png"] == before
    assert "bags/a.webp" in graph.outputs.blobs


def test_a_store_that_removes_nothing_fails_no_picture(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str) -> None:
        raise StoreError("Access Denied")

    monkeypatch.setattr(graph.outputs, "remove", refuse)
    graph.recipe = RECIPE
    done = graph.sync().summary

    assert (done.published, done.failures) == (5, [])


def test_a_new_result_of_the_same_purchase_replaces_all_outputs(graph: Graph) -> None:
    before = {name: graph.outputs.blobs[name] for name in OUTPUTS}
    graph.remover.opens = marked(20)
    decide(graph.pipeline, ReviewDecision.REDO, KEY, "ana")
    graph.sync()

    assert all(graph.outputs.blobs[name] != before[name] for name in OUTPUTS)


def test_a_missing_output_of_any_rendition_is_told_and_made_again(graph: Graph) -> None:
    before = dict(graph.outputs.blobs)
    del graph.outputs.blobs["bags/a.thumb.webp"]
    graph.outputs.writes.clear()
    done = graph.sync()

    assert [(c.key, c.because) for c in done.delta.work] == [(KEY, "bags/a.thumb.webp is not in the output")]
    assert graph.outputs.writes == ["bags/a.thumb.webp"]
    assert graph.outputs.blobs == before
    assert len(graph.remover.requests) == 5


def test_an_altered_output_of_any_rendition_is_found_and_made_again(graph: Graph) -> None:
    before = dict(graph.outputs.blobs)
    graph.outputs.blobs["cards/bags/a.jpg"] = b"altered"
    result = verify(graph.catalogue, graph.accounts, graph.run)

    assert result.outputs == 15
    assert [(each.name, each.where, each.problem) for each in result.damaged] == [
        (KEY, "cards/bags/a.jpg", Problem.ALTERED)
    ]
    assert set(sample(graph.catalogue, 99)) == {KEY}
    graph.sync()
    assert graph.outputs.blobs == before


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [("bags/a.png", "bags/a.thumb.png", "bags/a.thumb.png"), ("b/A.png", "b/a.THUMB.png", "b/A.thumb.png")],
)
def test_an_output_never_takes_the_name_of_another_item_s(first: str, second: str, name: str) -> None:
    graph = Graph(recipe=replace(RECIPE, others={"thumb": Rendition(longest_side=20, output_name="{stem}.thumb")}))
    graph.source.put(first, product(1))
    graph.source.put(second, product(2, size=(120, 80)))
    done = graph.sync().summary

    assert [(each.key, each.state) for each in done.failures] == [(first, State.FAILED)]
    assert (
        f"its output {name} would have the name of another item's: set another output_name" in done.failures[0].detail
    )
    assert len(graph.remover.requests) == 1, "it is known before the purchase"
    shown = graph.items.entry(second)
    assert shown is not None
    assert shown.published is not None
    assert opened(graph.outputs.blobs[shown.published.output_name]).size == (120, 80)


def test_a_new_item_does_not_overwrite_an_output_that_is_published() -> None:
    graph = Graph(recipe=replace(RECIPE, others={"thumb": Rendition(longest_side=20, output_name="{stem}.thumb")}))
    graph.source.put("a.png", product(1))
    graph.sync()
    before = dict(graph.outputs.blobs)
    graph.source.put("a.thumb.png", product(2))
    done = graph.sync().summary

    assert [(each.key, each.state) for each in done.failures] == [("a.thumb.png", State.FAILED)]
    assert graph.outputs.blobs == before
    graph.source.put("a.png", product(3))
    assert graph.sync().summary.published == 1, "the older one goes on"
    assert len(graph.remover.requests) == 2


def test_two_renditions_of_an_item_never_share_a_name() -> None:
    others = {"thumb": Rendition(longest_side=20, output_name="a{stem}")}
    graph = Graph(recipe=Recipe(RECIPE.cuts, Rendition(output_name="{stem}a"), others=others))
    graph.source.put("a.png", product(1))
    graph.source.put("b.png", product(2))
    done = graph.sync().summary

    assert [(each.key, each.detail.partition(":")[0]) for each in done.failures] == [
        ("a.png", "two of its renditions would be called aa.png")
    ]
    assert sorted(graph.outputs.blobs) == ["ab.png", "ba.png"]


def test_pictures_with_a_recipe_of_their_own_have_their_own_renditions() -> None:
    graph = shop(RECIPE)
    graph.special = [SpecialRecipe(("bags",), ALL)]
    graph.sync()

    assert outputs_of(graph) == OUTPUTS
    assert outputs_of(graph, "shoes/c.png") == ["shoes/c.png"]


def test_all_outputs_go_to_the_trash_and_come_back(graph: Graph) -> None:
    before = {name: graph.outputs.blobs[name] for name in OUTPUTS}
    lose(graph)
    assert graph.sync().trash.moved == [KEY]
    assert (outputs_of(graph), in_trash(graph)) == ([], OUTPUTS)

    assert restore(graph.catalogue, graph.run, [KEY]) == ["bags/a.png"]
    assert ({name: graph.outputs.blobs[name] for name in OUTPUTS}, in_trash(graph)) == (before, [])


def test_a_picture_that_is_back_has_all_its_outputs_back_without_work(graph: Graph) -> None:
    picture = graph.source.files[KEY]
    lose(graph)
    graph.sync()
    graph.source.put(KEY, picture)
    done = graph.sync()

    assert (outputs_of(graph), in_trash(graph), done.summary.published) == (OUTPUTS, [], 0)


def test_all_outputs_in_the_trash_are_deleted_after_their_time(graph: Graph) -> None:
    lose(graph)
    graph.sync()
    graph.clock.now += 31 * DAY_S

    assert graph.sync().trash.purged == [KEY]
    assert in_trash(graph) == []


def test_an_output_that_another_program_wrote_keeps_all_of_its_item_in_place(graph: Graph) -> None:
    graph.outputs.blobs["cards/bags/a.jpg"] = b"of a person"
    lose(graph)
    done = graph.sync()

    assert "another program wrote it" in done.trash.left[KEY]
    assert (outputs_of(graph), in_trash(graph)) == (OUTPUTS, [])


def test_nothing_is_put_back_where_one_name_is_in_use(graph: Graph) -> None:
    lose(graph)
    graph.sync()
    graph.outputs.blobs["bags/a.thumb.webp"] = b"of a person"
    with pytest.raises(ConfigurationError, match=r"bags/a.thumb.webp is in use again"):
        restore(graph.catalogue, graph.run, [KEY])

    assert outputs_of(graph) == ["bags/a.thumb.webp"]
    assert in_trash(graph) == OUTPUTS


class Killed(BaseException):
    """The process is gone."""


def die_at(graph: Graph, method: str, number: int) -> Callable[[], None]:
    """Let the Nth call of a method of the output store kill; returns what revives it."""
    whole, calls = getattr(graph.outputs, method), []

    def call(*args: object) -> object:
        calls.append(args)
        if len(calls) == number:
            raise Killed
        return whole(*args)

    patch = pytest.MonkeyPatch()
    patch.setattr(graph.outputs, method, call)
    return patch.undo


@pytest.mark.parametrize("method", ["write", "remove"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_kill_on_the_way_to_the_trash_or_back_is_made_good(method: str, number: int) -> None:
    graph = shop()
    picture, before = graph.source.files[KEY], {name: graph.outputs.blobs[name] for name in OUTPUTS}
    lose(graph)
    for ends in (lambda: (outputs_of(graph), in_trash(graph)) == ([], OUTPUTS), lambda: outputs_of(graph) == OUTPUTS):
        revive = die_at(graph, method, number)
        with pytest.raises(Killed):
            graph.sync()
        revive()
        graph.clock.now += 100
        graph.sync()
        assert ends()
        graph.source.put(KEY, picture)

    assert {name: graph.outputs.blobs[name] for name in OUTPUTS} == before


def test_a_person_takes_all_outputs_off_the_shop_and_puts_all_back(graph: Graph) -> None:
    before = {name: graph.outputs.blobs[name] for name in OUTPUTS}
    decide(graph.pipeline, ReviewDecision.TAKE_OFF, KEY, "ana")
    assert (outputs_of(graph), in_trash(graph)) == ([], OUTPUTS)
    graph.sync()
    assert outputs_of(graph) == []

    decide(graph.pipeline, ReviewDecision.APPROVE, KEY, "ana")
    assert {name: graph.outputs.blobs[name] for name in OUTPUTS} == before


def test_a_withdrawal_that_broke_off_after_the_main_output_is_completed(graph: Graph) -> None:
    revive = die_at(graph, "remove", 2)
    with pytest.raises(Killed):
        decide(graph.pipeline, ReviewDecision.TAKE_OFF, KEY, "ana")
    revive()
    assert outputs_of(graph)
    graph.clock.now += 100
    graph.sync()

    assert (outputs_of(graph), in_trash(graph)) == ([], OUTPUTS)


def test_a_forgotten_item_leaves_no_output_of_any_rendition_or_format(graph: Graph) -> None:
    graph.outputs.blobs["bags/a.thumb.png"] = b"of an earlier format"
    lose(graph)
    erased = forget(graph.pipeline, MemoryStore(), (KEY,))[KEY]

    assert set(OUTPUTS) | {"bags/a.thumb.png"} == set(erased.outputs)
    assert outputs_of(graph) == in_trash(graph) == []
    assert graph.items.outputs([KEY]) == {}


def rows(graph: Graph, request: Request | None = None, naming: Naming | None = None) -> list[Row]:
    taken: list[Row] = []
    export(graph.catalogue, graph.run, naming or Naming(), taken.append, request)
    return taken


def test_the_table_has_a_row_for_each_output_and_tells_what_differs(graph: Graph) -> None:
    first = rows(graph)
    mine = [row for row in first if row.key == KEY]
    assert [(row.rendition, row.output) for row in mine] == [
        *(("card", "cards/bags/a.jpg"), ("main", "bags/a.png"), ("thumb", "bags/a.thumb.webp"))
    ]
    assert len(first) == 15

    graph.recipe = replace(RECIPE, others={"thumb": THUMB})
    graph.sync()
    changed = rows(graph, Request(since=Earlier("before.csv", first)))
    assert {row.rendition for row in changed if row.state == REMOVED} == {"card"}
    named = [row.rendition for row in rows(graph, naming=Naming(rendition="zoom")) if row.key == KEY]
    assert named == ["thumb", "zoom"]


def test_a_lost_manifest_comes_back_with_names_of_a_template() -> None:
    recipe = Recipe(RECIPE.cuts, Rendition(output_name="web/{folder}/{stem}_x"), others={"thumb": THUMB})
    graph = Graph(recipe=recipe)
    graph.source.put("bags/a.png", product(1))
    graph.source.put("bags/a.jpg", product(2, kind="JPEG"))
    graph.sync()
    marked = f"web/{marked_stem('bags/a.png')}_x.png"
    assert marked in graph.outputs.blobs
    before = dict(graph.outputs.blobs)
    del graph.masters.blobs[next(iter(graph.masters.blobs))]

    again = Graph(source=graph.source, outputs=graph.outputs, masters=graph.masters, recipe=recipe)
    result = rebuild(again.catalogue, again.accounts, again.policy, again.run)
    assert (result.taken_in, len(result.adoption.adopted)) == (1, 1)
    again.sync()
    assert again.remover.requests == []
    assert again.outputs.blobs.keys() == before.keys()


def test_the_history_of_an_item_shows_all_of_its_outputs(graph: Graph, capsys: pytest.CaptureFixture[str]) -> None:
    entry = graph.items.entry(KEY)
    assert entry is not None
    facts = history(entry, [], None, (), graph.items.outputs([KEY])[KEY])
    show_history(Terminal(), facts)

    assert facts["other_outputs"] == {"card": "cards/bags/a.jpg", "thumb": "bags/a.thumb.webp"}
    assert "cards/bags/a.jpg, bags/a.thumb.webp" in capsys.readouterr().out
