"""Plan notifications, store them, and deliver them in a separate call."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bg_pipeline.core.alerts import (
    GIVE_UP_S,
    Event,
    Notification,
    Target,
    moment,
    notification,
    plan_notifications,
    retry_in_s,
)
from bg_pipeline.errors import BgPipelineError, ConfigurationError
from bg_pipeline.pipeline.alerting.failures import failed_stage, note_failure
from bg_pipeline.pipeline.alerting.find import find_alerts
from bg_pipeline.ports.alerts import AlertSink, Outbox
from bg_pipeline.ports.context import Alerting, Pipeline, Run
from bg_pipeline.ports.running import Now

_CLAIM_S = 120.0
"""Far longer than a target may take. Afterwards another process may send what a killed one was sending."""

_DELIVERY_S = 30.0
"""No delivery begins after this time: a tick of a sensor may take a minute."""


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """Deliveries that were sent, and those that were not."""

    sent: int = 0
    refused_by: tuple[str, ...] = ()
    """Names of the targets that refused a delivery, which is tried again later."""
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
    try:
        if failure is not None:
            stage = failed_stage(pipeline, everything=everything)
            note_failure(pipeline.catalogue, pipeline.run, failure, stage, collection=collection)
        notify(pipeline)
        delivered = deliver(pipeline.alerting.outbox, pipeline.alerting.sink, pipeline.run.now)
    except BgPipelineError as error:
        return [f"alerts: {error}"]
    return [f"{name} did not accept an alert; the next sync retries" for name in delivered.refused_by]


def notify(pipeline: Pipeline) -> tuple[Notification, ...]:
    """Plan notifications, store them for `deliver` and return them. Do nothing if there is no target."""
    targets = [target.digest for target in pipeline.alerting.sink.targets]
    if not targets:
        return ()
    alerts = find_alerts(pipeline)
    return pipeline.alerting.outbox.note(
        lambda incidents: plan_notifications(alerts, incidents, pipeline.run.now()), targets
    ).notifications


def deliver(outbox: Outbox, sink: AlertSink, now: Now) -> DeliveryResult:
    """Send due notifications to all targets in parallel, so that a dead or slow target does not delay the others."""
    if not sink.targets:
        return DeliveryResult()
    with ThreadPoolExecutor(len(sink.targets), thread_name_prefix="alert") as pool:
        results = list(pool.map(lambda target: _deliver_to(outbox, sink, target, now), sink.targets))
    refused_by = tuple(
        target.name for target, (_, accepted_all) in zip(sink.targets, results, strict=True) if not accepted_all
    )
    return DeliveryResult(sum(sent for sent, _ in results), refused_by, outbox.give_up(now() - GIVE_UP_S))


def _deliver_to(outbox: Outbox, sink: AlertSink, target: Target, now: Now) -> tuple[int, bool]:
    """Return the number of deliveries that the target accepted, and True if it accepted all."""
    sent, ends_at = 0, now() + _DELIVERY_S
    while now() < ends_at and (delivery := outbox.claim(target.digest, _CLAIM_S)):
        accepted = sink.send(target, delivery.notification)
        outbox.close(delivery, accepted, retry_in_s(delivery.tries), f"{target.name} did not accept it")
        if not accepted:
            return sent, False
        sent += 1
    return sent, True


def try_targets(alerting: Alerting, run: Run) -> list[tuple[Target, bool]]:
    """
    Send a test notification to every target at once; return each target, with True if it accepted.

    Raises:
        ConfigurationError: there is no target.
    """
    sink = alerting.sink
    if not sink.targets:
        raise ConfigurationError(
            "BG_ALERT_URLS is empty, so no alert is sent: set it to Apprise URLs (github.com/caronc/apprise/wiki), "
            "such as mailto://… or slack://…"
        )
    test = notification(Event.TEST, "a test", [f"sent at {moment(run.now())}; alerts will come this way"])
    with ThreadPoolExecutor(len(sink.targets), thread_name_prefix="alert") as pool:
        return list(zip(sink.targets, pool.map(lambda target: sink.send(target, test), sink.targets), strict=True))
