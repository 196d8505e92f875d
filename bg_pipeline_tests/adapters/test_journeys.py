"""A picture's way through a manifest in PostgreSQL: each journey to the server takes its time."""

from dataclasses import replace
from decimal import Decimal

from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.credits import Budget, DayCap, Rules
from bg_pipeline.core.gate import Thresholds
from bg_pipeline.core.records import Master, Observation, Published
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.gates import SqlGates
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.manifest.observations import SqlObservations
from bg_pipeline.manifest.purchases import SqlPurchases
from bg_pipeline.manifest.queue import SqlWorkQueue
from bg_pipeline_tests.adapters.clients import request
from bg_pipeline_tests.unreliable_network import unreliable


def test_each_step_of_a_picture_is_two_journeys(postgres_url: str) -> None:
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
        assert journeys() == 2
        queue.publish("c/a.jpg", Published("w", "c", "r", "a.png", "digest", "h"), claim)
        assert journeys() == 2
        database.close()
