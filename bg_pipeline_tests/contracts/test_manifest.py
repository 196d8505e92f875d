"""One suite for the manifest, the ledger and the run control: in memory, in SQLite, in PostgreSQL."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from bg_pipeline.core.gate import Gate, GateReason, GateState
from bg_pipeline.core.records import (
    AttemptState,
    Change,
    Lease,
    Master,
    Observation,
    Published,
    Reason,
    State,
)
from bg_pipeline.errors import LeaseHeld, LeaseLost
from bg_pipeline.manifest.control import SqlControl
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.items import SqlManifest
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.ports import Control, Ledger, Manifest
from bg_pipeline_tests.fakes import FakeClock, MemoryControl, MemoryDatabase, MemoryLedger, MemoryManifest


@dataclass
class Kept:
    """The three ports over one place."""

    manifest: Manifest
    ledger: Ledger
    control: Control
    clock: FakeClock

    def lease(self, name: str = "collection c") -> Lease:
        return self.control.acquire(name, "a test", 100.0)


def _sql(url: str, clock: FakeClock) -> Iterator[Kept]:
    database = Database(url)
    yield Kept(SqlManifest(database, clock), SqlLedger(database, clock), SqlControl(database, clock), clock)
    database.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Kept]:
    if request.param == "memory":
        shared = MemoryDatabase(clock)
        yield Kept(MemoryManifest(shared), MemoryLedger(shared), MemoryControl(shared), clock)
    elif request.param == "sqlite":
        yield from _sql(f"sqlite:///{tmp_path}/manifest.db", clock)
    else:
        url = request.getfixturevalue("postgres_url")
        database = Database(url)
        with database.write() as conn:
            conn.execute(text("TRUNCATE items, masters, attempts, leases, gates, limits, syncs"))
        database.close()
        yield from _sql(url, clock)


def seen(key: str, content: str = "h", evidence: str = "e1") -> Observation:
    return Observation(key, key.rpartition("/")[0], evidence, content, 7, "image/png")


def work(key: str, reason: Reason = Reason.NEW, **more: object) -> Change:
    change = Change(key, key.rpartition("/")[0], reason, "a reason", work_id="w", stem=key.rpartition(".")[0])
    return replace(change, **more)  # type: ignore[arg-type]


def shown(name: str, work_id: str = "w") -> Published:
    return Published(work_id, "cut", "rendition", name, "digest")


NASTY = [
    "c/a\nb.jpg",
    "c/a b.jpg",
    "c/a\udcff.jpg",
    "c/a.jpg",
    "c/A.jpg",
    "c/é.jpg",
    "c/\U0001f45f.jpg",
    "c/z'\";--.jpg",
]


def test_keys_of_any_bytes_come_back_in_byte_order(kept: Kept) -> None:
    kept.manifest.observe([seen(key) for key in NASTY])
    in_order = sorted(NASTY, key=lambda key: key.encode("utf-8", "surrogateescape"))

    assert [o.key for o in kept.manifest.observations()] == in_order
    assert [e.key for e in kept.manifest.entries()] == in_order
    assert kept.manifest.entry("c/a\udcff.jpg") is not None


def test_an_observation_replaces_the_last_and_leaves_state_and_output_alone(kept: Kept) -> None:
    kept.manifest.observe([seen("c/a.jpg")])
    kept.manifest.record_delta([work("c/a.jpg")])
    kept.manifest.publish("c/a.jpg", shown("c/a.png"), kept.lease())
    kept.manifest.observe([seen("c/a.jpg", "h2", "e2")])

    entry = kept.manifest.entry("c/a.jpg")
    assert entry is not None
    assert (entry.content_hash, entry.state, entry.published) == ("h2", State.PUBLISHED, shown("c/a.png"))
    assert [o.evidence for o in kept.manifest.observations()] == ["e2"]


def test_what_is_absent_is_not_observed_until_it_is_seen_again(kept: Kept) -> None:
    kept.manifest.observe([seen("c/a.jpg"), seen("c/b.jpg")])
    kept.manifest.mark_absent(["c/a.jpg"])
    assert [o.key for o in kept.manifest.observations()] == ["c/b.jpg"]

    kept.manifest.observe([seen("c/a.jpg")])
    assert [o.key for o in kept.manifest.observations()] == ["c/a.jpg", "c/b.jpg"]


def test_an_item_that_was_only_observed_is_no_work_yet(kept: Kept) -> None:
    kept.manifest.observe([seen("c/a.jpg")])

    assert kept.manifest.pending("c") == []
    assert kept.manifest.pending_collections() == {}


def test_a_delta_makes_items_pending_skipped_or_deleted(kept: Kept) -> None:
    kept.manifest.observe([seen(f"c/{name}.jpg") for name in "abcd"])
    kept.manifest.record_delta(
        [
            work("c/a.jpg"),
            work("c/b.jpg", Reason.SKIPPED, becomes=State.SKIPPED, stem=""),
            work("c/c.jpg", Reason.DELETED, becomes=State.DELETED, stem=""),
            work("c/d.jpg", Reason.RECIPE_CHANGED, becomes=None),
        ]
    )

    assert [e.key for e in kept.manifest.pending("c")] == ["c/a.jpg"]
    assert kept.manifest.pending_collections() == {"c": 1}
    assert kept.manifest.states() == {
        "published": 0,
        "pending": 2,
        "failed": 0,
        "quarantined": 0,
        "skipped": 1,
        "deleted": 1,
    }


def test_collections_are_those_of_listed_items(kept: Kept) -> None:
    kept.manifest.observe([seen("c/a.jpg"), seen("c/b.jpg"), seen("d/c.jpg"), seen("top.jpg")])
    kept.manifest.mark_absent(["d/c.jpg"])

    assert kept.manifest.collections() == {"": 1, "c": 2}


def test_a_rename_marks_the_old_key_as_deleted(kept: Kept) -> None:
    kept.manifest.observe([seen("c/new.jpg"), seen("c/old.jpg")])
    kept.manifest.record_delta([work("c/new.jpg", Reason.RENAMED, renamed_from="c/old.jpg")])

    old = kept.manifest.entry("c/old.jpg")
    assert old is not None
    assert (old.state, old.detail) == (State.DELETED, "renamed to c/new.jpg")


def test_pending_work_can_be_asked_for_by_class(kept: Kept) -> None:
    kept.manifest.observe([seen("c/a.jpg"), seen("d/b.jpg")])
    kept.manifest.record_delta([work("c/a.jpg"), work("d/b.jpg", Reason.CHANGED)])
    changed = frozenset({Reason.CHANGED})

    assert kept.manifest.pending_collections(changed) == {"d": 1}
    assert kept.manifest.pending("c", changed) == []


def test_a_stem_once_given_is_kept_and_taken(kept: Kept) -> None:
    kept.manifest.observe([seen("c/A.jpg")])
    kept.manifest.record_delta([work("c/A.jpg")])
    kept.manifest.record_delta([work("c/A.jpg", Reason.UNFINISHED, stem="")])

    entry = kept.manifest.entry("c/A.jpg")
    assert entry is not None
    assert entry.stem == "c/A"
    assert kept.manifest.taken(["c/a", "c/b"]) == {"c/a"}


def test_published_names_are_those_on_show_in_byte_order(kept: Kept) -> None:
    lease = kept.lease()
    kept.manifest.observe([seen("c/a.jpg"), seen("c/b.jpg"), seen("c/c.jpg")])
    kept.manifest.record_delta([work(f"c/{n}.jpg") for n in "abc"])
    for key, name in (("c/a.jpg", "c/z.png"), ("c/b.jpg", "c/y.png"), ("c/c.jpg", "c/x.png")):
        kept.manifest.publish(key, shown(name), lease)
    kept.manifest.mark_absent(["c/c.jpg"])

    assert list(kept.manifest.published_names()) == [("c/y.png", "c/b.jpg"), ("c/z.png", "c/a.jpg")]
    assert kept.manifest.carriers(["w", "other"]) == {"w": "c/a.jpg"}


def test_a_write_under_an_older_lease_is_refused(kept: Kept) -> None:
    """Fencing: the first holder slept through its lease and wakes up."""
    kept.manifest.observe([seen("c/a.jpg")])
    old = kept.lease()
    kept.clock.now += 1000
    kept.lease()

    for write in (
        lambda: kept.manifest.publish("c/a.jpg", shown("c/a.png"), old),
        lambda: kept.manifest.set_state("c/a.jpg", State.FAILED, "", "w", old),
        lambda: kept.ledger.open_attempt("w", "bgeraser", Decimal(1), old),
        lambda: kept.control.heartbeat(old, 100.0),
        lambda: kept.control.release(old),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert kept.manifest.states()["published"] == 0
    assert kept.ledger.charges("w") == 0


def test_an_expired_lease_that_nobody_took_is_still_good(kept: Kept) -> None:
    kept.manifest.observe([seen("c/a.jpg")])
    lease = kept.lease()
    kept.clock.now += 1000
    kept.manifest.publish("c/a.jpg", shown("c/a.png"), lease)

    assert kept.manifest.states()["published"] == 1


def test_a_held_lease_is_refused_with_its_holder_and_is_free_after_release(kept: Kept) -> None:
    first = kept.lease()
    with pytest.raises(LeaseHeld, match="a test"):
        kept.lease()
    assert [lease.name for lease, _ in kept.control.leases()] == ["collection c"]

    kept.control.release(first)
    assert kept.control.leases() == []
    assert kept.lease().token > first.token


def test_of_several_that_want_a_lease_at_once_one_gets_it(kept: Kept) -> None:
    """Free for the first time, and free again after it expired."""
    for _ in range(5):
        together = threading.Barrier(6)

        def want(together: threading.Barrier = together) -> bool:
            together.wait()
            try:
                kept.lease()
            except LeaseHeld:
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            won = [future.result() for future in [pool.submit(want) for _ in range(6)]]
        assert won.count(True) == 1
        kept.clock.now += 1000


def test_of_several_that_want_to_buy_a_work_at_once_one_may(kept: Kept) -> None:
    leases = [kept.lease(f"collection {n}") for n in range(6)]
    together = threading.Barrier(6)

    def buy(lease: Lease) -> bool:
        together.wait()
        try:
            kept.ledger.open_attempt("w", "bgeraser", Decimal(1), lease)
        except LeaseHeld:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(buy, leases)).count(True) == 1


def test_a_heartbeat_prolongs_a_lease(kept: Kept) -> None:
    lease = kept.lease()
    kept.clock.now += 90
    kept.control.heartbeat(lease, 100.0)
    kept.clock.now += 90

    with pytest.raises(LeaseHeld):
        kept.lease()


def test_failed_items_become_pending_again_by_collection_or_key(kept: Kept) -> None:
    lease = kept.lease()
    kept.manifest.observe([seen("c/a.jpg"), seen("c/b.jpg"), seen("d/c.jpg")])
    kept.manifest.record_delta([work("c/a.jpg"), work("c/b.jpg"), work("d/c.jpg")])
    for key in ("c/a.jpg", "c/b.jpg", "d/c.jpg"):
        kept.manifest.set_state(key, State.FAILED, "corrupt", "w", lease)

    assert [e.detail for e in kept.manifest.in_state(State.FAILED)] == ["corrupt"] * 3
    assert kept.manifest.retry("c", ["c/a.jpg"]) == ["c/a.jpg"]
    assert kept.manifest.pending_collections() == {"c": 1}
    assert kept.manifest.retry(None) == ["c/b.jpg", "d/c.jpg"]


def test_the_latest_results_of_a_collection_come_first(kept: Kept) -> None:
    lease = kept.lease()
    kept.manifest.observe([seen(f"c/{n}.jpg") for n in "abc"])
    kept.manifest.record_delta([work(f"c/{n}.jpg") for n in "abc"])
    for key in ("c/b.jpg", "c/a.jpg"):
        kept.clock.now += 1
        kept.manifest.publish(key, shown(key), lease)

    assert [e.key for e in kept.manifest.recent("c", 10)] == ["c/a.jpg", "c/b.jpg"]
    assert [e.key for e in kept.manifest.recent("c", 1)] == ["c/a.jpg"]


def test_a_forgotten_hash_is_looked_at_again(kept: Kept) -> None:
    kept.manifest.observe([seen("c/a.jpg")])
    kept.manifest.forget_hash("c/a.jpg")

    assert [o.evidence for o in kept.manifest.observations()] == [""]


def test_one_work_has_one_open_attempt(kept: Kept) -> None:
    first, second = kept.lease("collection c"), kept.lease("collection d")
    attempt = kept.ledger.open_attempt("w", "bgeraser", Decimal(1), first)
    with pytest.raises(LeaseHeld, match="same picture"):
        kept.ledger.open_attempt("w", "bgeraser", Decimal(1), second)

    kept.ledger.close_attempt(attempt, AttemptState.REFUSED, Decimal(0), "503")
    kept.ledger.open_attempt("w", "bgeraser", Decimal(1), second)
    assert [a.state for a in kept.ledger.attempts("w")] == [AttemptState.REFUSED, AttemptState.INTENT]
    assert [a.work_id for a in kept.ledger.open_attempts("collection d")] == ["w"]


@pytest.mark.parametrize(
    ("state", "charges"),
    [(AttemptState.REFUSED, 0), (AttemptState.CHARGED, 1), (AttemptState.UNUSABLE, 1), (AttemptState.IN_DOUBT, 1)],
)
def test_what_may_have_been_charged_counts_as_a_charge(kept: Kept, state: AttemptState, charges: int) -> None:
    attempt = kept.ledger.open_attempt("w", "bgeraser", Decimal(1), kept.lease())
    kept.ledger.close_attempt(attempt, state, Decimal(0))

    assert kept.ledger.charges("w") == charges


def test_credits_are_exact_to_a_thousandth(kept: Kept) -> None:
    lease = kept.lease()
    for number in range(3):
        attempt = kept.ledger.open_attempt(f"w{number}", "removebg", Decimal("0.25"), lease)
        kept.ledger.close_attempt(attempt, AttemptState.CHARGED, Decimal("0.1"))

    assert kept.ledger.spent_since(0.0) == Decimal("0.3")
    assert kept.ledger.spent_since(kept.clock.now + 1) == 0
    assert kept.ledger.attempts("w0")[0].credits_expected == Decimal("0.25")


def test_a_kept_master_closes_its_attempt_and_makes_the_work_bought(kept: Kept) -> None:
    attempt = kept.ledger.open_attempt("w", "bgeraser", Decimal(1), kept.lease())
    master = Master("w", "digest", 20, 10, "looks odd")
    kept.ledger.keep_master(master, attempt, Decimal(1))

    assert kept.ledger.master("w") == master
    assert kept.ledger.bought(["w", "x"]) == {"w"}
    assert kept.ledger.open_attempts("collection c") == []
    assert kept.ledger.master("x") is None


def test_a_work_with_a_master_cannot_be_bought_until_its_master_is_forgotten(kept: Kept) -> None:
    """A twin in another collection may have looked before the master was there."""
    lease = kept.lease()
    attempt = kept.ledger.open_attempt("w", "bgeraser", Decimal(1), lease)
    kept.ledger.keep_master(Master("w", "digest", 20, 10), attempt, Decimal(1))
    with pytest.raises(LeaseHeld, match="meanwhile"):
        kept.ledger.open_attempt("w", "bgeraser", Decimal(1), lease)

    kept.ledger.forget_master("w")
    assert kept.ledger.open_attempt("w", "bgeraser", Decimal(1), lease)


def test_a_gate_is_open_until_it_is_set_and_keeps_what_is_set(kept: Kept) -> None:
    assert kept.control.gate("bgeraser") == Gate("bgeraser")
    closed = Gate("bgeraser", GateState.CLOSED, GateReason.LOW_CREDITS, 12.5, 3, Decimal("7.5"))
    kept.control.set_gate(closed)
    kept.control.set_gate(replace(closed, episode=4))

    assert kept.control.gate("bgeraser") == replace(closed, episode=4)
    assert kept.control.gate("removebg").is_open


def test_the_limits_of_an_account_are_changed_in_one_step(kept: Kept) -> None:
    assert kept.control.limits("bgeraser") is None

    def add(_number: int) -> None:
        kept.control.change_limits("bgeraser", lambda found: {"count": (found or {"count": 0})["count"] + 1})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(20)))
    assert kept.control.limits("bgeraser") == {"count": 20}
    assert kept.control.limits("removebg") is None


def test_limits_stay_as_they_were_when_their_change_fails(kept: Kept) -> None:
    kept.control.change_limits("bgeraser", lambda _found: {"width": 5})
    with pytest.raises(ZeroDivisionError):
        kept.control.change_limits("bgeraser", lambda found: {"width": 1 // 0})

    assert kept.control.limits("bgeraser") == {"width": 5}


def test_finished_syncs_are_remembered_newest_first(kept: Kept) -> None:
    assert kept.control.syncs("sync") == []
    kept.control.log_sync("sync", 1.0, {"published": 1})
    first = kept.clock.now
    kept.clock.now += 5
    kept.control.log_sync("sync", 2.0, {"published": 2})
    kept.control.log_sync("detect", 3.0, {})

    assert kept.control.syncs("sync") == [(first + 5, {"published": 2})]
    assert kept.control.syncs("sync", since=first, limit=9) == [
        (first + 5, {"published": 2}),
        (first, {"published": 1}),
    ]
    assert kept.control.syncs("sync", since=first + 6) == []


def test_a_detail_may_quote_a_name_that_is_no_text(kept: Kept) -> None:
    kept.manifest.observe([seen("c/a.jpg")])
    kept.manifest.set_state("c/a.jpg", State.FAILED, "was c/\udcff\0.jpg", "w", kept.lease())

    entry = kept.manifest.entry("c/a.jpg")
    assert entry is not None
    assert entry.detail.startswith("was c/")
