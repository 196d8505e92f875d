"""
Two hosts that work for one catalogue, with what networks, power cuts and clocks do to them.

    python -m bg_pipeline_tests.hosts [--pictures 300] [--seed 1] [--only TEXT]

Each host is a machine of its own (`machines`): PostgreSQL, S3 and the vendor are reached over a network. It needs
root, and exits with 1 if a line is not met. `--only` runs the trials whose name has that text.
"""

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bg_pipeline.core.claims import LEASE_S
from bg_pipeline.core.report import Exit
from bg_pipeline.sandbox.state import UNLIMITED, Limits
from bg_pipeline_tests.benchmarks.tables import show
from bg_pipeline_tests.hosts.database import DatabaseMachine
from bg_pipeline_tests.hosts.machines import (
    HERE,
    Machine,
    Process,
    folder_inside,
    freeze,
    make_network,
    refused,
    run_inside,
)
from bg_pipeline_tests.hosts.shop import VENDOR_PORT, Ended, Shop, Vendor
from bg_pipeline_tests.radosgw import missing, radosgw
from bg_pipeline_tests.s3 import S3Server

SLOTS = 8
TAKEOVER_S = LEASE_S + 5.0
"""A lease, and what notices that it is over."""
LEAST_SHARE = 0.25
"""Of the work, for each of two hosts."""


class Line(NamedTuple):
    """One line of the table."""

    what: str
    asked: str
    measured: str
    met: bool


@dataclass
class World:
    """What all trials share."""

    folder: Path
    database: DatabaseMachine
    s3: S3Server
    one: Machine
    two: Machine
    pictures: int
    rng: random.Random
    shops: list[Shop]

    def shop(
        self,
        stack: ExitStack,
        *,
        pictures: int,
        collections: int = 12,
        latency_s: float = 0.2,
        slots: int = SLOTS,
        limits: Limits = UNLIMITED,
        **more: str,
    ) -> Shop:
        name = f"shop_{len(self.shops)}"
        vendor = Vendor(latency_s, limits)
        made = Shop(name, self.folder / name, self.database, self.s3, vendor, slots, more)
        self.shops.append(made)
        made.put(pictures, collections)
        if limits is UNLIMITED:
            made.knows_its_limits()
        return stack.enter_context(made.open())


def _lines(name: str, trial: Iterator[Line]) -> Iterator[Line]:
    """The lines of a trial, also of one that comes to no end."""
    try:
        yield from trial
    except (AssertionError, subprocess.TimeoutExpired) as error:
        yield Line(name, "an end", str(error).partition("\n")[0], False)


def ending(name: str, shop: Shop, ends: list[Ended], pictures: int) -> Iterator[Line]:
    """What holds for each trial in which nothing was killed."""
    codes = [each.code for each in ends]
    yield Line(f"{name}: exit codes", "all 0", ", ".join(map(str, codes)), not any(codes))
    yield Line(f"{name}: published", str(pictures), str(shop.published()), shop.published() == pictures)
    yield Line(f"{name}: bought twice", "0", str(shop.twice()), shop.twice() == 0)


def shares(name: str, ends: list[Ended]) -> Line:
    done = [each.published for each in ends]
    least = min(done) / max(1, sum(done))
    return Line(f"{name}: done by each host", f"≥ {LEAST_SHARE:.0%}", " + ".join(map(str, done)), least >= LEAST_SHARE)


def work_spreads(world: World, collections: int) -> Iterator[Line]:
    name = f"{world.pictures} pictures in {collections} collection{'s' if collections > 1 else ''}"
    with ExitStack() as stack:
        shop = world.shop(stack, pictures=world.pictures, collections=collections)
        ends = shop.ended([shop.start(world.one), shop.start(world.two)])
        yield from ending(name, shop, ends, world.pictures)
        yield shares(name, ends)
        runs = shop.rows("SELECT count(DISTINCT run) FROM attempts")[0][0]
        yield Line(f"{name}: names under which they spend", "2", str(runs), runs == 2)
        yield Line(f"{name}: most at the vendor", f"≤ {SLOTS}", str(shop.vendor.peak), shop.vendor.peak <= SLOTS)
        requests = shop.vendor.ledger.requests
        again = shop.ended([shop.start(world.two)])[0].code
        more = shop.vendor.ledger.requests - requests
        yield Line(f"{name}: requests of one more sync", "0, exit 0", f"{more}, exit {again}", not more and not again)


def syncs_at_any_instant(world: World) -> Iterator[Line]:
    """Each lists and decides while others publish."""
    pictures = world.pictures // 2
    with ExitStack() as stack:
        shop = world.shop(stack, pictures=pictures, latency_s=0.4)
        begun = [shop.start(world.one)]
        for _ in range(5):
            time.sleep(world.rng.uniform(0.5, 3.0))
            begun.append(shop.start(world.rng.choice([world.one, world.two])))
        yield from ending("six syncs at any instants", shop, shop.ended(begun), pictures)


def host_dies(world: World) -> Iterator[Line]:
    """In the middle of a transaction, while it has claims and slots."""
    name, pictures = "a host dies", world.pictures * 2 // 3
    with ExitStack() as stack:
        shop = world.shop(stack, pictures=pictures, latency_s=1.0)
        dying = shop.start(world.two)
        shop.until("the host that dies works", lambda: shop.bought() >= SLOTS)
        other = shop.start(world.one)
        shop.until("both hosts work", lambda: len(shop.rows("SELECT DISTINCT owner FROM claims")) > 1)
        time.sleep(3)
        claims = [
            number for number, owner in shop.rows("SELECT id, owner FROM claims") if f"@{world.two.name}," in owner
        ]
        had = _stop_in_a_transaction(world, shop, dying, claims)
        began, bought, twice = time.monotonic(), shop.bought(), shop.twice()
        world.two.die()

        def alive() -> int:
            query = "SELECT count(*) FROM claims WHERE id = ANY(%s) AND ends_at > extract(epoch FROM clock_timestamp())"
            return int(shop.rows(query, claims)[0][0])

        time.sleep(1.5)  # until its requests are answered, to whomever
        shop.until("its slots are free", lambda: shop.vendor.in_flight >= SLOTS or other.poll() is not None)
        slots_s = time.monotonic() - began
        shop.until("its claims are free", lambda: not alive())
        claims_s = time.monotonic() - began
        ends = shop.ended([other])
        world.two.start()
        yield Line(f"{name}: in a transaction that writes, with claims", "≥ 1", str(had), had > 0)
        yield Line(
            f"{name}: until its slots are used", f"≤ {TAKEOVER_S:.0f} s", f"{slots_s:.1f} s", slots_s <= TAKEOVER_S
        )
        yield Line(
            f"{name}: until its claims are free", f"≤ {TAKEOVER_S:.0f} s", f"{claims_s:.1f} s", claims_s <= TAKEOVER_S
        )
        yield Line(f"{name}: exit code of the other", "0", str(ends[0].code), ends[0].code == Exit.DONE)
        yield Line(f"{name}: published", str(pictures), str(shop.published()), shop.published() == pictures)
        twice = shop.twice() - twice
        yield Line(f"{name}: bought twice", f"≤ {SLOTS}", f"{twice} (after {bought} bought)", twice <= SLOTS)


def _stop_in_a_transaction(world: World, shop: Shop, process: Process, claims: list[int]) -> int:
    """Freeze a host while its transaction waits for a table, and let the server go on; return how many items it has."""
    waits, stands = (
        "SELECT count(*) FROM pg_stat_activity WHERE client_addr = %s::inet AND backend_xid IS NOT NULL AND "
        + condition
        for condition in ("wait_event_type = 'Lock'", "wait_event = 'ClientRead'")
    )

    def had() -> int:
        return int(shop.rows("SELECT count(*) FROM items WHERE claim_id = ANY(%s)", claims)[0][0])

    with closing(world.database.connect(shop.name)) as conn:
        conn.execute("BEGIN")
        conn.execute("LOCK TABLE attempts IN ACCESS EXCLUSIVE MODE")
        shop.until("it waits", lambda: had() and shop.rows(waits, world.two.address)[0][0])
        freeze(process)
        conn.execute("ROLLBACK")
    shop.until("the server waits for it", lambda: shop.rows(stands, world.two.address)[0][0], 10.0)
    return had()


def host_is_cut_off(world: World) -> Iterator[Line]:
    """For longer than its claims live; then it is back, and has missed all that happened."""
    name, pictures, away_s = "a host is cut off for 40 s", world.pictures * 2 // 3, 2 * LEASE_S
    with ExitStack() as stack:
        shop = world.shop(stack, pictures=pictures, latency_s=1.5)
        begun = [shop.start(world.one), shop.start(world.two)]
        shop.until("both hosts work", lambda: len(shop.rows("SELECT DISTINCT owner FROM claims")) > 1)
        shop.until("much is bought", lambda: shop.bought() >= 2 * SLOTS)
        world.two.cut_off()
        time.sleep(away_s)
        world.two.reconnect()
        ends = shop.ended(begun)
        codes = [each.code for each in ends]
        yield Line(f"{name}: exit codes", "all 0", ", ".join(map(str, codes)), not any(codes))
        yield Line(f"{name}: published", str(pictures), str(shop.published()), shop.published() == pictures)
        twice = shop.twice()
        yield Line(f"{name}: bought twice", f"≤ {SLOTS}", str(twice), twice <= SLOTS)


def database_dies(world: World) -> Iterator[Line]:
    name, pictures, away_s = "the database loses its power", world.pictures // 2, 5.0
    with ExitStack() as stack:
        shop = world.shop(stack, pictures=pictures, latency_s=0.5)
        begun = [shop.start(world.one), shop.start(world.two)]
        shop.until("both work", lambda: shop.bought() >= pictures // 4)
        world.database.lose_power(away_s)
        bought = shop.bought()
        back_s = shop.until("something is bought again", lambda: shop.bought() > bought + SLOTS, 150.0)
        yield Line(f"{name}: until they buy again", "≤ 20 s", f"{back_s:.1f} s", back_s <= 20)
        yield from ending(name, shop, shop.ended(begun), pictures)


def clocks_apart(world: World, seconds: int) -> Iterator[Line]:
    name, pictures = f"a clock is {seconds:+d} s", world.pictures // 3
    with ExitStack() as stack:
        shop = world.shop(stack, pictures=pictures)
        ends = shop.ended([shop.start(world.one), shop.start(world.two, **_clock(world, seconds))])
        yield from ending(name, shop, ends, pictures)
        yield shares(name, ends)


def clock_an_hour_behind(world: World) -> Iterator[Line]:
    """A bucket refuses what is signed more than a quarter of an hour ago."""
    name, pictures = "a clock is an hour behind", world.pictures // 3
    with ExitStack() as stack:
        shop = world.shop(stack, pictures=pictures)
        right, wrong = shop.ended([shop.start(world.one), shop.start(world.two, **_clock(world, -3600))])
        yield from ending(name, shop, [right], pictures)
        told = wrong.code == Exit.FATAL and "clock" in wrong.text
        yield Line(f"{name}: its host", "exit 7, says why", f"exit {wrong.code}, {'says' if told else 'not'}", told)


def _clock(world: World, seconds: int) -> dict[str, str]:
    """Variables with which a program sees another time of day."""
    library = world.folder / "clock.so"
    if not library.exists():
        source = Path(__file__).parent / "clock.c"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return {"LD_PRELOAD": str(library), "CLOCK_OFF_S": str(seconds)}


def concurrency_of_the_vendor(world: World) -> Iterator[Line]:
    name, pictures, allowed = "the vendor takes 4 at once", world.pictures // 3, 4
    with ExitStack() as stack:
        shop = world.shop(stack, pictures=pictures, slots=16, limits=Limits(concurrent=allowed))
        ends = shop.ended([shop.start(world.one), shop.start(world.two)])
        yield from ending(name, shop, ends, pictures)
        width = shop.rows("SELECT state ->> 'width' FROM limits")[0][0]
        yield Line(
            f"{name}: learned by both together", f"{allowed} or 1 more", width, int(width) in {allowed, allowed + 1}
        )
        few = pictures // 10
        yield Line(f"{name}: refused", f"≤ {few}", str(shop.refused()), shop.refused() <= few)


def rate_of_the_vendor(world: World) -> Iterator[Line]:
    name, pictures, allowed = "the vendor takes 60 a minute", 90, 60
    with ExitStack() as stack:
        shop = world.shop(stack, pictures=pictures, limits=Limits(per_minute=allowed))
        ends = shop.ended([shop.start(world.one), shop.start(world.two)])
        yield from ending(name, shop, ends, pictures)
        pace, units = shop.rows("SELECT state ->> 'pace', state ->> 'units' FROM limits")[0]
        good = pace == "paced" and abs(float(units) - allowed) <= 0.1 * allowed
        yield Line(f"{name}: learned by both together", f"{allowed} ± 10 %", f"{pace} {float(units):.0f}", good)
        yield Line(f"{name}: refused", f"≤ {SLOTS}", str(shop.refused()), shop.refused() <= SLOTS)


def caps(world: World) -> Iterator[Line]:
    name, cap = "a cap of 50 a day", 50
    with ExitStack() as stack:
        shop = world.shop(stack, pictures=2 * cap, BG_MAX_CREDITS_PER_DAY=str(cap))
        codes = [each.code for each in shop.ended([shop.start(world.one), shop.start(world.two)])]
        yield Line(f"{name}: bought by both together", str(cap), str(shop.bought()), shop.bought() == cap)
        yield Line(f"{name}: exit codes", "both 4", ", ".join(map(str, codes)), set(codes) == {Exit.BUDGET})


def other_settings(world: World) -> Iterator[Line]:
    name = "other settings on the second host"
    with ExitStack() as stack:
        shop = world.shop(stack, pictures=10)
        first = shop.ended([shop.start(world.one)])[0]
        requests = shop.vendor.ledger.requests
        for setting, value in (
            ("BG_FORMAT", "webp"),
            ("BG_MAX_CREDITS_PER_DAY", "7"),
            ("BGERASER_API_KEY", "other-key"),
        ):
            second = shop.ended([shop.start(world.two, **{setting: value})])[0]
            refused = second.code == Exit.SETTINGS and first.code == Exit.DONE
            yield Line(f"{name}: {setting}", "exit 2", f"exit {second.code}", refused)
        more = shop.vendor.ledger.requests - requests
        yield Line(f"{name}: requests", "0", str(more), not more)


def whole_way(world: World, workers: int) -> Iterator[Line]:
    """As fast as the vendor for two minutes. All slots begin at once, so the first rounds are the slowest."""
    slots, latency_s, rounds = 32, 2.0, 60
    with ExitStack() as stack:
        shop = world.shop(stack, pictures=slots * rounds, latency_s=latency_s, slots=slots)
        hosts = [world.one, world.two] * (workers // 2)
        ends = shop.ended([shop.start(host) for host in hosts])
        times = sorted(charge.time.timestamp() for charge in shop.vendor.ledger.charges())
        took_s = times[-1] - times[0] + latency_s
        ratio = len(times) / slots * latency_s / took_s
        name = f"{workers} workers, {latency_s:.0f} s a picture, {slots} slots"
        yield from ending(name, shop, ends, slots * rounds)
        yield Line(f"{name}: of what the vendor gives", "≥ 0.95", f"{ratio:.2f}", ratio >= 0.95)


TRIALS: tuple[tuple[str, Callable[[World], Iterator[Line]]], ...] = (
    ("12 collections", lambda world: work_spreads(world, 12)),
    ("one collection", lambda world: work_spreads(world, 1)),
    ("any instant", syncs_at_any_instant),
    ("host dies", host_dies),
    ("host cut off", host_is_cut_off),
    ("database dies", database_dies),
    ("clock +180", lambda world: clocks_apart(world, 180)),
    ("clock +20", lambda world: clocks_apart(world, 20)),
    ("clock -800", lambda world: clocks_apart(world, -800)),
    ("clock -3600", clock_an_hour_behind),
    ("vendor's concurrency", concurrency_of_the_vendor),
    ("vendor's rate", rate_of_the_vendor),
    ("caps", caps),
    ("other settings", other_settings),
    ("whole way, 2 workers", lambda world: whole_way(world, 2)),
    ("whole way, 4 workers", lambda world: whole_way(world, 4)),
)


def main(folder: Path) -> bool:
    """Whether all lines were met."""
    asked = argparse.ArgumentParser(prog="python -m bg_pipeline_tests.hosts")
    asked.add_argument("--pictures", type=int, default=300)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--only", default="")
    chosen = asked.parse_args()
    print(f"seed {chosen.seed}: {' '.join(sys.argv[1:]) or 'as it is'}", flush=True)
    began, lines = time.monotonic(), list[Line]()
    make_network()
    (folder / "s3").mkdir()
    with radosgw(folder / "s3", HERE) as s3:
        database = DatabaseMachine(folder / "database")
        one, two = Machine("one", 11, VENDOR_PORT), Machine("two", 12, VENDOR_PORT)
        world = World(folder, database, s3, one, two, chosen.pictures, random.Random(chosen.seed), [])
        for name, trial in TRIALS:
            if chosen.only in name:
                print(f"{time.monotonic() - began:4.0f} s: {name}", flush=True)
                lines += _lines(name, trial(world))
    fell_back = [key for shop in world.shops for key in shop.fell_back]
    lines.append(Line("published items that were pending later", "0", str(len(fell_back)), not fell_back))
    minutes = (time.monotonic() - began) / 60
    rows = [(each.what, each.asked, each.measured, "OK" if each.met else "FAIL") for each in lines]
    show(("two hosts", "asked", "measured", ""), [*rows, ("minutes", "", f"{minutes:.1f}", "")])
    return all(each.met for each in lines)


if __name__ == "__main__":
    if inside := folder_inside():
        sys.exit(0 if main(inside) else 1)
    if why := refused() or ", ".join(f"{name} is not installed" for name in missing()):
        sys.exit(f"two hosts need root, namespaces and an S3 server: {why}")
    sys.exit(run_inside("bg_pipeline_tests.hosts", sys.argv[1:]))
