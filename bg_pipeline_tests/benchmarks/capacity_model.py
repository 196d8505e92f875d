"""What a night needs, from what its parts cost: by formula, and by a simulation of its workers."""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from bg_pipeline.core.prices import credits_for
from bg_pipeline.core.vendor import Vendor
from bg_pipeline_tests.benchmarks.simulation import World

KEYS_A_PAGE = 1000
"""Keys of one answer to a LIST of S3."""

S3_USD_PER_1000 = {
    "LIST": Decimal("0.005"),
    "PUT": Decimal("0.005"),
    "GET": Decimal("0.0004"),
    "HEAD": Decimal("0.0004"),
    "DELETE": Decimal(0),
}
"""
AWS, S3 Standard in us-east-1. Read 2026-11 in c3x.dev/blog/s3-request-fees-explained; AWS's own
table is aws.amazon.com/s3/pricing.
"""

WORKERS_A_SLOT = 2
"""Pictures in hand for each slot: see docs/decisions.md."""

NIGHT_S = 8 * 3600.0


@dataclass(frozen=True, slots=True)
class Costs:
    """What the parts of a night cost on one machine."""

    run_s: float
    """Every run, whatever it has to do."""
    item_s: float
    """Every item that is listed, and compared with its record."""
    picture_s: float
    """Every new picture, from its hash to its output, while all processors are busy with pictures."""
    cores: int
    requests_a_run: Mapping[str, float]
    """To S3, by method."""
    requests_a_picture: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Service:
    """What an account gives."""

    latency_s: float
    slots: int
    per_minute: float = math.inf


@dataclass(frozen=True, slots=True)
class Night:
    """One night on one machine."""

    look_s: float
    work_s: float
    limit: str
    """What its pictures wait for."""
    machines: int
    """Machines that the pictures of a night of `NIGHT_S` keep busy."""
    slots: int
    """Slots that they need."""
    requests: Mapping[str, float]
    """To S3, by method."""

    @property
    def seconds(self) -> float:
        return self.look_s + self.work_s

    @property
    def s3_usd(self) -> Decimal:
        return sum((S3_USD_PER_1000[name] * Decimal(n) / 1000 for name, n in self.requests.items()), Decimal(0))


def night(items: int, pictures: int, costs: Costs, service: Service) -> Night:
    """
    Return what a night needs.

    Args:
        items: unchanged ones.
        pictures: new or changed ones.
        costs: of one machine.
        service: of one account.
    """
    rates = {
        "slots of the account": service.slots / service.latency_s if service.latency_s else math.inf,
        "rate of the account": service.per_minute / 60,
        "processors": 1 / costs.picture_s,
        "workers of the run": WORKERS_A_SLOT * service.slots / (service.latency_s + costs.picture_s * costs.cores),
    }
    limit = min(rates, key=lambda name: rates[name])
    look_s = costs.run_s + (items + pictures) * costs.item_s
    # The last picture is still on its way when its slot has nothing more to do.
    work_s = pictures / rates[limit] + (costs.picture_s * costs.cores if pictures else 0)
    left_s = max(1.0, NIGHT_S - look_s)
    # Source and outputs are listed.
    lists = costs.requests_a_run.get("LIST", 0) + 2 * (items + pictures) / KEYS_A_PAGE
    requests = {name: costs.requests_a_run.get(name, 0) + pictures * n for name, n in costs.requests_a_picture.items()}
    return Night(
        look_s,
        work_s,
        limit if pictures else "the listing",
        max(1, math.ceil(pictures * costs.picture_s / left_s)),
        math.ceil(pictures * service.latency_s / left_s),
        {**requests, "LIST": lists},
    )


def price(vendor: Vendor, pictures: int, side_px: int) -> tuple[Decimal, Decimal | None]:
    """Return credits and dollars of pictures at the vendor's usual cut; None if it publishes no price of a credit."""
    variant = next(iter(vendor.variants))
    credits_ = credits_for(vendor, vendor.cut(side_px, variant), None) * pictures
    each = vendor.variants[variant].price.usd_per_credit
    return credits_, None if each is None else credits_ * each


def simulated(items: int, pictures: int, costs: Costs, service: Service) -> float:
    """
    Return the seconds of a night in which each picture is prepared, sent and rendered by one of its workers.

    Half of a picture's time on a processor is before its request, half after it.
    """
    world = World()
    began_at = world.now
    processors, slots = _Places(world, costs.cores), _Places(world, service.slots)
    half_s, left = costs.picture_s * costs.cores / 2, pictures

    def begin() -> None:
        nonlocal left
        if left:
            left -= 1
            processors.use(half_s, lambda: slots.use(service.latency_s, lambda: processors.use(half_s, begin)))

    world.after(
        costs.run_s + (items + pictures) * costs.item_s,
        lambda: [begin() for _ in range(WORKERS_A_SLOT * service.slots)],
    )
    world.run(10 * NIGHT_S)
    return world.now - began_at


class _Places:
    """A number of places, each for one at a time; others wait in order."""

    def __init__(self, world: World, count: int) -> None:
        self._world = world
        self._free = count
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()

    def use(self, seconds: float, then: Callable[[], None]) -> None:
        if not self._free:
            self._waiting.append((seconds, then))
            return
        self._free -= 1
        self._world.after(seconds, lambda: self._leave(then))

    def _leave(self, then: Callable[[], None]) -> None:
        self._free += 1
        if self._waiting:
            self.use(*self._waiting.popleft())
        then()
