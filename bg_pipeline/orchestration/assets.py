"""The assets: what is in the catalogue, what is published, what is to be done, and the cutouts."""

from pathlib import Path

import dagster as dg

from bg_pipeline.config import load_settings
from bg_pipeline.core.keys import decode_partition, encode_partition, gallery_page
from bg_pipeline.core.records import State
from bg_pipeline.imaging.sheet import sheet_html
from bg_pipeline.orchestration import metadata
from bg_pipeline.orchestration.partitions import collections
from bg_pipeline.orchestration.resources import LogProgress, PipelineResource
from bg_pipeline.steps import verify
from bg_pipeline.steps.detect import detect, scan
from bg_pipeline.steps.gallery import pairs
from bg_pipeline.steps.process import process

_OWNERS = ["team:catalogue"]
_INLINE_PAIRS = 6
_GALLERY_PAIRS = 60


def _owner(run_id: str) -> str:
    return f"Dagster run {run_id[:8]}"


@dg.asset(group_name="catalogue", kinds={"python"}, owners=_OWNERS)
def source_images(context: dg.AssetExecutionContext, pipeline: PipelineResource) -> dg.MaterializeResult:
    """
    The catalogue, listed to its end; what is new or looks changed is hashed.

    A listing that fails, ends early or comes back empty fails this asset, and nothing counts as deleted.
    """
    with pipeline.open() as parts:
        found = scan(parts, _owner(context.run.run_id), LogProgress(context.log))
    return dg.MaterializeResult(metadata=metadata.of_scan(found))


@dg.asset(
    group_name="catalogue",
    kinds={"sql"},
    owners=_OWNERS,
    check_specs=[
        dg.AssetCheckSpec("coverage", asset="manifest", description="Every picture that can have a cutout has one."),
        dg.AssetCheckSpec(
            "output_integrity",
            asset="manifest",
            description="A sample of the outputs has the bytes that were published.",
        ),
    ],
)
def manifest(pipeline: PipelineResource) -> dg.MaterializeResult:
    """The record of what every item's published cutout was made from: one row an item, by state."""
    with pipeline.open() as parts:
        states = parts.manifest.states()
        failed = parts.manifest.in_state(State.FAILED)
        damaged = verify.sample(parts, 20)
    open_items = states[State.PENDING] + states[State.FAILED] + states[State.QUARANTINED]
    return dg.MaterializeResult(
        metadata={
            **{state: dg.MetadataValue.int(count) for state, count in states.items()},
            "still_failed": metadata.table([{"key": e.key, "why": e.detail} for e in failed]),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="coverage",
                passed=not open_items,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"published": states[State.PUBLISHED], "without_cutout": open_items},
            ),
            dg.AssetCheckResult(
                check_name="output_integrity",
                passed=not damaged,
                metadata={"damaged": metadata.table([{"key": key, "why": why} for key, why in damaged.items()])},
            ),
        ],
    )


@dg.asset(
    deps=[source_images, manifest],
    group_name="catalogue",
    kinds={"python"},
    owners=_OWNERS,
    check_specs=[
        dg.AssetCheckSpec("no_collisions", asset="image_delta", description="No two items want the same output name.")
    ],
)
def image_delta(context: dg.AssetExecutionContext, pipeline: PipelineResource) -> dg.MaterializeResult:
    """
    Catalogue against manifest: what is new, changed, renamed, gone, and what it will cost.

    Collections with work become partitions of `cutouts`; the sensor `delta_dispatch` asks for their runs.
    """
    with pipeline.open() as parts:
        delta = detect(parts, _owner(context.run.run_id))
        pending = parts.manifest.pending_collections()
    context.instance.add_dynamic_partitions(str(collections.name), [encode_partition(name) for name in pending])
    return dg.MaterializeResult(
        metadata=metadata.of_delta(delta, pending),
        check_results=[
            dg.AssetCheckResult(
                check_name="no_collisions",
                passed=not delta.collisions,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "renamed_outputs": metadata.table(
                        [{"key": key, "output": stem} for key, stem in delta.collisions.items()]
                    )
                },
            )
        ],
    )


@dg.asset(
    deps=[image_delta],
    partitions_def=collections,
    group_name="catalogue",
    kinds={"python"},
    owners=_OWNERS,
    pool="cutouts",
    check_specs=[
        dg.AssetCheckSpec("spend", asset="cutouts", description="Nothing was paid for that brought no cutout.")
    ],
)
def cutouts(context: dg.AssetExecutionContext, pipeline: PipelineResource) -> dg.MaterializeResult:
    """
    The pending items of one collection, cut out and published.

    Safe to run again at any time: what is done is skipped, and what was paid for is never bought twice.
    """
    collection = decode_partition(context.partition_key)
    with pipeline.open() as parts:
        summary, keys = process(
            parts, collection, _owner(context.run.run_id), pipeline.budget(context.run.run_id), LogProgress(context.log)
        )
        parts.control.log_sync(
            "process", parts.now() - summary.seconds, {"collection": collection, **summary.as_dict()}
        )
        shown = keys[:_INLINE_PAIRS] + [f.key for f in summary.failures[:2]]
        sheet = pairs(parts, shown, 140)
    if summary.paused:
        context.log.warning("paused with %s items pending: %s", summary.pending, summary.paused)
    return dg.MaterializeResult(
        metadata=metadata.of_summary(summary, sheet),
        check_results=[
            dg.AssetCheckResult(
                check_name="spend",
                passed=not (summary.in_doubt or summary.wasted),
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"credits": float(summary.credits), "in_doubt": summary.in_doubt, "wasted": summary.wasted},
            )
        ],
    )


@dg.asset(deps=[cutouts], partitions_def=collections, group_name="catalogue", kinds={"html"}, owners=_OWNERS)
def review_gallery(context: dg.AssetExecutionContext, pipeline: PipelineResource) -> dg.MaterializeResult:
    """One page a collection, for eyes: the latest cutouts beside their sources, and what failed or is suspicious."""
    collection = decode_partition(context.partition_key)
    page = Path(load_settings().bg_gallery, gallery_page(collection))
    with pipeline.open() as parts:
        keys = [entry.key for entry in parts.manifest.recent(collection, _GALLERY_PAIRS)]
        found = pairs(parts, keys, 320)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(sheet_html(found, title=f"Cutouts: {collection or 'top folder'}", facts=[]), encoding="utf-8")
    return dg.MaterializeResult(
        metadata={"page": dg.MetadataValue.path(page.resolve()), "pictures": dg.MetadataValue.int(len(found))}
    )
