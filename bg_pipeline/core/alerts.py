"""Alerts: a person is told once when something goes wrong, daily while it lasts, and once when it is over."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from bg_pipeline.core.runlog import ClearOutRecord, DetectRecord, FailureRecord, ProcessRecord, Record, Stage

HOLD_S = 600.0
"""An episode is over when it was not seen for so long: what comes and goes faster is one episode."""

REPEAT_S = 86_400.0
"""While an episode lasts, it is told again after this."""

GIVE_UP_S = 7 * 86_400.0
"""A notice that its target did not take for so long is history."""

_LONGEST_LINE = 300
_MOST_LINES = 12
"""Chats refuse long messages: Discord more than 2,000 characters."""

_FEWEST_FAILURES = 5
"""Below this a share says nothing: one bad picture of two is no trend."""

_OBEYED = str.maketrans({"<": "‹", ">": "›", "@": "＠", "`": "ˋ"})
"""Signs that make mentions, links and tags (`<!channel>`, `@everyone`, `<a href>`), and what they look like."""


class Kind(StrEnum):
    """Kinds of trouble. Kind and subject name an episode."""

    CREDITS = "credits"
    BAD_KEY = "bad_key"
    OUTAGE = "outage"
    PAUSED = "paused"
    GUARD = "guard"
    SPEND_CAP = "spend_cap"
    FAILURE_RATE = "failure_rate"
    NO_NIGHT = "no_night"
    DRIFT = "drift"
    RUN_FAILED = "run_failed"


class Event(StrEnum):
    """Turns in the life of an episode, as notices tell them."""

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
class Concern:
    """Something that is wrong now."""

    kind: Kind
    subject: str
    """Which account or work; empty where there is only one of the kind."""
    title: str
    lines: tuple[str, ...] = ()
    """Facts and advice for a person. May quote keys and vendors: `decide` makes them harmless."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One concern, from the first look that found it to the first that did not for `HOLD_S`."""

    kind: Kind
    subject: str
    title: str
    began_at: float
    seen_at: float
    told_at: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Plain text for a person, without anything that a chat, a mail or a terminal obeys."""

    event: Event
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Notices to be sent now, and the episodes that are open from now on."""

    notices: tuple[Notice, ...]
    episodes: tuple[Episode, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody who is told; named without the URL, which is a secret."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One notice on its way to one target."""

    id: int
    target: str
    """The target's digest."""
    notice: Notice
    made_at: float
    tries: int
    """How often it was sent, this time included."""


def decide(concerns: Iterable[Concern], episodes: Sequence[Episode], now: float) -> Decision:
    """
    What the concerns of this moment change. Notices of one kind and event become one.

        concern   episode   then
        there     none      it begins, and is told; a second of a kind within `HOLD_S` begins later, with its like
        there     open      told again, if that was `REPEAT_S` ago
        gone      open      over, if it was last seen `HOLD_S` ago; before that it may come back unnoticed
    """
    present = {(concern.kind, concern.subject): concern for concern in concerns}
    known = {(episode.kind, episode.subject): episode for episode in episodes}
    told_lately = {episode.kind for episode in episodes if now - episode.told_at < HOLD_S}
    told: dict[tuple[Event, Kind], list[Concern]] = {}
    kept: list[Episode] = []
    for name, concern in present.items():
        episode = known.get(name)
        if episode is None:
            if concern.kind in told_lately:
                continue
            told.setdefault((Event.BEGAN, concern.kind), []).append(concern)
            kept.append(Episode(concern.kind, concern.subject, concern.title, now, now, now))
        elif now - episode.told_at >= REPEAT_S:
            since = f"since {moment(episode.began_at)}"
            repeated = replace(concern, lines=(since, *concern.lines))
            told.setdefault((Event.STILL, concern.kind), []).append(repeated)
            kept.append(replace(episode, title=concern.title, seen_at=now, told_at=now))
        else:
            kept.append(replace(episode, title=concern.title, seen_at=now))
    for name, episode in known.items():
        if name in present:
            continue
        if now - episode.seen_at < HOLD_S:
            kept.append(episode)
            continue
        lasted = f"from {moment(episode.began_at)} to {moment(episode.seen_at)}"
        ended = Concern(episode.kind, episode.subject, episode.title, (lasted,))
        told.setdefault((Event.OVER, episode.kind), []).append(ended)
    return Decision(tuple(_notice(event, several) for (event, _), several in told.items()), tuple(kept))


def _notice(event: Event, concerns: Sequence[Concern]) -> Notice:
    first, *others = concerns
    title = f"{first.title} (and {len(others)} more)" if others else first.title
    return notice(event, title, [*first.lines, *(other.title for other in others)])


def notice(event: Event, title: str, lines: Sequence[str]) -> Notice:
    """Plain text of bounded length, each line one line; never without a body, which many services refuse."""
    shown = [inert(line) for line in lines[:_MOST_LINES]] or [inert(title)]
    if len(lines) > _MOST_LINES:
        shown.append(f"… and {len(lines) - _MOST_LINES} more")
    return Notice(event, _OPENING[event] + inert(title), "\n".join(shown))


def inert(text: str) -> str:
    """One line of at most 300 characters in which keys and vendors can break no line and call no person."""
    clipped = text if len(text) <= _LONGEST_LINE else text[: _LONGEST_LINE - 1] + "…"
    visible = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in clipped)
    return "".join(visible).translate(_OBEYED)


def moment(epoch_s: float) -> str:
    """`2026-11-24 02:05 UTC`."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def is_over(failure: FailureRecord, records: Iterable[Record], pending: Collection[str], now: float) -> bool:
    """
    Whether the failure of a run needs no person any more.

        failed stage   it is over when
        detection      a later detection came to its end, in whichever run
        clear out      a later one came to its end, and no guard stopped it
        processing     later runs covered all that it worked on, or nothing of that is pending
        other          a later run of its job left a record, or after `REPEAT_S`: many such runs leave none

    Args:
        failure: of any stage.
        records: of any kind and age; those before the failure tell nothing.
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


def too_many_failed(failed: int, published: int, rate: float) -> bool:
    """Whether the share of failures is above the rate, and there are enough of them to speak of a share."""
    return failed >= _FEWEST_FAILURES and failed > rate * (failed + published)


def retry_in_s(tries: int) -> float:
    """Seconds until a target is tried again: a minute, twice as long each time, at most an hour."""
    return min(60.0 * 2.0 ** min(tries - 1, 10), 3600.0)
