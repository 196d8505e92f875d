"""`bg-pipeline canary`: try a changed recipe on a few pictures, and accept it for all."""

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal

import click

from bg_pipeline.cli import render
from bg_pipeline.cli.catalogues import one_catalogue
from bg_pipeline.cli.options import as_json, confirm, person, print_json, run_name
from bg_pipeline.cli.terminal import Terminal, say
from bg_pipeline.core.canary import CANARY_PAGE, in_sum, in_words, rating_of
from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.records import Change
from bg_pipeline.core.runlog import CanaryRecord
from bg_pipeline.pipeline import canary as trial
from bg_pipeline.pipeline import ownership
from bg_pipeline.stores.locations import location_of
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings

_NOTHING = "no purchase waits for a changed recipe, so there is nothing to try"


@click.command()
@one_catalogue
@click.argument("action", type=click.Choice(["try", "accept"]), default="try")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Try at most N pictures.")
@click.option("--why", default="", metavar="TEXT", help="Reason of the acceptance, kept with it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def canary(catalogue: str | None, action: str, sample: int | None, why: str, *, yes: bool, as_json: bool) -> None:
    """Try a changed recipe on a few pictures; accept it for all. A trial buys these few and publishes nothing."""
    if (why and action == "try") or (action == "accept" and (sample is not None or yes)):
        raise click.UsageError("--why belongs to accept, --sample and --yes to a trial")
    if as_json and action == "try" and not yes:
        raise click.UsageError("--json cannot ask: it needs --yes")
    settings, name = load_settings(catalogue), run_name("canary")
    with open_pipeline(settings, name) as pipeline:
        ownership.check(pipeline)
        if action == "accept":
            record = trial.accept(pipeline.catalogue, pipeline.policy, pipeline.run, person(), why)
            _show_accepted(record, as_json)
            return
        golden = trial.find_golden(pipeline, sample)
        if not golden:
            _say_nothing(as_json)
            return
        if not as_json:
            _show_price(golden)
        if not (yes or confirm("Try the recipe on these?")):
            say("nothing was bought")
            return
        ask = Ask(AskedBy.SYNC, Budget(name.run_id, settings.schedule.max_credits_per_run))
        pages = settings.catalogue.open_gallery(settings.raw)
        record = trial.try_recipe(pipeline, ask, golden, pages)
    _show(record, location_of(settings.catalogue.gallery, CANARY_PAGE), as_json)


def _say_nothing(as_json: bool) -> None:
    if as_json:
        print_json({"trials": []}, reason=_NOTHING)
    else:
        say(_NOTHING)


def _show_price(golden: Sequence[Change]) -> None:
    Terminal().print(render.grid(("picture", "credits"), [(c.key, render.number(c.credits)) for c in golden], (1,)))
    total = sum((change.credits for change in golden), Decimal(0))
    say(f"{len(golden)} pictures: at most {render.number(total)} credits. The recipe finds them bought later")


def _show(record: CanaryRecord, page: str, as_json: bool) -> None:
    if as_json:
        trials = [asdict(each) | {"rating": rating_of(each).value} for each in record.trials]
        print_json({"trials": trials, "in_sum": in_sum(record.trials), "page": page})
        return
    rows = [
        (each.key, rating_of(each).value, "; ".join(filter(None, (each.problem, in_words(each.difference)))))
        for each in record.trials
    ]
    Terminal().print(render.grid(("picture", "rating", "difference"), rows))
    say(f"in sum: {in_sum(record.trials)}")
    say(f"old and new side by side: {page}")
    say("`bg-pipeline canary accept` allows the recipe for all; to give it up, change the settings back")


def _show_accepted(record: CanaryRecord, as_json: bool) -> None:
    if as_json:
        print_json({"accepted_by": record.accepted_by, "reason": record.reason, "in_sum": in_sum(record.trials)})
        return
    say(f"accepted: {in_sum(record.trials)}")
    say("`bg-pipeline sync --apply-recipe-change` buys the rest; the next sync publishes what was tried")
