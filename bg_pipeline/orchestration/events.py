"""Events that a run logs for assets other than its own, so that every page shows the state after it."""

from collections.abc import Collection

import dagster as dg

from bg_pipeline.core.keys import decode_partition, encode_partition, gallery_page
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Summary
from bg_pipeline.core.runlog import ScanRecord
from bg_pipeline.errors import ItemError, StoreError
from bg_pipeline.orchestration import balance, metadata, versions
from bg_pipeline.orchestration.dagster_private import StepMaterializationData
from bg_pipeline.orchestration.names import Names
from bg_pipeline.orchestration.opener import Step
from bg_pipeline.pipeline import verify
from bg_pipeline.pipeline.export import TableResult
from bg_pipeline.pipeline.failures import standing_failures
from bg_pipeline.pipeline.gallery import make_pairs
from bg_pipeline.pipeline.review import ReviewItem
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.purchasing.gate import gates_of
from bg_pipeline.purchasing.tally import CollectionResult
from bg_pipeline.stores.locations import location_of
from bg_pipeline.web.static import write_page as write_static_page
from bg_pipeline.wiring.settings import Settings

INLINE_PAIRS = 6
_NEW_THUMBNAILS = 60
"""Most items of a page that get new thumbnails in a night; materialize `review_gallery` for all of them."""

_SAMPLE = 20
"""Number of outputs that are read to see if they still have the published bytes."""

SPEND = "Every purchase brought a cutout, and none is in doubt."
"""Description of the check `spend`."""


def log_cutouts(context: Step, names: Names, result: CollectionResult, version: str, how: str = "") -> None:
    """
    Log one collection as a materialization of `cutouts`.

    Args:
        context: the step that logs it.
        names: of the catalogue.
        result: its counters.
        version: code version of its cutouts.
        how: one line for people; empty for what the cutouts cost.
    """
    _log_materialization(
        context,
        dg.AssetMaterialization(
            names.key("cutouts"),
            partition=encode_partition(result.collection),
            description=how or f"{float(result.summary.credits):g} credits",
            metadata=metadata.of_part(result.summary),
            tags=versions.tags(names, version, context.run.run_id),
        ),
    )


def logged_cutouts(context: Step, names: Names) -> list[str]:
    """Return the collections that the steps of this run have logged as made."""
    logs = context.instance.all_logs(context.run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    made = (each.get_dagster_event().step_materialization_data.materialization for each in logs)
    return [decode_partition(str(each.partition)) for each in made if each.asset_key == names.key("cutouts")]


def log_unfinished(context: Step, names: Names, result: CollectionResult, why: str) -> None:
    """Log why a collection does not count as made, as an observation of `cutouts`: its page then tells."""
    observation = dg.AssetObservation(
        names.key("cutouts"),
        partition=encode_partition(result.collection),
        description=f"not made: {why}",
        metadata=metadata.of_part(result.summary),
    )
    context.log_event(observation)


def log_published(
    context: Step,
    names: Names,
    pipeline: Pipeline,
    partitions: Collection[str],
    outdated: Collection[str],
) -> None:
    """
    Log the collections that have cutouts and are shown as missing.

    Their events are in another DAGSTER_HOME, or there are none: a command made the cutouts, or a run that was killed.

    Args:
        context: the step that logs them.
        names: of the catalogue.
        pipeline: owner of the cutouts.
        partitions: partition keys of all collections that can be shown.
        outdated: collections with cutouts by another recipe.
    """
    version = versions.of_recipes(pipeline.policy.recipes)
    missing = set(partitions) - context.instance.get_materialized_partitions(names.key("cutouts"))
    published = pipeline.catalogue.items.collections(State.PUBLISHED)
    shown = {name: count for name, count in published.items() if encode_partition(name) in missing}
    for name, count in shown.items():
        result = CollectionResult(name, Summary(published=count), ())
        log_cutouts(context, names, result, "" if name in outdated else version, "the cutouts were there already")
    if shown:
        log_spend(context, names, Summary())


def log_page(context: Step, names: Names, collection: str, facts: metadata.Metadata) -> None:
    """Log the page of one collection as a materialization of `review_gallery`."""
    key, partition = names.key("review_gallery"), encode_partition(collection)
    _log_materialization(context, dg.AssetMaterialization(key, partition=partition, metadata=facts))


def write_page(
    context: Step,
    settings: Settings,
    pipeline: Pipeline,
    collection: str,
    *,
    most_new: int | None = _NEW_THUMBNAILS,
) -> metadata.Metadata:
    """
    Write the page of a collection. One that cannot be written is a warning: the work that it shows is done.

    Returns:
        What Dagster's page says of it.
    """
    gallery = settings.catalogue.open_gallery(settings.raw)
    items: list[ReviewItem] = []
    try:
        share = settings.catalogue.review_share
        items = write_static_page(pipeline, gallery, collection, share=share, most_new=most_new)
    except (ItemError, StoreError) as error:
        context.log.warning("a page of the gallery: %s", error)
    sheet = make_pairs(*pipeline.context, [item.entry.key for item in items[:INLINE_PAIRS]], 140)
    return {
        "page": dg.MetadataValue.path(location_of(settings.catalogue.gallery, gallery_page(collection))),
        "pictures": dg.MetadataValue.int(len(items)),
        "contact_sheet": metadata.picture(sheet),
        **metadata.of_review(settings.alerts.review_url, encode_partition(collection)),
    }


def warn_of_table(context: Step, table: TableResult | None) -> None:
    """Log why the table beside the outputs is not up to date."""
    if table and table.problem:
        context.log.warning("the table beside the cutouts is not up to date: %s", table.problem)


def log_spend(context: Step, names: Names, spent: Summary) -> None:
    """
    Log the check `spend` of `cutouts`, for a run that logged collections and did not run its step.

    In the same run, because Dagster then counts the check as evaluated for them; times are compared in whole seconds.
    """
    evaluation = _evaluation(names.key("cutouts"), metadata.spend_check(spent))
    _log(context, dg.DagsterEventType.ASSET_CHECK_EVALUATION, evaluation)


def report_state(context: Step, names: Names, pipeline: Pipeline) -> None:
    """Report the manifest and its checks as they are after this step."""
    facts, checks = of_manifest(pipeline)
    key = names.key("manifest")
    tags = {"dagster/data_version": versions.KEPT}
    reported: list[balance.Event] = [dg.AssetMaterialization(key, metadata=facts, tags=tags)]
    reported += [_evaluation(key, check) for check in checks]
    for event in reported:
        context.instance.report_runless_asset_event(event)


def report_balance(context: Step, names: Names, pipeline: Pipeline) -> None:
    """Report the balances as this step left them: where only cron starts the nights, no sensor does."""
    gates = gates_of(pipeline.accounts, pipeline.policy)
    balances = balance.balances_of(pipeline.accounts, gates)
    for event in balance.events_of(names.account, balances, pipeline.policy.thresholds):
        context.instance.report_runless_asset_event(event)


def of_manifest(pipeline: Pipeline) -> tuple[metadata.Metadata, list[dg.AssetCheckResult]]:
    """Return the items of the manifest by state, and the results of its checks."""
    states = pipeline.catalogue.items.states()
    standing = [each for each in standing_failures(pipeline.catalogue, pipeline.policy) if not each.accepted]
    scans = pipeline.catalogue.run_log.read(ScanRecord)
    not_looked = {key: why for scan in scans for key, why in scan.not_looked.items()}
    hosts_down = {each.host: f"{each.items} items: {each.why}" for scan in scans for each in scan.hosts_down}
    open_items = states[State.PENDING] + sum(each.state is not State.PUBLISHED for each in standing)
    damaged = verify.sample(pipeline.catalogue, _SAMPLE)
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
    integrity = dg.AssetCheckResult(
        check_name="output_integrity", passed=not damaged, metadata={"damaged": metadata.reasons(damaged)}
    )
    counts = {state: dg.MetadataValue.int(count) for state, count in states.items()}
    facts = {**counts, "still_failed": metadata.reasons({each.key: each.why for each in standing})}
    return facts, [coverage, integrity]


def _evaluation(asset: dg.AssetKey, result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=str(result.check_name),
        passed=result.passed,
        severity=result.severity,
        metadata=result.metadata,
    )


def _log_materialization(context: Step, materialization: dg.AssetMaterialization) -> None:
    _log(context, dg.DagsterEventType.ASSET_MATERIALIZATION, StepMaterializationData(materialization, []))


def _log(
    context: Step,
    kind: dg.DagsterEventType,
    content: StepMaterializationData | dg.AssetCheckEvaluation,
) -> None:
    """Log an event without the 700 bytes that name step and resources."""
    run = context.run
    event = dg.DagsterEvent(event_type_value=kind.value, job_name=run.job_name, event_specific_data=content)
    context.instance.report_dagster_event(event, run.run_id)
