"""The assets that a night begins with: source images, manifest, delta."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from bg_pipeline.core.keys import encode_partition
from bg_pipeline.core.runlog import ClearOutRecord, DetectRecord, ScanRecord
from bg_pipeline.errors import LeaseHeld
from bg_pipeline.manifest import schema
from bg_pipeline.orchestration import events, metadata, versions
from bg_pipeline.orchestration.dagster_private import get_smallest_cron_interval
from bg_pipeline.orchestration.opener import Opener
from bg_pipeline.orchestration.partitions import MOST_COLLECTIONS, register
from bg_pipeline.pipeline import night
from bg_pipeline.pipeline.settings import ScheduleSettings


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
            events.log_published(context, names, services, shown, delta.held.collections)
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
