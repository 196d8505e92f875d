"""The whole job on fakes: what is bought, what is published, what is left alone."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from bg_pipeline.core.breaker import IN_A_ROW
from bg_pipeline.core.credits import MAX_CHARGES, Budget
from bg_pipeline.core.gate import GateReason, on_refusal
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.records import AttemptState, Reason, State
from bg_pipeline.core.report import Exit
from bg_pipeline.errors import (
    AccountError,
    GuardStopped,
    ItemRejected,
    ItemUnreadable,
    LeaseHeld,
    NoCredits,
    OutcomeUnknown,
    SourceUnreadable,
    StoreError,
    TransientError,
)
from bg_pipeline.ports import Silent
from bg_pipeline.steps.parts import Room
from bg_pipeline.steps.process import lease_name, process
from bg_pipeline.steps.purchase import MAX_USELESS
from bg_pipeline.steps.review import approve
from bg_pipeline_tests.fakes import FakeRemover
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import encoded, opened, product


@pytest.fixture
def graph() -> Graph:
    made = Graph()
    for n in range(3):
        made.source.put(f"shoes/{n}.png", product(n))
    made.source.put("bags/9.png", product(9))
    return made


def state_of(graph: Graph, key: str) -> State:
    entry = graph.manifest.entry(key)
    assert entry is not None
    return entry.state


def test_every_picture_gets_a_cutout_and_is_bought_once(graph: Graph) -> None:
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases, done.summary.credits) == (4, 4, Decimal(4))
    assert sorted(graph.outputs.blobs) == ["bags/9.png", "shoes/0.png", "shoes/1.png", "shoes/2.png"]
    assert opened(graph.outputs.blobs["shoes/0.png"]).mode == "RGBA"
    assert done.summary.exit_code is Exit.DONE


def test_a_second_sync_over_an_unchanged_catalogue_does_nothing(graph: Graph) -> None:
    graph.sync()
    graph.source.reads.clear()
    graph.outputs.writes.clear()
    done = graph.sync()

    assert (len(graph.remover.requests), graph.source.reads, graph.outputs.writes) == (4, [], [])
    assert done.delta.counts["unchanged"] == 4
    assert done.delta.changes == ()


def test_a_touched_file_is_hashed_again_and_costs_nothing(graph: Graph) -> None:
    graph.sync()
    graph.source.put("shoes/0.png", product(0))
    done = graph.sync()

    assert done.scan.hashed == 1
    assert done.summary.published == 0


def test_a_changed_file_is_bought_again(graph: Graph) -> None:
    graph.sync()
    graph.source.put("shoes/0.png", product(50))
    done = graph.sync()

    assert done.summary.by_reason == {Reason.CHANGED: 1}
    assert done.summary.purchases == 1


def test_renames_and_copies_are_published_and_free(graph: Graph) -> None:
    graph.sync()
    graph.source.put("bags/moved.png", graph.source.files.pop("shoes/0.png"))
    graph.source.put("bags/copy.png", product(1))
    done = graph.sync()

    assert done.summary.purchases == 0
    assert (done.summary.renamed, done.summary.duplicates) == (1, 1)
    assert {"bags/moved.png", "bags/copy.png", "shoes/0.png"} <= set(graph.outputs.blobs)
    assert state_of(graph, "shoes/0.png") is State.DELETED


def test_twins_in_two_collections_are_bought_once(graph: Graph) -> None:
    graph.source.put("hats/twin.png", product(9))
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases) == (5, 4)


def test_a_lost_output_is_made_again_from_its_master(graph: Graph) -> None:
    graph.sync()
    before = graph.outputs.blobs.pop("shoes/1.png")
    done = graph.sync()

    assert done.summary.by_reason == {Reason.OUTPUT_MISSING: 1}
    assert (done.summary.purchases, graph.outputs.blobs["shoes/1.png"]) == (0, before)


def test_a_new_rendition_is_made_of_the_masters_and_free(graph: Graph) -> None:
    graph.sync()
    graph.change_recipe(background="white", format="jpg")
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases) == (4, 0)
    assert opened(graph.outputs.blobs["shoes/0.jpg"]).format == "JPEG"


def test_a_new_cut_is_bought_only_when_asked_for(graph: Graph) -> None:
    graph.sync()
    graph.change_recipe(max_side_px=40)

    assert graph.sync().summary.purchases == 0
    assert graph.sync(apply_recipe_change=True).summary.purchases == 4


def test_a_corrupt_picture_fails_alone_uncharged_with_its_name_and_a_reason(graph: Graph) -> None:
    graph.source.put("shoes/broken.png", product(7)[:-25])
    done = graph.sync()

    assert (done.summary.published, done.summary.failed, done.summary.purchases) == (4, 1, 4)
    assert done.summary.failures[0].key == "shoes/broken.png"
    assert "cannot be read as a picture" in done.summary.failures[0].detail
    assert done.summary.exit_code is Exit.SOME_FAILED


def test_a_failed_picture_is_not_tried_again_by_itself_but_by_retry(graph: Graph) -> None:
    graph.remover = FakeRemover([ItemRejected("no subject")])
    graph.sync()
    again = graph.sync()
    assert (again.summary.published, again.delta.counts["skipped"]) == (0, 1)

    graph.manifest.retry(None)
    assert graph.sync().summary.published == 1


def test_what_is_no_picture_is_skipped_without_a_call(graph: Graph) -> None:
    graph.source.put("shoes/page.jpg", b"<html></html>")
    graph.source.put("shoes/empty.jpg", b"")
    done = graph.sync()

    assert done.delta.counts["skipped"] == 2
    assert len(graph.remover.requests) == 4
    assert state_of(graph, "shoes/page.jpg") is State.SKIPPED


def test_an_unreadable_file_stops_nobody_and_is_read_when_it_can_be(graph: Graph) -> None:
    graph.source.unreadable.add("shoes/0.png")
    first = graph.sync()
    assert (first.summary.published, first.scan.unreadable.keys()) == (3, {"shoes/0.png"})

    graph.source.unreadable.clear()
    assert graph.sync().summary.published == 1


def test_a_film_among_the_pictures_is_skipped_unread(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bg_pipeline.steps.detect.MAX_SOURCE_BYTES", 10_000)
    graph.source.put("shoes/film.mp4", b"\0" * 10_001)
    done = graph.sync()

    assert "shoes/film.mp4" not in graph.source.reads
    assert (done.delta.counts["skipped"], list(done.scan.unreadable)) == (1, ["shoes/film.mp4"])


def test_a_file_replaced_after_it_was_hashed_goes_back_to_pending(graph: Graph) -> None:
    """What is hashed is what is sent."""
    graph.concurrency = 1
    replaced = product(99)

    def replace(_request: object) -> None:
        graph.source.files["shoes/2.png"] = replaced

    graph.remover.before = replace
    first = graph.sync(collection="shoes")
    assert (first.summary.published, first.summary.purchases, state_of(graph, "shoes/2.png")) == (2, 2, State.PENDING)

    assert graph.sync(collection="shoes").summary.published == 1


def test_a_file_removed_after_it_was_hashed_is_left_to_the_next_sync(graph: Graph) -> None:
    graph.remover.before = lambda _request: graph.source.files.pop("shoes/2.png", None)
    graph.sync(collection="shoes")

    assert graph.sync().delta.counts["deleted"] == 1


def test_a_listing_that_breaks_off_deletes_nothing(graph: Graph) -> None:
    graph.sync()
    graph.source.fail_after = 2

    with pytest.raises(SourceUnreadable):
        graph.sync()
    graph.source.fail_after = None
    assert graph.sync().delta.counts["deleted"] == 0


def test_an_empty_source_that_was_not_empty_stops_the_sync(graph: Graph) -> None:
    """An unmounted share looks just like this."""
    graph.sync()
    graph.source.files.clear()

    with pytest.raises(GuardStopped, match="held 4 items before"):
        graph.sync()
    assert graph.manifest.states()["deleted"] == 0


def test_a_deleted_source_keeps_its_cutout(graph: Graph) -> None:
    graph.sync()
    del graph.source.files["bags/9.png"]
    done = graph.sync()

    assert done.delta.counts["deleted"] == 1
    assert "bags/9.png" in graph.outputs.blobs


def test_a_source_that_comes_back_is_published_again_and_free(graph: Graph) -> None:
    graph.sync()
    gone = graph.source.files.pop("bags/9.png")
    graph.sync()
    graph.source.put("bags/9.png", gone)
    done = graph.sync()

    assert (done.summary.published, done.summary.purchases) == (1, 0)


def test_the_attempt_is_on_record_before_the_request_is_sent(graph: Graph) -> None:
    on_record: list[bool] = []
    graph.remover.before = lambda request: on_record.append(
        request.work_id in {a.work_id for a in graph.ledger.open_attempts(request.lease.name)}
    )
    graph.sync()

    assert on_record == [True] * 4


def test_the_master_is_stored_before_anything_is_published(graph: Graph) -> None:
    graph.remover.before = lambda _request: setattr(graph.outputs, "full", True)
    with pytest.raises(StoreError):
        graph.sync(collection="bags")

    assert len(graph.masters.blobs) == 1
    graph.outputs.full = False
    graph.stop.clear()
    assert graph.sync(collection="bags").summary.purchases == 0


def test_a_master_that_cannot_be_stored_leaves_an_open_attempt_that_counts_as_in_doubt(graph: Graph) -> None:
    graph.remover.before = lambda _request: setattr(graph.masters, "full", True)
    with pytest.raises(StoreError):
        graph.sync(collection="bags")
    graph.remover.before = lambda _request: None
    graph.masters.full = False
    graph.stop.clear()
    done = graph.sync(collection="bags")

    assert done.summary.in_doubt == 1
    assert [a.state for a in graph.database.attempts.values()] == [AttemptState.IN_DOUBT, AttemptState.CHARGED]


def test_a_run_killed_after_the_master_was_stored_pays_nothing_again(graph: Graph) -> None:
    class Killed(BaseException):
        pass

    def kill(*_args: object) -> None:
        raise Killed

    real, graph.ledger.keep_master = graph.ledger.keep_master, kill  # type: ignore[method-assign]
    with pytest.raises(Killed):
        graph.sync(collection="bags")
    graph.stop.clear()
    graph.ledger.keep_master = real  # type: ignore[method-assign]
    done = graph.sync(collection="bags")

    assert (done.summary.published, done.summary.purchases, done.summary.in_doubt) == (1, 0, 0)
    assert len(graph.remover.requests) == 1


def test_a_suspicious_master_stays_suspicious_when_its_run_was_killed(graph: Graph) -> None:
    answer = opened(product(9)).convert("RGBA")
    answer.putalpha(0)
    graph.remover = FakeRemover([encoded(answer)])
    real, graph.ledger.keep_master = graph.ledger.keep_master, _killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        graph.sync(collection="bags")
    graph.stop.clear()
    graph.ledger.keep_master = real  # type: ignore[method-assign]

    assert graph.sync(collection="bags").summary.quarantined == 1
    assert graph.outputs.blobs == {}


def _killed(*_args: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("store", ["masters", "outputs"])
def test_nothing_is_bought_that_could_not_be_stored(graph: Graph, store: str) -> None:
    getattr(graph, store).full = True
    with pytest.raises(StoreError):
        graph.sync()

    assert graph.remover.requests == []


def test_a_rotten_master_of_a_killed_run_is_in_doubt_and_stops_nobody(graph: Graph) -> None:
    real, graph.ledger.keep_master = graph.ledger.keep_master, _killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        graph.sync(collection="bags")
    graph.stop.clear()
    graph.ledger.keep_master = real  # type: ignore[method-assign]
    graph.masters.blobs = dict.fromkeys(graph.masters.blobs, b"rotten")
    done = graph.sync(collection="bags")

    assert (done.summary.in_doubt, done.summary.published) == (1, 1)


def test_masters_that_are_not_there_are_not_bought_again(graph: Graph) -> None:
    """A disk that is not mounted, or a wrong BG_MASTERS: the plan said free."""
    graph.sync()
    graph.masters.blobs.clear()
    graph.outputs.blobs.clear()
    with pytest.raises(StoreError, match="BG_MASTERS"):
        graph.sync()

    assert len(graph.remover.requests) == 4


def test_a_service_that_answers_only_junk_is_stopped(graph: Graph) -> None:
    for n in range(30):
        graph.source.put(f"hats/{n}.png", product(100 + n))
    graph.remover = FakeRemover([b"junk"] * 100)
    done = graph.sync(collection="hats")

    assert MAX_USELESS <= len(graph.remover.requests) <= MAX_USELESS + 1  # one more may have been in flight
    assert done.summary.exit_code is Exit.PAUSED


def test_a_service_that_answers_only_junk_is_stopped_also_in_a_catalogue_of_small_collections(graph: Graph) -> None:
    for n in range(30):
        graph.source.put(f"collection {n}/1.png", product(100 + n))
    graph.remover = FakeRemover([b"junk"] * 100)
    done = graph.sync()

    assert (len(graph.remover.requests), done.summary.exit_code) == (MAX_USELESS, Exit.PAUSED)


def test_a_service_of_which_nobody_knows_what_it_charged_is_left_alone_after_five(graph: Graph) -> None:
    for n in range(30):
        graph.source.put(f"hats/{n}.png", product(100 + n))
    graph.remover = FakeRemover([OutcomeUnknown("reset")] * 100)
    done = graph.sync(collection="hats")

    assert done.summary.in_doubt <= MAX_USELESS + 1  # one more may have been in flight
    assert graph.control.gate("bgeraser").reason is GateReason.OUTAGE


def test_a_picture_fails_with_its_third_charge_and_not_a_sync_later(graph: Graph) -> None:
    graph.remover = FakeRemover([b"junk"] * MAX_CHARGES)
    for _ in range(MAX_CHARGES):
        graph.sync(collection="bags")

    assert state_of(graph, "bags/9.png") is State.FAILED


def test_only_useless_answers_in_a_row_stop_a_service(graph: Graph) -> None:
    for collection in range(MAX_USELESS + 2):
        graph.source.put(f"c{collection}/1.png", product(100 + collection))
    # A collection each: then one lane after the other counts.
    few = [b"junk"] * (MAX_USELESS - 1)
    graph.remover = FakeRemover([*few, None, b"junk", b"junk"])

    assert graph.sync(collection=None).summary.exit_code is not Exit.PAUSED
    assert graph.control.gate("bgeraser").is_open


def crash(*_args: object) -> None:
    raise ItemUnreadable("the picture made its decoder crash")


def test_an_answer_that_kills_its_decoder_was_paid_for_and_is_kept_for_a_person(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bg_pipeline_tests.graph.check", crash)
    assert graph.sync(collection="bags").summary.quarantined == 1
    entry = graph.manifest.entry("bags/9.png")
    assert entry is not None
    assert "could not be looked at" in entry.detail

    monkeypatch.undo()
    approve(graph.parts, "bags/9.png")
    assert graph.sync(collection="bags").summary.published == 1
    assert len(graph.remover.requests) == 1


def test_a_service_whose_answers_nobody_can_look_at_is_stopped(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(2 * MAX_USELESS):
        graph.source.put(f"more/{n}.png", product(200 + n))
    monkeypatch.setattr("bg_pipeline_tests.graph.check", crash)

    assert graph.sync().summary.exit_code is Exit.PAUSED
    assert graph.control.gate("bgeraser").reason is GateReason.QUALITY
    assert len(graph.remover.requests) < 2 * MAX_USELESS


def test_a_changed_cut_is_held_also_for_files_that_were_away_or_moved(graph: Graph) -> None:
    graph.sync()
    graph.change_recipe(max_side_px=40)
    away = graph.source.files.pop("bags/9.png")
    graph.sync()
    graph.source.put("bags/9.png", away)
    graph.source.put("boots/0.png", graph.source.files.pop("shoes/0.png"))
    done = graph.sync()

    assert (done.summary.purchases, len(done.delta.held)) == (0, 4)


def test_settings_that_change_between_detection_and_processing_buy_nothing(graph: Graph) -> None:
    graph.sync()
    graph.source.put("shoes/0.png", product(50))
    graph.sync(cap=0)
    graph.change_recipe(max_side_px=40)
    summary, _ = process(graph.parts, "shoes", "a test", Budget("a run"), Silent())

    assert (summary.purchases, summary.pending) == (0, 1)


def test_a_damaged_master_is_not_published(graph: Graph) -> None:
    graph.sync()
    work = graph.manifest.entry("bags/9.png").work_id  # type: ignore[union-attr]
    graph.masters.blobs[master_name(work)] = product(3)
    del graph.outputs.blobs["bags/9.png"]
    done = graph.sync()

    assert done.summary.purchases == 1
    assert opened(graph.outputs.blobs["bags/9.png"]).mode == "RGBA"


def test_an_unknown_outcome_is_in_doubt_and_tried_again_in_the_next_sync(graph: Graph) -> None:
    graph.remover = FakeRemover([OutcomeUnknown("reset")])
    first = graph.sync(collection="bags")
    assert (first.summary.in_doubt, state_of(graph, "bags/9.png")) == (1, State.PENDING)
    assert len(graph.remover.requests) == 1

    assert graph.sync(collection="bags").summary.published == 1


def test_one_work_is_never_charged_more_than_three_times(graph: Graph) -> None:
    graph.remover = FakeRemover([OutcomeUnknown("reset")] * 10)
    for _ in range(6):
        graph.sync(collection="bags")
        graph.manifest.retry(None)

    assert len(graph.remover.requests) == MAX_CHARGES
    graph.sync(collection="bags")
    assert state_of(graph, "bags/9.png") is State.FAILED


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>sorry</html>", id="a page"),
        pytest.param(product(9), id="no alpha"),
        pytest.param(encoded(opened(product(9)).convert("RGBA").resize((1, 1))), id="another size"),
        pytest.param(encoded(opened(product(9)).convert("RGBA"))[:-30], id="cut short"),
    ],
)
def test_an_unusable_answer_is_never_published_and_counts_as_charged(graph: Graph, answer: bytes) -> None:
    graph.remover = FakeRemover([answer])
    done = graph.sync(collection="bags")

    assert (done.summary.published, done.summary.wasted, done.summary.credits) == (0, 1, Decimal(1))
    assert graph.outputs.blobs == {}
    assert [a.state for a in graph.database.attempts.values()] == [AttemptState.UNUSABLE]


def test_an_answer_with_another_picture_is_not_published(graph: Graph) -> None:
    other = opened(product(9)).convert("RGBA").rotate(180)
    other.paste((255, 0, 0, 255), (8, 4, 40, 28))
    other.putpixel((0, 0), (0, 0, 0, 0))
    graph.remover = FakeRemover([encoded(other)])

    assert graph.sync(collection="bags").summary.wasted == 1


@pytest.mark.parametrize("alpha", [0, 255], ids=["empty", "full"])
def test_a_suspicious_cutout_goes_to_quarantine_and_is_not_bought_again(graph: Graph, alpha: int) -> None:
    answer = opened(product(9)).convert("RGBA")
    answer.putalpha(alpha)
    graph.remover = FakeRemover([encoded(answer)])
    done = graph.sync(collection="bags")
    graph.sync(collection="bags")

    assert (done.summary.quarantined, state_of(graph, "bags/9.png")) == (1, State.QUARANTINED)
    assert (len(graph.remover.requests), graph.outputs.blobs) == (1, {})


def test_a_transient_error_is_retried_with_growing_waits_and_each_try_is_on_record(graph: Graph) -> None:
    graph.remover = FakeRemover([TransientError("503"), TransientError("503"), None])
    done = graph.sync(collection="bags")

    assert (done.summary.published, graph.slept) == (1, [1.0, 2.0])
    states = [a.state for a in graph.database.attempts.values()]
    assert states == [AttemptState.REFUSED, AttemptState.REFUSED, AttemptState.CHARGED]


def test_a_retry_that_slept_asks_the_gate_again(graph: Graph) -> None:
    """Stop means stop: another run may have met a 402 in the meantime."""
    graph.while_asleep = lambda: graph.control.change_gate(
        "bgeraser", lambda gate: on_refusal(gate, GateReason.NO_CREDITS, "402", now=1.0)
    )
    graph.remover = FakeRemover([TransientError("503")])
    done = graph.sync(collection="bags")

    assert (len(graph.remover.requests), done.summary.exit_code) == (1, Exit.PAUSED)


def test_a_stop_on_request_wakes_a_retry_that_sleeps(graph: Graph) -> None:
    graph.while_asleep = graph.stop.set
    graph.remover = FakeRemover([TransientError("503")] * 9)
    done = graph.sync(collection="bags")

    assert (len(graph.remover.requests), done.summary.pending) == (1, 4)


def test_an_outage_stops_the_run_and_blames_no_picture(graph: Graph) -> None:
    graph.remover = FakeRemover([TransientError("503")] * 100)
    done = graph.sync(collection="shoes")

    assert len(graph.remover.requests) == IN_A_ROW
    assert (done.summary.failed, done.summary.pending) == (0, 4)
    assert done.summary.exit_code is Exit.PAUSED


def test_a_wait_of_more_than_two_minutes_is_not_slept_through(graph: Graph) -> None:
    graph.remover = FakeRemover([TransientError("later", retry_after_s=3600)])
    done = graph.sync(collection="bags")

    assert (graph.slept, done.summary.exit_code) == ([], Exit.PAUSED)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(NoCredits("402"), GateReason.NO_CREDITS), (AccountError("401"), GateReason.BAD_KEY)],
    ids=["no credits", "bad key"],
)
def test_a_refused_account_closes_the_gate_and_blames_no_picture(
    graph: Graph, error: AccountError, reason: GateReason
) -> None:
    graph.remover = FakeRemover([None, error])
    done = graph.sync(collection="shoes")

    assert (done.summary.published, done.summary.failed, done.summary.exit_code) == (1, 0, Exit.PAUSED)
    assert graph.control.gate("bgeraser").reason is reason
    assert graph.sync(collection="bags").summary.exit_code is Exit.PAUSED
    assert len(graph.remover.requests) == 2


def test_nothing_is_sent_below_the_threshold_and_work_goes_on_after_a_top_up(graph: Graph) -> None:
    graph.low = Decimal(10)
    graph.remover = FakeRemover(credits_left=Decimal(11))
    first = graph.sync(collection="shoes")
    assert (first.summary.purchases, first.summary.exit_code) == (2, Exit.PAUSED)
    assert "top up" in first.summary.paused

    assert graph.sync(collection="shoes").summary.purchases == 0
    graph.remover.credits_left = Decimal(100)
    assert graph.sync(collection="shoes").summary.published == 1


def test_requests_in_flight_cannot_dip_below_the_threshold_together() -> None:
    graph = Graph(low=Decimal(10), concurrency=8, remover=FakeRemover(credits_left=Decimal(12)))
    for n in range(20):
        graph.source.put(f"c/{n}.png", product(n))
    together = threading.Barrier(3)

    def hold(_request: object) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(timeout=0.2)

    graph.remover.before = hold
    graph.sync()

    assert graph.remover.credits_left == Decimal(9)


def test_a_credit_limit_stops_the_run_before_it_is_exceeded(graph: Graph) -> None:
    done = graph.sync(cap=2)

    assert (done.summary.purchases, done.summary.pending, done.summary.exit_code) == (2, 2, Exit.BUDGET)


def test_a_stop_on_request_keeps_what_is_in_flight_and_begins_nothing(graph: Graph) -> None:
    graph.remover.before = lambda _request: graph.stop.set()
    done = graph.sync(collection="shoes")

    assert (done.summary.published, done.summary.pending, done.summary.paused) == (1, 3, "stopped on request")
    graph.stop.clear()
    graph.remover.before = lambda _request: None
    assert graph.sync().summary.published == 3
    assert len(graph.remover.requests) == 4


def test_a_collection_that_another_run_works_on_is_left_out(graph: Graph) -> None:
    graph.control.acquire(lease_name("shoes"), "the night", 60.0)
    done = graph.sync()

    assert (done.summary.published, done.summary.exit_code) == (1, Exit.LEASE)
    assert "the night" in done.summary.busy


def test_two_detections_do_not_run_at_once(graph: Graph) -> None:
    graph.control.acquire("detection", "the night", 60.0)

    with pytest.raises(LeaseHeld, match="the night"):
        graph.sync()


def test_a_run_whose_lease_was_taken_over_sends_and_publishes_nothing_more(graph: Graph) -> None:
    """A machine that slept through its lease wakes up in the middle of a request."""

    def take_over(_request: object) -> None:
        graph.clock.now += 10_000
        graph.control.acquire(lease_name("shoes"), "another run", 60.0)

    graph.remover.before = take_over
    with pytest.raises(Exception, match="took over"):
        graph.sync(collection="shoes")

    assert len(graph.remover.requests) == len(graph.masters.blobs) == 1
    assert graph.outputs.writes == []
    assert state_of(graph, graph.remover.requests[0].item_key) is State.PENDING


def test_only_part_of_the_delta_can_be_asked_for(graph: Graph) -> None:
    graph.sync()
    graph.source.put("shoes/0.png", product(60))
    graph.source.put("shoes/new.png", product(61))
    done = graph.sync(only=frozenset({Reason.NEW}))

    assert (done.summary.by_reason, done.summary.pending) == ({Reason.NEW: 1}, 1)


def test_items_with_one_output_name_get_two_outputs(graph: Graph) -> None:
    graph.source.put("shoes/0.jpg", product(70, kind="JPEG"))
    done = graph.sync()

    assert len(done.delta.collisions) == 1
    assert len(graph.outputs.blobs) == 5


def test_a_name_once_given_stays_when_a_twin_comes_that_sorts_before_it(graph: Graph) -> None:
    graph.sync()
    before = graph.outputs.blobs["shoes/0.png"]
    graph.source.put("shoes/0.jpg", product(70, kind="JPEG"))
    graph.sync()

    assert graph.outputs.blobs["shoes/0.png"] == before


def test_a_new_export_under_another_extension_takes_over_the_name(graph: Graph) -> None:
    graph.sync()
    del graph.source.files["shoes/0.png"]
    graph.source.put("shoes/0.webp", product(50))
    done = graph.sync()

    assert done.delta.collisions == {}
    assert sorted(graph.outputs.blobs) == ["bags/9.png", "shoes/0.png", "shoes/1.png", "shoes/2.png"]
    assert graph.sync().delta.changes == ()


def test_a_picture_that_comes_back_leaves_its_name_to_who_has_it_now(graph: Graph) -> None:
    graph.sync()
    picture = graph.source.files.pop("shoes/0.png")
    graph.source.put("shoes/0.webp", product(50))
    graph.sync()
    newer = graph.outputs.blobs["shoes/0.png"]
    graph.source.put("shoes/0.png", picture)
    done = graph.sync()

    assert (list(done.delta.collisions), done.summary.purchases) == (["shoes/0.png"], 0)
    assert graph.outputs.blobs["shoes/0.png"] == newer
    assert graph.sync().delta.changes == ()


def test_a_held_picture_that_lost_its_output_gets_its_old_one_back(graph: Graph) -> None:
    graph.sync()
    graph.change_recipe(max_side_px=40)
    graph.sync()
    before = graph.outputs.blobs.pop("shoes/1.png")
    done = graph.sync()

    assert (done.summary.by_reason, done.summary.purchases) == ({Reason.OUTPUT_MISSING: 1}, 0)
    assert graph.outputs.blobs["shoes/1.png"] == before
    assert len(graph.sync().delta.held) == 4


def test_an_old_cut_is_never_bought_again_to_be_restored(graph: Graph) -> None:
    """Its master was sound when the delta was made, and is damaged when it is read."""
    graph.sync()
    graph.change_recipe(max_side_px=40)
    entry = graph.manifest.entry("shoes/1.png")
    assert entry is not None
    graph.outputs.blobs.pop("shoes/1.png")
    graph.masters.blobs[master_name(entry.work_id)] = b"rotten"
    done = graph.sync()

    assert (done.summary.purchases, done.summary.failures[0].key) == (0, "shoes/1.png")
    assert len(graph.sync().delta.held) == 4


def test_a_changed_cut_can_be_bought_a_share_at_a_time(graph: Graph) -> None:
    graph.sync()
    graph.change_recipe(max_side_px=40)
    bought = [graph.sync(apply_recipe_change=True, recipe_change_limit=3).summary.purchases for _ in range(3)]

    assert bought == [3, 1, 0]


def test_a_held_rename_stays_a_rename(graph: Graph) -> None:
    """Were the old key forgotten, the next sync would take the new one for new, and buy it."""
    graph.sync()
    graph.change_recipe(max_side_px=40)
    graph.source.put("bags/moved.png", graph.source.files.pop("shoes/0.png"))

    assert [graph.sync().summary.purchases for _ in range(3)] == [0, 0, 0]


class Counting(Silent):
    """Progress that adds up."""

    def __init__(self) -> None:
        self.count = 0

    def step(self, count: int = 1) -> None:
        self.count += count


def test_progress_counts_every_item_once_also_those_in_quarantine(graph: Graph) -> None:
    answer = opened(product(9)).convert("RGBA")
    answer.putalpha(0)
    graph.remover = FakeRemover([encoded(answer)])
    graph.sync(cap=0)
    watched = Counting()
    summary, _ = process(graph.parts, "bags", "a test", Budget("a run"), watched)

    assert (summary.quarantined, watched.count) == (1, 1)


def test_lanes_hold_no_more_originals_than_there_is_room_for() -> None:
    room, most, held = Room(10), 0, 0
    lock = threading.Lock()

    def lane(size: int) -> None:
        nonlocal most, held
        for _ in range(50):
            with room.holding(size):
                with lock:
                    held += size
                    most = max(most, held)
                with lock:
                    held -= size

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lane, [3, 4, 5, 3, 4, 5]))

    assert 0 < most <= 10


def test_a_picture_that_is_larger_than_all_room_has_its_turn(graph: Graph) -> None:
    graph.concurrency = 4
    graph.room = Room(1)

    assert graph.sync().summary.published == 4


def test_a_stop_ends_also_what_costs_nothing(graph: Graph) -> None:
    graph.sync()
    graph.change_recipe(background="white")
    write = graph.outputs.write

    def stopping(name: str, data: bytes) -> None:
        write(name, data)
        graph.stop.set()

    graph.outputs.write = stopping  # type: ignore[method-assign]
    done = graph.sync()

    assert (done.summary.paused, done.summary.exit_code) == ("stopped on request", Exit.PAUSED)
    assert done.summary.published < 4
    assert done.summary.pending == 4 - done.summary.published


def test_one_lane_that_cannot_go_on_stops_the_others_from_buying(graph: Graph) -> None:
    for n in range(40):
        graph.source.put(f"ties/{n}.png", product(100 + n))
    write, failures = graph.outputs.write, iter([StoreError("No space left on device")])

    def failing(name: str, data: bytes) -> None:
        # Not in the lane that is waited for first: its end is noticed anyway.
        if not threading.current_thread().name.endswith("_0"):
            for error in failures:
                raise error
        write(name, data)

    graph.outputs.write = failing  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        graph.sync(collection="ties")

    assert len(graph.remover.requests) < 40


def test_what_is_free_is_published_though_the_cap_is_reached(graph: Graph) -> None:
    graph.sync()
    for n in range(5):
        graph.source.put(f"bags/{n}.png", product(60 + n))
    graph.source.put("bags/copy.png", product(9))
    done = graph.sync(cap=0)

    assert (done.summary.published, done.summary.purchases, done.summary.pending) == (1, 0, 5)
