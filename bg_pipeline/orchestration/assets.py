"""The assets: what is in the catalogue, what is published, what is to be done, and the cutouts."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from pathlib import Path

import dagster as dg
from dagster._utils.schedules import get_smallest_cron_interval
from pydantic import Field

from bg_pipeline.config import load_night, load_settings
from bg_pipeline.core.gate import way
from bg_pipeline.core.keys import decode_partition, encode_partition, gallery_page
from bg_pipeline.core.records import Reason, State
from bg_pipeline.core.report import Summary
from bg_pipeline.errors import GuardStopped, LeaseHeld
from bg_pipeline.imaging.sheet import Pair, sheet_html
from bg_pipeline.manifest import schema
from bg_pipeline.orchestration import metadata, versions
from bg_pipeline.orchestration.partitions import collections, register
from bg_pipeline.orchestration.pool import POOL, hold
from bg_pipeline.orchestration.resources import EVERYTHING, LogProgress, PipelineResource, owner_of, spender
from bg_pipeline.steps import verify
from bg_pipeline.steps.alerting import note_failure
from bg_pipeline.steps.detect import LEASE, detect, plan, rehash_due, scan
from bg_pipeline.steps.gallery import pairs
from bg_pipeline.steps.gate import look_at_all
from bg_pipeline.steps.night import begin
from bg_pipeline.steps.parts import Parts, leased
from bg_pipeline.steps.trash import Trashed, clear_out
from bg_pipeline.steps.wave import Worked, wave

OWNERS = ["team:catalogue"]
_INLINE_PAIRS = 6
_GALLERY_PAIRS = 60
_PAGES = 20
"""Collections whose page a night makes anew, those with failures first; a backfill makes the others'."""

_LOOK_S = 15.0
"""Between two looks of a paused backfill at the gate."""

_TELL_S = 900.0
"""Between two lines in the log of a paused backfill."""

_night = load_night()
_interval = get_smallest_cron_interval(_night.bg_nightly_cron, _night.bg_timezone)


@dg.asset(group_name="catalogue", kinds={"python"}, owners=OWNERS, output_required=False)
def source_images(context: dg.AssetExecutionContext, pipeline: PipelineResource) -> Iterator[dg.MaterializeResult]:
    """
    The catalogue, listed to its end; what is new or looks changed is hashed.

    A listing that fails, ends early or comes back empty fails this asset, and nothing counts as deleted. While another
    detection runs, this one says so and ends.
    """
    with pipeline.open(context.run.run_id) as parts:
        try:
            owner = owner_of(context.run.run_id)
            begun = begin(parts, owner)
            found = scan(parts, owner, LogProgress(context.log), rehash_due(parts))
        except LeaseHeld as error:
            context.log.warning("left to the other: %s", error)
            context.instance.add_run_tags(context.run.run_id, {"bg_pipeline/left_to_the_other": str(error)})
            return
    yield dg.MaterializeResult(metadata={**metadata.of_scan(found), **metadata.of_money(begun.lost, begun.reconciled)})


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
    owners=OWNERS,
    output_required=False,
    # At each tick of the schedule the night before must have been there.
    freshness_policy=dg.FreshnessPolicy.cron(
        deadline_cron=_night.bg_nightly_cron,
        lower_bound_delta=max(_interval, timedelta(minutes=1)),
        timezone=_night.bg_timezone,
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
    with pipeline.open(context.run.run_id) as parts:
        try:
            delta = detect(parts, owner_of(context.run.run_id))
        except LeaseHeld as error:
            context.log.warning("left to the other: %s", error)
            return
        trashed = _clear_out(parts, context)
        pending = parts.manifest.pending_collections()
        present = parts.manifest.collections()
    register(context.instance, list(map(encode_partition, pending)), set(map(encode_partition, present)))
    # Not as metadata of the result, which Dagster would store with its step's output too.
    context.add_asset_metadata({**metadata.of_delta(delta, pending), **metadata.of_trash(trashed)})
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


def _clear_out(parts: Parts, context: dg.AssetExecutionContext) -> Trashed:
    """A guard that stops the trash stops nothing else: it is told of, and the night goes on."""
    try:
        return clear_out(parts, owner_of(context.run.run_id))
    except GuardStopped as error:
        context.log.warning("%s", error)
        note_failure(parts, error, run_id=context.run.run_id)
        return Trashed(stopped=str(error))


_SPEND = "Nothing was paid for that brought no cutout."


class Only(Enum):
    """Which items of a collection. Dagster takes the names for what a person types, so they are in small letters."""

    all = "all"
    changed = "changed"
    failed = "failed"


class CutoutsConfig(dg.Config):
    """What a backfill does, and how far it goes."""

    only: Only = Field(
        default=Only.all, description="all that is pending, only pictures that changed, or once more what failed"
    )
    max_credits: float | None = Field(
        default=None, ge=0, description="this run stops before it spends more; empty: BG_MAX_CREDITS_PER_RUN"
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
    total = Summary()
    with pipeline.open(context.run.run_id) as parts:
        started = parts.now()
        chosen = _chosen(parts, [decode_partition(key) for key in context.partition_keys], config, context)
        budget = pipeline.budget(spender(context.run), config.max_credits)
        told: dict[str, Summary] = {name: Summary() for name in chosen}
        shown: dict[str, list[str]] = {name: [] for name in chosen}
        again: Mapping[str, Sequence[str] | None] = chosen
        while again:
            counts = _counts(parts, again)
            paused = ""
            for worked in wave(parts, again, counts, owner_of(context.run.run_id), budget, LogProgress(context.log)):
                told[worked.collection].add(worked.summary)
                shown[worked.collection] += worked.published
                paused = paused or worked.summary.paused
            again = {name: keys for name, keys in again.items() if paused and _counts(parts, {name: keys})[name]}
            if again:
                _wait(parts, context, paused)
        for name, summary in told.items():
            summary.pending = parts.manifest.pending_collections().get(name, 0)
            summary.paused = ""
            sheet = pairs(parts, shown[name][:_INLINE_PAIRS] + [f.key for f in summary.failures[:2]], 140)
            context.add_asset_metadata(metadata.of_summary(summary, sheet), partition_key=encode_partition(name))
            total.add(summary)
        total.seconds = parts.now() - started
        parts.control.log_sync("process", started, total.as_dict())
    return dg.MaterializeResult(check_results=[_spend(total)])


def _chosen(
    parts: Parts, names: Sequence[str], config: CutoutsConfig, context: dg.AssetExecutionContext
) -> dict[str, Sequence[str] | None]:
    """The chosen collections, each with the keys to be done, or None for all."""
    if config.apply_recipe_change:
        with leased(parts, LEASE, owner_of(context.run.run_id)):
            held = [c for c in plan(parts, apply_recipe_change=True).changes if c.reason is Reason.RECIPE_CHANGED]
            parts.manifest.record_delta([c for c in held if c.collection in names])
    chosen: dict[str, Sequence[str] | None] = {}
    for name in names:
        keys: Sequence[str] | None = None
        if config.only is Only.failed:
            keys = parts.manifest.retry(name)
        elif config.only is Only.changed:
            changed = frozenset({Reason.CHANGED, Reason.RECIPE_CHANGED, Reason.OUTPUT_MISSING})
            keys = [entry.key for entry in parts.manifest.pending(name, changed)]
        if config.sample is not None:
            keys = [e.key for e in parts.manifest.pending(name) if keys is None or e.key in set(keys)][: config.sample]
        chosen[name] = keys
    return chosen


def _counts(parts: Parts, chosen: Mapping[str, Sequence[str] | None]) -> dict[str, int]:
    """How many of the chosen items are pending."""
    pending = parts.manifest.pending_collections()
    return {
        name: pending.get(name, 0)
        if keys is None
        else len({e.key for e in parts.manifest.pending(name)}.intersection(keys))
        for name, keys in chosen.items()
    }


def _wait(parts: Parts, context: dg.AssetExecutionContext, paused: str) -> None:
    """Until the gate is open. The balance is read here too, so that a top-up is seen without any sensor."""
    run_id, told_at = context.run.run_id, 0.0
    hold(context.instance)
    context.instance.add_run_tags(run_id, {"bg_pipeline/paused": paused})
    while not parts.stop.is_set() and not way(look_at_all(parts)).is_open:
        if parts.now() - told_at > _TELL_S:
            told_at = parts.now()
            context.log.warning("paused, and goes on by itself: %s", paused)
        parts.stop.wait(_LOOK_S)
    context.instance.add_run_tags(run_id, {"bg_pipeline/paused": "no, it went on"})
    context.log.info("the gate is open again")


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
    total, shown, bad = Summary(), list[str](), dict[str, int]()
    with pipeline.open(context.run.run_id) as parts:
        started, version = time.time(), versions.of_recipe(parts.recipe)
        counts = parts.manifest.pending_collections()
        everything: dict[str, Sequence[str] | None] = dict.fromkeys(counts)
        owner, progress = owner_of(context.run.run_id), LogProgress(context.log)
        for worked in wave(parts, everything, counts, owner, pipeline.budget(spender(context.run)), progress):
            total.add(worked.summary)
            shown += worked.published
            bad[worked.collection] = bad.get(worked.collection, 0) + len(worked.summary.failures)
            if not worked.summary.busy:
                _log(context, worked, version)
        total.pending = sum(parts.manifest.pending_collections().values())
        total.seconds = time.time() - started
        parts.control.log_sync("process", started, total.as_dict() | {EVERYTHING: True})
        if total.paused:
            context.log.warning("paused with %s items pending: %s", total.pending, total.paused)
            context.instance.add_run_tags(context.run.run_id, {"bg_pipeline/paused": total.paused})
            hold(context.instance)
        failed = [f.key for f in total.failures]
        sheet = pairs(parts, _spread(shown, _INLINE_PAIRS - len(failed[:2])) + failed[:2], 140)
        for name in sorted(bad, key=lambda name: -bad[name])[:_PAGES]:
            _gallery(parts, name)
    pages = dg.MetadataValue.path(Path(load_settings().bg_gallery).resolve())
    context.add_asset_metadata({**metadata.of_summary(total, sheet), "pages": pages})
    return dg.MaterializeResult(check_results=[_spend(total)])


def _log(context: dg.AssetExecutionContext, worked: Worked, version: str) -> None:
    """The collection as a materialization of `cutouts`."""
    run = context.run
    found = dg.AssetMaterialization(
        cutouts.key,
        partition=encode_partition(worked.collection),
        description=f"{float(worked.summary.credits):g} credits",
        metadata=metadata.of_part(worked.summary),
        tags=versions.tags(version, run.run_id),
    )
    context.instance.report_dagster_event(metadata.event_of(found, run.job_name), run.run_id)


def _spread(keys: Sequence[str], count: int) -> list[str]:
    """So many of them, evenly drawn: the neighbours of one collection look alike."""
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
    with pipeline.open() as parts:
        for partition_key in context.partition_keys:
            page, found = _gallery(parts, decode_partition(partition_key))
            told = {
                "page": dg.MetadataValue.path(page),
                "pictures": dg.MetadataValue.int(len(found)),
                "contact_sheet": metadata.picture(found[:_INLINE_PAIRS]),
            }
            context.add_asset_metadata(told, partition_key=partition_key)
    return dg.MaterializeResult()


def _gallery(parts: Parts, collection: str) -> tuple[Path, list[Pair]]:
    keys = [entry.key for entry in parts.manifest.recent(collection, _GALLERY_PAIRS)]
    found = pairs(parts, keys, 320)
    page = Path(load_settings().bg_gallery, gallery_page(collection))
    page.parent.mkdir(parents=True, exist_ok=True)
    title = f"Cutouts: {collection or 'top folder'}"
    page.write_text(sheet_html(found, title=title, facts=[]), encoding="utf-8")
    return page.resolve(), found
