"""Several requests that are decided in one transaction."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bg_pipeline.core.claims import Ask, AskedBy
from bg_pipeline.core.credits import Budget, DayCap, Rules
from bg_pipeline.core.gate import GateReason, Thresholds
from bg_pipeline.core.records import Observation
from bg_pipeline.errors import BeingBought, BudgetReached, ClaimLost, GateClosed
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.gates import SqlGates
from bg_pipeline.manifest.observations import SqlObservations
from bg_pipeline.manifest.opening import Opening
from bg_pipeline.manifest.queue import SqlWorkQueue
from bg_pipeline.ports.purchasing import CutRequest, OpenAttempt
from bg_pipeline_tests.adapters.clients import request

RULES = Rules(Thresholds(Decimal(0), Decimal(50)))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/manifest.db")
    yield opened
    opened.close()


def _opened(
    database: Database, *, rules: Rules = RULES, cap: int | None = None, **different: list[object]
) -> list[object]:
    """The results of one transaction: the class of each error, and `OpenAttempt` for each attempt."""
    count = len(next(iter(different.values())))
    keys = [f"c/{number}.jpg" for number in range(count)]
    budget = Budget("a run", None if cap is None else Decimal(cap))
    SqlObservations(database, catalogue_id(database)).observe(
        [Observation(key, "c", "e", key, 7, "image/png") for key in keys]
    )
    queue = SqlWorkQueue(database, catalogue_id(database))
    claim = queue.claim_items(Ask(AskedBy.NIGHT, budget), "a test", dict.fromkeys(keys)).claim
    assert claim is not None
    requests: list[CutRequest] = [
        replace(
            request(),
            claim=claim,
            content_hash=key,
            credits_expected=Decimal(1),
            **{"item_key": key} | {name: values[number] for name, values in different.items()},  # type: ignore[arg-type]
        )
        for number, key in enumerate(keys)
    ]
    results = Opening(database, lambda: 1e9, "bgeraser", rules, budget)(requests)
    return [type(each) for each in results]


def test_of_those_that_want_the_same_picture_the_first_buys_it(database: Database) -> None:
    assert _opened(database, purchase_id=["w", "w", "x"]) == [OpenAttempt, BeingBought, OpenAttempt]


def test_of_those_that_send_the_same_bytes_the_first_buys_them(database: Database) -> None:
    sent = {"sent_digest": ["same", "same", "other"], "cut_digests": [("c",)] * 3}
    assert _opened(database, purchase_id=["w", "x", "y"], **sent) == [OpenAttempt, BeingBought, OpenAttempt]


@pytest.mark.parametrize("which", ["run", "day", "day of the account"])
def test_a_cap_holds_among_them(database: Database, which: str) -> None:
    caps = {"day": (DayCap(Decimal(2)),), "day of the account": (DayCap(Decimal(2), account="bgeraser"),)}
    rules, cap = replace(RULES, day_caps=caps.get(which, ())), 2 if which == "run" else None
    results = _opened(database, rules=rules, cap=cap, purchase_id=["w", "x", "y", "z"])
    assert results == [OpenAttempt, OpenAttempt, BudgetReached, BudgetReached]


def test_the_balance_is_counted_down_among_them_and_the_gate_closes_for_all(database: Database) -> None:
    gates = SqlGates(database)
    gates.change_gate("bgeraser", lambda gate: replace(gate, balance=Decimal(7), balance_at=1.0))
    rules = replace(RULES, thresholds=Thresholds(Decimal(5), Decimal(50)))

    results = _opened(database, rules=rules, purchase_id=["v", "w", "x", "y", "z"])
    assert results == [OpenAttempt, OpenAttempt, OpenAttempt, GateClosed, GateClosed]
    assert gates.gate("bgeraser").reason is GateReason.LOW_CREDITS


def test_an_item_that_another_run_has_stops_none_of_the_others(database: Database) -> None:
    assert _opened(database, purchase_id=["w", "x"], item_key=["c/0.jpg", "another"]) == [OpenAttempt, ClaimLost]
