"""The assets of which people request a part: cutouts and pages of chosen collections."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import islice

import dagster as dg
from pydantic import Field

from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.claims import Only as OnlyPart
from bg_pipeline.core.credits import MOST_CREDITS
from bg_pipeline.core.keys import decode_partition, encode_partition
from bg_pipeline.core.report import Summary
from bg_pipeline.orchestration import events, metadata, versions
from bg_pipeline.orchestration.events import INLINE_PAIRS, SPEND
from bg_pipeline.orchestration.launches import LaunchConfig
from bg_pipeline.orchestration.names import Names
from bg_pipeline.orchestration.opener import LEFT_UNDONE, Opener
from bg_pipeline.orchestration.pool import pause_pool
from bg_pipeline.orchestration.waiting import tag_going_on, tag_waiting
from bg_pipeline.pipeline.backfill import BackfillResult, backfill, find_unfinished
from bg_pipeline.pipeline.choice import Choice
from bg_pipeline.pipeline.gallery import make_pairs
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.ports.running import Now
from bg_pipeline.purchasing.tally import CollectionResult

_MOST_REASONS = 5


class Only(Enum):
    """`core.claims.Only` for Dagster. People type the member names in the launchpad, so they are in lower case."""

    all = "all"
    new = "new"
    changed = "changed"
    failed = "failed"


class CutoutsConfig(LaunchConfig):
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
    recipe_change_share: int | None = Field(
        default=None,
        ge=1,
        description="buy only this many of those, oldest cutouts first; a backfill has a run for every 50 collections, "
        "and each buys this many",
    )
    without_canary: bool = Field(
        default=False, description="buy them although no canary of the recipe is accepted: `bg-pipeline canary`"
    )
    sample: int | None = Field(default=None, ge=1, description="at most this many items of each collection")


def cutouts(opener: Opener, collections: dg.DynamicPartitionsDefinition) -> dg.AssetsDefinition:
    names = opener.names
    key = names.key("cutouts")

    @dg.asset(
        key=key,
        deps=[names.key("image_delta")],
        partitions_def=collections,
        group_name=names.group,
        kinds={"python"},
        owners=metadata.OWNERS,
        pool=names.account.pool,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=50),
        code_version=versions.of_settings(opener),
        output_required=False,
        check_specs=[dg.AssetCheckSpec("spend", asset=key, description=SPEND)],
    )
    def cutouts(
        context: dg.AssetExecutionContext, config: CutoutsConfig
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """
        Cut out and publish the pending items of the chosen collections.

        Safe to run again at any time: published items are skipped, and what is paid for is never bought again. While
        credits are low or the vendor is down it waits, says in its tags for what, and goes on by itself. Every night
        `nightly_cutouts` does this for all collections. A missing partition has no cutout; its observation says why.
        """
        chosen = [decode_partition(each) for each in context.partition_keys]
        share = config.recipe_change_share
        choice = Choice(
            frozenset(chosen),
            OnlyPart(config.only.value),
            config.sample,
            apply_recipe_change=config.apply_recipe_change or share is not None,
            recipe_change_limit=share,
            without_canary=config.without_canary,
        )
        result = BackfillResult()
        with opener.open(context) as services:
            ends_at = config.ends_at(context, opener.schedule().timezone)
            ask = Ask(AskedBy.BACKFILL, opener.budget(context.run, config.max_credits, ends_at))
            try:
                backfill(services, ask, choice, _Watcher(context, names, services.run.now), result)
            except BaseException:
                ended = result.by_collection.values()
                _log_finished(
                    context, names, services, [each for each in ended if each.published and not each.summary.pending]
                )
                raise
            events.warn_of_table(context, result.table)
            results = _results(services, chosen, result)
            left_because = result.total.paused or result.total.left_because
            unfinished = find_unfinished(services.catalogue, results, left_because)
            if unfinished:
                _log_finished(
                    context, names, services, [each for name, each in results.items() if name not in unfinished]
                )
                for name, reason in unfinished.items():
                    events.log_unfinished(context, names, results[name], reason)
            else:
                _describe(context, services, results)
            events.report_state(context, names, services)
        spend = metadata.spend_check(result.total)
        if not unfinished:
            yield dg.MaterializeResult(check_results=[spend])
            return
        yield spend
        why = "; ".join(
            f"{encode_partition(name)}: {reason}" for name, reason in islice(unfinished.items(), _MOST_REASONS)
        )
        context.instance.add_run_tags(
            context.run.run_id, {LEFT_UNDONE: f"{len(unfinished)} of {len(chosen)} collections. {why}"}
        )
        if not (result.total.budget_reached or result.total.window_ended):
            raise dg.Failure(f"{len(unfinished)} of {len(chosen)} collections are not done. {why}", allow_retries=False)
        context.log.warning("%s collections are not done. %s", len(unfinished), why)

    return cutouts


def _describe(context: dg.AssetExecutionContext, pipeline: Pipeline, results: Mapping[str, CollectionResult]) -> None:
    for name, each in results.items():
        keys = [*each.published[:INLINE_PAIRS], *(f.key for f in each.summary.failures[:2])]
        sheet = make_pairs(*pipeline.context, keys, 140)
        context.add_asset_metadata(metadata.of_summary(each.summary, sheet), partition_key=encode_partition(name))


def _results(pipeline: Pipeline, names: Sequence[str], result: BackfillResult) -> dict[str, CollectionResult]:
    """Return the result of every requested collection, also of those without work."""
    pending = pipeline.catalogue.queue.pending()
    results = {name: result.by_collection.get(name) or CollectionResult(name, Summary(), ()) for name in names}
    for name, each in results.items():
        each.summary.pending = pending.get(name, 0)
    return results


def _log_finished(
    context: dg.AssetExecutionContext, names: Names, pipeline: Pipeline, results: Iterable[CollectionResult]
) -> None:
    """Log the finished collections of a run that cannot report all of its partitions as done."""
    version = versions.of_recipes(pipeline.policy.recipes)
    for each in results:
        events.log_cutouts(context, names, each, version)


class _Watcher:
    """Shows in the tags and the log of the run that a backfill waits."""

    def __init__(self, context: dg.AssetExecutionContext, names: Names, now: Now) -> None:
        self._context = context
        self._pool = names.account.pool
        self._now = now

    def paused(self, why: str) -> None:
        pause_pool(self._context.instance, self._pool)
        tag_waiting(self._context.instance, self._context.run.run_id, f"an open gate: {why}")
        self.waiting(why)

    def waiting(self, why: str) -> None:
        self._context.log.warning("waits for an open gate, and goes on by itself: %s", why)

    def resumed(self) -> None:
        tag_going_on(self._context.instance, self._context.run.run_id, self._now())
        self._context.log.info("no longer waits")


def review_gallery(opener: Opener, collections: dg.DynamicPartitionsDefinition) -> dg.AssetsDefinition:
    names = opener.names

    @dg.asset(
        key=names.key("review_gallery"),
        deps=[names.key("cutouts")],
        partitions_def=collections,
        group_name=names.group,
        kinds={"html"},
        owners=metadata.OWNERS,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=50),
    )
    def review_gallery(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """
        Render one page per collection: all its sources beside their cutouts, suspicious and failed items first.

        A night renders the pages of the collections that it worked on, at most 20, those with most failures first, with
        thumbnails of at most 60 more items each. For the pages of others, and for all thumbnails, materialize their
        partitions here: that buys nothing. `bg-pipeline review --serve` shows the same page with decisions.
        """
        with opener.open() as services:
            for partition_key in context.partition_keys:
                name = decode_partition(partition_key)
                facts = events.write_page(context, opener.settings(), services, name, most_new=None)
                context.add_asset_metadata(facts, partition_key=partition_key)
        return dg.MaterializeResult()

    return review_gallery
