"""Times and texts of alerts: when a person is told, and that the text can do no harm."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bg_pipeline.core.alerts import (
    HOLD_S,
    OF_ACCOUNTS,
    REPEAT_S,
    Alert,
    AlertCheck,
    Event,
    Incident,
    Kind,
    Notification,
    NotificationPlan,
    is_over,
    missed_night,
    notification,
    plan_notifications,
    retry_in_s,
    too_many_failed,
)
from bg_pipeline.core.claims import AskedBy
from bg_pipeline.core.report import Summary
from bg_pipeline.core.runlog import (
    ClearOutRecord,
    DetectRecord,
    FailureKind,
    FailureRecord,
    ProcessRecord,
    Record,
    RetryRecord,
    Stage,
)

LOW = Alert(Kind.CREDITS, "bgeraser", "bgeraser: credits are low", ("12 credits are left",))


class Watch:
    """Looks in a row, each with the incidents that the one before left open."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.incidents: tuple[Incident, ...] = ()

    def look(self, *alerts: Alert, after_s: float = 60.0) -> list[tuple[Event, str]]:
        self.now += after_s
        made: NotificationPlan = plan_notifications(AlertCheck(alerts), self.incidents, self.now)
        self.incidents = made.incidents
        return [(n.event, n.title) for n in made.notifications]

    def events(self, *alerts: Alert, after_s: float = 60.0) -> list[Event]:
        return [event for event, _ in self.look(*alerts, after_s=after_s)]


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_an_incident_is_told_when_it_begins_and_when_it_is_over_and_not_between(watch: Watch) -> None:
    assert watch.look() == []
    assert watch.look(LOW) == [(Event.BEGAN, "bg_pipeline: bgeraser: credits are low")]
    assert [watch.look(LOW) for _ in range(50)] == [[]] * 50
    assert watch.look(after_s=HOLD_S) == [(Event.OVER, "bg_pipeline, recovered: bgeraser: credits are low")]
    assert watch.look(after_s=REPEAT_S) == []


def test_while_it_lasts_it_is_told_daily(watch: Watch) -> None:
    told = [event for _ in range(24 * 4) for event in watch.events(LOW, after_s=3600.0)]

    assert told == [Event.BEGAN, Event.STILL, Event.STILL, Event.STILL]


def test_what_comes_and_goes_faster_than_the_hold_is_one_incident(watch: Watch) -> None:
    told = [event for n in range(100) for event in watch.events(*([LOW] if n % 2 else []), after_s=HOLD_S / 2 - 1)]
    assert told == [Event.BEGAN]

    assert watch.events(after_s=HOLD_S) == [Event.OVER]


def test_a_look_once_a_night_is_enough_to_see_that_it_is_over(watch: Watch) -> None:
    watch.look(LOW)

    assert watch.events(after_s=REPEAT_S) == [Event.OVER]


def test_any_number_of_incidents_is_told(watch: Watch) -> None:
    for _ in range(20):
        assert watch.events(LOW) == [Event.BEGAN]
        assert watch.events(after_s=HOLD_S) == [Event.OVER]


def test_several_of_a_kind_at_s_once_are_one_notification(watch: Watch) -> None:
    failed = [Alert(Kind.RUN_FAILED, name, f"run failed: {name}: the disk is full") for name in ("a", "b", "c")]
    title = "bg_pipeline: run failed: a: the disk is full (and 2 more)"

    assert watch.look(*failed, LOW) == [(Event.BEGAN, title), (Event.BEGAN, "bg_pipeline: bgeraser: credits are low")]
    assert watch.look(after_s=HOLD_S)[0] == (Event.OVER, title.replace("line:", "line, recovered:"))


def test_a_second_and_a_third_incident_of_a_kind_are_told_at_once(watch: Watch) -> None:
    failed = [Alert(Kind.RUN_FAILED, name, f"run failed: {name}") for name in ("a", "b", "c")]

    assert [watch.look(*failed[:n]) for n in (1, 2, 3)] == [
        [(Event.BEGAN, f"bg_pipeline: run failed: {name}")] for name in ("a", "b", "c")
    ]


def test_what_could_not_be_checked_is_neither_over_nor_told_again(watch: Watch) -> None:
    watch.look(LOW)
    blind = AlertCheck((), frozenset({Kind.CREDITS}))
    for _ in range(3):
        watch.now += REPEAT_S
        made = plan_notifications(blind, watch.incidents, watch.now)
        assert (made.notifications, made.incidents) == ((), watch.incidents)

    assert watch.events() == [Event.OVER]


@pytest.mark.parametrize("kind", Kind)
def test_an_incident_of_an_account_that_only_other_catalogues_use_stays(watch: Watch, kind: Kind) -> None:
    watch.look(Alert(kind, "spare", "something is wrong"))
    watch.now += HOLD_S
    made = plan_notifications(AlertCheck((), elsewhere=frozenset({"spare"})), watch.incidents, watch.now)

    assert (made.incidents == watch.incidents) == (kind in OF_ACCOUNTS)


@pytest.mark.parametrize(
    ("due_h", "detected_h", "now_h", "running", "missed"),
    [
        # A weekly shop, six days after its night.
        ([0], 1, 6 * 24, False, None),
        ([0, 168], 1, 168 + 1.9, False, None),
        ([0, 168], 1, 168 + 2.1, False, 168),
        # A long night of a weekly shop.
        ([0, 168], 1, 168 + 20, True, None),
        ([0, 168], 1, 168 + 27, True, 168),
        # A daily shop whose last two nights were missed.
        ([0, 24, 48], 1, 51, False, 48),
        # The schedule is switched off.
        ([], 1, 9_000, False, None),
    ],
)
def test_a_night_is_missed_by_the_times_of_its_schedule(
    due_h: list[float], detected_h: float, now_h: float, running: bool, missed: float | None
) -> None:
    at_s = missed_night([h * 3600.0 for h in due_h], detected_h * 3600.0, now_h * 3600.0, running=running)

    assert at_s == (None if missed is None else missed * 3600.0)


def test_a_storm_of_one_kind_is_told_in_bundles(watch: Watch) -> None:
    failed = [Alert(Kind.RUN_FAILED, str(n), f"run failed: {n}") for n in range(300)]
    told = [event for n in range(300) for event in watch.events(*failed[: n + 1], after_s=10.0)]
    told += watch.events(*failed, after_s=HOLD_S)

    assert len(watch.incidents) == 300
    assert len(told) <= 3 * (3000 / HOLD_S + 1)


def test_what_changes_in_the_text_begins_nothing_new(watch: Watch) -> None:
    watch.look(LOW)

    assert watch.look(Alert(Kind.CREDITS, "bgeraser", "bgeraser: none are left")) == []
    assert watch.look(after_s=HOLD_S) == [(Event.OVER, "bg_pipeline, recovered: bgeraser: none are left")]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("a <!channel> b", "a ‹!channel› b"),
        ("<@U123> @everyone", "‹＠U123› ＠everyone"),
        ("<a href='x'>y</a>", "‹a href='x'›y‹/a›"),
        ("two\nlines\r\x1b[31m", "two\\nlines\\r\\x1b[31m"),
        ("gpj.\u202eexe\u200b", "gpj.\\u202eexe\\u200b"),
        ("no UTF-8: \udcff", "no UTF-8: \\udcff"),
        ("`code`", "ˋcodeˋ"),
        ("größe 3×4 – 日本.jpg", "größe 3×4 – 日本.jpg"),
    ],
)
def test_keys_break_no_line_and_call_no_person(said: str, shown: str) -> None:
    told = notification(Event.BEGAN, said, [said])

    assert told == Notification(Event.BEGAN, f"bg_pipeline: {shown}", shown)


def test_a_notification_always_has_a_body() -> None:
    assert notification(Event.BEGAN, "a title", []).body == "a title"


def test_a_notification_fits_into_the_smallest_target_and_keeps_its_advice() -> None:
    """Pushover takes a title of 250 characters and a body of 1,024."""
    advice = f"{'the reason, ' * 100}then mount the source"
    told = notification(Event.STILL, f"run failed: {'x' * 10_000}: no space left", [advice, *["\n" * 10_000] * 300])

    assert len(told.title) <= 250
    assert told.title.endswith("x: no space left")
    assert len(told.body) <= 1_024
    assert "then mount the source\n" in told.body
    assert told.body.endswith("… and 298 more")


@pytest.mark.parametrize(
    ("failed", "published", "rate", "told"),
    [(4, 0, 0.2, False), (5, 0, 0.2, True), (20, 80, 0.2, False), (21, 79, 0.2, True), (50, 0, 1.0, False)],
)
def test_a_share_of_failures_is_told_above_the_rate_and_with_enough_of_them(
    failed: int, published: int, rate: float, told: bool
) -> None:
    assert too_many_failed(failed, published, rate) is told


def test_a_dead_target_is_tried_after_a_minute_to_an_hour() -> None:
    assert [retry_in_s(n) for n in (1, 2, 3, 6, 7, 10_000)] == [60, 120, 240, 1920, 3600, 3600]


NIGHT: dict[str, Any] = {"run_id": "r-2", "job": "nightly", "collections": None, "started_at": 0.0, "ended_at": 200.0}
DETECTED = DetectRecord(**NIGHT, counts={}, rows=(), work=0, purchases=0, credits=Decimal(0))
CLEARED = ClearOutRecord(**NIGHT, moved=0, purged=0)
STOPPED = replace(CLEARED, stopped="too many would go")
DID_ALL = ProcessRecord(**NIGHT, asked_by=AskedBy.NIGHT, everything=True, summary=Summary())
DID_SHOES = replace(DID_ALL, everything=False, collections=("shoes",))
DID_BAGS = replace(DID_SHOES, collections=("bags",))
DID_SOME_ITEMS = replace(DID_ALL, everything=False)
RETRIED = RetryRecord(**(NIGHT | {"job": "retry_failed"}), items=1)


def failure(stage: Stage, *collections: str) -> FailureRecord:
    return FailureRecord(
        run_id="r-1",
        job="retry_failed",
        collections=collections or None,
        started_at=0.0,
        ended_at=100.0,
        stage=stage,
        failure=FailureKind.ERROR,
        cause="boom",
    )


@pytest.mark.parametrize(
    ("stage", "collections", "records", "over"),
    [
        (Stage.DETECTION, (), [DETECTED], True),
        (Stage.DETECTION, (), [CLEARED, DID_ALL, RETRIED], False),
        (Stage.CLEAR_OUT, (), [CLEARED], True),
        (Stage.CLEAR_OUT, (), [STOPPED], False),
        (Stage.CLEAR_OUT, (), [DETECTED, DID_ALL], False),
        (Stage.PROCESSING, (), [DID_ALL], True),
        (Stage.PROCESSING, (), [DETECTED, CLEARED], False),
        (Stage.PROCESSING, (), [DID_SHOES, DID_BAGS], False),
        (Stage.PROCESSING, (), [DID_SOME_ITEMS], False),
        (Stage.PROCESSING, ("shoes",), [DID_ALL], True),
        (Stage.PROCESSING, ("shoes",), [DID_SHOES], True),
        (Stage.PROCESSING, ("shoes",), [DID_BAGS], False),
        (Stage.PROCESSING, ("shoes",), [DID_SOME_ITEMS], False),
        (Stage.PROCESSING, ("bags", "shoes"), [DID_SHOES], False),
        (Stage.PROCESSING, ("bags", "shoes"), [DID_SHOES, DID_BAGS], True),
        (Stage.PROCESSING, ("hats", "shoes"), [DID_SHOES], True),
        (Stage.OTHER, (), [RETRIED], True),
        (Stage.OTHER, (), [DETECTED, CLEARED, DID_ALL], False),
    ],
)
def test_a_failure_is_over_when_a_later_run_did_the_same(
    stage: Stage, collections: tuple[str, ...], records: list[Record], over: bool
) -> None:
    """`shoes` and `bags` have pending items, `hats` have none."""
    failed, pending = failure(stage, *collections), {"shoes", "bags"}

    assert is_over(failed, records, pending, now=300.0) is over
    before = [replace(record, ended_at=99.0) for record in records]
    assert not is_over(failed, before, pending, now=300.0)


@pytest.mark.parametrize(
    ("collections", "pending", "over"),
    [((), {"shoes"}, False), ((), set(), True), (("shoes",), {"shoes"}, False), (("shoes",), {"bags"}, True)],
)
def test_a_failed_run_is_over_when_nothing_that_it_worked_on_is_pending(
    collections: tuple[str, ...], pending: set[str], over: bool
) -> None:
    assert is_over(failure(Stage.PROCESSING, *collections), [], pending, now=300.0) is over
    assert not is_over(failure(Stage.DETECTION), [], pending, now=300.0)


def test_a_failure_that_no_record_can_end_is_over_after_a_day() -> None:
    failed = failure(Stage.OTHER)

    assert not is_over(failed, [], set(), now=100.0 + REPEAT_S - 1)
    assert is_over(failed, [], set(), now=100.0 + REPEAT_S + 1)
    assert not is_over(failure(Stage.DETECTION), [], set(), now=100.0 + REPEAT_S + 1)


@pytest.mark.parametrize("lines", [(), ("x" * 5_000,) * 50], ids=["no-line", "many-long-lines"])
@pytest.mark.parametrize("kind", Kind)
def test_every_notification_links_to_the_entry_of_its_kind(kind: Kind, lines: tuple[str, ...]) -> None:
    page = "https://docs.test/operating.md"
    wrong, now = AlertCheck((Alert(kind, "", "a title", lines),)), 1_000_000.0
    began = plan_notifications(wrong, (), now, page)
    still = plan_notifications(wrong, began.incidents, now + REPEAT_S, page)
    over = plan_notifications(AlertCheck(()), still.incidents, now + 2 * REPEAT_S, page)
    told = [*began.notifications, *still.notifications, *over.notifications]

    assert [each.event for each in told] == [Event.BEGAN, Event.STILL, Event.OVER]
    assert all(f"{page}#alert-{kind.replace('_', '-')}" in each.body.splitlines() for each in told)
