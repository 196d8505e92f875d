"""One suite for the outbox: in memory, in SQLite, in PostgreSQL."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from bg_pipeline.core.alerts import (
    Alert,
    AlertCheck,
    Delivery,
    Event,
    Incident,
    Kind,
    NotificationPlan,
    plan_notifications,
)
from bg_pipeline.ports.alerts import Outbox
from bg_pipeline_tests.contracts.manifest import Manifest
from bg_pipeline_tests.fakes import FakeClock


@pytest.fixture
def outbox(manifest: Manifest) -> Outbox:
    return manifest.outbox


def note(outbox: Outbox, clock: FakeClock, *titles: str, targets: Sequence[str] = ("t1",)) -> NotificationPlan:
    """Have these be wrong: the title is the subject."""
    kinds = list(Kind)
    alerts = [Alert(kinds[n], title, title, ("a line",)) for n, title in enumerate(titles)]
    return outbox.note(lambda incidents: plan_notifications(AlertCheck(tuple(alerts)), incidents, clock.now), targets)


def claimed(outbox: Outbox, target: str = "t1") -> Delivery:
    delivery = outbox.claim(target, 120.0)
    assert delivery is not None
    return delivery


def test_incidents_are_kept_as_they_were_decided(outbox: Outbox, clock: FakeClock) -> None:
    made = note(outbox, clock, "no UTF-8: \udcff", "two")
    known: list[Incident] = []
    outbox.note(lambda incidents: known.extend(incidents) or NotificationPlan((), ()), [])  # type: ignore[func-returns-value]

    assert {(e.kind, e.subject, e.began_at, e.seen_at, e.notified_at) for e in known} == {
        (e.kind, e.subject, e.began_at, e.seen_at, e.notified_at) for e in made.incidents
    }
    assert note(outbox, clock).incidents == ()


def test_a_notification_is_a_delivery_to_each_target(outbox: Outbox, clock: FakeClock) -> None:
    (told,) = note(outbox, clock, "one", targets=["t1", "t2"]).notifications

    assert (claimed(outbox, "t1").notification, claimed(outbox, "t2").notification) == (told, told)
    assert told.event is Event.BEGAN
    assert outbox.claim("t3", 120.0) is None
    assert note(outbox, clock, "one", targets=["t1", "t2"]).notifications == ()


def test_nothing_is_kept_where_the_decision_breaks_off(outbox: Outbox, clock: FakeClock) -> None:
    def broken(_episodes: Sequence[Incident]) -> NotificationPlan:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        outbox.note(broken, ["t1"])
    assert len(note(outbox, clock, "one").notifications) == 1


def test_a_delivery_that_was_taken_comes_never_again(outbox: Outbox, clock: FakeClock) -> None:
    note(outbox, clock, "one")
    outbox.close(claimed(outbox), True, 60.0)
    clock.now += 1e6

    assert outbox.claim("t1", 120.0) is None
    assert (outbox.give_up(clock.now), outbox.backlog()) == (0, {})


def test_deliveries_come_in_order_and_the_next_waits_for_the_one_before(outbox: Outbox, clock: FakeClock) -> None:
    note(outbox, clock, "one", "two")
    first = claimed(outbox)
    assert (first.notification.title, first.tries) == ("bg_pipeline: one", 1)
    assert outbox.claim("t1", 120.0) is None

    outbox.close(first, False, 60.0, "t1 did not take it")
    clock.now += 59.0
    assert outbox.claim("t1", 120.0) is None
    clock.now += 1.0
    again = claimed(outbox)
    assert (again.id, again.tries) == (first.id, 2)
    outbox.close(again, True, 60.0)
    assert claimed(outbox).notification.title == "bg_pipeline: two"


def test_a_delivery_of_a_process_that_died_is_sent_by_another(outbox: Outbox, clock: FakeClock) -> None:
    note(outbox, clock, "one")
    first = claimed(outbox)
    clock.now += 120.0
    second = claimed(outbox)
    assert second.id == first.id

    outbox.close(first, False, 0.0)
    assert outbox.claim("t1", 120.0) is None
    outbox.close(second, True, 60.0)
    clock.now += 1e6
    assert outbox.claim("t1", 120.0) is None


def test_what_nobody_took_for_too_long_is_given_up_on_record(outbox: Outbox, clock: FakeClock) -> None:
    note(outbox, clock, "one", targets=["t1", "gone"])
    clock.now += 10.0
    note(outbox, clock, "one", "two")
    assert outbox.backlog() == {"t1": (2, 0), "gone": (1, 0)}

    assert outbox.give_up(clock.now) == 2
    assert outbox.backlog() == {"t1": (1, 1), "gone": (0, 1)}
    assert claimed(outbox).notification.title == "bg_pipeline: two"


def test_of_many_who_want_the_same_delivery_one_gets_it(outbox: Outbox, clock: FakeClock) -> None:
    note(outbox, clock, "one")
    start = threading.Barrier(6)

    def take(_: int) -> Delivery | None:
        start.wait()
        return outbox.claim("t1", 120.0)

    with ThreadPoolExecutor(6) as pool:
        got = [delivery for delivery in pool.map(take, range(6)) if delivery]

    assert len(got) == 1


def test_of_many_who_look_at_once_one_tells(outbox: Outbox, clock: FakeClock) -> None:
    start = threading.Barrier(6)

    def look(_: int) -> int:
        start.wait()
        return len(note(outbox, clock, "one").notifications)

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(look, range(6))) == 1
