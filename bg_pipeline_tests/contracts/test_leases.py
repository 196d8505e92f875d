"""One suite for leases: in memory, in SQLite, in PostgreSQL."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bg_pipeline.core.claims import LEASE_S
from bg_pipeline.core.records import Lease
from bg_pipeline.errors import LeaseHeld, LeaseLost
from bg_pipeline_tests.contracts.manifest import Manifest


def acquire(manifest: Manifest, owner: str = "a test") -> Lease:
    return manifest.leases.acquire("detection", owner)


def test_a_held_lease_is_refused_with_its_holder_and_is_free_after_release(manifest: Manifest) -> None:
    first = acquire(manifest)
    with pytest.raises(LeaseHeld, match="a test"):
        acquire(manifest, "another")
    assert manifest.leases.leases() == [(first, manifest.clock.now + LEASE_S)]

    manifest.leases.release(first)
    assert manifest.leases.leases() == []
    assert acquire(manifest).token > first.token


def test_leases_of_other_names_are_free(manifest: Manifest) -> None:
    acquire(manifest)

    assert manifest.leases.acquire("run 1", "another").owner == "another"
    assert [lease.name for lease, _ in manifest.leases.leases()] == ["detection", "run 1"]


def test_a_lease_that_another_took_over_is_lost(manifest: Manifest) -> None:
    """The first holder slept through its lease and wakes up."""
    old = acquire(manifest)
    manifest.clock.now += LEASE_S + 1
    new = acquire(manifest, "another")

    with pytest.raises(LeaseLost):
        manifest.leases.heartbeat(old)
    with pytest.raises(LeaseLost):
        manifest.leases.release(old)
    assert [lease for lease, _ in manifest.leases.leases()] == [new]


def test_an_expired_lease_that_was_not_taken_is_still_good(manifest: Manifest) -> None:
    lease = acquire(manifest)
    manifest.clock.now += LEASE_S + 1
    assert manifest.leases.leases() == []
    manifest.leases.heartbeat(lease)

    assert [held for held, _ in manifest.leases.leases()] == [lease]


def test_a_heartbeat_prolongs_a_lease(manifest: Manifest) -> None:
    lease = acquire(manifest)
    manifest.clock.now += LEASE_S - 10
    manifest.leases.heartbeat(lease)
    manifest.clock.now += LEASE_S - 10

    with pytest.raises(LeaseHeld):
        acquire(manifest)


def test_of_several_that_want_a_lease_at_once_one_gets_it(manifest: Manifest) -> None:
    """Free for the first time, and free again after it expired."""
    for _ in range(5):
        together = threading.Barrier(6)

        def want(together: threading.Barrier = together) -> bool:
            together.wait()
            try:
                acquire(manifest)
            except LeaseHeld:
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            won = [future.result() for future in [pool.submit(want) for _ in range(6)]]
        assert won.count(True) == 1
        manifest.clock.now += 1000
