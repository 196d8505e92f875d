"""What becomes news, and how it reaches its targets."""

from dataclasses import replace

import pytest

from bg_pipeline.core.alerts import GIVE_UP_S, REPEAT_S, Alert, Event, Kind
from bg_pipeline.core.runlog import Stage
from bg_pipeline.errors import StateError, StoreError
from bg_pipeline.pipeline.alerting.find import find_alerts
from bg_pipeline.pipeline.alerting.notify import after_sync, deliver, notify, try_targets
from bg_pipeline_tests.fakes import FakeSink
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.pipeline.alerting.shop import fail, notify_about, only_detect


def test_without_a_target_nothing_is_decided(shop: Graph) -> None:
    shop.sink = FakeSink(())
    fail(shop)

    assert (notify_about(shop), after_sync(shop.pipeline)) == ((), [])
    assert shop.database.incidents == ()


def test_of_several_catalogues_a_title_names_the_one_with_the_problem_and_not_of_an_account(shop: Graph) -> None:
    fail(shop)
    monitor = shop.pipeline.monitor
    monitor = replace(monitor, alerting=replace(monitor.alerting, catalogue="brand_b"))
    check = find_alerts(shop.pipeline)
    low = Alert(Kind.CREDITS, "main", "main: credits are low")
    told = {each.title for each in notify(monitor, replace(check, alerts=(*check.alerts, low)))}

    assert "bg_pipeline: main: credits are low" in told
    assert any(title.startswith("bg_pipeline: brand_b: ") for title in told)


def test_a_dead_target_loses_nothing_and_repeats_none_of_the_others(shop: Graph) -> None:
    shop.sink = FakeSink(("good", "dead"))
    shop.sink.dead = {"dead"}
    fail(shop)
    for day in range(3):
        notify_about(shop)
        done = deliver(shop.outbox, shop.sink, shop.clock)
        assert (done.sent, done.refusals) == (1, ("dead did not accept an alert: it is dead",)), day
        shop.clock.now += REPEAT_S
    shop.sink.dead = set()
    deliver(shop.outbox, shop.sink, shop.clock)
    events = [(name, notification.event) for name, notification in shop.sink.got]

    for name in ("good", "dead"):
        assert [event for n, event in events if n == name] == [Event.BEGAN, Event.STILL, Event.STILL]


def test_a_dead_target_is_left_alone_between_two_tries(shop: Graph) -> None:
    shop.sink.dead = {"a chat"}
    fail(shop)
    notify_about(shop)
    tries = 0
    for _ in range(24 * 60):
        tries += len(deliver(shop.outbox, shop.sink, shop.clock).refusals)
        shop.clock.now += 60.0

    assert 24 < tries < 35


def test_what_a_target_did_not_take_for_a_week_is_given_up(shop: Graph) -> None:
    shop.sink.dead = {"a chat"}
    fail(shop)
    notify_about(shop)
    shop.clock.now += GIVE_UP_S - 1.0
    assert deliver(shop.outbox, shop.sink, shop.clock).given_up == 0
    shop.clock.now += 3600.0

    assert deliver(shop.outbox, shop.sink, shop.clock).given_up == 1
    assert shop.outbox.backlog() == {"a chat": (0, 1)}


def test_a_test_notification_goes_to_every_target_and_says_who_took_it(shop: Graph) -> None:
    shop.sink = FakeSink(("good", "dead"))
    shop.sink.dead = {"dead"}
    results = try_targets(shop.pipeline.alerting, shop.clock)

    assert [(target.name, refusal) for target, refusal in results] == [("good", ""), ("dead", "it is dead")]


def test_after_a_sync_a_target_that_takes_nothing_is_named_and_fails_nothing(shop: Graph) -> None:
    shop.sink.dead = {"a chat"}
    (said,) = after_sync(shop.pipeline, StoreError("full"))

    assert said == "a chat did not accept an alert: it is dead; the next sync retries"


def test_a_database_that_fails_after_a_sync_is_a_sentence_and_fails_nothing(
    shop: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise StateError("the manifest database is locked")

    monkeypatch.setattr(shop.outbox, "note", broken)
    assert after_sync(shop.pipeline) == ["alerts: the manifest database is locked"]


def test_keys_from_the_catalogue_call_no_person(shop: Graph) -> None:
    shop.source.put("<@U1>\x1b[31m/1.png", product(3))
    only_detect(shop)
    fail(shop, "cannot read <!channel>\n@everyone", Stage.PROCESSING, "<@U1>\x1b[31m")
    (notification,) = notify_about(shop)

    assert "cannot read" in notification.title
    assert not set(notification.title + notification.body) & set("<>@\x1b")
