"""The order in which pictures are bought, for the nights in which the credits do not suffice for all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from itertools import accumulate
from typing import TypeVar

from bg_pipeline.core.filters import matcher
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.records import Change, Entry

_Item = TypeVar("_Item", Entry, Change)

_STRIDE = 1000
"""Steps of one need. It does not follow from the number of patterns: a changed list leaves new before changed."""

MOST_PATTERNS = _STRIDE - 1

Position = tuple[int, float, str]
"""The place of an item in the order: step, priority, key; lower values come first."""


class Need(IntEnum):
    """What a shop shows without the purchase, the worst first."""

    NEW = 0
    """Nothing: the item has no cutout, or its output is lost."""
    CHANGED = 1
    """The cutout of an earlier picture."""
    AGAIN = 2
    """A cutout of this picture: by another recipe, or with altered bytes."""


class BuyOrder:
    """
    The order of purchases: by need, then by the first pattern that matches, then as in `Position`.

    Args:
        first: gitignore patterns of keys, such as collections; an item that none matches comes after those of all.

    Raises:
        ValueError: a pattern is wrong, or there are more than `MOST_PATTERNS`.
    """

    def __init__(self, first: Sequence[str] = ()) -> None:
        if len(first) > MOST_PATTERNS:
            raise ValueError(f"must have at most {MOST_PATTERNS} patterns")
        self._first = tuple(first)
        self._matchers = [matcher(pattern, number) for number, pattern in enumerate(first, 1)]

    def step_of(self, entry: Entry, *, output_missing: bool) -> int:
        """Return the step of an item; lower ones are bought first."""
        index = next((n for n, matches in enumerate(self._matchers) if matches(entry.key)), len(self._matchers))
        return need_of(entry, output_missing=output_missing) * _STRIDE + index

    def label(self, step: int) -> str:
        """Return the name of a step for people, such as `new, shoes`."""
        need, index = divmod(step, _STRIDE)
        name = Need(need).name.lower()
        if not self._first:
            return name
        return f"{name}, {self._first[index] if index < len(self._first) else 'others'}"


def need_of(entry: Entry, *, output_missing: bool) -> Need:
    """Return what the shop shows of an item, as far as the manifest knows."""
    shown = entry.published
    if shown is None or not shown.output_name or output_missing:
        return Need.NEW
    return Need.CHANGED if shown.content_hash != entry.content_hash else Need.AGAIN


def position_of(item: Entry | Change) -> Position:
    """Return the place of an item in the order."""
    return item.step, item.priority, item.key


def sort_key(position: Position) -> tuple[int, float, bytes]:
    """Return the value by which positions are sorted, in Python and in every database alike."""
    step, priority, key = position
    return step, priority, key_bytes(key)


def in_order(items: Iterable[_Item]) -> list[_Item]:
    """Return items in the order of purchases; those that share a purchase follow the first of them."""
    first: dict[str, int] = {}
    ordered = sorted(items, key=lambda item: sort_key(position_of(item)))
    for number, item in enumerate(ordered):
        first.setdefault(item.purchase_id, number)
    return sorted(ordered, key=lambda item: first[item.purchase_id])


@dataclass(frozen=True, slots=True)
class Limit:
    """Credits that may be spent, and the reason in words."""

    credits: Decimal
    name: str


@dataclass(slots=True)
class StepPlan:
    """The purchases of one step of the order."""

    step: str
    """Its label."""
    items: int = 0
    """Items that wait for these purchases."""
    prices: list[Decimal] = field(default_factory=list)
    """Credits of each purchase."""
    affordable: int = 0
    """Purchases before the credits end."""

    @property
    def purchases(self) -> int:
        return len(self.prices)

    @property
    def credits(self) -> Decimal:
        return sum(self.prices, Decimal(0))


@dataclass(frozen=True, slots=True)
class BuyPlan:
    """The purchases of a delta in their order."""

    steps: tuple[StepPlan, ...]
    ends: str = ""
    """Where the credits end, in a sentence; empty if they suffice."""


def plan_purchases(work: Iterable[Change], order: BuyOrder, limits: Iterable[Limit]) -> BuyPlan:
    """
    Return the steps of the order with their purchases, and where the tightest limit ends them.

    Args:
        work: the work of a delta. A purchase counts in the step of its first item.
        order: the order that the work was planned with.
        limits: on the credits, all together.
    """
    changes = list(work)
    price_of = {change.purchase_id: change.credits for change in changes if change.purchase}
    steps: dict[int, StepPlan] = {}
    step_of: dict[str, StepPlan] = {}
    # On request, the purchases for a changed recipe come after all that is pending.
    for change in sorted(changes, key=lambda c: (c.on_request, sort_key(position_of(c)))):
        if change.purchase_id not in price_of:
            continue
        if (plan := step_of.get(change.purchase_id)) is None:
            plan = steps.setdefault(change.step, StepPlan(order.label(change.step)))
            step_of[change.purchase_id] = plan
            plan.prices.append(price_of[change.purchase_id])
        plan.items += 1
    in_order = tuple(steps.values())
    tightest = min(limits, key=lambda limit: limit.credits, default=None)
    return BuyPlan(in_order, _mark_affordable(in_order, tightest))


def _mark_affordable(steps: Sequence[StepPlan], limit: Limit | None) -> str:
    spent, ends = Decimal(0), ""
    for plan in steps:
        sums = [spent + each for each in accumulate(plan.prices)]
        plan.affordable = plan.purchases if limit is None else sum(each <= limit.credits for each in sums)
        spent = sums[-1]
        if limit is not None and not ends and plan.affordable < plan.purchases:
            ends = f"{limit.name} ends within {plan.step}: {plan.affordable} of {plan.purchases}"
    return ends
