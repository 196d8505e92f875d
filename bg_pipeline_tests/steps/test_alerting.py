"""What is found to be wrong, and how it gets to a person: with the fakes of every port."""

from decimal import Decimal

import pytest

from bg_pipeline.core.alerts import GIVE_UP_S, HOLD_S, REPEAT_S, Event, Kind
from bg_pipeline.core.gate import Gate, GateReason, GateState
from bg_pipeline.errors import GuardStopped, LeaseHeld, NoCredits, StateError, StoreError
from bg_pipeline.ports import Silent
from bg_pipeline.steps import alerting
from bg_pipeline.steps.alerting import NIGHT_S, after_sync, alert, concerns_of, deliver, note_failure
from bg_pipeline.steps.detect import detect, scan
from bg_pipeline_tests.fakes import FakeRemover, FakeSink
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product


@pytest.fixture
def shop() -> Graph:
    graph = Graph()
    for n in range(4):
        graph.source.put(f"shoes/{n}.png", product(n))
    graph.source.put("bags/1.png", product(9))
    return graph


def put(graph: Graph, gate: Gate) -> None:
    graph.control.change_gate(gate.provider, lambda _gate: gate)


def kinds(graph: Graph) -> list[Kind]:
    return [concern.kind for concern in concerns_of(graph.parts)]


def told(graph: Graph) -> list[str]:
    """What is news now, by title without its opening."""
    return [notice.title.partition(": ")[2] for notice in alert(graph.parts)]


def lines(graph: Graph, kind: Kind) -> str:
    (concern,) = [concern for concern in concerns_of(graph.parts) if concern.kind is kind]
    return "\n".join((concern.title, *concern.lines))


def test_a_shop_where_all_is_well_worries_nobody(shop: Graph) -> None:
    assert kinds(shop) == []
    shop.sync()

    assert kinds(shop) == []


def test_low_credits_are_told_with_balance_end_work_price_and_links(shop: Graph) -> None:
    shop.remover.credits_left, shop.low = Decimal(12), Decimal(10)
    paused = shop.sync().summary.as_dict()
    shop.clock.now += 1.0
    shop.control.log_sync("process", 0.0, {"collection": "shoes", "run_id": "r-1", **paused})
    said = lines(shop, Kind.CREDITS)

    assert "bgeraser: credits are low" in said
    assert "balance: 9 credits, used up by 1970-04-12 at this pace" in said
    assert "pending: 2 items, at most 2 credits, $0.08 (shoes 2)" in said
    assert "top up: https://bgeraser.ink" in said
    assert "http://dagster.test/runs/r-1" in said


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (GateReason.LOW_CREDITS, Kind.CREDITS),
        (GateReason.NO_CREDITS, Kind.CREDITS),
        (GateReason.BAD_KEY, Kind.BAD_KEY),
        (GateReason.OUTAGE, Kind.OUTAGE),
        (GateReason.QUALITY, Kind.PAUSED),
        (GateReason.BALANCE_UNKNOWN, Kind.PAUSED),
        (GateReason.BY_HAND, None),
    ],
)
def test_a_closed_gate_is_told_by_its_reason(shop: Graph, reason: GateReason, kind: Kind | None) -> None:
    put(shop, Gate("bgeraser", GateState.CLOSED, reason, 1.0, 1, Decimal(3)))

    assert kinds(shop) == ([kind] if kind else [])


def test_an_outage_on_probation_is_not_over(shop: Graph) -> None:
    put(shop, Gate("bgeraser", GateState.OPEN, GateReason.OUTAGE, 1.0, 1))

    assert kinds(shop) == [Kind.OUTAGE]


def test_every_reason_of_the_gate_is_one_that_is_told() -> None:
    assert {reason for reason in GateReason if reason} <= {*alerting._BY_REASON, *alerting._UNTOLD}


def test_pauses_without_number_are_told_once_each(shop: Graph) -> None:
    for episode in range(1, 9):
        put(shop, Gate("bgeraser", GateState.CLOSED, GateReason.LOW_CREDITS, shop.clock(), episode, Decimal(5)))
        assert told(shop) == ["bgeraser: credits are low"]
        assert told(shop) == []
        put(shop, Gate("bgeraser", episode=episode))
        shop.clock.now += HOLD_S
        assert [n.event for n in alert(shop.parts)] == [Event.OVER]


def test_a_failed_run_is_told_with_collection_and_cause_until_one_succeeds(shop: Graph) -> None:
    shop.remover = FakeRemover([NoCredits("empty")])
    shop.sync()
    put(shop, Gate("bgeraser"))
    shop.clock.now += 1.0
    note_failure(shop.parts, StoreError("the disk is full\nand more"), "shoes", "r-7")
    assert lines(shop, Kind.RUN_FAILED).startswith("run failed: shoes: the disk is full\nat 1970-")
    assert lines(shop, Kind.RUN_FAILED).endswith("http://dagster.test/runs/r-7")

    shop.clock.now += 1.0
    shop.control.log_sync("process", 0.0, {"collection": "bags", **shop.sync().summary.as_dict()})
    assert kinds(shop) == []


def test_a_run_that_failed_in_another_collection_stays_told(shop: Graph) -> None:
    shop.remover.credits_left, shop.low = Decimal(0), Decimal(10)
    shop.sync()
    put(shop, Gate("bgeraser"))
    facts = shop.sync().summary.as_dict() | {"paused": None}
    put(shop, Gate("bgeraser"))
    for name in ("bags", "shoes"):
        shop.clock.now += 1.0
        note_failure(shop.parts, "lost its worker", name)
    shop.clock.now += 1.0
    shop.control.log_sync("process", 0.0, {"collection": "bags", **facts})

    assert lines(shop, Kind.RUN_FAILED).startswith("run failed: shoes: lost its worker")


def test_a_failed_detection_is_told_until_one_succeeds(shop: Graph) -> None:
    note_failure(shop.parts, StateError("the database failed"))
    assert lines(shop, Kind.RUN_FAILED).startswith("run failed: detection: the database failed")

    shop.clock.now += 1.0
    shop.sync()
    assert kinds(shop) == []


def test_a_guard_is_told_as_such(shop: Graph) -> None:
    note_failure(shop.parts, GuardStopped("the source is empty"))
    note_failure(shop.parts, "too many gone", "shoes", guard=True)
    shop.clock.now += 1.0

    assert lines(shop, Kind.GUARD).startswith("a guard stopped detection: the source is empty")


def test_an_end_that_is_no_failure_is_not_noted(shop: Graph) -> None:
    note_failure(shop.parts, LeaseHeld("another run works on it"))
    note_failure(shop.parts, NoCredits("empty"))

    assert kinds(shop) == []


def test_a_spend_cap_is_told_until_a_run_ends_below_it(shop: Graph) -> None:
    shop.sync(cap=2)
    assert "pending: 3 items, at most 3 credits" in lines(shop, Kind.SPEND_CAP)

    shop.clock.now += 60.0
    shop.sync()
    assert kinds(shop) == []


def test_a_share_of_failures_above_the_rate_is_told_with_its_causes(shop: Graph) -> None:
    for n in range(6):
        shop.source.put(f"shoes/broken-{n}.png", product(50 + n)[:-25])
    shop.sync()
    said = lines(shop, Kind.FAILURE_RATE)

    assert said.startswith("6 of 11 items failed in two days\n6 × cannot be read as a picture")


def test_no_complete_night_is_told_after_26_hours(shop: Graph) -> None:
    shop.sync()
    shop.clock.now += NIGHT_S - 1.0
    assert kinds(shop) == []
    shop.clock.now += 1.0

    assert "`bg-pipeline doctor`" in lines(shop, Kind.NO_NIGHT)


def test_work_that_is_found_and_that_nobody_does_is_told(shop: Graph) -> None:
    for _ in range(4):
        shop.control.log_sync("detect", 0.0, {"work": 0})
        shop.clock.now += 3600.0
    for _ in range(2):
        assert kinds(shop) == []
        only_detect(shop)
        shop.clock.now += 13.5 * 3600.0

    assert "pending: 5 items" in lines(shop, Kind.NO_NIGHT)
    put(shop, Gate("bgeraser", GateState.CLOSED, GateReason.BAD_KEY, 1.0, 1))
    assert kinds(shop) == [Kind.BAD_KEY]


def only_detect(shop: Graph) -> None:
    """A detection that no run follows."""
    scan(shop.parts, "a test", Silent())
    detect(shop.parts, "a test")


@pytest.mark.parametrize("sound", [True, False])
def test_a_ledger_that_differs_from_the_balance_is_told(shop: Graph, sound: bool) -> None:
    facts = {"provider": "bgeraser", "balance": 90.0, "drift": 8.0, "sound": sound, "because": "the balance fell by 10"}
    shop.control.log_sync("balance", 0.0, {"provider": "bgeraser", "balance": 100.0})
    shop.control.log_sync("balance", 0.0, facts)

    assert kinds(shop) == ([] if sound else [Kind.DRIFT])
    assert sound or "differ by 8 credits\nthe balance fell by 10" in lines(shop, Kind.DRIFT)


def test_without_anybody_to_be_told_nothing_is_decided(shop: Graph) -> None:
    shop.sink = FakeSink(())
    note_failure(shop.parts, "boom")

    assert (alert(shop.parts), after_sync(shop.parts)) == ((), [])
    assert shop.database.episodes == ()


def test_a_dead_target_loses_nothing_and_repeats_none_of_the_others(shop: Graph) -> None:
    shop.sink = FakeSink(("good", "dead"))
    shop.sink.dead = {"dead"}
    note_failure(shop.parts, "boom")
    for day in range(3):
        alert(shop.parts)
        done = deliver(shop.outbox, shop.sink, shop.clock)
        assert (done.sent, done.refused_by) == (1, ("dead",)), day
        shop.clock.now += REPEAT_S
    shop.sink.dead = set()
    deliver(shop.outbox, shop.sink, shop.clock)
    events = [(name, notice.event) for name, notice in shop.sink.got]

    for name in ("good", "dead"):
        assert [event for n, event in events if n == name] == [Event.BEGAN, Event.STILL, Event.STILL]


def test_a_dead_target_is_left_alone_between_two_tries(shop: Graph) -> None:
    shop.sink.dead = {"a chat"}
    note_failure(shop.parts, "boom")
    alert(shop.parts)
    tries = 0
    for _ in range(24 * 60):
        tries += len(deliver(shop.outbox, shop.sink, shop.clock).refused_by)
        shop.clock.now += 60.0

    assert 24 < tries < 35


def test_what_a_target_did_not_take_for_a_week_is_given_up(shop: Graph) -> None:
    shop.sink.dead = {"a chat"}
    note_failure(shop.parts, "boom")
    alert(shop.parts)
    shop.clock.now += GIVE_UP_S - 1.0
    assert deliver(shop.outbox, shop.sink, shop.clock).given_up == 0
    shop.clock.now += 3600.0

    assert deliver(shop.outbox, shop.sink, shop.clock).given_up == 1
    assert shop.outbox.backlog() == {"a chat": (0, 1)}


def test_after_a_sync_what_ended_it_is_told_at_once(shop: Graph) -> None:
    assert after_sync(shop.parts, GuardStopped("the source is empty")) == []

    assert [notice.title for _, notice in shop.sink.got] == [
        "bg_pipeline: a guard stopped detection: the source is empty"
    ]


def test_after_a_sync_a_target_that_takes_nothing_is_named_and_fails_nothing(shop: Graph) -> None:
    shop.sink.dead = {"a chat"}
    assert after_sync(shop.parts, StoreError("full")) == ["a chat did not take an alert; the next sync tries again"]


def test_a_database_that_fails_after_a_sync_is_a_sentence_and_fails_nothing(
    shop: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise StateError("the manifest database is locked")

    monkeypatch.setattr(shop.outbox, "note", broken)
    assert after_sync(shop.parts) == ["alerts: the manifest database is locked"]


def test_keys_from_the_catalogue_call_nobody(shop: Graph) -> None:
    note_failure(shop.parts, "cannot read <!channel>\n@everyone", "<@U1>\x1b[31m")
    shop.control.log_sync("detect", 0.0, {"work": 0})
    shop.source.put("<@U1>\x1b[31m/1.png", product(3))
    only_detect(shop)
    (notice,) = alert(shop.parts)

    assert not set(notice.title + notice.body) & set("<>@\x1b")
