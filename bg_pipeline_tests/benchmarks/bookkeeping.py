"""
How many pictures a second the manifest carries, from claim to publication, with nothing to wait for but itself.

    python -m bg_pipeline_tests.benchmarks.bookkeeping [--workers 1 2 4] [--ms 0 2 10] [--pictures 1500] [--slots 32]

Processes share one catalogue and one account in PostgreSQL, and find, buy, store and publish by the code of a night. A
picture is a few bytes, stores are dictionaries, the vendor answers at once, and decoders return what they would. The
server is so many milliseconds there and back away from each process.
"""

import argparse
import hashlib
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.limits import Limits
from bg_pipeline.core.recipe import purchase_id
from bg_pipeline.core.records import Change, Observation, Reason
from bg_pipeline.imaging.pictures import PreparedImage, ValidatedAnswer
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.deltas import SqlDeltas
from bg_pipeline.manifest.gates import SqlGates
from bg_pipeline.manifest.items import SqlItems
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.manifest.observations import SqlObservations
from bg_pipeline.manifest.purchases import SqlPurchases
from bg_pipeline.manifest.queue import SqlWorkQueue
from bg_pipeline.pipeline.process import Processing, Scope
from bg_pipeline.ports.purchasing import CutReply, CutRequest
from bg_pipeline_tests.benchmarks.plan import database_on, postgres
from bg_pipeline_tests.benchmarks.tables import show
from bg_pipeline_tests.fakes import FakeClock, FakeRemover
from bg_pipeline_tests.graph import RECIPE, Graph
from bg_pipeline_tests.slow_network import further_away

_ANSWER = b"a cutout"


class _AtOnce(FakeRemover):
    def cut(self, request: CutRequest) -> CutReply:
        return CutReply(_ANSWER, request.credits_expected)


class _Books(Graph):
    def sleep(self, seconds: float) -> bool:
        return self.stop.wait(seconds)


def _undecoded(function: Callable[..., Any], *args: Any) -> Any:
    """What each decoder returns, without a decoder."""
    if function.__name__ == "prepare":
        return PreparedImage(args[0], "image/png", 100, 100)
    if function.__name__ == "validate_answer":
        return ValidatedAnswer(100, 100, "")
    return [_ANSWER for _ in args[2]]


def _key(number: int) -> str:
    return f"c{number % 20:02}/{number:06}.jpg"


def record_work(url: str, count: int, slots: int) -> None:
    """New items that wait, and an account whose limits are known."""
    database = Database(url)
    number = catalogue_id(database)
    seen = []
    for each in range(count):
        key = _key(each)
        content = hashlib.sha256(key.encode()).hexdigest()
        seen.append(Observation(key, key[:3], "e", content, 20, "image/jpeg"))
    SqlObservations(database, number).observe(seen)
    cut = RECIPE.cut.digest
    changes = [
        Change(o.key, o.collection, Reason.NEW, "", purchase_id=purchase_id(o.content_hash, cut), stem=o.key[:-4])
        for o in seen
    ]
    SqlDeltas(database, number).record(changes, time.time())
    SqlGates(database).change_limits("bgeraser", lambda _: Limits(width=slots, base=slots).as_json())
    database.close()


def work_off(url: str, count: int, slots: int, start: Any, results: Any) -> None:
    """One host of a night."""
    database = Database(url)
    number = catalogue_id(database)
    books = _Books(concurrency=slots, remover=_AtOnce(), clock=FakeClock(0.0), call=_undecoded)
    books.source.files = {_key(each): _key(each).encode() for each in range(count)}
    books.queue, books.deltas = SqlWorkQueue(database, number), SqlDeltas(database, number)  # type: ignore[assignment]
    books.items, books.ledger = SqlItems(database, number), SqlLedger(database)  # type: ignore[assignment]
    books.purchases, books.gates = SqlPurchases(database), SqlGates(database)  # type: ignore[assignment]
    catalogue, accounts, policy, run = books.pipeline.context
    run = replace(run, now=time.time, wait=threading.Event().wait)
    processing = Processing(
        catalogue, accounts, policy, run, Ask(AskedBy.NIGHT, Budget("a night", Decimal(10 * count))), Scope()
    )
    start.wait()
    before_s = time.process_time()
    published = sum(result.summary.published for result in processing.results())
    results.put((published, time.process_time() - before_s))
    database.close()


@contextmanager
def _reached(url: str, round_trip_s: float) -> Iterator[str]:
    if not round_trip_s:
        yield url
        return
    parsed = make_url(url)
    with further_away(f"{parsed.query['host']}/.s.PGSQL.5432", round_trip_s) as port:
        yield parsed.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)


def per_second(url: str, workers: int, count: int, slots: int, round_trip_s: float) -> tuple[float, float]:
    """Pictures a second, and processor milliseconds a picture."""
    record_work(url, count, slots)
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(workers + 1), context.Queue()
    with _reached(url, round_trip_s) as reached:
        hosts = [context.Process(target=work_off, args=(reached, count, slots, start, results)) for _ in range(workers)]
        for host in hosts:
            host.start()
        start.wait()
        began = time.perf_counter()
        done = [results.get() for _ in hosts]
        took = time.perf_counter() - began
        for host in hosts:
            host.join()
    assert sum(published for published, _ in done) == count, done
    return count / took, sum(cpu_s for _, cpu_s in done) / count * 1000


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    asked.add_argument("--ms", type=float, nargs="*", default=[0.0, 2.0, 10.0], help="to the database and back")
    asked.add_argument("--pictures", type=int, default=1500)
    asked.add_argument("--slots", type=int, default=32)
    options = asked.parse_args()
    rows, number = [], 0
    with tempfile.TemporaryDirectory() as made:
        server = postgres(Path(made))
        for ms in options.ms:
            alone = 0.0
            for workers in options.workers:
                number += 1
                url = database_on(server, f"books_{number}")
                speed, cpu_ms = per_second(url, workers, options.pictures, options.slots, ms / 1000)
                alone = alone or speed
                rows.append((f"{ms:g}", str(workers), f"{speed:.0f}", f"{speed / alone:.2f}", f"{cpu_ms:.1f}"))
        server.cleanup()
    show(("ms to the database", "workers", "pictures a second", "x the first", "CPU ms a picture"), rows)


if __name__ == "__main__":
    main()
