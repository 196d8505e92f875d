"""A picture's way through a manifest in PostgreSQL: each journey to the server takes its time."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.credits import Budget, DayCap, Rules
from bg_pipeline.core.gate import Thresholds
from bg_pipeline.core.records import Master, Observation, Published
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.gates import SqlGates
from bg_pipeline.manifest.items import SqlItems
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.manifest.observations import SqlObservations
from bg_pipeline.manifest.purchases import SqlPurchases
from bg_pipeline.manifest.queue import SqlWorkQueue
from bg_pipeline_tests.adapters.clients import request
from bg_pipeline_tests.unreliable_network import unreliable


def test_each_step_of_a_picture_is_two_journeys_at_most(postgres_url: str) -> None:
    seen: list[bytes] = []

    def journeys() -> int:
        count = len(seen)
        seen.clear()
        return count

    Database(postgres_url).close()
    with unreliable(postgres_url, lambda piece: bool(seen.append(piece))) as url:  # type: ignore[func-returns-value]
        database = Database(url)
        number = catalogue_id(database)
        queue, gates = SqlWorkQueue(database, number), SqlGates(database)
        ledger, purchases = SqlLedger(database), SqlPurchases(database)
        SqlObservations(database, number).observe([Observation("c/a.jpg", "c", "e", "h", 7, "image/png")])
        gates.change_limits("bgeraser", lambda _old: {"width": 1})
        budget = Budget("a run", Decimal(10))
        claim = queue.claim_items(Ask(AskedBy.NIGHT, budget), "a test", {"c/a.jpg": None}).claim
        assert claim is not None
        wanted = replace(request(), item_key="c/a.jpg", purchase_id="w", sent_digest="s", claim=claim)
        rules = Rules(Thresholds(Decimal(0), Decimal(50)), day_caps=(DayCap(Decimal(9)),))

        journeys()
        gates.change_limits("bgeraser", lambda _old: {"width": 2})
        assert journeys() == 2
        attempt = ledger.open_attempt(wanted, "bgeraser", rules)
        assert journeys() == 2
        purchases.keep(Master("w", "digest", 1, 1), attempt.id, Decimal(1))
        assert journeys() == 1
        queue.publish("c/a.jpg", Published("w", "c", "r", "a.png", "digest", "h"), claim)
        assert journeys() == 2
        database.close()


def test_steps_of_all_kinds_that_come_meanwhile_share_two_journeys(postgres_url: str) -> None:
    seen, has_asked, may_go_on = list[bytes](), threading.Event(), threading.Event()

    def waits(piece: bytes) -> bool:
        seen.append(piece)
        if waiting:
            has_asked.set()
            assert may_go_on.wait(10)
        return False

    waiting: list[bool] = []
    Database(postgres_url).close()
    with unreliable(postgres_url, waits) as url, ThreadPoolExecutor(6) as pool:
        database = Database(url)
        number = catalogue_id(database)
        queue, items, purchases = SqlWorkQueue(database, number), SqlItems(database, number), SqlPurchases(database)
        SqlObservations(database, number).observe([Observation("c/a.jpg", "c", "e", "h", 7, "image/png")])
        claim = queue.claim_items(Ask(AskedBy.NIGHT, Budget("a run")), "a test", {"c/a.jpg": None}).claim
        assert claim is not None
        seen.clear()
        waiting.append(True)
        first = pool.submit(purchases.get_many, ["w"])
        assert has_asked.wait(10)
        waiting.clear()
        others: list[Future[Any]] = [
            pool.submit(purchases.keep, Master("w", "digest", 1, 1), None, Decimal(0)),
            pool.submit(purchases.same_payload, "sent", ["cut"]),
            pool.submit(items.outputs, ["c/a.jpg"]),
            pool.submit(queue.verify, claim, "c/b.jpg"),
            pool.submit(queue.publish, "c/a.jpg", Published("w", "c", "r", "a.png", "digest", "h"), claim),
        ]
        while len(database.take.__self__._together._waiting) < len(others):  # type: ignore[attr-defined]
            threading.Event().wait(0.001)
        may_go_on.set()
        assert [str(each.exception() or each.result()) for each in (first, *others)] == [
            *("{}", "None", "None", "{}"),
            "another run took over 'c/b.jpg'; this one writes nothing more for it",
            "None",
        ]
        assert len(seen) == 1 + 2
        assert (items.states()["published"], list(purchases.get_many(["w"]))) == (1, ["w"])
        database.close()
