"""The assets: source images, manifest, pending work, and cutouts."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import Enum
from pathlib import Path

import dagster as dg
from pydantic import Field

from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.claims import Only as OnlyPart
from bg_pipeline.core.keys import decode_partition, encode_partition, gallery_page
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Summary
from bg_pipeline.errors import LeaseHeld
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
from bg_pipeline.pipeline.gallery import pairs
from bg_pipeline.pipeline.process import Scope
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.purchasing.tally import CollectionResult
from bg_pipeline.wiring.settings import load_schedule, load_settings

_PAUSED = "bg_pipeline/paused"
"""Tag with the reason why a run waits or ended early."""

OWNERS = ["team:catalogue"]
_INLINE_PAIRS = 6
_GALLERY_PAIRS = 60
_PAGES = 20
"""Collections whose page a night renders again, those with failures first; a backfill renders the others."""

_schedule = load_schedule()
_interval = get_smallest_cron_interval(_schedule.nightly_cron, _schedule.timezone)


@dg.asset(group_name="catalogue", kinds={"python"}, owners=OWNERS, output_required=False)
def source_images(context: dg.AssetExecutionContext, pipeline: PipelineResource) -> Iterator[dg.MaterializeResult]:
    """
    The catalogue, listed to its end; what is new or looks changed is hashed.

    A listing that fails, ends early or comes back empty fails this asset, and nothing counts as deleted. While another
    detection runs, this one says so and ends.
    """
    with pipeline.open(context) as opened:
        try:
            result = night.look(opened)
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
            description="A sample of the outputs has the bytes that were published.",
        ),
    ],
)
def manifest(pipeline: PipelineResource) -> dg.MaterializeResult:
    """The record of what every item's published cutout was made from: one row an item, by state."""
    with pipeline.open() as opened:
        states = opened.catalogue.items.states()
        failed = opened.catalogue.items.in_state(State.FAILED)
        damaged = verify.sample(opened.catalogue, 20)
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
    Catalogue against manifest: what is new, changed, renamed, gone, and what it will cost.

    Collections with work become partitions of `cutouts`; the sensor `delta_dispatch` asks for the run that does it.
    """
    with pipeline.open(context) as opened:
        try:
            decision = night.decide(opened)
        except LeaseHeld as error:
            context.log.warning("skipped: another detection is running (%s)", error)
            return
        if decision.trash.stopped:
            context.log.warning("%s", decision.trash.stopped)
        pending = opened.catalogue.queue.pending()
        present = opened.catalogue.items.collections()
    delta = decision.delta
    register(context.instance, list(map(encode_partition, pending)), set(map(encode_partition, present)))
    # Metadata of the result would be stored twice: Dagster keeps it with the step's output too.
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


_SPEND = "Nothing was paid for that brought no cutout."


class Only(Enum):
    """`core.claims.Only` for Dagster. A person types the member names in the launchpad, so they are in lower case."""

    all = "all"
    new = "new"
    changed = "changed"
    failed = "failed"


class CutoutsConfig(dg.Config):
    """What a backfill does, and how far it goes."""

    only: Only = Field(
        default=Only.all, description="all that is pending, only new or only changed pictures, or again what failed"
    )
    max_credits: float | None = Field(
        default=None,
        ge=0,
        description="stop before this backfill spends more; lowers BG_MAX_CREDITS_PER_RUN, never raises it",
    )
    apply_recipe_change: bool = Field(
        default=False, description="buy again what was cut by another recipe, in these collections"
    )
    sample: int | None = Field(default=None, ge=1, description="no more than so many items of each collection")


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
    The pending items of the chosen collections, cut out and published.

    Safe to run again at any time: what is done is skipped, and what was paid for is never bought twice. While the gate
    is closed it waits, and goes on by itself. Every night `nightly_cutouts` does this for all collections with work.
    """
    names = [decode_partition(key) for key in context.partition_keys]
    choice = night.Choice(
        frozenset(names), OnlyPart(config.only.value), config.sample, apply_recipe_change=config.apply_recipe_change
    )
    with pipeline.open(context) as opened:
        ask = Ask(AskedBy.BACKFILL, pipeline.budget(context.run, config.max_credits))
        result = backfill(opened, ask, choice, _Watcher(context))
        pending = opened.catalogue.queue.pending()
        for name in names:
            of_one = result.by_collection.get(name) or CollectionResult(name, Summary(), ())
            of_one.summary.pending = pending.get(name, 0)
            keys = [*of_one.published[:_INLINE_PAIRS], *(f.key for f in of_one.summary.failures[:2])]
            sheet = pairs(*opened.parts, keys, 140)
            context.add_asset_metadata(metadata.of_summary(of_one.summary, sheet), partition_key=encode_partition(name))
    return dg.MaterializeResult(check_results=[_spend(result.total)])


class _Watcher:
    """Reports on the run's page and in its log that a backfill waits."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context

    def paused(self, why: str) -> None:
        pause_pool(self._context.instance)
        self._context.instance.add_run_tags(self._context.run.run_id, {_PAUSED: why})
        self.waiting(why)

    def waiting(self, why: str) -> None:
        self._context.log.warning("paused, and goes on by itself: %s", why)

    def resumed(self) -> None:
        self._context.instance.add_run_tags(self._context.run.run_id, {_PAUSED: "no, it went on"})
        self._context.log.info("requests are allowed again")


def _spend(summary: Summary) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name="spend",
        passed=not (summary.in_doubt or summary.wasted),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"credits": float(summary.credits), "in_doubt": summary.in_doubt, "wasted": summary.wasted},
    )


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
    Everything that is pending in the whole catalogue, several collections at once, in one run.

    Each collection shows on `cutouts` as soon as it is done; the plots here are those of whole nights. A pause ends the
    run, and `delta_dispatch` asks for the next one when the gate is open again.
    """
    failures: dict[str, int] = {}
    with pipeline.open(context) as opened:
        version = versions.of_recipe(opened.policy.recipe)

        def log(result: CollectionResult) -> None:
            failures[result.collection] = failures.get(result.collection, 0) + len(result.summary.failures)
            _log(context, result, version)

        result = night.work(opened, Ask(AskedBy.NIGHT, pipeline.budget(context.run)), Scope(), log)
        total = result.summary
        if total.paused:
            context.log.warning("paused with %s items pending: %s", total.pending, total.paused)
            context.instance.add_run_tags(context.run.run_id, {_PAUSED: total.paused})
            pause_pool(context.instance)
        failed = [f.key for f in total.failures[:2]]
        sheet = pairs(*opened.parts, _spread(result.published, _INLINE_PAIRS - len(failed)) + failed, 140)
        for name in sorted(failures, key=lambda name: -failures[name])[:_PAGES]:
            _gallery(opened, name)
    pages = dg.MetadataValue.path(Path(load_settings().catalogue.gallery).resolve())
    context.add_asset_metadata({**metadata.of_summary(total, sheet), "pages": pages})
    return dg.MaterializeResult(check_results=[_spend(total)])


def _log(context: dg.AssetExecutionContext, result: CollectionResult, version: str) -> None:
    """Log the collection as a materialization of `cutouts`."""
    run = context.run
    found = dg.AssetMaterialization(
        cutouts.key,
        partition=encode_partition(result.collection),
        description=f"{float(result.summary.credits):g} credits",
        metadata=metadata.of_part(result.summary),
        tags=versions.tags(version, run.run_id),
    )
    context.instance.report_dagster_event(metadata.event_of(found, run.job_name), run.run_id)


def _spread(keys: Sequence[str], count: int) -> list[str]:
    """Draw keys evenly: neighbours in one collection look alike."""
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
    """One page a collection, for eyes: the latest cutouts beside their sources, and what failed or is suspicious."""
    with pipeline.open() as opened:
        for partition_key in context.partition_keys:
            page, found = _gallery(opened, decode_partition(partition_key))
            facts = {
                "page": dg.MetadataValue.path(page),
                "pictures": dg.MetadataValue.int(len(found)),
                "contact_sheet": metadata.picture(found[:_INLINE_PAIRS]),
            }
            context.add_asset_metadata(facts, partition_key=partition_key)
    return dg.MaterializeResult()


def _gallery(pipeline: Pipeline, collection: str) -> tuple[Path, list[Pair]]:
    keys = [entry.key for entry in pipeline.catalogue.items.recent(collection, _GALLERY_PAIRS)]
    found = pairs(*pipeline.parts, keys, 320)
    page = Path(load_settings().catalogue.gallery, gallery_page(collection))
    page.parent.mkdir(parents=True, exist_ok=True)
    title = f"Cutouts: {collection or 'top folder'}"
    page.write_text(sheet_html(found, title=title, facts=[]), encoding="utf-8")
    return page.resolve(), found
