"""
What nights of 10,000, a million and a hundred million images need: measured costs, a model, and its check.

    python -m bg_pipeline_tests.benchmarks.capacity [--page] [--latency 2.0] [--slots 8]

Costs are measured first: two nights in which nothing changed, one in which every processor is busy, and the requests
of two small nights over S3 (moto). Then two real syncs of other sizes are compared with what model and simulation say
of them; the line is 15 %. `--page` writes docs/capacity.md. Five minutes on two idle cores.
"""

import argparse
import datetime as dt
import logging
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from botocore.httpsession import URLLib3Session

from bg_pipeline.vendors.registry import plugin
from bg_pipeline_tests.benchmarks.capacity_model import NIGHT_S, Costs, Night, Service, night, price, simulated
from bg_pipeline_tests.benchmarks.page import ROOT, machine
from bg_pipeline_tests.benchmarks.shop import Synced, synced
from bg_pipeline_tests.benchmarks.tables import compare, draw, show, verdict
from bg_pipeline_tests.s3 import moto

MAX_ERROR = 0.15

_UNCHANGED = (5_000, 25_000)
_BUSY = 64
_OVER_S3 = (4, 12)
_MEASURED = Service(latency_s=0.0, slots=8)
_CHECKED = ((10_000, 80, Service(6.0, 8)), (20_000, 240, Service(2.0, 8)))
"""Unchanged items, new pictures and the service of the nights that check the model."""

_SIZES = (10_000, 1_000_000, 100_000_000)
_CHANGED = 0.005
_SIDE_PX = 2000
_VENDORS = ("bgeraser", "photoroom", "removebg")

_PAGE = """\
# Capacity

Written by `python -m bg_pipeline_tests.benchmarks.capacity --page` on {date}, on {machine}. All costs below were
measured in that run; the model is `bg_pipeline_tests/benchmarks/capacity_model.py`.

An *ordinary night* has {changed:.1%} new or changed pictures, and costs nothing for the others but their place in two
listings. The *first night* buys all. The account takes {slots} requests at once and {latency:g} s for each, as
`BG_CONCURRENCY` and a quick service give; pictures have 1,000 × 800 px. Machines are like the one measured, and slots
are those that an {hours:.0f}-hour night needs. Requests are those of a bucket as source, outputs and masters; AWS
takes $0.005 for 1,000 LIST or PUT, and $0.0004 for 1,000 GET or HEAD (S3 Standard, us-east-1, 2026-11).

{nights}

{limits}

What it costs at the vendors at their published price of one credit, without discounts by volume
([vendors.md](vendors.md) has the sources):

{money}

## Measured costs

{costs}

## How far to trust it

Two real syncs, of other sizes than those that were measured:

{checked}

What one machine measures at tens of thousands is drawn out to a hundred million. The largest manifests that were
measured have a million rows in SQLite and ten million in PostgreSQL: [the
benchmarks](../bg_pipeline_tests/benchmarks/README.md). Egress, storage and the machines' own price are not in it.
"""


def main() -> int:
    """0 if model and simulation are within the line."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--page", action="store_true", help="write docs/capacity.md")
    asked.add_argument("--latency", type=float, default=2.0, help="of the account in the tables, s")
    asked.add_argument("--slots", type=int, default=8, help="of the account in the tables")
    options = asked.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # each request of moto's would be a line
    load, _, _ = os.getloadavg()
    costs = measured_costs()
    show(*_costs(costs))
    checked, met = _checked(costs)
    show(*checked)
    service = Service(options.latency, options.slots)
    nights = _nights(costs, service)
    show(*_as_cells(nights))
    money = _money()
    show(*money)
    idle = [(n, night(n, 0, costs, service).seconds) for n in (0, *range(100_000, 1_000_001, 100_000))]
    some = [(n, night(n, round(n * _CHANGED), costs, service).seconds) for n, _ in idle]
    draw(
        "nights",
        "One night, by the model",
        "items",
        "s",
        {"nothing changed": idle, f"{_CHANGED:.1%} new pictures": some},
    )
    if options.page:
        text = _PAGE.format(
            date=f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
            machine=machine(load),
            changed=_CHANGED,
            slots=service.slots,
            latency=service.latency_s,
            hours=NIGHT_S / 3600,
            nights=_markdown(_as_cells(nights)),
            limits=_limits(costs, service),
            money=_markdown(money),
            costs=_markdown(_costs(costs)),
            checked=_markdown(checked),
        )
        (ROOT / "docs" / "capacity.md").write_text(text, encoding="utf-8")
    return 0 if met else 1


def measured_costs() -> Costs:
    few, many = (_one(items=items, pictures=0, service=_MEASURED) for items in _UNCHANGED)
    item_s = max(0.0, (many.seconds - few.seconds) / (_UNCHANGED[1] - _UNCHANGED[0]))
    busy = _one(items=0, pictures=_BUSY, service=_MEASURED)
    small, large = (_requests(pictures) for pictures in _OVER_S3)
    methods = sorted({*small, *large})
    each = {name: (large[name] - small[name]) / (_OVER_S3[1] - _OVER_S3[0]) for name in methods}
    # Both listings have one page of each store.
    fixed = {name: small[name] - _OVER_S3[0] * each[name] - (2 if name == "LIST" else 0) for name in methods}
    costs = Costs(
        run_s=few.seconds - _UNCHANGED[0] * item_s,
        item_s=item_s,
        picture_s=0.0,
        cores=len(os.sched_getaffinity(0)),
        requests_a_run={name: max(0.0, n) for name, n in fixed.items()},
        requests_a_picture=each,
    )
    return replace(costs, picture_s=(busy.seconds - costs.run_s) / _BUSY)


def _one(*, items: int, pictures: int, service: Service) -> Synced:
    with tempfile.TemporaryDirectory() as folder:
        return synced(Path(folder), items=items, pictures=pictures, latency_s=service.latency_s, slots=service.slots)


def _requests(pictures: int) -> Counter[str]:
    """Requests to S3 of one night with so many new pictures, by method."""
    with tempfile.TemporaryDirectory() as folder, moto() as server:
        os.environ |= {
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "BG_S3_ENDPOINT": server.endpoint,
        }
        bucket = server.new_bucket()
        counted: Counter[str] = Counter()

        def begin() -> None:
            counted.clear()

        with _counted(counted):
            synced(
                Path(folder),
                items=0,
                pictures=pictures,
                latency_s=0.0,
                slots=4,
                stores=f"s3://{bucket.name}/of-{pictures}/",
                ready=begin,
            )
        return Counter(counted)


@contextmanager
def _counted(requests: Counter[str]) -> Iterator[None]:
    """Count what the client of S3 sends in this block."""
    send: Callable[..., object] = URLLib3Session.send

    def counting(self: URLLib3Session, request: object) -> object:
        method, url = str(getattr(request, "method", "")), str(getattr(request, "url", ""))
        requests["LIST" if "list-type=" in url else method] += 1
        return send(self, request)

    URLLib3Session.send = counting
    try:
        yield
    finally:
        URLLib3Session.send = send


def _checked(costs: Costs) -> tuple[tuple[Sequence[str], list[Sequence[str]]], bool]:
    rows, met = list[Sequence[str]](), True
    for items, pictures, service in _CHECKED:
        real = _one(items=items, pictures=pictures, service=service).seconds
        said = {
            "model": night(items, pictures, costs, service).seconds,
            "simulation": simulated(items, pictures, costs, service),
        }
        off = {name: seconds / real - 1 for name, seconds in said.items()}
        within = all(abs(each) <= MAX_ERROR for each in off.values())
        met &= within
        what = f"{items:,} unchanged, {pictures} new, {service.slots} slots of {service.latency_s:g} s"
        compare(f"model of a night: {what}", "s", said["model"], "the real sync", real)
        cells = [f"{said[name]:.1f} ({off[name]:+.0%})" for name in said]
        rows.append((what, f"{real:.1f}", *cells, f"≤ {MAX_ERROR:.0%}: {verdict(within)}"))
    return (("night", "real s", "model s", "simulation s", "line"), rows), met


def _nights(costs: Costs, service: Service) -> dict[str, Night]:
    ordinary = {f"{n:,}, ordinary": night(n, round(n * _CHANGED), costs, service) for n in _SIZES}
    first = {f"{n:,}, first": night(0, n, costs, service) for n in _SIZES}
    return ordinary | first


def _as_cells(nights: Mapping[str, Night]) -> tuple[Sequence[str], list[Sequence[str]]]:
    heads = ("night", "listing", "in all", "waits for", "machines", "slots", "LIST", "PUT", "GET, HEAD", "S3")
    return heads, [
        (
            name,
            _duration(each.look_s),
            _duration(each.seconds),
            each.limit,
            f"{each.machines:,}",
            f"{each.slots:,}",
            f"{each.requests['LIST']:,.0f}",
            f"{each.requests.get('PUT', 0):,.0f}",
            f"{each.requests.get('GET', 0) + each.requests.get('HEAD', 0):,.0f}",
            f"${each.s3_usd:,.2f}",
        )
        for name, each in nights.items()
    ]


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.1f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:,.1f} h"
    )


def _limits(costs: Costs, service: Service) -> str:
    by_slots, by_machine = service.slots / service.latency_s, 1 / costs.picture_s
    listed = (NIGHT_S - costs.run_s) / costs.item_s if costs.item_s else float("inf")
    return (
        f"Where the ceilings lie: {service.slots} slots give {by_slots:.1f} pictures/s, so"
        f" {by_slots * NIGHT_S:,.0f} in a night; one machine makes {by_machine:.1f} pictures/s, so from"
        f" {by_machine * service.latency_s:.0f} slots on it is the ceiling, and a second machine helps; one listing"
        f" of a night ends at {listed:,.0f} items, and is not spread over machines: a larger catalogue is several."
    )


def _money() -> tuple[Sequence[str], list[Sequence[str]]]:
    counts = {
        f"{n:,}, {kind}": round(n * share) for kind, share in (("ordinary", _CHANGED), ("first", 1)) for n in _SIZES
    }
    rows = []
    for name, pictures in counts.items():
        prices = (price(plugin(vendor).vendor, pictures, _SIDE_PX) for vendor in _VENDORS)
        rows.append((name, *(f"{n:,.0f} for " + ("–" if usd is None else f"${usd:,.0f}") for n, usd in prices)))
    return ("night: credits", *(plugin(vendor).vendor.title for vendor in _VENDORS)), rows


def _costs(costs: Costs) -> tuple[Sequence[str], list[Sequence[str]]]:
    methods = costs.requests_a_picture
    return ("cost", "measured"), [
        ("a run", f"{costs.run_s:.2f} s"),
        ("an unchanged item, listed and compared", f"{costs.item_s * 1e6:.0f} µs"),
        (f"a new picture, from hash to output, {costs.cores} cores busy", f"{costs.picture_s * 1000:.0f} ms"),
        ("requests to S3 of a new picture", ", ".join(f"{methods[name]:.1f} {name}" for name in methods)),
        ("requests to S3 of a run", ", ".join(f"{n:.0f} {name}" for name, n in costs.requests_a_run.items())),
    ]


def _markdown(cells: tuple[Sequence[str], Sequence[Sequence[str]]]) -> str:
    heads, rows = cells
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
