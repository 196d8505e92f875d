"""Tell a person what is wrong: look for it, decide what is news and keep that; deliver it in a call of its own."""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bg_pipeline.core.alerts import (
    GIVE_UP_S,
    TOP_UP,
    Concern,
    Event,
    Kind,
    Notice,
    Target,
    decide,
    moment,
    notice,
    retry_in_s,
    too_many_failed,
)
from bg_pipeline.core.credits import why_closed
from bg_pipeline.core.gate import Gate, GateReason
from bg_pipeline.core.keys import encode_partition
from bg_pipeline.core.prices import quote
from bg_pipeline.errors import (
    AccountError,
    BgPipelineError,
    BudgetReached,
    ConfigurationError,
    Deferred,
    GateClosed,
    GuardStopped,
    LeaseHeld,
)
from bg_pipeline.ports import AlertSink, Now, Outbox
from bg_pipeline.steps.money import left_of, standing
from bg_pipeline.steps.parts import Parts

NIGHT_S = 26 * 3600.0
"""A night, and two hours for one that takes longer than the last."""

_WINDOW_S = 48 * 3600.0
"""Syncs that are looked at: the last one is among them, also when a night took long."""

_FAILURES_S = 7 * 86_400.0
"""A failed run that nobody repeated for so long is history."""

_MOST_ROWS = 1_000

_MOST_READINGS = 50

_CLAIM_S = 120.0
"""Far longer than a target may take; who died while sending is followed by another after this."""

_LANE_S = 30.0
"""No new letter is begun after this: a sensor's tick has a minute."""

_BY_REASON: Mapping[GateReason, Kind] = {
    GateReason.LOW_CREDITS: Kind.CREDITS,
    GateReason.NO_CREDITS: Kind.CREDITS,
    GateReason.BAD_KEY: Kind.BAD_KEY,
    GateReason.OUTAGE: Kind.OUTAGE,
    GateReason.QUALITY: Kind.PAUSED,
    GateReason.BALANCE_UNKNOWN: Kind.PAUSED,
}
"""What a closed gate means."""

_UNTOLD = frozenset({GateReason.BY_HAND})
"""Reasons for which a gate was closed by somebody who knows."""

_GATE_TITLES: Mapping[Kind, str] = {
    Kind.CREDITS: "{}: credits are low",
    Kind.BAD_KEY: "{} refuses the key",
    Kind.OUTAGE: "{} does not serve",
    Kind.PAUSED: "{} is paused",
}

_NO_FAILURE = (AccountError, BudgetReached, ConfigurationError, Deferred, GateClosed, LeaseHeld)
"""Ends of a run that have a concern of their own, or that whoever started it sees at once."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a delivery did."""

    sent: int = 0
    refused_by: tuple[str, ...] = ()
    """Names of the targets that did not take a letter, which is tried again later."""
    given_up: int = 0


def after_sync(parts: Parts, failure: BgPipelineError | None = None) -> list[str]:
    """
    All of it after a sync of the command line; never fails, for the sync is done.

    Args:
        parts: as of the sync, whose leases are released.
        failure: what ended it, if something did.

    Returns:
        What went wrong with the alerts themselves, in sentences.
    """
    try:
        if failure is not None:
            note_failure(parts, failure)
        alert(parts)
        delivered = deliver(parts.alerting.outbox, parts.alerting.sink, parts.now)
    except BgPipelineError as error:
        return [f"alerts: {error}"]
    return [f"{name} did not take an alert; the next sync tries again" for name in delivered.refused_by]


def note_failure(
    parts: Parts,
    cause: BgPipelineError | str,
    collection: str | None = None,
    run_id: str = "",
    *,
    guard: bool = False,
) -> None:
    """
    Remember that a run failed; the next `alert` tells it. It is over when a later run of the same succeeds.

    Args:
        parts: where to remember it.
        cause: the error, or its text; the first line is told.
        collection: what it worked on; None for a detection.
        run_id: Dagster's, for a link.
        guard: the text is that of a `GuardStopped`.
    """
    if isinstance(cause, _NO_FAILURE):
        return
    facts = {
        "collection": collection,
        "cause": (str(cause).strip() or type(cause).__name__).partition("\n")[0],
        "guard": guard or isinstance(cause, GuardStopped),
        "run_id": run_id,
    }
    parts.control.log_sync("failure", parts.now(), facts)


def alert(parts: Parts) -> tuple[Notice, ...]:
    """Look, decide, and keep what is news for `deliver`; returns it. Does nothing where nobody is to be told."""
    targets = [target.digest for target in parts.alerting.sink.targets]
    if not targets:
        return ()
    concerns = concerns_of(parts)
    return parts.alerting.outbox.note(lambda episodes: decide(concerns, episodes, parts.now()), targets).notices


def deliver(outbox: Outbox, sink: AlertSink, now: Now) -> Delivered:
    """Send what is due, to all targets side by side: one that is dead or slow holds up no other."""
    if not sink.targets:
        return Delivered()
    with ThreadPoolExecutor(len(sink.targets), thread_name_prefix="alert") as pool:
        lanes = list(pool.map(lambda target: _lane(outbox, sink, target, now), sink.targets))
    refused_by = tuple(target.name for target, (_, took_all) in zip(sink.targets, lanes, strict=True) if not took_all)
    return Delivered(sum(sent for sent, _ in lanes), refused_by, outbox.give_up(now() - GIVE_UP_S))


def _lane(outbox: Outbox, sink: AlertSink, target: Target, now: Now) -> tuple[int, bool]:
    sent, ends_at = 0, now() + _LANE_S
    while now() < ends_at and (letter := outbox.claim(target.digest, _CLAIM_S)):
        took_it = sink.send(target, letter.notice)
        outbox.settle(letter, took_it, retry_in_s(letter.tries), f"{target.name} did not take it")
        if not took_it:
            return sent, False
        sent += 1
    return sent, True


def try_targets(parts: Parts) -> list[tuple[Target, bool]]:
    """
    Send a test notice to every target at once; returns which took it.

    Raises:
        ConfigurationError: there is none.
    """
    sink = parts.alerting.sink
    if not sink.targets:
        raise ConfigurationError(
            "BG_ALERT_URLS is empty, so nobody is told: set it to URLs of github.com/caronc/apprise/wiki, "
            "such as mailto://… or slack://…"
        )
    test = notice(Event.TEST, "a test", [f"sent at {moment(parts.now())}; alerts will come this way"])
    with ThreadPoolExecutor(len(sink.targets), thread_name_prefix="alert") as pool:
        return list(zip(sink.targets, pool.map(lambda target: sink.send(target, test), sink.targets), strict=True))


def concerns_of(parts: Parts) -> list[Concern]:
    """All that is wrong now, by what the manifest database tells; no service is asked."""
    return list(_Look(parts).concerns())


class _Look:
    """What is read once for several concerns."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.now = parts.now()
        self.gates = [parts.control.gate(provider) for provider in parts.providers]
        self.pending = parts.manifest.pending_collections()
        since = self.now - _WINDOW_S
        kinds = ("sync", "process")
        rows = [row for kind in kinds for row in parts.control.syncs(kind, since, _MOST_ROWS)]
        self.syncs = sorted(rows, key=lambda row: -row[0])
        """Epoch second of the end and facts, newest first."""

    def concerns(self) -> Iterator[Concern]:
        for gate in self.gates:
            # On probation nothing is over yet: the next answer will tell.
            if (not gate.is_open or gate.on_probation) and gate.reason not in _UNTOLD:
                yield self._gate(gate)
        yield from self._night()
        yield from self._failed_runs()
        yield from self._spend_cap()
        yield from self._failure_rate()
        yield from self._drift()

    def _gate(self, gate: Gate) -> Concern:
        kind = _BY_REASON[gate.reason]
        paused = next((facts for _, facts in self.syncs if facts.get("paused")), {})
        lines = [why_closed(gate, self.parts.thresholds, left_of(self.parts, gate)), self._waiting()]
        if kind is Kind.CREDITS:
            lines += [*self._balance(gate), f"top up: {TOP_UP.get(gate.provider, 'on the pages of the provider')}"]
        return Concern(kind, gate.provider, _GATE_TITLES[kind].format(gate.provider), (*lines, *self._link(paused)))

    def _balance(self, gate: Gate) -> Iterator[str]:
        facts = standing(self.parts, gate.provider)
        if facts["balance"] is not None:
            ends = facts["runs_out_on"]
            yield f"balance: {facts['balance']:g} credits" + (f", used up by {ends} at this pace" if ends else "")

    def _waiting(self) -> str:
        if not self.pending:
            return "nothing is pending"
        items = sum(self.pending.values())
        cost = quote(self.parts.recipe.cut, items, None, Decimal(0))
        usd = "" if cost["money_usd"] is None else f", ${cost['money_usd']:.2f}"
        largest = sorted(self.pending.items(), key=lambda found: -found[1])[:3]
        names = ", ".join(f"{encode_partition(name)} {count}" for name, count in largest)
        more = f" and {len(self.pending) - 3} more collections" if len(self.pending) > 3 else ""
        return f"pending: {items} items, at most {cost['credits']:g} credits{usd} ({names}{more})"

    def _link(self, facts: Mapping[str, Any]) -> list[str]:
        base = self.parts.alerting.ui_url
        if not base:
            return []
        return [f"{base}/runs/{facts['run_id']}" if facts.get("run_id") else base]

    def _night(self) -> Iterator[Concern]:
        """Who never detected anything is not yet set up; who waits for a gate knows why."""
        control = self.parts.control
        detected_at = max((ended for ended, _ in control.syncs("detect")), default=self.now)
        if self.now - detected_at > NIGHT_S:
            yield Concern(
                Kind.NO_NIGHT,
                "",
                "no complete night in 26 hours",
                (
                    f"the last detection ended at {moment(detected_at)}",
                    "see that the daemon runs and the schedule is switched on; `bg-pipeline doctor` helps",
                    *self._link({}),
                ),
            )
            return
        if not self.pending or not any(gate.is_open for gate in self.gates):
            return
        ends = [ended for kind in ("sync", "process") for ended, _ in control.syncs(kind)]
        worked_at = max(ends, default=0.0)
        waves = [ended for ended, facts in control.syncs("detect", worked_at, _MOST_ROWS) if facts.get("work")]
        if waves and self.now - waves[-1] > NIGHT_S:
            yield Concern(
                Kind.NO_NIGHT,
                "",
                "work is found, and nobody does it",
                (
                    self._waiting(),
                    f"found at {moment(waves[-1])}; see that the sensors are switched on",
                    *self._link({}),
                ),
            )

    def _failed_runs(self) -> Iterator[Concern]:
        control = self.parts.control
        failures = control.syncs("failure", self.now - _FAILURES_S, _MOST_ROWS)
        if not failures:
            return
        oldest = failures[-1][0]
        synced_at = max((ended for ended, _ in control.syncs("sync")), default=0.0)
        good_at: dict[str | None, float] = {None: max((ended for ended, _ in control.syncs("detect")), default=0.0)}
        for ended, facts in control.syncs("process", oldest, _MOST_ROWS):
            good_at.setdefault(facts.get("collection"), ended)
        seen: set[str | None] = set()
        for failed_at, facts in failures:
            collection = facts["collection"]
            if collection in seen:
                continue
            seen.add(collection)
            done = collection is not None and collection not in self.pending
            if done or max(synced_at, good_at.get(collection, 0.0)) > failed_at:
                continue
            yield self._failed_run(collection, failed_at, facts)

    def _failed_run(self, collection: str | None, failed_at: float, facts: Mapping[str, Any]) -> Concern:
        what = "detection" if collection is None else encode_partition(collection)
        title = "a guard stopped {}: {}" if facts["guard"] else "run failed: {}: {}"
        return Concern(
            Kind.GUARD if facts["guard"] else Kind.RUN_FAILED,
            "" if collection is None else what,
            title.format(what, facts["cause"]),
            (f"at {moment(failed_at)}", *self._link(facts)),
        )

    def _spend_cap(self) -> Iterator[Concern]:
        stopped: set[str | None] = set()
        later: set[str | None] = set()
        for _, facts in self.syncs:
            collection = facts.get("collection")
            if collection not in later and facts.get("budget_reached") and collection in {None, *self.pending}:
                stopped.add(collection)
            if collection is None:
                break
            later.add(collection)
        if stopped and self.pending:
            raise_it = "the next run goes on from here; raise BG_MAX_CREDITS_PER_RUN or _PER_DAY to let it buy more"
            yield Concern(Kind.SPEND_CAP, "", "a spend cap stopped the buying", (self._waiting(), raise_it))

    def _failure_rate(self) -> Iterator[Concern]:
        published, failed = 0, 0
        causes: Counter[str] = Counter()
        for _, facts in self.syncs:
            published += facts["published"]
            failed += facts["failed"] + facts["quarantined"]
            causes.update(f["detail"] for f in facts["failures"] if f["state"] != "pending")
        if not too_many_failed(failed, published, self.parts.alerting.failure_rate):
            return
        share = f"{failed} of {failed + published} items failed in two days"
        reasons = [f"{count} × {cause}" for cause, count in causes.most_common(3)]
        yield Concern(Kind.FAILURE_RATE, "", share, (*reasons, "all of them: bg-pipeline failures", *self._link({})))

    def _drift(self) -> Iterator[Concern]:
        told: set[str] = set()
        for _, facts in self.parts.control.syncs("balance", limit=_MOST_READINGS):
            if facts["provider"] in told or "sound" not in facts:
                continue
            told.add(facts["provider"])
            if not facts["sound"]:
                title = f"{facts['provider']}: balance and ledger differ by {facts['drift']:g} credits"
                yield Concern(Kind.DRIFT, facts["provider"], title, (facts["because"], "see bg-pipeline ledger"))
