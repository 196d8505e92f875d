"""One suite for gates and limits of accounts: in memory, in SQLite, in PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import pytest

from bg_pipeline.core.claims import LEASE_S
from bg_pipeline.core.gate import Gate, GateReason, GateState
from bg_pipeline_tests.contracts.manifest import Manifest


def test_a_gate_is_open_until_it_is_moved_and_keeps_all_that_is_set(manifest: Manifest) -> None:
    assert manifest.gates.gate("bgeraser") == Gate("bgeraser")
    closed = Gate(
        "bgeraser",
        GateState.CLOSED,
        GateReason.OUTAGE,
        12.5,
        3,
        Decimal("7.5"),
        11.0,
        until=70.0,
        trips=2,
        why="503",
        forced_open=True,
        reading=Decimal("-0.5"),
        expected=Decimal("0.25"),
        cleared_at=9.0,
    )
    assert manifest.gates.change_gate("bgeraser", lambda _gate: closed) == closed
    manifest.gates.change_gate("bgeraser", lambda gate: replace(gate, pause=gate.pause + 1))

    assert manifest.gates.gate("bgeraser") == replace(closed, pause=4)
    assert manifest.gates.gate("removebg").is_open


def test_an_attempt_tells_if_the_gate_waits_for_a_success(manifest: Manifest) -> None:
    manifest.gates.change_gate("bgeraser", lambda gate: replace(gate, reason=GateReason.OUTAGE, trips=1))

    assert manifest.open("w1", "bgeraser").half_open
    assert not manifest.open("w2", "removebg").half_open


def test_of_many_that_move_a_gate_at_once_none_is_lost(manifest: Manifest) -> None:
    """A reading of the balance and a 402 may come at the same moment."""

    def count(_number: int) -> None:
        manifest.gates.change_gate("bgeraser", lambda gate: replace(gate, pause=gate.pause + 1))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(count, range(30)))
    assert manifest.gates.gate("bgeraser").pause == 30


def test_the_limits_of_an_account_are_changed_in_one_step(manifest: Manifest) -> None:
    assert manifest.gates.limits("bgeraser") is None

    def add(_number: int) -> None:
        manifest.gates.change_limits("bgeraser", lambda found: {"count": (found or {"count": 0})["count"] + 1})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(20)))
    assert manifest.gates.limits("bgeraser") == {"count": 20}
    assert manifest.gates.limits("removebg") is None


def test_limits_stay_as_they_were_when_their_change_fails(manifest: Manifest) -> None:
    manifest.gates.change_limits("bgeraser", lambda _found: {"width": 5})
    with pytest.raises(ZeroDivisionError):
        manifest.gates.change_limits("bgeraser", lambda _found: {"width": 1 // 0})

    assert manifest.gates.limits("bgeraser") == {"width": 5}


def test_the_limits_of_an_account_are_forgotten_without_those_of_another(manifest: Manifest) -> None:
    for account in ("bgeraser", "removebg"):
        manifest.gates.change_limits(account, lambda _found: {"width": 5})
    manifest.gates.forget_limits("bgeraser")

    assert (manifest.gates.limits("bgeraser"), manifest.gates.limits("removebg")) == (None, {"width": 5})


def test_claims_are_dead_without_a_heartbeat_and_once_released(manifest: Manifest) -> None:
    manifest.see_work("a.jpg", "b.jpg", "c.jpg")
    silent, released = manifest.claim("a.jpg"), manifest.claim("b.jpg")
    manifest.clock.now += LEASE_S - 1
    alive = manifest.claim("c.jpg")
    manifest.queue.release(released)
    assert manifest.gates.dead_claims([silent.id, released.id, alive.id]) == {released.id}

    manifest.clock.now += 2
    assert manifest.gates.dead_claims([silent.id, released.id, alive.id]) == {silent.id, released.id}
