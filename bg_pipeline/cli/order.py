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
    purchasing = settings.purchasing
    if (cap := purchasing.max_credits_per_run) is not None:
        yield Limit(cap, f"the cap of {render.number(cap)} credits for a run")
    if (day_cap := purchasing.max_credits_per_day) is not None:
        spent = accounts.ledger.spent(day_of(run.now(), settings.schedule.timezone)[0])
        name = f"the cap of {render.number(day_cap)} credits for a day, {render.number(spent)} of them spent,"
        yield Limit(max(Decimal(0), day_cap - spent), name)
    counted = [balances.get(account) for account in policy.accounts]
    known = [balance for balance in counted if balance is not None]
    if len(known) == len(counted):
        # The gate closes after the purchase that goes below the threshold.
        low = policy.thresholds.low
        left = sum((balance - low + policy.price for balance in known if balance >= low), Decimal(0))
        yield Limit(left, f"the balance of {render.number(sum(known, Decimal(0)))} credits")


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
