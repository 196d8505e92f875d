"""Find current problems in the records of the manifest and the marks of the stores, without asking a vendor."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from uuid import UUID

from bg_pipeline.core.alerts import Alert, Kind, is_over, moment, too_many_failed
from bg_pipeline.core.credits import why_closed
from bg_pipeline.core.gate import Gate, GateReason
from bg_pipeline.core.keys import encode_partition
from bg_pipeline.core.prices import quote
from bg_pipeline.core.records import State
from bg_pipeline.core.runlog import (
    BalanceRecord,
    ClearOutRecord,
    DetectRecord,
    FailureKind,
    FailureRecord,
    ProcessRecord,
    Record,
    RetryRecord,
    Stage,
)
from bg_pipeline.pipeline.ownership import find_foreign_store
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.purchasing.gate import gates_of
from bg_pipeline.purchasing.money import left_of, standing

NIGHT_S = 26 * 3600.0
"""A day, plus two hours for a night that takes longer than the one before."""

WINDOW_S = 48 * 3600.0
"""Age limit of the runs to read: it includes the last one even after a long night."""

_FAILURES_S = 7 * 86_400.0
"""Age from which a failure is ignored if it did not happen again."""

MOST_ROWS = 1_000

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

_STAGES: Mapping[Stage, str] = {
    Stage.DETECTION: "detection",
    Stage.CLEAR_OUT: "clearing out",
    Stage.PROCESSING: "processing",
    Stage.OTHER: "job",
}


def find_alerts(pipeline: Pipeline) -> list[Alert]:
    """Return all current problems in the records of the manifest and the marks of the stores; ask no vendor."""
    return list(_AlertFinder(pipeline).alerts())


class _AlertFinder:
    """Finds alerts in records that it reads once."""

    def __init__(self, pipeline: Pipeline) -> None:
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
        yield from self._night()
        yield from self._failed_runs()
        yield from self._stopped_clear_out()
        yield from self._spend_cap()
        yield from self._failure_rate()
        yield from self._drift()

    def _gate(self, gate: Gate) -> Alert:
        kind = _BY_REASON[gate.reason]
        # A half-open gate closed before `since`.
        closed_at = 0.0 if gate.is_open else gate.since
        paused = (record for record in self.processed if record.summary.paused and record.ended_at >= closed_at)
        left = left_of(self.pipeline.accounts, gate)
        lines = [why_closed(gate, self.pipeline.policy.thresholds, left), self._waiting()]
        if kind is Kind.CREDITS:
            page = self.pipeline.policy.vendors[gate.account].top_up
            lines += [*self._balance(gate), f"top up: {page or 'on the website of the vendor'}"]
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
        cost = quote(policy.vendor, policy.recipe.cut, items, None, Decimal(0))
        usd = "" if cost["money_usd"] is None else f", ${cost['money_usd']:.2f}"
        largest = sorted(self.pending.items(), key=lambda entry: -entry[1])[:3]
        names = ", ".join(f"{name} {count}" for name, count in largest)
        more = f" and {len(self.pending) - 3} more collections" if len(self.pending) > 3 else ""
        return f"pending: {items} items, at most {cost['credits']:g} credits{usd} ({names}{more})"

    def _link(self, record: Record | None = None) -> list[str]:
        """Link to the run's page in Dagster's UI, or to the UI itself if Dagster did not start the run."""
        base = self.pipeline.alerting.ui_url
        if not base:
            return []
        return [f"{base}/runs/{record.run_id}" if record is not None and _is_dagster_run(record.run_id) else base]

    def _night(self) -> Iterator[Alert]:
        """Alert if no new detection ends, or if pending work is not processed although a gate allows requests."""
        detected_at = max((record.ended_at for record in self.run_log.read(DetectRecord)), default=self.now)
        if self.now - detected_at > NIGHT_S:
            yield Alert(
                Kind.NO_NIGHT,
                "",
                "no complete night in 26 hours",
                (
                    f"the last detection ended at {moment(detected_at)}",
                    "check that the daemon runs and the schedule is on; `bg-pipeline doctor` helps",
                    *self._link(),
                ),
            )
            return
        if not self.pending or not any(gate.is_open for gate in self.gates):
            return
        worked_at = max((record.ended_at for record in self.run_log.read(ProcessRecord)), default=0.0)
        detections = [r for r in self.run_log.read(DetectRecord, worked_at, MOST_ROWS) if r.work]
        if detections and self.now - detections[-1].ended_at > NIGHT_S:
            yield Alert(
                Kind.NO_NIGHT,
                "",
                "work is pending but nothing is processing it",
                (
                    self._waiting(),
                    f"detected at {moment(detections[-1].ended_at)}; check that the sensors are on",
                    *self._link(),
                ),
            )

    def _failed_runs(self) -> Iterator[Alert]:
        failures = self.run_log.read(FailureRecord, self.now - _FAILURES_S, MOST_ROWS)
        if not failures:
            return
        records: list[Record] = []
        for kind in (DetectRecord, ClearOutRecord, ProcessRecord, RetryRecord):
            records += self.run_log.read(kind, failures[-1].ended_at, MOST_ROWS)
        seen: set[str] = set()
        for failure in failures:
            subject = _subject(failure)
            if subject not in seen and not self._is_over(failure, records):
                yield self._failed_run(failure)
            seen.add(subject)

    def _is_over(self, failure: FailureRecord, records: Iterable[Record]) -> bool:
        if failure.stage is Stage.CLEAR_OUT and not self.pipeline.policy.deletes.trash:
            return True
        return is_over(failure, records, self.pending, self.now)

    def _failed_run(self, failure: FailureRecord) -> Alert:
        is_guard = failure.failure is FailureKind.GUARD
        title = "a guard stopped {}: {}" if is_guard else "run failed: {}: {}"
        by = f" in {failure.job}" if failure.job else ""
        return Alert(
            Kind.GUARD if is_guard else Kind.RUN_FAILED,
            _subject(failure),
            title.format(_task(failure), failure.cause),
            (f"at {moment(failure.ended_at)}{by}", *self._link(failure)),
        )

    def _foreign_store(self) -> Iterator[Alert]:
        if foreign := find_foreign_store(self.pipeline):
            title = f"a guard stopped all work: {foreign.because}"
            yield Alert(Kind.GUARD, "stores", title, (foreign.advice, *self._link()))

    def _stopped_clear_out(self) -> Iterator[Alert]:
        if not self.pipeline.policy.deletes.trash:
            return
        for record in self.run_log.read(ClearOutRecord):
            if record.stopped:
                title = f"a guard stopped {_STAGES[Stage.CLEAR_OUT]}: {record.stopped}"
                yield Alert(Kind.GUARD, Stage.CLEAR_OUT, title, (f"at {moment(record.ended_at)}", *self._link(record)))

    def _spend_cap(self) -> Iterator[Alert]:
        covered: set[str] = set()
        for record in self.processed:
            left = set(self.pending) if record.collections is None else set(self.pending) & set(record.collections)
            if record.summary.budget_reached and left - covered:
                advice = "the next run continues from here; raise BG_MAX_CREDITS_PER_RUN or _PER_DAY to let it buy more"
                lines = (self._waiting(), advice, *self._link(record))
                yield Alert(Kind.SPEND_CAP, "", "a spend cap stopped the buying", lines)
                return
            if record.everything:
                return
            covered |= set(record.collections or ())

    def _failure_rate(self) -> Iterator[Alert]:
        published, failed = 0, 0
        causes: Counter[str] = Counter()
        for record in self.processed:
            published += record.summary.published
            failed += record.summary.failed + record.summary.quarantined
            causes.update(f.detail for f in record.summary.failures if f.state is not State.PENDING)
        if not too_many_failed(failed, published, self.pipeline.alerting.failure_rate):
            return
        share = f"{failed} of {failed + published} items failed in two days"
        reasons = [f"{count} × {cause}" for cause, count in causes.most_common(3)]
        worst = max(self.processed, key=lambda record: record.summary.failed + record.summary.quarantined)
        lines = (*reasons, "all of them: bg-pipeline failures", *self._link(worst))
        yield Alert(Kind.FAILURE_RATE, "", share, lines)

    def _drift(self) -> Iterator[Alert]:
        readings = self.run_log.read(BalanceRecord, limit=_MOST_READINGS)
        for account in self.pipeline.policy.accounts:
            compared = (r for r in readings if r.account == account and r.drift is not None)
            if (last := next(compared, None)) is not None and not last.sound:
                title = f"{account}: balance and ledger differ by {last.drift:g} credits"
                yield Alert(Kind.DRIFT, account, title, (last.because, "see bg-pipeline ledger"))


def _is_dagster_run(run_id: str) -> bool:
    """Return True for a UUID, which is how Dagster names its runs; a run of the command line has no page."""
    try:
        return str(UUID(run_id)) == run_id
    except ValueError:
        return False


def _name(failure: FailureRecord) -> str:
    """Return the collection or job that failed; empty for detection and clearing out, which cover everything."""
    if failure.stage is Stage.PROCESSING:
        return ", ".join(failure.collections or ())
    return failure.job if failure.stage is Stage.OTHER else ""


def _subject(failure: FailureRecord) -> str:
    return ", ".join(filter(None, (failure.stage, _name(failure))))


def _task(failure: FailureRecord) -> str:
    """Return the work that failed, in words."""
    return f"{_STAGES[failure.stage]} {_name(failure)}".strip()
