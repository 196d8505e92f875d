"""Find current problems in the records of the manifest and the marks of the stores, without asking a vendor."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

from bg_pipeline.core.alerts import Alert, AlertCheck, Kind, moment, too_many_failed, unprocessed_since
from bg_pipeline.core.credits import why_closed
from bg_pipeline.core.gate import Gate, GateReason
from bg_pipeline.core.keys import encode_partition
from bg_pipeline.core.night_window import Night
from bg_pipeline.core.prices import quote
from bg_pipeline.core.records import State
from bg_pipeline.core.runlog import (
    BalanceRecord,
    ClearOutRecord,
    DetectRecord,
    ExportRecord,
    ProcessRecord,
    PruneRecord,
    Record,
    ScanRecord,
    Stage,
)
from bg_pipeline.pipeline.alerting.runs import MOST_ROWS, STAGES, WINDOW_S, find_run_alerts, link
from bg_pipeline.pipeline.failures import standing_failures
from bg_pipeline.pipeline.ownership import find_foreign_store
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.purchasing.gate import gates_of
from bg_pipeline.purchasing.money import left_of, standing

_MOST_READINGS = 50

_BY_REASON: Mapping[GateReason, Kind] = {
    GateReason.LOW_CREDITS: Kind.CREDITS,
    GateReason.NO_CREDITS: Kind.CREDITS,
    GateReason.BAD_KEY: Kind.BAD_KEY,
    GateReason.OUTAGE: Kind.OUTAGE,
    GateReason.QUALITY: Kind.PAUSED,
    GateReason.BALANCE_UNKNOWN: Kind.PAUSED,
}
"""Kind of alert by the reason of a closed gate."""

_NOT_ALERTED = frozenset({GateReason.BY_HAND})
"""No alert for these: the person who closed the gate already knows."""

_GATE_TITLES: Mapping[Kind, str] = {
    Kind.CREDITS: "{}: credits are low",
    Kind.BAD_KEY: "{} refuses the key",
    Kind.OUTAGE: "{} is unavailable",
    Kind.PAUSED: "{} is paused",
}


def find_alerts(
    pipeline: Pipeline,
    due_at: Sequence[float] | None = None,
    night_of: Callable[[float], Night | None] = lambda _detected_at: None,
) -> AlertCheck:
    """
    Return all current problems in the records of the manifest and the marks of the stores; ask no vendor.

    Args:
        pipeline: the records and marks.
        due_at: times at which a night was due, for `core.alerts.missed_night`; None if nights are not checked.
        night_of: for `core.alerts.unprocessed_since`.
    """
    return AlertCheck(
        tuple(_AlertFinder(pipeline, due_at, night_of).alerts()),
        frozenset({Kind.NO_NIGHT} if due_at is None else ()),
        pipeline.alerting.elsewhere,
    )


class _AlertFinder:
    """Finds alerts in records that it reads once."""

    def __init__(
        self, pipeline: Pipeline, due_at: Sequence[float] | None, night_of: Callable[[float], Night | None]
    ) -> None:
        self.due_at = due_at
        self.night_of = night_of
        self.pipeline = pipeline
        self.now = pipeline.run.now()
        self.gates = gates_of(pipeline.accounts, pipeline.policy)
        self.run_log = pipeline.catalogue.run_log
        self.pending = {encode_partition(name): n for name, n in pipeline.catalogue.queue.pending().items()}
        """Pending items by partition key, as in the records."""
        self.processed = self.run_log.read(ProcessRecord, self.now - WINDOW_S, MOST_ROWS)
        """Records of processing, newest first."""

    def alerts(self) -> Iterator[Alert]:
        for gate in self.gates:
            # A half-open gate may still have its problem: the next answer decides.
            if (not gate.is_open or gate.half_open) and gate.reason not in _NOT_ALERTED:
                yield self._gate(gate)
        yield from self._foreign_store()
        yield from find_run_alerts(self.pipeline.monitor, self.due_at, trash=self.pipeline.policy.deletes.trash)
        yield from self._not_processed()
        yield from self._stopped_clear_out()
        yield from self._stale_table()
        yield from self._spend_cap()
        yield from self._failure_rate()
        yield from self._unreadable()
        yield from self._hosts_down()
        yield from self._drift()

    def _gate(self, gate: Gate) -> Alert:
        kind = _BY_REASON[gate.reason]
        # A half-open gate closed before `since`.
        closed_at = 0.0 if gate.is_open else gate.since
        paused = (record for record in self.processed if record.summary.paused and record.ended_at >= closed_at)
        left = left_of(self.pipeline.accounts, gate)
        lines = [why_closed(gate, self.pipeline.policy.thresholds[gate.account], left), self._waiting()]
        if kind is Kind.CREDITS:
            page = self.pipeline.policy.vendors[gate.account].top_up
            lines = [f"top up: {page or 'on the website of the vendor'}", *self._balance(gate), *lines]
        lines += self._link(next(paused, None))
        return Alert(kind, gate.account, _GATE_TITLES[kind].format(gate.account), tuple(lines))

    def _balance(self, gate: Gate) -> Iterator[str]:
        facts = standing(self.pipeline.accounts, self.pipeline.run, gate.account)
        if facts["balance"] is not None:
            ends = facts["runs_out_on"]
            yield f"balance: {facts['balance']:g} credits" + (f", used up by {ends} at this pace" if ends else "")

    def _waiting(self) -> str:
        if not self.pending:
            return "nothing is pending"
        items, policy = sum(self.pending.values()), self.pipeline.policy
        cost = quote(*policy.dearest(policy.recipe), items, None, Decimal(0))
        usd = "" if cost["money_usd"] is None else f", ${cost['money_usd']:.2f}"
        largest = sorted(self.pending.items(), key=lambda entry: -entry[1])[:3]
        names = ", ".join(f"{name} {count}" for name, count in largest)
        more = f" and {len(self.pending) - 3} more collections" if len(self.pending) > 3 else ""
        return f"pending: {items} items, at most {cost['credits']:g} credits{usd} ({names}{more})"

    def _link(self, record: Record | None = None) -> list[str]:
        return link(self.pipeline.alerting.ui_url, "" if record is None else record.run_id)

    def _not_processed(self) -> Iterator[Alert]:
        """Alert if pending work is not processed although a gate allows requests."""
        if not self.pending or not any(gate.is_open for gate in self.gates):
            return
        worked_at = max((record.ended_at for record in self.run_log.read(ProcessRecord)), default=0.0)
        detected = [r.ended_at for r in self.run_log.read(DetectRecord, worked_at, MOST_ROWS) if r.work]
        since = unprocessed_since(detected, self.night_of, self.now)
        if since is not None:
            yield Alert(
                Kind.NOT_PROCESSED,
                "",
                "work is pending but nothing is processing it",
                (
                    "check that the daemon runs and the sensors are on; `bg-pipeline doctor` helps",
                    self._waiting(),
                    f"detected at {moment(since)}",
                    *self._link(),
                ),
            )

    def _foreign_store(self) -> Iterator[Alert]:
        if foreign := find_foreign_store(self.pipeline):
            title = f"a guard stopped all work: {foreign.because}"
            yield Alert(Kind.GUARD, "stores", title, (foreign.advice, *self._link()))

    def _stopped_clear_out(self) -> Iterator[Alert]:
        policy = self.pipeline.policy
        last: list[tuple[ClearOutRecord | PruneRecord, str, str]] = []
        if policy.deletes.trash:
            last += [(each, Stage.CLEAR_OUT, STAGES[Stage.CLEAR_OUT]) for each in self.run_log.read(ClearOutRecord)]
        if policy.keep_masters_days:
            last += [(each, "masters", "the pruning of masters") for each in self.run_log.read(PruneRecord)]
        for record, subject, task in last:
            if record.stopped:
                title = f"a guard stopped {task}: {record.stopped}"
                yield Alert(Kind.GUARD, subject, title, (f"at {moment(record.ended_at)}", *self._link(record)))

    def _stale_table(self) -> Iterator[Alert]:
        if self.pipeline.export.format is None:
            return
        for record in self.run_log.read(ExportRecord):
            if record.problem:
                lines = (record.problem, record.location, f"at {moment(record.ended_at)}", *self._link(record))
                yield Alert(Kind.EXPORT, "", "the table beside the cutouts is not up to date", lines)

    def _spend_cap(self) -> Iterator[Alert]:
        covered: set[str] = set()
        for record in self.processed:
            left = set(self.pending) if record.collections is None else set(self.pending) & set(record.collections)
            if record.summary.budget_reached and left - covered:
                advice = "the next run continues from here; raise BG_MAX_CREDITS_PER_RUN or _PER_DAY to let it buy more"
                lines = (advice, self._waiting(), *self._link(record))
                yield Alert(Kind.SPEND_CAP, "", "a spend cap stopped the buying", lines)
                return
            if record.everything:
                return
            covered |= set(record.collections or ())

    def _failure_rate(self) -> Iterator[Alert]:
        published, failed = 0, 0
        causes: Counter[str] = Counter()
        examples: dict[str, str] = {}
        for record in self.processed:
            published += record.summary.published
            failed += record.summary.failed + record.summary.quarantined
            failures = [failure for failure in record.summary.failures if failure.state is not State.PENDING]
            causes.update(failure.detail for failure in failures)
            examples |= {failure.detail: failure.key for failure in failures}
        if not too_many_failed(failed, published, self.pipeline.alerting.failure_rate):
            return
        share = f"{failed} of {failed + published} items failed in two days"
        reasons = [f"{count} × {cause}, such as {examples[cause]}" for cause, count in causes.most_common(3)]
        worst = max(self.processed, key=lambda record: record.summary.failed + record.summary.quarantined)
        advice = "`bg-pipeline failures` lists all of them, `bg-pipeline retry` tries them again"
        review = self.pipeline.alerting.review_url
        lines = (advice, *([f"look at them: {review}"] if review else []), *reasons, *self._link(worst))
        yield Alert(Kind.FAILURE_RATE, "", share, lines)

    def _unreadable(self) -> Iterator[Alert]:
        standing = standing_failures(self.pipeline.catalogue, self.pipeline.policy)
        locked = [each for each in standing if each.unreadable and not each.accepted]
        scans = self.run_log.read(ScanRecord)
        reasons = {each.key: each.why for each in locked} | {
            key: why for s in scans for key, why in s.not_looked.items()
        }
        if not reasons:
            return
        examples = [f"{key}: {why}" for key, why in list(reasons.items())[:3]]
        title = f"{len(reasons)} pictures or folders cannot be read"
        advice = "make them readable, or accept what is right so: `bg-pipeline failures` lists all"
        yield Alert(Kind.UNREADABLE, "", title, (advice, *examples, *self._link(next(iter(scans), None))))

    def _hosts_down(self) -> Iterator[Alert]:
        for scan in self.run_log.read(ScanRecord):
            for each in scan.hosts_down:
                title = f"the picture host {each.host} does not serve: {each.items} items wait"
                advice = "their cutouts stay, and the next scan looks again; check the host if it lasts"
                yield Alert(Kind.HOST_DOWN, each.host, title, (advice, each.why, *self._link(scan)))

    def _drift(self) -> Iterator[Alert]:
        readings = self.run_log.read(BalanceRecord, limit=_MOST_READINGS)
        for account in self.pipeline.policy.accounts:
            compared = (r for r in readings if r.account == account and r.drift is not None)
            if (last := next(compared, None)) is not None and not last.sound:
                title = f"{account}: balance and ledger differ by {last.drift:g} credits"
                yield Alert(
                    Kind.DRIFT,
                    account,
                    title,
                    ("compare `bg-pipeline ledger` with the vendor's own list", last.because),
                )
