"""The jobs that people and sensors start."""

import dagster as dg
from pydantic import Field

from bg_pipeline.core.keys import decode_partition
from bg_pipeline.orchestration.assets import (
    image_delta,
    manifest,
    nightly_cutouts,
    source_images,
)
from bg_pipeline.orchestration.backfills import cutouts, review_gallery
from bg_pipeline.orchestration.resources import PipelineResource
from bg_pipeline.pipeline.retry import try_again

detect_delta = dg.define_asset_job(
    "detect_delta",
    selection=dg.AssetSelection.assets(source_images, manifest, image_delta),
    description="Lists the catalogue and finds what is new, changed or gone, and what it will cost. Buys nothing; "
    "afterwards the sensor `delta_dispatch` starts `process_pending`.",
)

process_pending = dg.define_asset_job(
    "process_pending",
    selection=dg.AssetSelection.assets(nightly_cutouts),
    description="Buys, cuts out and publishes all pending items of the catalogue in one run, up to the credit limits.",
)

process_delta = dg.define_asset_job(
    "process_delta",
    selection=dg.AssetSelection.assets(cutouts, review_gallery),
    description="Buys, cuts out and publishes the pending items of chosen collections, and renders their pages.",
)


class RetryConfig(dg.Config):
    """The failed items to try again."""

    collection: str = Field(
        default="", description="the collection whose failed items are tried, named as its partition; empty for all"
    )


@dg.op
def make_failed_pending(context: dg.OpExecutionContext, pipeline: PipelineResource, config: RetryConfig) -> None:
    """Make failed items pending again; `delta_dispatch` then requests their run."""
    with pipeline.open(context) as services:
        collections = frozenset({decode_partition(config.collection)}) if config.collection else None
        count = len(try_again(services, collections=collections))
    context.add_output_metadata({"items": count})
    context.log.info("%s failed items are pending again", count)


@dg.job(
    description="Makes failed items pending again, all or those of one collection: the next run tries them again. This "
    "job buys nothing itself."
)
def retry_failed() -> None:
    make_failed_pending()
