"""The order of purchases, and where the credits end, for `plan`."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from bg_pipeline.cli import render
from bg_pipeline.cli.terminal import Terminal
from bg_pipeline.core.buying import BuyPlan, Limit, plan_purchases
from bg_pipeline.core.credits import day_of
from bg_pipeline.core.delta import Delta
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.wiring.settings import Settings


def plan_order(settings: Settings, pipeline: Pipeline, delta: Delta, balances: Mapping[str, Decimal | None]) -> BuyPlan:
    """Return the purchases of a delta in their order, within the caps and the balances of now."""
    return plan_purchases(delta.work, pipeline.policy.order, _limits(settings, pipeline, balances))


def _limits(settings: Settings, pipeline: Pipeline, balances: Mapping[str, Decimal | None]) -> Iterator[Limit]:
    _, accounts, policy, run = pipeline.context
    if (cap := settings.schedule.max_credits_per_run) is not None:
        yield Limit(cap, f"the cap of {render.number(cap)} credits for a run")
    # A cap of one account ends the buying only if there is no other.
    caps = settings.rules(settings.accounts[0]).day_caps
    for each in caps:
        if not each.account or len(settings.accounts) == 1:
            spent = accounts.ledger.spent(day_of(run.now(), each.timezone)[0], each.account or None)
            name = f"the cap of {render.number(each.credits)} credits for a day, {render.number(spent)} of them spent,"
            yield Limit(max(Decimal(0), each.credits - spent), name)
    known = {name: balance for name in policy.accounts if (balance := balances.get(name)) is not None}
    if len(known) == len(policy.accounts):
        # The gate closes after the purchase that goes below the threshold.
        above = [balance - policy.thresholds[name].low for name, balance in known.items()]
        left = sum((each + policy.price for each in above if each >= 0), Decimal(0))
        yield Limit(left, f"the balance of {render.number(sum(known.values(), Decimal(0)))} credits")


def as_json(plan: BuyPlan) -> dict[str, Any]:
    """Return the plan in JSON types."""
    steps = [
        {
            "step": step.step,
            "items": step.items,
            "purchases": step.purchases,
            "credits": float(step.credits),
            "affordable": step.affordable,
        }
        for step in plan.steps
    ]
    return {"steps": steps, "ends": plan.ends or None}


def show(out: Terminal, plan: BuyPlan) -> None:
    """Print the steps, and where the credits end."""
    if not plan.steps:
        return
    rows = [
        (step.step, str(step.items), str(step.purchases), render.number(step.credits), str(step.affordable))
        for step in plan.steps
    ]
    out.print(render.grid(("bought first", "items", "to buy", "credits", "affordable"), rows, numbers=(1, 2, 3, 4)))
    if plan.ends:
        out.print(f"{plan.ends}; the rest waits")
