"""What starts runs when there is work, and keeps the gate in step with the balance."""

from collections.abc import Iterator

import dagster as dg

from bg_pipeline.core.credits import why_closed
from bg_pipeline.core.gate import Gate
from bg_pipeline.core.keys import encode_partition
from bg_pipeline.orchestration.jobs import process_delta
from bg_pipeline.orchestration.resources import PipelineResource
from bg_pipeline.steps.gate import look
from bg_pipeline.steps.parts import Parts
from bg_pipeline.steps.process import lease_name


@dg.sensor(
    job=process_delta,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a run of every collection with pending work, while the gate is open.",
)
def delta_dispatch(pipeline: PipelineResource) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One request a collection, wave and pause: `run_key` dedupes for ever, also after a failed run."""
    with pipeline.open() as parts:
        gate = parts.control.gate(parts.provider)
        if not gate.is_open:
            yield dg.SkipReason(why_closed(gate, parts.thresholds))
            return
        requests = run_requests(parts, gate)
    yield from requests
    if not requests:
        yield dg.SkipReason("nothing is pending that no run works on")


def run_requests(parts: Parts, gate: Gate) -> list[dg.RunRequest]:
    """A request for each collection with work that nobody holds the lease of."""
    wave = max((ended for kind in ("detect", "retry") for ended, _ in parts.control.syncs(kind)), default=0.0)
    busy = {lease.name for lease, _ in parts.control.leases()}
    return [
        dg.RunRequest(
            run_key=f"{wave:.3f}/{gate.episode}/{encode_partition(name)}",
            partition_key=encode_partition(name),
            tags={"bg_pipeline/pending": str(count)},
        )
        for name, count in parts.manifest.pending_collections().items()
        if lease_name(name) not in busy
    ]


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reads the balance. Below the threshold it closes the gate, after a top-up it opens it again.",
)
def low_credit_sensor(pipeline: PipelineResource) -> dg.SkipReason:
    """Never starts a run: its tick says how the gate stands."""
    with pipeline.open() as parts:
        gate = look(parts)
        if not gate.is_open:
            return dg.SkipReason(why_closed(gate, parts.thresholds))
    counted = "counts no credits" if gate.balance is None else f"{gate.balance} credits"
    return dg.SkipReason(f"{gate.provider}: {counted}, the gate is open")
