"""
How many pictures a second the manifest carries, from claim to publication, with nothing to wait for but itself.

    python -m bg_pipeline_tests.benchmarks.bookkeeping [--workers 1 2 4] [--ms 0 2 10] [--answer-s 2]

Processes share one catalogue and one account in PostgreSQL, and find, buy, store and publish by the code of a night. A
picture is a few bytes, stores are dictionaries, the vendor answers at once, and decoders return what they would. The
server is so many milliseconds there and back away from each process. Journeys are counted by a relay, for all of a
run, its start and its end included: what is sent before there is an answer is one. Without a delay there is no relay.

The peer is one process that writes the least that has to last, by psycopg alone: for each picture the intent, then
charge and master, then state and output; three statements, each a transaction of its own, by as many connections as
slots. It decides on nothing: no cap, no gate, no limit, no claim.
"""

import argparse
import hashlib
import itertools
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
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
from bg_pipeline_tests.benchmarks.tables import compare, show
from bg_pipeline_tests.fakes import FakeClock, FakeRemover
from bg_pipeline_tests.graph import RECIPE, Graph
from bg_pipeline_tests.slow_network import further_away

_ANSWER = b"a cutout"


class _Vendor(FakeRemover):
    def __init__(self, answer_s: float) -> None:
        super().__init__()
        self._answer_s = answer_s

    def cut(self, request: CutRequest) -> CutReply:
        time.sleep(self._answer_s)
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
    SqlGates(database).change_limits("bgeraser", lambda _: Limits(width=slots, base=slots, reached=slots).as_json())
    database.close()


def work_off(url: str, count: int, slots: int, answer_s: float, start: Any, results: Any) -> None:
    """One host of a night."""
    database = Database(url)
    number = catalogue_id(database)
    books = _Books(concurrency=slots, remover=_Vendor(answer_s), clock=FakeClock(0.0), call=_undecoded)
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


_PLAIN = (
    """
    INSERT INTO attempts (account, catalogue_id, item_key, collection, purchase_id, state, credits_expected, started_at)
    VALUES ('bgeraser', 1, %(key)s, %(folder)s, %(key)s, 'intent', 1, 1) RETURNING id
    """,
    """
    WITH charged AS (UPDATE attempts SET state = 'charged', credits_charged = 1, ended_at = 2 WHERE id = %(id)s)
    INSERT INTO purchases (purchase_id, digest, width_px, height_px, stored_at) VALUES (%(key)s, 'd', 1, 1, 2)
    """,
    """
    WITH ended AS (UPDATE items SET state = 'published', claim_id = NULL, revision = revision + 1
                   WHERE catalogue_id = 1 AND key = %(key)s)
    INSERT INTO publications (catalogue_id, key, rendition, purchase_id, output_name, published_at)
    VALUES (1, %(key)s, 'main', %(key)s, %(key)s, 2)
    """,
)


def write_plainly(url: str, count: int, slots: int, _answer_s: float, start: Any, results: Any) -> None:
    """The peer."""
    connections = [
        psycopg.connect(
            make_url(url).set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
        )
        for _ in range(slots)
    ]

    def work(slot: int) -> None:
        for number in range(slot, count, slots):
            values: dict[str, Any] = {"key": _key(number).encode(), "folder": _key(number)[:3].encode()}
            (values["id"],) = connections[slot].execute(_PLAIN[0], values).fetchone() or ()
            for statement in _PLAIN[1:]:
                connections[slot].execute(statement, values)

    start.wait()
    before_s = time.process_time()
    with ThreadPoolExecutor(slots) as pool:
        list(pool.map(work, range(slots)))
    results.put((count, time.process_time() - before_s))


@contextmanager
def _reached(url: str, round_trip_s: float, asked: Callable[[], object]) -> Iterator[str]:
    if not round_trip_s:
        yield url
        return
    parsed = make_url(url)
    with further_away(f"{parsed.query['host']}/.s.PGSQL.5432", round_trip_s, asked) as port:
        yield parsed.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)


def per_second(
    url: str, workers: int, count: int, slots: int, answer_s: float, round_trip_s: float, work: Callable[..., None]
) -> tuple[float, float, float]:
    """Pictures a second, processor milliseconds a picture, and journeys a picture."""
    record_work(url, count, slots)
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(workers + 1), context.Queue()
    journeys = itertools.count()
    with _reached(url, round_trip_s, lambda: next(journeys)) as reached:
        hosts = [
            context.Process(target=work, args=(reached, count, slots, answer_s, start, results)) for _ in range(workers)
        ]
        for host in hosts:
            host.start()
        start.wait()
        began = time.perf_counter()
        done = [results.get() for _ in hosts]
        took = time.perf_counter() - began
        for host in hosts:
            host.join()
    assert sum(published for published, _ in done) == count, done
    return count / took, sum(cpu_s for _, cpu_s in done) / count * 1000, next(journeys) / count


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    asked.add_argument("--ms", type=float, nargs="*", default=[0.0, 2.0, 10.0], help="to the database and back")
    asked.add_argument("--pictures", type=int, default=1500)
    asked.add_argument("--slots", type=int, default=32)
    asked.add_argument("--answer-s", type=float, default=0.0, help="until the vendor answers; the peer has no vendor")
    options = asked.parse_args()
    rows, number = [], 0
    with tempfile.TemporaryDirectory() as made:
        server = postgres(Path(made))
        for ms in options.ms:
            speeds = dict[int, float]()
            for workers in (*options.workers, 0):
                number += 1
                given = workers or 1, options.pictures, options.slots, options.answer_s, ms / 1000
                work = work_off if workers else write_plainly
                speed, cpu_ms, journeys = per_second(database_on(server, f"books_{number}"), *given, work)
                speeds[workers] = speed
                share = f"{speed * options.answer_s / options.slots:.2f}" if options.answer_s else ""
                beside_first = speed / next(iter(speeds.values()))
                values = f"{speed:.1f}", f"{beside_first:.2f}", f"{cpu_ms:.1f}", f"{journeys:.1f}" if ms else "", share
                rows.append((f"{ms:g}", str(workers or "peer"), *values))
            for workers in options.workers:
                what = f"bookkeeping of {workers} workers, {ms:g} ms from the database"
                compare(what, "pictures/s", speeds[workers], "the least that has to last, by psycopg", speeds[0])
        server.cleanup()
    heads = "ms to the database", "workers", "pictures a second", "x the first", "CPU ms a picture"
    show((*heads, "journeys", "of what the vendor gives"), rows)


if __name__ == "__main__":
    main()
