"""The assets of a night: source images, manifest, delta, and the cutouts of all collections."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import dagster as dg

from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.keys import encode_partition
from bg_pipeline.core.runlog import ClearOutRecord, DetectRecord, ScanRecord
from bg_pipeline.errors import LeaseHeld
from bg_pipeline.manifest import schema
from bg_pipeline.orchestration import events, metadata, versions
from bg_pipeline.orchestration.dagster_private import get_smallest_cron_interval
from bg_pipeline.orchestration.events import INLINE_PAIRS, SPEND
from bg_pipeline.orchestration.launches import LaunchConfig
from bg_pipeline.orchestration.opener import LEFT_UNDONE, Opener
from bg_pipeline.orchestration.partitions import MOST_COLLECTIONS, register
from bg_pipeline.orchestration.pool import pause_pool
from bg_pipeline.pipeline import night
from bg_pipeline.pipeline.backfill import find_unfinished
from bg_pipeline.pipeline.gallery import make_pairs
from bg_pipeline.pipeline.process import Scope
from bg_pipeline.pipeline.settings import ScheduleSettings
from bg_pipeline.purchasing.tally import CollectionResult

_PAGES = 20
"""Most pages that a night renders again, collections with most failures first; a backfill renders the others."""


def source_images(opener: Opener) -> dg.AssetsDefinition:
    names = opener.names

    @dg.asset(
        key=names.key("source_images"),
        group_name=names.group,
        kinds={"python"},
        owners=metadata.OWNERS,
        output_required=False,
    )
    def source_images(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        """
        List the whole catalogue, and hash new items and items that look changed.

        `hashed` files were read, `rehashed` of them although they look unchanged; `gone` ones are no longer listed.
        `left_out` counts by pattern what is no picture of the shop. Items that are `still_written`, `unreadable` or
        `not_looked_at` stay as they were.

        A listing that fails, ends early or is suddenly empty fails this asset, and nothing counts as deleted. While
        another detection runs, this asset is skipped.
        """
        with opener.open(context) as services:
            try:
                result = night.look(services)
                seconds = metadata.of_seconds(services, seconds=ScanRecord)
            except LeaseHeld as error:
                context.log.warning("skipped: another detection is running (%s)", error)
                context.instance.add_run_tags(
                    context.run.run_id, {"bg_pipeline/skipped": f"another detection is running: {error}"}
                )
                return
        yield dg.MaterializeResult(
            metadata={**metadata.of_scan(result.scan), **seconds, **metadata.of_money(result.lost, result.reconciled)}
        )

    return source_images


def manifest(opener: Opener) -> dg.AssetsDefinition:
    names = opener.names
    key = names.key("manifest")

    @dg.asset(
        key=key,
        group_name=names.group,
        kinds={"sql"},
        owners=metadata.OWNERS,
        metadata={"dagster/column_schema": metadata.columns_of(schema.items)},
        check_specs=[
            dg.AssetCheckSpec("coverage", asset=key, description="Every picture that can have a cutout has one."),
            dg.AssetCheckSpec(
                "output_integrity",
                asset=key,
                description="A sample of the outputs still has the published bytes.",
            ),
        ],
    )
    def manifest() -> dg.MaterializeResult:
        """
        Count the items of the manifest by state, list the failed ones, and verify a sample of the outputs.

        Every step that changes the manifest reports it here again, so that this page shows the present state. The
        columns are those of its table of items.
        """
        with opener.open() as services:
            facts, checks = events.of_manifest(services)
        return dg.MaterializeResult(metadata=facts, check_results=checks, data_version=dg.DataVersion(versions.KEPT))

    return manifest


def image_delta(opener: Opener, schedule: ScheduleSettings) -> dg.AssetsDefinition:
    names = opener.names
    key, partitions = names.key("image_delta"), names.name("collections")
    interval = get_smallest_cron_interval(schedule.nightly_cron, schedule.timezone)

    @dg.asset(
        key=key,
        deps=[names.key("source_images"), names.key("manifest")],
        group_name=names.group,
        kinds={"python"},
        owners=metadata.OWNERS,
        output_required=False,
        # At each tick of the schedule, the run of the previous tick must have completed.
        freshness_policy=dg.FreshnessPolicy.cron(
            deadline_cron=schedule.nightly_cron,
            lower_bound_delta=max(interval, timedelta(minutes=1)),
            timezone=schedule.timezone,
        ),
        check_specs=[
            dg.AssetCheckSpec("no_collisions", asset=key, description="No two items want the same output name.")
        ],
    )
    def image_delta(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        """
        Compare the catalogue with the manifest: new, changed, renamed and deleted items, and what they cost.

        Every collection becomes a partition of `cutouts`; the sensor `delta_dispatch` requests the run for pending
        items. The counts are items by class. `purchases` and `credits` are what the run will buy at most,
        `bought_first` in which order; purchases that only a changed setting asks for are held
        (`held_for_recipe_change`) until a person asks for them.
        """
        with opener.open(context) as services:
            try:
                decision = night.decide(services)
            except LeaseHeld as error:
                context.log.warning("skipped: another detection is running (%s)", error)
                return
            if decision.stopped:
                context.log.warning("%s", decision.stopped)
            pending = services.catalogue.queue.pending()
            present = services.catalogue.items.collections()
            delta, order = decision.delta, services.policy.order
            seconds = metadata.of_seconds(services, seconds=DetectRecord, clear_out_seconds=ClearOutRecord)
            # Collections with work come first, in case there are more than can be shown.
            hidden = register(
                context.instance, partitions, list(map(encode_partition, dict.fromkeys([*pending, *present])))
            )
            if hidden:
                context.log.warning(
                    "%s collections have no partition: Dagster shows at most %s. Their items are published all the"
                    " same. To see all: lower BG_COLLECTION_DEPTH, so that fewer folders name a collection",
                    *(hidden, MOST_COLLECTIONS),
                )
            shown = context.instance.get_dynamic_partitions(partitions)
            events.log_published(context, names, services, shown, {change.collection for change in delta.held})
            events.report_state(context, names, services)
        # As metadata of the result it would be stored twice: Dagster keeps that with the step's output too.
        context.add_asset_metadata(
            {
                **metadata.of_delta(delta, pending),
                **metadata.of_order(delta, order),
                **seconds,
                **metadata.of_trash(decision.trash),
                **metadata.of_pruned(decision.pruned),
                "not_taken_off": metadata.reasons(decision.withdrawals.left),
                "collections_without_partition": dg.MetadataValue.int(hidden),
            }
        )
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(versions.KEPT),
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

    return image_delta


def nightly_cutouts(opener: Opener) -> dg.AssetsDefinition:
    names = opener.names
    key = names.key("nightly_cutouts")

    @dg.asset(
        key=key,
        deps=[names.key("image_delta")],
        group_name=names.group,
        kinds={"python"},
        owners=metadata.OWNERS,
        pool=names.account.pool,
        check_specs=[dg.AssetCheckSpec("spend", asset=key, description=SPEND)],
    )
    def nightly_cutouts(context: dg.AssetExecutionContext, config: LaunchConfig) -> dg.MaterializeResult:
        """
        Cut out and publish all pending items of the catalogue in one run, several collections at once.

        Each collection appears on `cutouts` as soon as it is done; the plots here are per night. If credits run low,
        the run ends, says why in its tags, and `delta_dispatch` requests the next one after a top-up. Requests
        `in_doubt` may have been charged; items in quarantine wait for `bg-pipeline review`. While all slots of the pool
        `cutouts` are taken, or its limit is 0, the run waits, and says so in its tags.
        """
        failures: dict[str, int] = {}
        with opener.open(context) as services:
            version = versions.of_recipes(services.policy.recipes)

            def log(result: CollectionResult) -> None:
                failures[result.collection] = failures.get(result.collection, 0) + len(result.summary.failures)
                unfinished = (
                    {} if result.published else find_unfinished(services.catalogue, {result.collection: result})
                )
                if unfinished:
                    events.log_unfinished(context, names, result, unfinished[result.collection])
                else:
                    events.log_cutouts(context, names, result, version)

            budget = opener.budget(context.run, until=config.ends_at(context, opener.schedule().timezone))
            result = night.work(services, Ask(AskedBy.NIGHT, budget), Scope(), log)
            total = result.summary
            if total.pending and (why := total.paused or total.left_because):
                context.log.warning("ends with %s items pending: %s", total.pending, why)
                context.instance.add_run_tags(context.run.run_id, {LEFT_UNDONE: f"{total.pending} items: {why}"})
            events.warn_of_table(context, result.table)
            if total.paused and not services.run.stop.is_set():
                pause_pool(context.instance, names.account.pool)
            settings = opener.settings()
            failed = [f.key for f in total.failures[:2]]
            sheet = make_pairs(*services.context, _spread(result.published, INLINE_PAIRS - len(failed)) + failed, 140)
            for name in sorted(failures, key=lambda name: -failures[name])[:_PAGES]:
                events.log_page(context, names, name, events.write_page(context, settings, services, name))
            events.log_spend(context, names, total)
            events.report_state(context, names, services)
            events.report_balance(context, names, services)
        pages = dg.MetadataValue.path(settings.catalogue.gallery)
        review = metadata.of_review(settings.alerts.review_url)
        facts = {**metadata.of_summary(total, sheet), **metadata.of_table(result.table), **review, "pages": pages}
        context.add_asset_metadata(facts)
        return dg.MaterializeResult(check_results=[metadata.spend_check(total)])

    return nightly_cutouts


def _spread(keys: Sequence[str], count: int) -> list[str]:
    """Return keys spread over the whole list: neighbours look alike."""
    return list(keys[:: max(1, -(-len(keys) // max(1, count)))])[:count]
