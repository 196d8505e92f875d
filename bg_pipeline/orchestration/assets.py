"""The assets: source images, manifest, pending work, and cutouts."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import Enum
from pathlib import Path

import dagster as dg
from pydantic import Field

from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.claims import Only as OnlyPart
from bg_pipeline.core.credits import MOST_CREDITS
from bg_pipeline.core.keys import decode_partition, encode_partition, gallery_page
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Summary
from bg_pipeline.core.runlog import ScanRecord
from bg_pipeline.errors import ItemError, LeaseHeld, StoreError
from bg_pipeline.imaging.page import sheet_html
from bg_pipeline.imaging.sheet import Pair
from bg_pipeline.manifest import schema
from bg_pipeline.orchestration import metadata, versions
from bg_pipeline.orchestration.dagster_private import get_smallest_cron_interval
from bg_pipeline.orchestration.partitions import collections, register
from bg_pipeline.orchestration.pool import POOL, pause_pool
from bg_pipeline.orchestration.resources import PipelineResource
from bg_pipeline.pipeline import night, verify
from bg_pipeline.pipeline.backfill import backfill
from bg_pipeline.pipeline.gallery import make_pairs
from bg_pipeline.pipeline.process import Scope
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.purchasing.tally import CollectionResult
from bg_pipeline.wiring import folder_of
from bg_pipeline.wiring.settings import load_schedule, load_settings

_PAUSED = "bg_pipeline/paused"
"""Tag with the reason why a run waits or ended early."""

OWNERS = ["team:catalogue"]
_INLINE_PAIRS = 6
_GALLERY_PAIRS = 60
_PAGES = 20
"""Most pages that a night renders again, collections with most failures first; a backfill renders the others."""

_schedule = load_schedule()
_interval = get_smallest_cron_interval(_schedule.nightly_cron, _schedule.timezone)


@dg.asset(group_name="catalogue", kinds={"python"}, owners=OWNERS, output_required=False)
def source_images(context: dg.AssetExecutionContext, pipeline: PipelineResource) -> Iterator[dg.MaterializeResult]:
    """
    List the whole catalogue, and hash new items and items that look changed.

    A listing that fails, ends early or is suddenly empty fails this asset, and nothing counts as deleted. While another
    detection runs, this asset is skipped.
    """
    with pipeline.open(context) as services:
        try:
            result = night.look(services)
        except LeaseHeld as error:
            context.log.warning("skipped: another detection is running (%s)", error)
            context.instance.add_run_tags(context.run.run_id, {"bg_pipeline/skipped": str(error)})
            return
    yield dg.MaterializeResult(
        metadata={**metadata.of_scan(result.scan), **metadata.of_money(result.lost, result.reconciled)}
    )


@dg.asset(
    group_name="catalogue",
    kinds={"sql"},
    owners=OWNERS,
    metadata={"dagster/column_schema": metadata.columns_of(schema.items)},
    check_specs=[
        dg.AssetCheckSpec("coverage", asset="manifest", description="Every picture that can have a cutout has one."),
        dg.AssetCheckSpec(
            "output_integrity",
            asset="manifest",
            description="A sample of the outputs still has the published bytes.",
        ),
    ],
)
def manifest(pipeline: PipelineResource) -> dg.MaterializeResult:
    """Count the items of the manifest by state, list the failed ones, and verify a sample of the outputs."""
    with pipeline.open() as services:
        states = services.catalogue.items.states()
        failed = services.catalogue.items.in_state(State.FAILED)
        scans = services.catalogue.run_log.read(ScanRecord)
        damaged = verify.sample(services.catalogue, 20)
    not_looked = {key: why for scan in scans for key, why in scan.not_looked.items()}
    open_items = states[State.PENDING] + states[State.FAILED] + states[State.QUARANTINED]
    return dg.MaterializeResult(
        metadata={
            **{state: dg.MetadataValue.int(count) for state, count in states.items()},
            "still_failed": metadata.table([{"key": e.key, "why": e.detail} for e in failed]),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="coverage",
                passed=not open_items and not not_looked,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "published": states[State.PUBLISHED],
                    "without_cutout": open_items,
                    "not_looked_at": metadata.reasons(not_looked),
                },
            ),
            dg.AssetCheckResult(
                check_name="output_integrity",
                passed=not damaged,
                metadata={"damaged": metadata.reasons(damaged)},
            ),
        ],
    )


@dg.asset(
    deps=[source_images, manifest],
    group_name="catalogue",
    kinds={"python"},
    owners=OWNERS,
    output_required=False,
    # At each tick of the schedule, the run of the previous tick must have completed.
    freshness_policy=dg.FreshnessPolicy.cron(
        deadline_cron=_schedule.nightly_cron,
        lower_bound_delta=max(_interval, timedelta(minutes=1)),
        timezone=_schedule.timezone,
    ),
    check_specs=[
        dg.AssetCheckSpec("no_collisions", asset="image_delta", description="No two items want the same output name.")
    ],
)
def image_delta(context: dg.AssetExecutionContext, pipeline: PipelineResource) -> Iterator[dg.MaterializeResult]:
    """
    Compare the catalogue with the manifest: new, changed, renamed and deleted items, and what they cost.

    Collections with pending items become partitions of `cutouts`; the sensor `delta_dispatch` requests their run.
    """
    with pipeline.open(context) as services:
        try:
            decision = night.decide(services)
        except LeaseHeld as error:
            context.log.warning("skipped: another detection is running (%s)", error)
            return
        if decision.trash.stopped:
            context.log.warning("%s", decision.trash.stopped)
        pending = services.catalogue.queue.pending()
        present = services.catalogue.items.collections()
    delta = decision.delta
    register(context.instance, list(map(encode_partition, pending)), set(map(encode_partition, present)))
    # As metadata of the result it would be stored twice: Dagster keeps that with the step's output too.
    context.add_asset_metadata({**metadata.of_delta(delta, pending), **metadata.of_trash(decision.trash)})
    yield dg.MaterializeResult(
        data_version=dg.DataVersion(versions.DELTA),
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


_SPEND = "Every purchase brought a cutout, and none is in doubt."


class Only(Enum):
    """`core.claims.Only` for Dagster. People type the member names in the launchpad, so they are in lower case."""

    all = "all"
    new = "new"
    changed = "changed"
    failed = "failed"


class CutoutsConfig(dg.Config):
    """Scope and limits of a backfill."""

    only: Only = Field(
        default=Only.all, description="all pending items, only new or only changed pictures, or failed items again"
    )
    max_credits: float | None = Field(
        default=None,
        ge=0,
        le=MOST_CREDITS,
        description="stop before this backfill spends more; it can only lower BG_MAX_CREDITS_PER_RUN",
    )
    apply_recipe_change: bool = Field(
        default=False, description="buy again the items of these collections that were cut by another recipe"
    )
    sample: int | None = Field(default=None, ge=1, description="at most this many items of each collection")


@dg.asset(
    deps=[image_delta],
    partitions_def=collections,
    group_name="catalogue",
    kinds={"python"},
    owners=OWNERS,
    pool=POOL,
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=50),
    code_version=versions.of_settings(),
    check_specs=[dg.AssetCheckSpec("spend", asset="cutouts", description=_SPEND)],
)
def cutouts(
    context: dg.AssetExecutionContext, pipeline: PipelineResource, config: CutoutsConfig
) -> dg.MaterializeResult:
    """
    Cut out and publish the pending items of the chosen collections.

    Safe to run again at any time: published items are skipped, and a stored master is never bought again. While the
    gate is closed it waits, and resumes by itself. Every night `nightly_cutouts` does this for all collections.
    """
    names = [decode_partition(key) for key in context.partition_keys]
    choice = night.Choice(
        frozenset(names), OnlyPart(config.only.value), config.sample, apply_recipe_change=config.apply_recipe_change
    )
    with pipeline.open(context) as services:
        ask = Ask(AskedBy.BACKFILL, pipeline.budget(context.run, config.max_credits))
        result = backfill(services, ask, choice, _Watcher(context))
        pending = services.catalogue.queue.pending()
        for name in names:
            of_one = result.by_collection.get(name) or CollectionResult(name, Summary(), ())
            of_one.summary.pending = pending.get(name, 0)
            keys = [*of_one.published[:_INLINE_PAIRS], *(f.key for f in of_one.summary.failures[:2])]
            sheet = make_pairs(*services.context, keys, 140)
            context.add_asset_metadata(metadata.of_summary(of_one.summary, sheet), partition_key=encode_partition(name))
    return dg.MaterializeResult(check_results=[metadata.spend_check(result.total)])


class _Watcher:
    """Shows in the tags and the log of the run that a backfill waits."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context

    def paused(self, why: str) -> None:
        pause_pool(self._context.instance)
        self._context.instance.add_run_tags(self._context.run.run_id, {_PAUSED: why})
        self.waiting(why)

    def waiting(self, why: str) -> None:
        self._context.log.warning("paused, resumes by itself: %s", why)

    def resumed(self) -> None:
        self._context.instance.add_run_tags(self._context.run.run_id, {_PAUSED: "no, resumed"})
        self._context.log.info("requests are allowed again")


@dg.asset(
    deps=[image_delta],
    group_name="catalogue",
    kinds={"python"},
    owners=OWNERS,
    pool=POOL,
    check_specs=[dg.AssetCheckSpec("spend", asset="nightly_cutouts", description=_SPEND)],
)
def nightly_cutouts(context: dg.AssetExecutionContext, pipeline: PipelineResource) -> dg.MaterializeResult:
    """
    Cut out and publish all pending items of the catalogue in one run, several collections at once.

    Each collection appears on `cutouts` as soon as it is done; the plots here are per night. A pause ends the run, and
    `delta_dispatch` requests the next one when the gate is open again.
    """
    failures: dict[str, int] = {}
    with pipeline.open(context) as services:
        version = versions.of_recipe(services.policy.recipe)

        def log(result: CollectionResult) -> None:
            failures[result.collection] = failures.get(result.collection, 0) + len(result.summary.failures)
            _log(context, result, version)

        result = night.work(services, Ask(AskedBy.NIGHT, pipeline.budget(context.run)), Scope(), log)
        total = result.summary
        if total.paused:
            context.log.warning("paused with %s items pending: %s", total.pending, total.paused)
            context.instance.add_run_tags(context.run.run_id, {_PAUSED: total.paused})
            pause_pool(context.instance)
        failed = [f.key for f in total.failures[:2]]
        sheet = make_pairs(*services.context, _spread(result.published, _INLINE_PAIRS - len(failed)) + failed, 140)
        for name in sorted(failures, key=lambda name: -failures[name])[:_PAGES]:
            _gallery(context, services, name)
    pages = dg.MetadataValue.path(Path(load_settings().catalogue.gallery).resolve())
    context.add_asset_metadata({**metadata.of_summary(total, sheet), "pages": pages})
    return dg.MaterializeResult(check_results=[metadata.spend_check(total)])


def _log(context: dg.AssetExecutionContext, result: CollectionResult, version: str) -> None:
    """Log the collection as a materialization of `cutouts`."""
    run = context.run
    materialization = dg.AssetMaterialization(
        cutouts.key,
        partition=encode_partition(result.collection),
        description=f"{float(result.summary.credits):g} credits",
        metadata=metadata.of_part(result.summary),
        tags=versions.tags(version, run.run_id),
    )
    context.instance.report_dagster_event(metadata.event_of(materialization, run.job_name), run.run_id)


def _spread(keys: Sequence[str], count: int) -> list[str]:
    """Return keys spread over the whole list: neighbours look alike."""
    return list(keys[:: max(1, -(-len(keys) // max(1, count)))])[:count]


@dg.asset(
    deps=[cutouts],
    partitions_def=collections,
    group_name="catalogue",
    kinds={"html"},
    owners=OWNERS,
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=50),
)
def review_gallery(context: dg.AssetExecutionContext, pipeline: PipelineResource) -> dg.MaterializeResult:
    """Render one page per collection: sources beside cutouts, and the failed and suspicious items."""
    with pipeline.open() as services:
        for partition_key in context.partition_keys:
            page, sheet = _gallery(context, services, decode_partition(partition_key))
            facts = {
                "page": dg.MetadataValue.path(page),
                "pictures": dg.MetadataValue.int(len(sheet)),
                "contact_sheet": metadata.picture(sheet[:_INLINE_PAIRS]),
            }
            context.add_asset_metadata(facts, partition_key=partition_key)
    return dg.MaterializeResult()


def _gallery(context: dg.AssetExecutionContext, pipeline: Pipeline, collection: str) -> tuple[Path, list[Pair]]:
    """Write the page of a collection. One that cannot be written is a warning: the work that it shows is done."""
    keys = [entry.key for entry in pipeline.catalogue.items.recent(collection, _GALLERY_PAIRS)]
    sheet = make_pairs(*pipeline.context, keys, 320)
    gallery, name = Path(load_settings().catalogue.gallery).absolute(), gallery_page(collection)
    html = sheet_html(sheet, title=f"Cutouts: {collection or 'top folder'}", facts=[])
    try:
        folder_of(gallery).write(name, html.encode())
    except (ItemError, StoreError) as error:
        context.log.warning("a page of the gallery: %s", error)
    return gallery / name, sheet
