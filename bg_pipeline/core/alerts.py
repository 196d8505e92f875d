"""Alerts: notify once when something goes wrong, daily while it lasts, and once when it is over."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from bg_pipeline.core.moments import age_s
from bg_pipeline.core.night_window import Night
from bg_pipeline.core.runlog import ClearOutRecord, DetectRecord, FailureRecord, ProcessRecord, Record, Stage

HOLD_S = 600.0
"""Seconds without an alert after which its incident is over. Shorter gaps do not split an incident."""

REPEAT_S = 86_400.0
"""Seconds between two notifications of an incident that lasts."""

GIVE_UP_S = 7 * 86_400.0
"""Seconds after which a notification that its target did not accept is given up."""

GRACES_S = (2 * 3600.0, 26 * 3600.0)
"""Seconds that a night may take until it counts as missed: without a running detection, and while one runs."""

IDLE_S = 26 * 3600.0
"""A day, plus two hours: seconds for which detected work may wait until a run has worked on it."""

START_S = 900.0
"""Seconds after a detection within which its run starts."""

_LONGEST_TITLE = 200
_LONGEST_LINE = 300
_LONGEST_BODY = 1_000
"""Characters. Targets refuse or cut long messages: Pushover after 250 and 1,024, Discord after 2,000."""

_STORM = 3
"""Notifications of a kind that are sent at once within `HOLD_S`; further incidents wait and share one."""

_FEWEST_FAILURES = 5
"""Fewest failures for a meaningful share: one bad picture of two is no trend."""

_LOOK_ALIKES = str.maketrans({"<": "‹", ">": "›", "@": "＠", "`": "ˋ"})
"""Characters that make mentions, links and tags (`<!channel>`, `@everyone`, `<a href>`), and harmless look-alikes."""


class Kind(StrEnum):
    """Kinds of problems. Kind and subject identify an incident."""

    CREDITS = "credits"
    BAD_KEY = "bad_key"
    OUTAGE = "outage"
    PAUSED = "paused"
    GUARD = "guard"
    SPEND_CAP = "spend_cap"
    FAILURE_RATE = "failure_rate"
    UNREADABLE = "unreadable"
    HOST_DOWN = "host_down"
    NO_NIGHT = "no_night"
    DRIFT = "drift"
    NOT_PROCESSED = "not_processed"
    RUN_FAILED = "run_failed"
    SETTINGS = "settings"
    EXPORT = "export"


OPERATING = "docs/operating.md"
"""The page that explains every kind, by its path in this project."""

OF_ACCOUNTS = frozenset({Kind.CREDITS, Kind.BAD_KEY, Kind.OUTAGE, Kind.PAUSED, Kind.DRIFT})
"""Kinds whose subject is an account: all catalogues that use it share the incident. Any other is one catalogue's."""


class Event(StrEnum):
    """The event in an incident that a notification reports."""

    BEGAN = "began"
    STILL = "still"
    OVER = "over"
    TEST = "test"


_OPENING: Mapping[Event, str] = {
    Event.BEGAN: "bg_pipeline: ",
    Event.STILL: "bg_pipeline, still: ",
    Event.OVER: "bg_pipeline, recovered: ",
    Event.TEST: "bg_pipeline: ",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """A problem that exists now."""

    kind: Kind
    subject: str
    """What is affected, such as an account or a collection; empty where there is only one of the kind."""
    title: str
    lines: tuple[str, ...] = ()
    """
    Advice and facts for a person, the most important first: a long message loses its last lines. May quote keys and
    vendors: `plan_notifications` makes them harmless.
    """


@dataclass(frozen=True, slots=True)
class AlertCheck:
    """The problems that a check saw."""

    alerts: tuple[Alert, ...]
    unchecked: frozenset[Kind] = frozenset()
    """Kinds that the check could not see completely: their incidents stay as they are."""
    elsewhere: frozenset[str] = frozenset()
    """Accounts that only other catalogues use: their incidents stay too."""

    def sees(self, kind: Kind, subject: str) -> bool:
        """Return True if this check would have seen such a problem."""
        return kind not in self.unchecked and not (kind in OF_ACCOUNTS and subject in self.elsewhere)


@dataclass(frozen=True, slots=True)
class Incident:
    """One alert, from the first check that saw it until `HOLD_S` after the last one."""

    kind: Kind
    subject: str
    title: str
    began_at: float
    seen_at: float
    notified_at: float


@dataclass(frozen=True, slots=True)
class Notification:
    """Plain text for a person, without markup or control characters for a chat, a mail or a terminal."""

    event: Event
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class NotificationPlan:
    """Notifications to send now, and the incidents that are open from now on."""

    notifications: tuple[Notification, ...]
    incidents: tuple[Incident, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A place to send notifications; its name does not contain the URL, which is a secret."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification on its way to one target."""

    id: int
    target: str
    """The target's digest."""
    notification: Notification
    made_at: float
    tries: int
    """Number of times it was sent, including this one."""


def explanation(kind: Kind, operating_url: str = "") -> str:
    """Return the link to the entry of this kind in the operating page."""
    return f"{operating_url or OPERATING}#alert-{kind.replace('_', '-')}"


def plan_notifications(
    check: AlertCheck, incidents: Sequence[Incident], now: float, operating_url: str = ""
) -> NotificationPlan:
    """
    Compare the current alerts with the open incidents. Notifications of one kind and event become one, with a link to
    the entry of the kind in the operating page.

        alert      incident  result
        there      none      it begins, with a notification; in a storm of its kind, later (`_STORM`)
        there      open      another notification, if the last was `REPEAT_S` ago
        gone       open      over, if it was last seen `HOLD_S` ago; until then it may come back without a notification
        not seen   open      it stays open: see `AlertCheck.sees`
    """
    present = {(alert.kind, alert.subject): alert for alert in check.alerts}
    known = {(incident.kind, incident.subject): incident for incident in incidents}
    # Incidents that share a notification share its time.
    notified = {(each.kind, each.notified_at) for each in incidents if age_s(each.notified_at, now) < HOLD_S}
    storms = {kind for kind, count in Counter(kind for kind, _ in notified).items() if count >= _STORM}
    due: dict[tuple[Event, Kind], list[Alert]] = {}
    kept: list[Incident] = []
    for name, alert in present.items():
        incident = known.get(name)
        if incident is None:
            if alert.kind in storms:
                continue
            due.setdefault((Event.BEGAN, alert.kind), []).append(alert)
            kept.append(Incident(alert.kind, alert.subject, alert.title, now, now, now))
        elif age_s(incident.notified_at, now) >= REPEAT_S:
            since = f"since {moment(incident.began_at)}"
            repeated = replace(alert, lines=(*alert.lines, since))
            due.setdefault((Event.STILL, alert.kind), []).append(repeated)
            kept.append(replace(incident, title=alert.title, seen_at=now, notified_at=now))
        else:
            kept.append(replace(incident, title=alert.title, seen_at=now))
    for name, incident in known.items():
        if name in present:
            continue
        if not check.sees(*name) or age_s(incident.seen_at, now) < HOLD_S:
            kept.append(incident)
            continue
        lasted = f"from {moment(incident.began_at)} to {moment(incident.seen_at)}"
        ended = Alert(incident.kind, incident.subject, incident.title, (lasted,))
        due.setdefault((Event.OVER, incident.kind), []).append(ended)
    notifications = (
        _notification(event, group, explanation(kind, operating_url)) for (event, kind), group in due.items()
    )
    return NotificationPlan(tuple(notifications), tuple(kept))


def _notification(event: Event, alerts: Sequence[Alert], link: str) -> Notification:
    first, *others = alerts
    title = f"{first.title} (and {len(others)} more)" if others else first.title
    # Among the first lines, because a long message loses its last ones.
    return notification(event, title, [*first.lines[:1], link, *first.lines[1:], *(other.title for other in others)])


def notification(event: Event, title: str, lines: Sequence[str]) -> Notification:
    """Return plain text of bounded length, one line for each line; never an empty body, which many services refuse."""
    shown: list[str] = []
    left = _LONGEST_BODY
    for number, line in enumerate(lines or [title]):
        text = inert(line)
        if len(text) >= left:
            shown.append(f"… and {len(lines) - number} more")
            break
        shown.append(text)
        left -= len(text) + 1
    return Notification(event, _OPENING[event] + inert(title, _LONGEST_TITLE), "\n".join(shown))


def inert(text: str, longest: int = _LONGEST_LINE) -> str:
    """
    Return one line that cannot start a new line or mention a person.

    Text that is too long loses its middle: it begins with what happened, and ends with what to do.
    """
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    half = (longest - 1) // 2
    clipped = visible if len(visible) <= longest else f"{visible[:half]}…{visible[-half:]}"
    return clipped.translate(_LOOK_ALIKES)


def moment(epoch_s: float) -> str:
    """Format a time as `2026-11-24 02:05 UTC`."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def is_over(failure: FailureRecord, records: Iterable[Record], pending: Collection[str], now: float) -> bool:
    """
    Return True if the failure of a run no longer needs attention.

        failed stage   it is over when
        detection      a later detection completed, in any run
        clear out      a later one completed, and no guard stopped it
        processing     later runs covered all of its work, or none of it is pending
        other          a later run of its job left a record, or after `REPEAT_S`: many such runs leave none

    Args:
        failure: of any stage.
        records: of any kind and age; those before the failure are ignored.
        pending: partition keys with pending items.
        now: epoch seconds.
    """
    later = [record for record in records if record.ended_at > failure.ended_at]
    if failure.stage is Stage.DETECTION:
        return any(isinstance(record, DetectRecord) for record in later)
    if failure.stage is Stage.CLEAR_OUT:
        return any(isinstance(record, ClearOutRecord) and not record.stopped for record in later)
    if failure.stage is Stage.PROCESSING:
        processed = [record for record in later if isinstance(record, ProcessRecord)]
        covered = {name for record in processed for name in record.collections or ()}
        left = set(pending) if failure.collections is None else set(pending) & set(failure.collections) - covered
        return not left or any(record.everything for record in processed)
    return now - failure.ended_at > REPEAT_S or any(record.job == failure.job for record in later)


def missed_night(due_at: Iterable[float], detected_at: float, now: float, *, running: bool) -> float | None:
    """
    Return the time of the last night that should be complete and is not; None if there is none.

    Args:
        due_at: times at which a night was due; none while the schedule is switched off.
        detected_at: end of the last detection.
        now: epoch seconds, like all times.
        running: True while a detection runs: a night may last longer than the one before.
    """
    grace_s = GRACES_S[running]
    return max((due for due in due_at if detected_at < due <= now - grace_s), default=None)


def unprocessed_since(
    detected_at: Iterable[float], night_of: Callable[[float], Night | None], now: float
) -> float | None:
    """
    Return the end of the oldest detection whose work should have been processed by now; None if there is none.

        window of its night                       its work is processed
        none, or it stays open for `START_S`      within `IDLE_S`
        over, or about to be                      after the detection of a later night, which counts by itself

    Args:
        detected_at: ends of the detections that found work, since the last run that processed any.
        night_of: returns the night of a detection, None if nights have no end.
        now: epoch seconds, like all times.
    """
    due = (each for each in detected_at if now - each > IDLE_S)
    nights = ((each, night_of(each)) for each in due)
    return min((each for each, night in nights if night is None or each + START_S < night.ends_at), default=None)


def too_many_failed(failed: int, published: int, rate: float) -> bool:
    """Return True if the share of failures is above the rate, and there are enough failures for a share."""
    return failed >= _FEWEST_FAILURES and failed > rate * (failed + published)


LONGEST_WAIT_S = 3600.0
"""Longest wait in seconds before a delivery is tried again."""


def is_due(due_at: float, now: float) -> bool:
    """Return True if a delivery may be tried; also if it waits for longer than any does, by a clock that was ahead."""
    return not 0 < due_at - now <= LONGEST_WAIT_S


def retry_in_s(tries: int) -> float:
    """Return the seconds until the next try: a minute, doubled each time, at most an hour."""
    return min(60.0 * 2.0 ** min(tries - 1, 10), LONGEST_WAIT_S)
