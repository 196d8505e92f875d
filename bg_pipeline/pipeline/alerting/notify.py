"""Plan notifications, store them, and deliver them in a separate call."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from bg_pipeline.core.alerts import (
    GIVE_UP_S,
    OF_ACCOUNTS,
    AlertCheck,
    Event,
    Notification,
    Target,
    moment,
    notification,
    plan_notifications,
    retry_in_s,
)
from bg_pipeline.core.runlog import FailureKind, Stage
from bg_pipeline.errors import BgPipelineError, ConfigurationError
from bg_pipeline.pipeline.alerting.failures import failed_stage, kind_of, note_failure
from bg_pipeline.pipeline.alerting.find import find_alerts
from bg_pipeline.pipeline.alerting.runs import find_alerts_despite
from bg_pipeline.ports.alerts import AlertSink, Outbox
from bg_pipeline.ports.context import Alerting, Monitor, Pipeline, RunName
from bg_pipeline.ports.running import Now

_CLAIM_S = 120.0
"""Far longer than a target may take. Afterwards another process may send what a killed one was sending."""

_DELIVERY_S = 30.0
"""No delivery begins after this time: a tick of a sensor may take a minute."""


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """Deliveries that were sent, and those that were not."""

    sent: int = 0
    refusals: tuple[str, ...] = ()
    """A sentence for each target that refused a delivery, which is tried again later."""
    given_up: int = 0


def after_sync(
    pipeline: Pipeline,
    failure: BgPipelineError | None = None,
    *,
    everything: bool = True,
    collection: str | None = None,
) -> list[str]:
    """
    Record the failure, alert and deliver after a sync of the command line. Never raises: the sync is over.

    Args:
        pipeline: the pipeline of the sync, with its leases and claims released.
        failure: the error that ended the sync, if any.
        everything: True if all stages were requested; a partial sync clears nothing out.
        collection: the requested collection; None for the whole catalogue.

    Returns:
        Sentences about problems of the alerts themselves.
    """
    run, monitor = pipeline.run, pipeline.monitor
    try:
        kind = None if failure is None else kind_of(type(failure))
        # A wrong argument, such as an unknown collection, is a mistake that its author sees at once.
        if kind not in {None, FailureKind.SETTINGS}:
            stage = failed_stage(pipeline, everything=everything)
            note_failure(monitor, run.name, kind, str(failure), stage, collection=collection)
        return _notify_and_deliver(monitor, find_alerts(pipeline))
    except BgPipelineError as error:
        return [f"alerts: {error}"]


def after_no_sync(monitor: Monitor, name: RunName, error: ConfigurationError) -> list[str]:
    """
    Record that a sync could not start, alert and deliver; otherwise like `after_sync`.

    Args:
        monitor: the part that works without the other settings.
        name: the run that could not start.
        error: the wrong setting.
    """
    try:
        note_failure(monitor, name, FailureKind.SETTINGS, str(error), Stage.DETECTION)
        return _notify_and_deliver(monitor, find_alerts_despite(error, monitor, None))
    except BgPipelineError as another:
        return [f"alerts: {another}"]


def _notify_and_deliver(monitor: Monitor, check: AlertCheck) -> list[str]:
    notify(monitor, check)
    delivered = deliver(monitor.alerting.outbox, monitor.alerting.sink, monitor.now)
    return [f"{refusal}; the next sync retries" for refusal in delivered.refusals]


def notify(monitor: Monitor, check: AlertCheck) -> tuple[Notification, ...]:
    """
    Plan notifications, store them for `deliver` and return them. Do nothing if there is no target.

    Of several catalogues, the title names the one that has the problem.
    """
    targets = [target.digest for target in monitor.alerting.sink.targets]
    if not targets:
        return ()
    if name := monitor.alerting.catalogue:
        alerts = (a if a.kind in OF_ACCOUNTS else replace(a, title=f"{name}: {a.title}") for a in check.alerts)
        check = replace(check, alerts=tuple(alerts))
    return monitor.alerting.outbox.note(
        lambda incidents: plan_notifications(check, incidents, monitor.now(), monitor.alerting.operating_url), targets
    ).notifications


def deliver(outbox: Outbox, sink: AlertSink, now: Now) -> DeliveryResult:
    """Send due notifications to all targets in parallel, so that a dead or slow target does not delay the others."""
    if not sink.targets:
        return DeliveryResult()
    with ThreadPoolExecutor(len(sink.targets), thread_name_prefix="alert") as pool:
        results = list(pool.map(lambda target: _deliver_to(outbox, sink, target, now), sink.targets))
    refusals = tuple(
        f"{target.name} did not accept an alert: {refusal}"
        for target, (_, refusal) in zip(sink.targets, results, strict=True)
        if refusal
    )
    return DeliveryResult(sum(sent for sent, _ in results), refusals, outbox.give_up(now() - GIVE_UP_S))


def _deliver_to(outbox: Outbox, sink: AlertSink, target: Target, now: Now) -> tuple[int, str]:
    """Return the number of deliveries that the target accepted, and why it refused one; empty if it accepted all."""
    sent, ends_at = 0, now() + _DELIVERY_S
    while now() < ends_at and (delivery := outbox.claim(target.digest, _CLAIM_S)):
        refusal = sink.send(target, delivery.notification)
        outbox.close(delivery, not refusal, retry_in_s(delivery.tries), refusal)
        if refusal:
            return sent, refusal
        sent += 1
    return sent, ""


def try_targets(alerting: Alerting, now: Now) -> list[tuple[Target, str]]:
    """
    Send a test notification to every target at once; return each target with its refusal, empty if it accepted.

    Raises:
        ConfigurationError: there is no target.
    """
    sink = alerting.sink
    if not sink.targets:
        raise ConfigurationError(
            "BG_ALERT_URLS is empty, so no alert is sent: set it to Apprise URLs (github.com/caronc/apprise/wiki), "
            "such as mailto://… or slack://…"
        )
    test = notification(Event.TEST, "a test", [f"sent at {moment(now())}; alerts will come this way"])
    with ThreadPoolExecutor(len(sink.targets), thread_name_prefix="alert") as pool:
        return list(zip(sink.targets, pool.map(lambda target: sink.send(target, test), sink.targets), strict=True))
