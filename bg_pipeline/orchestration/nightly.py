"""The asset of a night's cutouts, of all collections: steps that share the work, and one that reports what they did."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import dagster as dg

from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.keys import collection_of
from bg_pipeline.core.report import Summary
from bg_pipeline.orchestration import events, metadata, versions
from bg_pipeline.orchestration.events import SPEND
from bg_pipeline.orchestration.launches import LaunchConfig
from bg_pipeline.orchestration.opener import LEFT_UNDONE, Opener, Step
from bg_pipeline.orchestration.pool import pause_pool
from bg_pipeline.pipeline import night
from bg_pipeline.pipeline.backfill import find_unfinished
from bg_pipeline.pipeline.gallery import make_pairs
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.purchasing.tally import CollectionResult

_PAGES = 20
"""Most pages that a night renders again, collections with most failures first; a backfill renders the others."""


def nightly_cutouts(opener: Opener, steps: int) -> dg.AssetsDefinition:
    """
    Return the asset.

    Args:
        opener: of the catalogue.
        steps: number of steps that share the work.
    """
    names = opener.names
    key = names.key("nightly_cutouts")
    spend = dg.AssetCheckSpec("spend", asset=key, description=SPEND)
    work, report = _work(opener), _report(opener)
    shares = [f"work_{number}" for number in range(1, steps + 1)]

    def for_each_share(config: Mapping[str, Any]) -> dict[str, Any]:
        return {share: {"config": config} for share in shares}

    @dg.graph_asset(
        key=key,
        ins={"delta": dg.AssetIn(names.key("image_delta"), dagster_type=dg.Nothing)},
        config=dg.ConfigMapping(for_each_share, LaunchConfig.to_fields_dict()),
        group_name=names.group,
        kinds={"python"},
        owners=metadata.OWNERS,
        check_specs=[spend],
    )
    def nightly_cutouts(delta: Any) -> dict[str, Any]:
        """
        Cut out and publish all pending items of the catalogue in one run, several collections at once.

        `BG_NIGHT_STEPS` steps share the work until none is left; the executor spreads them over its workers. Each
        collection appears on `cutouts` as soon as it is done; the plots here are per night. If credits run low,
        the run ends, says why in its tags, and `delta_dispatch` requests the next one after a top-up. Requests
        `in_doubt` may have been charged; items in quarantine wait for `bg-pipeline review`. While all slots of the pool
        `cutouts` are taken, or its limit is 0, the run waits, and says so in its tags.
        """
        reported = report([work.alias(share)(delta) for share in shares])
        return {"result": reported.result, spend.get_python_identifier(): reported.spend}

    return nightly_cutouts


def _work(opener: Opener) -> dg.OpDefinition:
    names = opener.names

    @dg.op(
        name=names.name("work"),
        ins={"delta": dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing),
        pool=names.account.pool,
    )
    def work(context: dg.OpExecutionContext, config: LaunchConfig) -> None:
        """Work on pending items until none is left, beside any number of others."""
        with opener.open(context) as services:
            version = versions.of_recipes(services.policy.recipes)

            def log(result: CollectionResult) -> None:
                unfinished = (
                    {} if result.published else find_unfinished(services.catalogue, {result.collection: result})
                )
                if unfinished:
                    events.log_unfinished(context, names, result, unfinished[result.collection])
                else:
                    events.log_cutouts(context, names, result, version)

            budget = opener.budget(context.run, until=config.ends_at(context, opener.schedule().timezone))
            done = night.share(services, Ask(AskedBy.NIGHT, budget), log)
            if services.run.stop.is_set():  # no further step of the run tells it
                _report_state(context, opener, services, done)

    return work


def _report(opener: Opener) -> dg.OpDefinition:
    names = opener.names

    @dg.op(
        name=names.name("report"),
        ins={"shares": dg.In(dg.Nothing)},
        out={"result": dg.Out(dg.Nothing), "spend": dg.Out(dg.Nothing)},
    )
    def report(context: dg.OpExecutionContext) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        """Sum up what the steps did, render pages, and report the state after the night."""
        with opener.open(context) as services:
            done = night.sum_up(services)
            total, settings = done.summary, opener.settings()
            if total.pending and (why := total.paused or total.left_because):
                context.log.warning("ends with %s items pending: %s", total.pending, why)
                context.instance.add_run_tags(context.run.run_id, {LEFT_UNDONE: f"{total.pending} items: {why}"})
            events.warn_of_table(context, done.table)
            if total.paused:
                pause_pool(context.instance, names.account.pool)
            failed = [f.key for f in total.failures[:2]]
            sheet = make_pairs(*services.context, [*done.shown, *failed][-events.INLINE_PAIRS :], 140)
            for name in _worth_a_page(context, opener, services, total):
                events.log_page(context, names, name, events.write_page(context, settings, services, name))
            _report_state(context, opener, services, total)
        pages = dg.MetadataValue.path(settings.catalogue.gallery)
        review = metadata.of_review(settings.alerts.review_url)
        facts = {**metadata.of_summary(total, sheet), **metadata.of_table(done.table), **review, "pages": pages}
        yield metadata.spend_check(total, names.key("nightly_cutouts"))
        yield dg.Output(None, "result", metadata=facts)

    return report


def _worth_a_page(step: Step, opener: Opener, pipeline: Pipeline, total: Summary) -> Sequence[str]:
    """Return collections that the run worked on, those with most failures first."""
    depth = pipeline.policy.collection_depth
    failures = Counter(collection_of(failure.key, depth) for failure in total.failures)
    ordered = [name for name, _ in failures.most_common()]
    return list(islice(dict.fromkeys([*ordered, *events.logged_cutouts(step, opener.names)]), _PAGES))


def _report_state(step: Step, opener: Opener, pipeline: Pipeline, done: Summary) -> None:
    events.log_spend(step, opener.names, done)
    events.report_state(step, opener.names, pipeline)
    events.report_balance(step, opener.names, pipeline)
