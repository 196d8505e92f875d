"""The jobs that people and sensors start."""

import dagster as dg
from pydantic import Field

from bg_pipeline.core.keys import decode_partition
from bg_pipeline.orchestration.names import DETECT, DETECTION_ASSETS, PROCESS_DELTA, PROCESS_PENDING, RETRY
from bg_pipeline.orchestration.opener import Opener
from bg_pipeline.pipeline.retry import try_again


class RetryConfig(dg.Config):
    """The failed items to try again."""

    collection: str = Field(
        default="", description="the collection whose failed items are tried, named as its partition; empty for all"
    )


def build_jobs(opener: Opener) -> dg.Definitions:
    """Return all jobs of a catalogue."""
    executor = opener.loaded_executor()
    names = opener.names
    detected = (
        "Lists the catalogue and finds what is new, changed or gone, and what it will cost. Buys nothing; afterwards"
        f" the sensor `{names.name('delta_dispatch')}` starts `{names.name(PROCESS_PENDING)}`."
    )
    processed = "Buys, cuts out and publishes all pending items of the catalogue in one run, up to the credit limits."
    chosen = "Buys, cuts out and publishes the pending items of chosen collections, and renders their pages."
    jobs = [
        dg.define_asset_job(
            names.name(name),
            selection=dg.AssetSelection.assets(*map(names.key, assets)),
            description=description,
            executor_def=executor,
        )
        for name, assets, description in (
            (DETECT, DETECTION_ASSETS, detected),
            (PROCESS_PENDING, ("nightly_cutouts",), processed),
            (PROCESS_DELTA, ("cutouts", "review_gallery"), chosen),
        )
    ]
    return dg.Definitions(jobs=[*jobs, _retry_failed(opener, executor)])


def _retry_failed(opener: Opener, executor: dg.ExecutorDefinition) -> dg.JobDefinition:
    @dg.op(name=opener.names.name("make_failed_pending"))
    def make_failed_pending(context: dg.OpExecutionContext, config: RetryConfig) -> None:
        """Make failed items pending again; `delta_dispatch` then requests their run."""
        with opener.open(context) as services:
            collections = frozenset({decode_partition(config.collection)}) if config.collection else None
            count = len(try_again(services, collections=collections))
        context.add_output_metadata({"items": count})
        context.log.info("%s failed items are pending again", count)

    @dg.job(
        name=opener.names.name(RETRY),
        description="Makes failed items pending again, all or those of one collection: the next run tries them again. "
        "This job buys nothing itself.",
        executor_def=executor,
    )
    def retry_failed() -> None:
        make_failed_pending()

    return retry_failed
