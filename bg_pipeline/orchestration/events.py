"""Events that a run logs for assets other than its own, so that every page shows the state after it."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from bg_pipeline.core.keys import encode_partition, gallery_page
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Summary
from bg_pipeline.core.runlog import ScanRecord
from bg_pipeline.errors import ItemError, StoreError
from bg_pipeline.imaging.page import sheet_html
from bg_pipeline.imaging.sheet import Pair
from bg_pipeline.orchestration import metadata, versions
from bg_pipeline.orchestration.dagster_private import StepMaterializationData
from bg_pipeline.pipeline.failures import standing_failures
from bg_pipeline.pipeline.gallery import make_pairs
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.purchasing.tally import CollectionResult
from bg_pipeline.wiring import folder_of
from bg_pipeline.wiring.settings import load_settings

CUTOUTS, GALLERY, MANIFEST = dg.AssetKey("cutouts"), dg.AssetKey("review_gallery"), dg.AssetKey("manifest")

INLINE_PAIRS = 6
_PAGE_PAIRS = 60

SPEND = "Every purchase brought a cutout, and none is in doubt."
"""Description of the check `spend`."""


def log_cutouts(context: dg.AssetExecutionContext, result: CollectionResult, version: str) -> None:
    """Log one collection as a materialization of `cutouts`."""
    _log(
        context,
        dg.AssetMaterialization(
            CUTOUTS,
            partition=encode_partition(result.collection),
            description=f"{float(result.summary.credits):g} credits",
            metadata=metadata.of_part(result.summary),
            tags=versions.tags(version, context.run.run_id),
        ),
    )


def log_page(context: dg.AssetExecutionContext, collection: str, page: Path, sheet: Sequence[Pair]) -> None:
    """Log the page of one collection as a materialization of `review_gallery`."""
    partition, facts = encode_partition(collection), of_page(page, sheet)
    _log(context, dg.AssetMaterialization(GALLERY, partition=partition, metadata=facts))


def write_page(context: dg.AssetExecutionContext, pipeline: Pipeline, collection: str) -> tuple[Path, list[Pair]]:
    """Write the page of a collection. One that cannot be written is a warning: the work that it shows is done."""
    keys = [entry.key for entry in pipeline.catalogue.items.recent(collection, _PAGE_PAIRS)]
    sheet = make_pairs(*pipeline.context, keys, 320)
    gallery, name = Path(load_settings().catalogue.gallery).absolute(), gallery_page(collection)
    html = sheet_html(sheet, title=f"Cutouts: {collection or 'top folder'}", facts=[])
    try:
        folder_of(gallery).write(name, html.encode())
    except (ItemError, StoreError) as error:
        context.log.warning("a page of the gallery: %s", error)
    return gallery / name, sheet


def of_page(page: Path, sheet: Sequence[Pair]) -> metadata.Metadata:
    return {
        "page": dg.MetadataValue.path(page),
        "pictures": dg.MetadataValue.int(len(sheet)),
        "contact_sheet": metadata.picture(sheet[:INLINE_PAIRS]),
    }


def report_state(context: dg.AssetExecutionContext, pipeline: Pipeline, spent: Summary) -> None:
    """Report the manifest, its coverage, and what `cutouts` cost, as they are after a night."""
    facts, coverage = of_manifest(pipeline)
    spend = metadata.spend_check(spent)
    for event in (
        dg.AssetMaterialization(MANIFEST, metadata=facts),
        _evaluation(MANIFEST, coverage),
        _evaluation(CUTOUTS, spend),
    ):
        context.instance.report_runless_asset_event(event)


def of_manifest(pipeline: Pipeline) -> tuple[metadata.Metadata, dg.AssetCheckResult]:
    """Return the items of the manifest by state, and the check that every picture has its cutout."""
    states = pipeline.catalogue.items.states()
    standing = [each for each in standing_failures(pipeline.catalogue, pipeline.policy) if not each.accepted]
    scans = pipeline.catalogue.run_log.read(ScanRecord)
    not_looked = {key: why for scan in scans for key, why in scan.not_looked.items()}
    hosts_down = {each.host: f"{each.items} items: {each.why}" for scan in scans for each in scan.hosts_down}
    open_items = states[State.PENDING] + sum(each.state is not State.PUBLISHED for each in standing)
    counts = {state: dg.MetadataValue.int(count) for state, count in states.items()}
    coverage = dg.AssetCheckResult(
        check_name="coverage",
        passed=not (open_items or standing or not_looked or hosts_down),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "published": states[State.PUBLISHED],
            "without_cutout": open_items,
            "failures": len(standing),
            "not_looked_at": metadata.reasons(not_looked),
            "hosts_down": metadata.reasons(hosts_down),
        },
    )
    return {**counts, "still_failed": metadata.reasons({each.key: each.why for each in standing})}, coverage


def _evaluation(asset: dg.AssetKey, result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=str(result.check_name),
        passed=result.passed,
        severity=result.severity,
        metadata=result.metadata,
    )


def _log(context: dg.AssetExecutionContext, materialization: dg.AssetMaterialization) -> None:
    """Log a materialization without the 700 bytes that name step and resources."""
    run = context.run
    event = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION.value,
        job_name=run.job_name,
        event_specific_data=StepMaterializationData(materialization, []),
    )
    context.instance.report_dagster_event(event, run.run_id)
