"""Where a master comes from: found, taken over, bought from the first provider that can, or bought in stages."""

import contextlib
import threading
from dataclasses import replace
from decimal import Decimal

import pytest
from PIL import Image, PngImagePlugin

from bg_pipeline.core.credits import Budget
from bg_pipeline.core.gate import GateReason, GateState, by_hand, on_refusal
from bg_pipeline.core.recipe import AS_IT_IS, Cut, Recipe, Rendition, Step
from bg_pipeline.core.records import AttemptState, State
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import (
    AccountError,
    ItemRejected,
    NoCredits,
    OutcomeUnknown,
    QualityDropped,
    TransientError,
    UnusableAnswer,
)
from bg_pipeline.ports import Silent
from bg_pipeline.steps.gate import look
from bg_pipeline.steps.money import last_reading, reconcile_balances, standing
from bg_pipeline.steps.process import process
from bg_pipeline.steps.purchase import BALANCE_EVERY
from bg_pipeline.steps.recovery import recover_abandoned
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import cutout_of, encoded, opened, product

FIRST, SECOND = Cut("bgeraser", 2500, surface="tools"), Cut("removebg", 2500)


def shop(*keys: str, **options: object) -> Graph:
    made = Graph(**options)  # type: ignore[arg-type]
    for n, key in enumerate(keys or ("c/1.png",)):
        made.source.put(key, product(n + 1))
    return made


def with_fallback(first: FakeRemover, second: FakeRemover | None = None, *keys: str) -> Graph:
    recipe = Recipe((FIRST, SECOND), Rendition())
    return shop(*keys, recipe=recipe, remover=first, others={"removebg": second or FakeRemover()})


def state_of(graph: Graph, key: str) -> State:
    entry = graph.manifest.entry(key)
    assert entry is not None
    return entry.state


# ── Fallback ──


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ItemRejected("no subject"), id="rejected"),
        pytest.param(NoCredits("402"), id="no credits"),
        pytest.param(AccountError("403"), id="bad key"),
    ],
)
def test_the_next_provider_is_asked_after_an_error_that_charged_nothing(error: Exception) -> None:
    graph = with_fallback(FakeRemover([error]))
    done = graph.sync()

    assert (done.summary.published, done.summary.bought_from) == (1, {"removebg": 1})
    entry = graph.manifest.entry("c/1.png")
    assert entry is not None
    assert entry.published is not None
    assert entry.published.cut_hash == SECOND.hash
    assert graph.sync().delta.counts["unchanged"] == 1


def test_the_next_provider_is_asked_when_the_first_one_keeps_failing() -> None:
    graph = with_fallback(FakeRemover([TransientError("503")] * 6))

    assert graph.sync().summary.bought_from == {"removebg": 1}


@pytest.mark.parametrize("error", [OutcomeUnknown("reset"), UnusableAnswer("no alpha")])
def test_the_next_provider_is_not_asked_when_the_first_may_have_charged(error: Exception) -> None:
    graph = with_fallback(FakeRemover([error]))
    done = graph.sync()

    assert (done.summary.published, graph.others["removebg"].requests) == (0, [])


def test_a_picture_fails_only_when_every_provider_rejects_it() -> None:
    graph = with_fallback(FakeRemover([ItemRejected("no")] * 2), FakeRemover([ItemRejected("neither")] * 2))
    assert graph.sync().summary.failed == 1

    blameless = with_fallback(FakeRemover([ItemRejected("no")]), FakeRemover([NoCredits("402")]))
    assert blameless.sync().summary.failed == 0
    assert state_of(blameless, "c/1.png") is State.PENDING


def test_a_closed_gate_sends_everything_to_the_next_provider_and_pauses_nothing() -> None:
    graph = with_fallback(FakeRemover(), None, "c/1.png", "c/2.png")
    graph.control.change_gate("bgeraser", lambda gate: on_refusal(gate, GateReason.NO_CREDITS, "402", now=1.0))
    done = graph.sync()

    assert (done.summary.bought_from, done.summary.exit_code) == ({"removebg": 2}, Exit.DONE)
    assert graph.remover.requests == []


def test_a_run_pauses_when_every_gate_is_closed() -> None:
    graph = with_fallback(FakeRemover([NoCredits("402")]), FakeRemover([NoCredits("402")]), "c/1.png", "c/2.png")
    done = graph.sync()

    assert (done.summary.exit_code, done.summary.pending) == (Exit.PAUSED, 2)
    assert "bgeraser" in done.summary.paused
    assert "removebg" in done.summary.paused


# ── The same picture under other bytes ──


def test_a_picture_of_which_only_the_metadata_changed_is_not_bought_again() -> None:
    graph = shop()
    graph.sync()
    described = PngImagePlugin.PngInfo()
    described.add_text("Author", "the new photographer")
    graph.source.put("c/1.png", encoded(opened(product(1)), pnginfo=described, compress_level=9))
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases, done.summary.saved) == (1, 0, Decimal(1))
    assert len(graph.remover.requests) == 1


def test_two_files_with_one_picture_are_bought_once_also_when_both_are_new() -> None:
    """While one is in flight the other waits for the end of the run, not for the next night."""
    graph = shop(concurrency=4)
    described = PngImagePlugin.PngInfo()
    described.add_text("Author", "somebody")
    graph.source.put("c/2.png", encoded(opened(product(1)), pnginfo=described))
    together = threading.Barrier(2)

    def hold(_request: object) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(timeout=0.3)

    graph.remover.before = hold
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases, done.summary.failures) == (2, 1, [])


def test_two_files_with_one_picture_are_bought_once_when_the_second_waits_for_a_slot_meanwhile() -> None:
    """It looked for a master while the first was in flight, and is sent when that one is kept."""
    graph = shop(concurrency=4)
    described = PngImagePlugin.PngInfo()
    described.add_text("Author", "somebody")
    graph.source.put("c/2.png", encoded(opened(product(1)), pnginfo=described))
    both_looked, kept = threading.Barrier(2), threading.Event()
    real_twin, real_open, real_keep = graph.ledger.twin, graph.ledger.open_attempt, graph.ledger.keep_master
    turns = iter([True])

    def twin(*asked: str) -> object:
        found = real_twin(*asked)
        with contextlib.suppress(threading.BrokenBarrierError):
            both_looked.wait(timeout=5)
        both_looked.abort()
        return found

    def open_attempt(*asked: object) -> int:
        if not next(turns, False):
            kept.wait(timeout=5)
        return real_open(*asked)  # type: ignore[arg-type]

    def keep_master(*asked: object) -> None:
        real_keep(*asked)  # type: ignore[arg-type]
        kept.set()

    graph.ledger.twin, graph.ledger.open_attempt = twin, open_attempt  # type: ignore[assignment,method-assign]
    graph.ledger.keep_master = keep_master  # type: ignore[assignment,method-assign]
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases, done.summary.failures) == (2, 1, [])


def test_a_damaged_master_of_the_same_picture_is_not_taken_over() -> None:
    graph = shop()
    graph.sync()
    (name,) = graph.masters.blobs
    graph.masters.blobs[name] = cutout_of(product(7))
    described = PngImagePlugin.PngInfo()
    described.add_text("Author", "the new photographer")
    graph.source.put("c/2.png", encoded(opened(product(1)), pnginfo=described))
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases) == (1, 1)


def test_a_picture_that_was_turned_and_says_so_is_the_same_picture() -> None:
    graph = shop()
    graph.sync()
    turned = opened(product(1)).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    graph.source.put("c/1.png", encoded(turned, exif=exif))

    assert graph.sync().summary.purchases == 0


def test_a_picture_that_is_cut_out_already_is_published_as_it_is_unpaid() -> None:
    graph = Graph()
    done_already = cutout_of(product(3))
    graph.source.put("c/done.png", done_already)
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases, graph.remover.requests) == (1, 0, [])
    shown, alpha = opened(graph.outputs.blobs["c/done.png"]), opened(done_already).getchannel("A")
    assert shown.getchannel("A").tobytes() == alpha.tobytes()
    entry = graph.manifest.entry("c/done.png")
    assert entry is not None
    assert entry.published is not None
    assert entry.published.cut_hash == AS_IT_IS.hash
    assert graph.sync().delta.counts["unchanged"] == 1


def test_a_picture_that_is_cut_out_already_is_bought_where_the_policy_says_so() -> None:
    graph = Graph(recipe=Recipe((FIRST,), Rendition(), keep_cutouts=False))
    graph.source.put("c/done.png", cutout_of(product(3)))

    assert graph.sync().summary.purchases == 1


def test_rounded_corners_are_no_cutout() -> None:
    graph = Graph()
    image = opened(product(3, size=(200, 100))).convert("RGBA")
    for x, y in ((0, 0), (199, 0), (0, 99), (199, 99)):
        image.putpixel((x, y), (0, 0, 0, 0))
    graph.source.put("c/card.png", encoded(image))

    assert graph.sync().summary.purchases == 1


# ── Stages ──

CHAIN = replace(FIRST, steps=(Step("upscale", {"factor": "2"}), Step("generative-expand")))


def doubled(data: bytes) -> bytes:
    image = opened(data)
    return encoded(image.resize((image.width * 2, image.height * 2)))


class Tools(FakeRemover):
    """Cuts, and doubles whatever a further tool is asked for."""

    def cut(self, request):  # type: ignore[no-untyped-def]
        reply = super().cut(request)
        return replace(reply, image=doubled(request.image)) if request.tool else reply


def test_further_tools_follow_the_cut_each_on_what_the_one_before_it_brought() -> None:
    graph = shop(recipe=Recipe((CHAIN,), Rendition()), remover=Tools())
    done = graph.sync()

    assert [r.tool for r in graph.remover.requests] == ["", "upscale", "generative-expand"]
    assert graph.remover.requests[1].params == {"factor": "2"}
    assert done.summary.credits == Decimal(3)
    assert opened(graph.outputs.blobs["c/1.png"]).size == (48 * 4, 32 * 4)
    assert graph.sync().delta.counts["unchanged"] == 1


def test_a_stage_that_fails_is_tried_again_without_buying_those_before_it() -> None:
    graph = shop(recipe=Recipe((CHAIN,), Rendition()), remover=Tools([None, None, OutcomeUnknown("reset")]))
    assert graph.sync().summary.published == 0
    assert graph.sync().summary.published == 1

    assert [r.tool for r in graph.remover.requests] == ["", "upscale", "generative-expand", "generative-expand"]


def test_a_recipe_that_ends_earlier_uses_what_was_bought_on_the_way() -> None:
    graph = shop(recipe=Recipe((CHAIN,), Rendition()), remover=Tools())
    graph.sync()
    graph.recipe = Recipe((FIRST,), Rendition())

    assert graph.sync(apply_recipe_change=True).summary.purchases == 0
    assert opened(graph.outputs.blobs["c/1.png"]).size == (48, 32)


# ── Money ──


def test_a_smaller_answer_than_was_paid_for_is_not_published_and_closes_the_gate_until_a_person_opens_it() -> None:
    """remove.bg's `auto` delivers a preview when the credits end: nothing fails, and the shop gets stamps."""
    graph = Graph()
    for n in range(4):
        graph.source.put(f"c/{n}.png", product(n, size=(240, 160)))
    small = cutout_of(product(0, size=(120, 80)))
    graph.remover = FakeRemover([small])
    done = graph.sync()

    assert (done.summary.wasted, done.summary.exit_code) == (1, Exit.PAUSED)
    gate = graph.control.gate("bgeraser")
    assert gate.reason is GateReason.QUALITY
    assert len(graph.remover.requests) <= 2  # one more may have been in flight
    assert graph.sync().summary.exit_code is Exit.PAUSED
    assert "120×80" in gate.why


def test_what_a_useless_answer_cost_is_the_same_in_the_summary_and_on_the_ledger() -> None:
    cheaper = QualityDropped("a preview")
    cheaper.credits_charged = Decimal("0.25")
    graph = shop("c/1.png", "c/2.png", remover=FakeRemover([UnusableAnswer("junk"), cheaper]))
    done = graph.sync()

    assert done.summary.credits == graph.ledger.spent(0.0) == Decimal("1.25")


def test_a_service_that_says_itself_that_it_delivered_less_is_stopped_too() -> None:
    graph = shop(remover=FakeRemover([QualityDropped("a preview")]))

    graph.sync()
    assert graph.control.gate("bgeraser").reason is GateReason.QUALITY
    assert graph.sync().summary.exit_code is Exit.PAUSED
    assert len(graph.remover.requests) == 1


def test_what_may_have_been_charged_waits_for_a_person_where_the_policy_says_so() -> None:
    graph = shop(hold_in_doubt=True, remover=FakeRemover([OutcomeUnknown("reset")]))
    done = graph.sync()
    assert (done.summary.failed, done.summary.credits_in_doubt) == (1, Decimal(1))
    assert graph.sync().summary.purchases == 0

    graph.manifest.retry(None)
    assert graph.sync().summary.published == 1


def test_what_a_killed_run_left_in_doubt_waits_for_a_person_where_the_policy_says_so() -> None:
    graph = shop(hold_in_doubt=True)
    kill = KeyboardInterrupt()
    graph.remover = FakeRemover([kill])
    with pytest.raises(KeyboardInterrupt):
        graph.sync()
    graph.stop.clear()
    done = graph.sync()

    assert (done.summary.in_doubt, state_of(graph, "c/1.png")) == (1, State.FAILED)
    assert len(graph.remover.requests) == 1


def killed(**options: object) -> Graph:
    """A shop of which a run was killed while its only picture was in flight."""
    graph = shop(remover=FakeRemover([KeyboardInterrupt()]), **options)
    with pytest.raises(KeyboardInterrupt):
        graph.sync()
    graph.stop.clear()
    return graph


def test_what_a_killed_run_left_in_doubt_keeps_its_state_where_nobody_waits_for_it_any_more() -> None:
    graph = killed(hold_in_doubt=True)
    lease = graph.control.acquire("a test", "a test", 60.0)
    graph.manifest.set_state("c/1.png", State.SKIPPED, "no picture any more", "", lease)

    assert len(recover_abandoned(graph.parts, "the next run")) == 1
    assert state_of(graph, "c/1.png") is State.SKIPPED


def test_a_run_without_a_detection_ends_what_a_killed_one_left_open() -> None:
    graph = killed()
    summary, _ = process(graph.parts, "c", "a wave", Budget("a wave"), Silent())

    assert (summary.published, summary.in_doubt) == (1, 1)


def test_what_a_living_run_has_in_flight_is_not_ended_by_another() -> None:
    graph = shop()
    ended: list[object] = []
    graph.remover.before = lambda _request: ended.extend(recover_abandoned(graph.parts, "another run"))
    done = graph.sync()

    assert (ended, done.summary.published, done.summary.in_doubt) == ([], 1, 0)


def test_a_master_that_a_killed_run_stored_serves_the_same_picture_saved_anew() -> None:
    graph = shop()
    keep, graph.ledger.keep_master = graph.ledger.keep_master, interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        graph.sync()
    graph.ledger.keep_master = keep  # type: ignore[method-assign]
    graph.stop.clear()
    graph.sync()
    graph.source.put("c/1.png", encoded(opened(product(1)), compress_level=1))

    assert graph.sync().summary.published == 1
    assert len(graph.remover.requests) == 1


def interrupted(*_args: object) -> None:
    raise KeyboardInterrupt


def test_nothing_is_bought_for_a_name_that_the_output_cannot_have() -> None:
    graph = shop("c/1.png", "c/caf\udce9.png")
    graph.outputs.utf8_only = True
    done = graph.sync()

    assert (done.summary.published, done.summary.failed, len(graph.remover.requests)) == (1, 1, 1)
    assert state_of(graph, "c/caf\udce9.png") is State.FAILED


def test_what_a_service_said_is_logged_in_full_and_kept_with_the_attempt(caplog: pytest.LogCaptureFixture) -> None:
    refusal = ItemRejected("400 unknown_foreground")
    refusal.answer = '{"errors":[{"code":"unknown_foreground","title":"Could not\x1b[31m identify"}]}'
    graph = shop(remover=FakeRemover([refusal]))
    graph.sync()

    (attempt,) = graph.ledger.log(0.0)
    assert attempt.answer == refusal.answer
    assert f"attempt {attempt.id} is refused: 400 unknown_foreground; answered: {refusal.answer!r}" in caplog.text
    assert "\x1b" not in caplog.text


def test_an_open_attempt_of_a_collection_that_is_gone_is_ended_too() -> None:
    """Renaming the folder of a killed run must not leave its twin waiting for ever."""
    graph = shop("old/1.png", remover=FakeRemover([KeyboardInterrupt()]))
    with pytest.raises(KeyboardInterrupt):
        graph.sync()
    graph.stop.clear()
    graph.source.put("new/1.png", graph.source.files.pop("old/1.png"))
    done = graph.sync()

    assert (done.summary.published, done.summary.in_doubt) == (1, 1)


def test_what_is_free_is_published_while_the_gate_is_closed() -> None:
    graph = shop("c/1.png", "c/2.png")
    graph.sync()
    graph.control.change_gate("bgeraser", lambda gate: on_refusal(gate, GateReason.NO_CREDITS, "402", now=1.0))
    graph.source.put("c/copy.png", product(1))
    graph.source.put("c/new.png", product(9))
    done = graph.sync()

    assert (done.summary.published, done.summary.pending, done.summary.exit_code) == (1, 1, Exit.PAUSED)
    assert "c/copy.png" in graph.outputs.blobs


def test_the_cap_of_a_day_ends_one_run_and_the_next() -> None:
    graph = shop("a/1.png", "a/2.png", "b/3.png", day_cap=Decimal(2))
    first = graph.sync()
    assert (first.summary.purchases, first.summary.exit_code) == (2, Exit.BUDGET)
    assert graph.sync().summary.purchases == 0

    graph.clock.now += 86_400
    assert graph.sync().summary.purchases == 1


def test_runs_that_share_a_name_share_a_cap() -> None:
    """A Dagster night is many runs in many processes."""
    graph = shop("a/1.png", "b/2.png")
    graph.sync(cap=0)
    night = Budget("the night", Decimal(1))
    summaries = [process(graph.parts, name, "a test", night, Silent())[0] for name in ("a", "b")]

    assert [s.purchases for s in summaries] == [1, 0]
    assert summaries[1].budget_reached


def test_the_balance_is_read_again_every_hundred_purchases() -> None:
    graph = Graph(remover=FakeRemover(credits_left=Decimal(1000)))
    for n in range(BALANCE_EVERY + 3):
        graph.source.put(f"c/{n}.png", product(n, size=(48 + n, 32)))
    readings: list[int] = []
    real = graph.remover.balance

    def balance() -> Decimal | None:
        readings.append(len(graph.remover.requests))
        return real()

    graph.remover.balance = balance  # type: ignore[method-assign]
    graph.sync()

    assert len([at for at in readings if at >= BALANCE_EVERY]) == 1


def test_the_fall_of_the_balance_is_held_against_the_ledger_once_a_sync() -> None:
    graph = shop("c/1.png", "c/2.png", remover=FakeRemover(credits_left=Decimal(100)))
    graph.sync()
    found = reconcile_balances(graph.parts)["bgeraser"]
    assert (found.drift, found.sound, found.fell_by) == (0, True, Decimal(2))

    graph.remover.credits_left = Decimal(90)
    again = reconcile_balances(graph.parts)["bgeraser"]
    assert (again.drift, again.sound) == (Decimal(8), False)
    assert last_reading(graph.parts, "bgeraser") is not None


def test_a_balance_that_is_read_while_something_is_bought_is_not_held_against_the_ledger() -> None:
    graph = shop("c/1.png", remover=FakeRemover(credits_left=Decimal(100)))
    seen = []
    graph.remover.before = lambda _request: seen.append(reconcile_balances(graph.parts))
    graph.sync()
    assert seen == [{}]

    real, turns = graph.remover.balance, iter([True])

    def slow() -> Decimal | None:
        left = real()
        if next(turns, False):
            graph.sync()
        return left

    graph.source.put("c/2.png", product(2))
    graph.remover.balance = slow  # type: ignore[method-assign]
    assert reconcile_balances(graph.parts) == {}


def test_what_is_bought_while_the_balance_is_read_is_counted_down_from_it() -> None:
    graph = shop("c/1.png", remover=FakeRemover(credits_left=Decimal(100)))
    real, turns = graph.remover.balance, iter([True])

    def slow() -> Decimal | None:
        left = real()
        if next(turns, False):
            graph.sync()
        return left

    graph.remover.balance = slow  # type: ignore[method-assign]
    look(graph.parts)

    assert standing(graph.parts, "bgeraser")["balance"] == 99.0


def test_the_standing_of_a_provider_counts_down_from_the_last_reading() -> None:
    graph = shop("c/1.png", "c/2.png", remover=FakeRemover([None, OutcomeUnknown("reset")], Decimal(100)))
    graph.sync()
    facts = standing(graph.parts, "bgeraser")

    assert (facts["balance"], facts["charged"], facts["in_doubt"]) == (98.0, 1.0, 1.0)
    assert facts["state"] == "open"


def test_every_attempt_says_for_which_item_and_run_it_was_made() -> None:
    graph = shop()
    graph.sync()
    (attempt,) = graph.ledger.log(0.0)

    assert (attempt.item_key, attempt.run, attempt.state) == ("c/1.png", "run 1", AttemptState.CHARGED)


def test_a_gate_that_was_opened_by_hand_lets_a_run_through_below_the_threshold() -> None:
    graph = shop(low=Decimal(50), remover=FakeRemover(credits_left=Decimal(10)))
    assert graph.sync().summary.exit_code is Exit.PAUSED
    graph.control.change_gate("bgeraser", lambda gate: by_hand(gate, GateState.OPEN, "", 1.0))

    assert graph.sync().summary.published == 1


def test_an_outage_that_is_over_opens_the_gate_on_probation_and_success_ends_it() -> None:
    graph = shop()
    graph.control.change_gate("bgeraser", lambda gate: on_refusal(gate, GateReason.OUTAGE, "503", graph.clock()))
    assert graph.sync().summary.exit_code is Exit.PAUSED

    graph.clock.now += 61
    assert graph.sync().summary.published == 1
    assert graph.control.gate("bgeraser").reason is GateReason.NONE
