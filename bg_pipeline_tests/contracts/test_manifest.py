"""One suite for the manifest, the ledger and the run control: in memory, in SQLite, in PostgreSQL."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bg_pipeline.core.credits import MAX_CHARGES, Budget, Rules
from bg_pipeline.core.gate import Gate, GateReason, GateState, Thresholds
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.recipe import Cut, Recipe, Rendition
from bg_pipeline.core.records import (
    AttemptState,
    Change,
    Lease,
    Master,
    Observation,
    Published,
    Reason,
    State,
    Totals,
)
from bg_pipeline.errors import BudgetReached, GateClosed, ItemRejected, LeaseHeld, LeaseLost
from bg_pipeline.manifest.control import SqlControl
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.items import SqlManifest
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.ports import Control, CutRequest, Ledger, Manifest
from bg_pipeline_tests.fakes import FakeClock, MemoryControl, MemoryDatabase, MemoryLedger, MemoryManifest

ONE = Decimal(1)


@dataclass
class Kept:
    """The three ports over one place."""

    manifest: Manifest
    ledger: Ledger
    control: Control
    clock: FakeClock

    def lease(self, name: str = "collection c") -> Lease:
        return self.control.acquire(name, "a test", 100.0)

    def buy(self, work_id: str, lease: Lease, provider: str = "bgeraser", price: Decimal = ONE, **more: Any) -> int:
        """Open an attempt; `more` are fields of its request, or `rules`."""
        rules = more.pop("rules", Rules(Thresholds(Decimal(0), Decimal(50))))
        asked = {
            "image": b"",
            "media_type": "",
            "width_px": 1,
            "height_px": 1,
            "params": {},
            "budget": Budget("a run"),
            "item_key": f"c/{work_id}.jpg",
            "credits_expected": price,
        }
        request = CutRequest(work_id, lease=lease, **asked | more)
        return self.ledger.open_attempt(request, provider, rules)


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
    return Published(work_id, "cut", "rendition", name, "digest", "h")


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

    assert [key for key, _, _ in kept.manifest.observations()] == [key_bytes(key) for key in in_order]
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
    assert [evidence for _, evidence, _ in kept.manifest.observations()] == ["e2"]


def test_landmarks_are_every_so_manieth_listed_key_in_order(kept: Kept) -> None:
    kept.manifest.observe([seen(f"c/{name}") for name in ("7", "a", "Z", "é", "b", "gone", "\udcff")])
    kept.manifest.mark_absent(["c/gone"])

    assert kept.manifest.landmarks(2) == ["c/Z", "c/b", "c/\udcff"]
    assert kept.manifest.landmarks(100) == []


def test_what_is_absent_is_not_observed_until_it_is_seen_again(kept: Kept) -> None:
    kept.manifest.observe([seen("c/a.jpg"), seen("c/b.jpg")])
    kept.manifest.mark_absent(["c/a.jpg"])
    assert [key for key, _, _ in kept.manifest.observations()] == [b"c/b.jpg"]

    kept.manifest.observe([seen("c/a.jpg")])
    assert [key for key, _, _ in kept.manifest.observations()] == [b"c/a.jpg", b"c/b.jpg"]


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
        lambda: kept.buy("w", old),
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
            kept.buy("w", lease)
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

    assert [evidence for _, evidence, _ in kept.manifest.observations()] == [""]


def test_one_work_has_one_open_attempt(kept: Kept) -> None:
    first, second = kept.lease("collection c"), kept.lease("collection d")
    attempt = kept.buy("w", first)
    with pytest.raises(LeaseHeld, match="same picture"):
        kept.buy("w", second)

    kept.ledger.close_attempt(attempt, AttemptState.REFUSED, Decimal(0), "503")
    kept.buy("w", second)
    assert [a.state for a in kept.ledger.attempts("w")] == [AttemptState.REFUSED, AttemptState.INTENT]
    assert [a.work_id for a in kept.ledger.open_attempts("collection d")] == ["w"]


@pytest.mark.parametrize(
    ("state", "charges"),
    [(AttemptState.REFUSED, 0), (AttemptState.CHARGED, 1), (AttemptState.UNUSABLE, 1), (AttemptState.IN_DOUBT, 1)],
)
def test_what_may_have_been_charged_counts_as_a_charge(kept: Kept, state: AttemptState, charges: int) -> None:
    attempt = kept.buy("w", kept.lease())
    kept.ledger.close_attempt(attempt, state, Decimal(0))

    assert kept.ledger.charges("w") == charges


def test_credits_are_exact_to_a_thousandth(kept: Kept) -> None:
    lease = kept.lease()
    for number in range(3):
        attempt = kept.buy(f"w{number}", lease, "removebg", Decimal("0.25"))
        kept.ledger.close_attempt(attempt, AttemptState.CHARGED, Decimal("0.1"))

    assert kept.ledger.spent(0.0) == Decimal("0.3")
    assert kept.ledger.spent(kept.clock.now + 1) == 0
    assert kept.ledger.attempts("w0")[0].credits_expected == Decimal("0.25")


def test_a_kept_master_closes_its_attempt_and_makes_the_work_bought(kept: Kept) -> None:
    attempt = kept.buy("w", kept.lease())
    master = Master("w", "digest", 20, 10, "looks odd")
    kept.ledger.keep_master(master, attempt, Decimal(1))

    assert kept.ledger.master("w") == master
    assert kept.ledger.bought(["w", "x"]) == {"w"}
    assert kept.ledger.open_attempts("collection c") == []
    assert kept.ledger.master("x") is None


def test_a_work_with_a_master_cannot_be_bought_until_its_master_is_forgotten(kept: Kept) -> None:
    """A twin in another collection may have looked before the master was there."""
    lease = kept.lease()
    attempt = kept.buy("w", lease)
    kept.ledger.keep_master(Master("w", "digest", 20, 10), attempt, Decimal(1))
    with pytest.raises(LeaseHeld, match="meanwhile"):
        kept.buy("w", lease)

    kept.ledger.forget_master("w")
    assert kept.buy("w", lease)


def test_the_same_bytes_are_not_bought_twice_at_once_under_two_names(kept: Kept) -> None:
    """Two files that differ in their metadata only are sent as the same bytes."""
    lease = kept.lease()
    first = kept.buy("w", lease, sent_digest="same", cut_hash="c")
    with pytest.raises(LeaseHeld, match="another name"):
        kept.buy("x", lease, sent_digest="same", cut_hash="c")
    assert kept.buy("y", lease, sent_digest="same", cut_hash="another")

    kept.ledger.keep_master(Master("w", "digest", 20, 10, "", "same", "c"), first, ONE)
    assert kept.ledger.twin("same", "c") == Master("w", "digest", 20, 10, "", "same", "c")
    assert kept.ledger.twin("same", "other") is None
    with pytest.raises(LeaseHeld, match="another run has bought the same picture"):
        kept.buy("x", lease, sent_digest="same", cut_hash="c")
    kept.ledger.forget_master("w")
    assert kept.buy("x", lease, sent_digest="same", cut_hash="c")


def test_the_cap_of_a_run_counts_what_is_spent_in_flight_and_in_doubt_wherever_it_runs(kept: Kept) -> None:
    lease = kept.lease()
    budget = Budget("the night", Decimal(3))
    charged = kept.buy("a", lease, budget=budget)
    kept.ledger.close_attempt(charged, AttemptState.CHARGED, ONE)
    doubtful = kept.buy("b", lease, budget=budget)
    kept.ledger.close_attempt(doubtful, AttemptState.IN_DOUBT, Decimal(0))
    kept.buy("c", lease, budget=budget)

    with pytest.raises(BudgetReached, match="3 of the 3 of this run"):
        kept.buy("d", kept.lease("collection d"), budget=budget)
    assert kept.buy("e", lease, budget=Budget("another run", Decimal(3)))


def test_the_cap_of_a_day_holds_for_all_runs_and_ends_at_midnight(kept: Kept) -> None:
    lease = kept.lease()
    rules = Rules(Thresholds(Decimal(0), Decimal(50)), day_cap=ONE, timezone="Asia/Tokyo")
    kept.ledger.close_attempt(kept.buy("a", lease, rules=rules), AttemptState.CHARGED, ONE)
    with pytest.raises(BudgetReached, match="1 of the 1 of this day"):
        kept.buy("b", lease, rules=rules, budget=Budget("another run"))

    kept.clock.now += 86_400
    assert kept.buy("b", kept.lease("collection d"), rules=rules)


def test_purchases_since_the_last_reading_count_against_the_threshold_and_close_the_gate_for_all(kept: Kept) -> None:
    """Two runs near the threshold must not dip below it together."""
    lease = kept.lease()
    rules = Rules(Thresholds(Decimal(10), Decimal(60)))
    kept.control.change_gate("bgeraser", lambda gate: replace(gate, balance=Decimal(11), balance_at=kept.clock.now))
    kept.clock.now += 1
    kept.buy("a", lease, rules=rules)
    kept.ledger.close_attempt(kept.buy("b", lease, rules=rules), AttemptState.CHARGED, ONE)

    with pytest.raises(GateClosed, match="9 credits are left"):
        kept.buy("c", kept.lease("collection d"), rules=rules)
    gate = kept.control.gate("bgeraser")
    assert (gate.reason, gate.balance) == (GateReason.LOW_CREDITS, Decimal(11))


def test_no_purchase_passes_a_closed_gate(kept: Kept) -> None:
    kept.control.change_gate("bgeraser", lambda gate: replace(gate, state=GateState.CLOSED, reason=GateReason.BY_HAND))

    with pytest.raises(GateClosed, match="by hand"):
        kept.buy("a", kept.lease())
    assert kept.buy("a", kept.lease("collection d"), "removebg")


def test_a_work_is_not_bought_a_fourth_time(kept: Kept) -> None:
    lease = kept.lease()
    for _ in range(MAX_CHARGES):
        kept.ledger.close_attempt(kept.buy("w", lease), AttemptState.IN_DOUBT, Decimal(0))

    with pytest.raises(ItemRejected, match="no usable cutout"):
        kept.buy("w", lease)


def test_the_log_tells_every_attempt_whole_and_the_totals_add_them_up(kept: Kept) -> None:
    lease = kept.lease()
    began = kept.clock.now
    first = kept.buy("a", lease, item_key="c/\udcff.jpg")
    kept.clock.now += 2
    kept.ledger.close_attempt(first, AttemptState.UNUSABLE, ONE, "no picture", "<html>", "r-1")
    second = kept.buy("b", lease, "removebg", Decimal("0.25"), budget=Budget("other"))
    kept.ledger.keep_master(Master("b", "digest", 2, 1), second, Decimal("0.25"), "r-2")

    one, two = kept.ledger.log(began)
    assert (one.item_key, one.lease_name, one.run) == ("c/\udcff.jpg", "collection c", "a run")
    assert (one.detail, one.answer, one.request_id, one.credits_wasted) == ("no picture", "<html>", "r-1", ONE)
    assert (one.started_at, one.ended_at, two.request_id, two.credits_wasted) == (began, began + 2, "r-2", 0)
    assert [a.work_id for a in kept.ledger.log(began, "other")] == ["b"]
    assert kept.ledger.totals(began, began + 9) == {
        AttemptState.UNUSABLE: Totals(1, ONE, ONE),
        AttemptState.CHARGED: Totals(1, Decimal("0.25"), Decimal("0.25")),
    }
    assert kept.ledger.totals(began, began + 9, "removebg").keys() == {AttemptState.CHARGED}
    assert kept.ledger.totals(began, began + 1).keys() == {AttemptState.UNUSABLE}


def test_a_gate_is_open_until_it_is_moved_and_keeps_all_that_is_set(kept: Kept) -> None:
    assert kept.control.gate("bgeraser") == Gate("bgeraser")
    closed = Gate(
        "bgeraser", GateState.CLOSED, GateReason.OUTAGE, 12.5, 3, Decimal("7.5"), 11.0, until=70.0, trips=2, why="503"
    )
    assert kept.control.change_gate("bgeraser", lambda _gate: closed) == closed
    kept.control.change_gate("bgeraser", lambda gate: replace(gate, episode=gate.episode + 1))

    assert kept.control.gate("bgeraser") == replace(closed, episode=4)
    assert kept.control.gate("removebg").is_open


def test_of_many_that_move_a_gate_at_once_none_is_lost(kept: Kept) -> None:
    """A reading of the balance and a 402 may come at the same moment."""

    def count(_number: int) -> None:
        kept.control.change_gate("bgeraser", lambda gate: replace(gate, episode=gate.episode + 1))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(count, range(30)))
    assert kept.control.gate("bgeraser").episode == 30


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


RECIPE = Recipe((Cut("bgeraser", 2500), Cut("local", 2500)), Rendition())


def test_what_is_as_published_is_counted_and_the_rest_is_told(kept: Kept) -> None:
    first, fallback = RECIPE.cuts
    lease = kept.lease()
    kept.manifest.observe([seen(f"c/{name}.jpg") for name in "abcdef"])
    kept.manifest.record_delta([work(f"c/{name}.jpg") for name in "abcdef"])
    good = Published("w", first.hash, RECIPE.rendition.hash, "c/a.png", "digest", "h")
    for name, published in {
        "a": good,
        "b": replace(good, cut_hash=fallback.hash),
        "c": replace(good, cut_hash="other"),
        "d": replace(good, rendition_hash="other"),
        "e": replace(good, content_hash="other"),
    }.items():
        kept.manifest.publish(f"c/{name}.jpg", replace(published, output_name=f"c/{name}.png"), lease)

    assert kept.manifest.settled(RECIPE) == 2
    assert [e.key for e in kept.manifest.unsettled(RECIPE)] == ["c/c.jpg", "c/d.jpg", "c/e.jpg", "c/f.jpg"]

    kept.manifest.mark_absent(["c/a.jpg", "c/c.jpg"])
    kept.manifest.record_delta([work("c/c.jpg", Reason.DELETED, becomes=State.DELETED, stem="")])
    assert kept.manifest.settled(RECIPE) == 1
    assert [e.key for e in kept.manifest.unsettled(RECIPE)] == ["c/a.jpg", "c/d.jpg", "c/e.jpg", "c/f.jpg"]


def test_entries_can_be_asked_for_by_key(kept: Kept) -> None:
    keys = [f"c/{n:04}.jpg" for n in range(1100)]
    kept.manifest.observe([seen(key) for key in keys])

    assert [e.key for e in kept.manifest.some([*keys[:1050], "d/unknown.jpg"])] == keys[:1050]
    assert kept.manifest.some([]) == []


def test_observations_come_in_order_over_many_pages(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bg_pipeline.manifest.items._CHUNK", 3)
    keys = [f"c/{n}.jpg" for n in range(9)]
    kept.manifest.observe([seen(key) for key in keys])

    assert list(kept.manifest.observations()) == [(key.encode(), "e1", b"c") for key in keys]


def test_items_can_be_moved_to_another_collection(kept: Kept) -> None:
    kept.manifest.observe([seen("c/a.jpg"), seen("c/b.jpg")])
    kept.manifest.regroup({"c/b.jpg": "c/d\udcff"})
    kept.manifest.regroup({})

    assert kept.manifest.collections() == {"c": 1, "c/d\udcff": 1}


def test_since_when_an_item_is_gone_is_kept_until_it_is_back(kept: Kept) -> None:
    def absent_since() -> float | None:
        entry = kept.manifest.entry("c/a.jpg")
        assert entry is not None
        return entry.absent_since

    kept.manifest.observe([seen("c/a.jpg")])
    assert absent_since() is None
    kept.manifest.mark_absent(["c/a.jpg"])
    assert absent_since() == kept.clock.now
    kept.manifest.observe([seen("c/a.jpg")])
    assert absent_since() is None


def test_when_it_was_published_is_told(kept: Kept) -> None:
    kept.manifest.observe([seen("c/a.jpg")])
    kept.manifest.publish("c/a.jpg", shown("c/a.png"), kept.lease())

    entry = kept.manifest.entry("c/a.jpg")
    assert entry is not None
    assert entry.published_at == kept.clock.now


def test_who_is_gone_gives_its_name_to_who_asks_for_it(kept: Kept) -> None:
    kept.manifest.observe([seen("c/a.jpg")])
    kept.manifest.record_delta([work("c/a.jpg")])
    kept.manifest.publish("c/a.jpg", shown("c/a.png"), kept.lease())
    assert kept.manifest.taken(["c/a"]) == {"c/a"}

    kept.manifest.mark_absent(["c/a.jpg"])
    assert kept.manifest.taken(["c/a"]) == set()
    kept.manifest.observe([seen("c/A.png")])
    kept.manifest.record_delta([work("c/A.png")])

    old, new = kept.manifest.some(["c/a.jpg"]) + kept.manifest.some(["c/A.png"])
    assert (old.stem, new.stem) == ("", "c/A")
    assert old.published is not None
    assert (old.published.output_name, old.published.work_id) == ("", "w")


def test_a_held_rename_leaves_the_old_key_as_it_is(kept: Kept) -> None:
    kept.manifest.observe([seen("c/new.jpg"), seen("c/old.jpg")])
    kept.manifest.record_delta([work("c/old.jpg")])
    kept.manifest.record_delta([work("c/new.jpg", Reason.RENAMED, renamed_from="c/old.jpg", becomes=None, held=True)])

    (old,) = kept.manifest.some(["c/old.jpg"])
    assert old.state is State.PENDING


def test_a_cutout_goes_to_the_trash_and_back_in_steps_that_are_on_record(kept: Kept) -> None:
    lease = kept.lease()
    kept.manifest.observe([seen("c/a.jpg"), seen("c/b.jpg")])
    kept.manifest.record_delta([work("c/a.jpg"), work("c/b.jpg")])
    kept.manifest.publish("c/a.jpg", shown("c/a.png"), lease)
    kept.manifest.mark_absent(["c/a.jpg", "c/b.jpg"])
    gone_at = kept.clock.now
    assert kept.manifest.gone(gone_at - 1) == []
    assert [e.key for e in kept.manifest.gone(gone_at)] == ["c/a.jpg"]
    assert not kept.manifest.on_show("c/a.png")

    kept.clock.now += 100
    kept.manifest.begin_trash("c/a.jpg", ".trash/c/a.png")
    (entry,) = kept.manifest.in_trash()
    assert (entry.trash_name, entry.trashed_at) == (".trash/c/a.png", gone_at + 100)
    assert [e.key for e in kept.manifest.gone(gone_at)] == ["c/a.jpg"]
    kept.manifest.take_off_show("c/a.jpg")
    assert kept.manifest.gone(gone_at) == []
    assert kept.manifest.in_trash(before=gone_at) == []

    kept.manifest.end_trash("c/a.jpg", "c/a.png")
    (entry,) = kept.manifest.some(["c/a.jpg"])
    assert (entry.trash_name, entry.trashed_at, entry.absent_since) == ("", None, None)
    assert entry.published == shown("c/a.png")
    assert kept.manifest.gone(kept.clock.now + 1e6) == []

    kept.manifest.observe([seen("c/a.jpg")])
    assert kept.manifest.on_show("c/a.png")


def test_a_spoiled_output_makes_its_item_pending_unless_it_was_published_anew(kept: Kept) -> None:
    lease = kept.lease()
    kept.manifest.observe([seen("c/a.jpg")])
    kept.manifest.record_delta([work("c/a.jpg")])
    assert not kept.manifest.spoil("c/a.jpg", "")
    kept.manifest.publish("c/a.jpg", shown("c/a.png", "paid"), lease)
    kept.manifest.set_state("c/a.jpg", State.PUBLISHED, "", "another", lease)
    assert not kept.manifest.spoil("c/a.jpg", "an older digest")

    assert kept.manifest.spoil("c/a.jpg", "digest")
    assert not kept.manifest.spoil("c/a.jpg", "digest")
    (entry,) = kept.manifest.pending("c")
    assert (entry.reason, entry.work_id, entry.published) == (
        Reason.OUTPUT_MISSING,
        "paid",
        shown("c/a.png", "paid"),
    )


def test_the_quarantine_of_a_work_ends_for_all_its_items_and_no_others(kept: Kept) -> None:
    lease = kept.lease()
    kept.manifest.observe([seen(f"c/{n}.jpg") for n in "abcd"])
    for key, state, of in (
        ("c/a.jpg", State.QUARANTINED, "w"),
        ("c/b.jpg", State.QUARANTINED, "w"),
        ("c/c.jpg", State.QUARANTINED, "other"),
        ("c/d.jpg", State.FAILED, "w"),
    ):
        kept.manifest.set_state(key, state, "empty", of, lease)

    assert kept.manifest.end_quarantine("w", State.PENDING, "approved") == ["c/a.jpg", "c/b.jpg"]
    assert kept.manifest.end_quarantine("w", State.PENDING, "approved") == []
    assert [(e.key, e.detail) for e in kept.manifest.pending("c")] == [("c/a.jpg", "approved"), ("c/b.jpg", "approved")]
    assert [e.key for e in kept.manifest.in_state(State.QUARANTINED)] == ["c/c.jpg"]


def test_a_stem_from_before_is_given_to_who_has_none(kept: Kept) -> None:
    kept.manifest.observe([seen("c/a.jpg"), seen("c/b.jpg")])
    kept.manifest.record_delta([work("c/a.jpg")])
    kept.manifest.keep_stems({})
    kept.manifest.keep_stems({"c/a.jpg": "c/other", "c/b.jpg": "c/B~1"})

    assert [e.stem for e in kept.manifest.entries()] == ["c/a", "c/B~1"]
    assert kept.manifest.taken(["c/b~1"]) == {"c/b~1"}


def test_a_master_that_no_attempt_tells_of_is_adopted_once(kept: Kept) -> None:
    master = Master("w", "digest", 20, 10, "looks odd", "sent", "cut")

    assert kept.ledger.adopt_master(master)
    assert not kept.ledger.adopt_master(replace(master, digest="another"))
    assert kept.ledger.adopt_master(replace(master, work_id="a"))
    assert list(kept.ledger.masters()) == [replace(master, work_id="a"), master]
    assert kept.ledger.bought(["w"]) == {"w"}
    assert kept.ledger.charges("w") == 0


def test_an_approved_master_is_under_no_suspicion(kept: Kept) -> None:
    for name in ("w", "x"):
        kept.ledger.adopt_master(Master(name, "digest", 20, 10, "looks odd"))
    kept.ledger.approve_master("w")

    assert [m.suspicion for m in kept.ledger.masters()] == ["", "looks odd"]
