"""The limiter at work: lanes that wait, answers that teach, and several processes on one account."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bg_pipeline.core.claims import Ask, AskedBy, Claim
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.limits import OUTAGE, Limits, Pace, limits_from
from bg_pipeline.core.records import Observation, RateFacts
from bg_pipeline.errors import BgPipelineError, Deferred, ItemRejected, OutcomeUnknown, RateLimited, StateError, Stopped
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.gates import SqlGates
from bg_pipeline.manifest.observations import SqlObservations
from bg_pipeline.manifest.queue import SqlWorkQueue
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Gates
from bg_pipeline.purchasing.limiter import Limiter, RateLimitedRemover
from bg_pipeline.vendors.registry import plugin
from bg_pipeline_tests.adapters.clients import request
from bg_pipeline_tests.fakes import FakeRemover, MemoryDatabase, MemoryGates

REQUEST = request(width_px=4000, height_px=2500)
OK = b"a cutout"


class CountingGates(MemoryGates):
    """Counts its writes; `broken` makes them fail, and claims are alive unless they are among the `dead`."""

    def __init__(self) -> None:
        super().__init__(MemoryDatabase(time.time))
        self.writes = 0
        self.broken = False
        self.dead: set[int] = set()

    def change_limits(self, account: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]) -> None:
        if self.broken:
            raise StateError("the database is locked")
        self.writes += 1
        super().change_limits(account, change)

    def dead_claims(self, claims: Sequence[int]) -> set[int]:
        return self.dead.intersection(claims)

    def state(self, account: str = "bgeraser") -> Limits:
        return limits_from(self.limits(account))


@pytest.fixture
def gates() -> CountingGates:
    return CountingGates()


def limiter(gates: Gates, ceiling: int = 8, account: str = "bgeraser") -> Limiter:
    return Limiter(gates, account, ceiling, time.time, threading.Event(), plugin(account).vendor.units)


def test_a_lane_waits_for_a_slot_and_gets_it_when_one_is_free(gates: CountingGates) -> None:
    inside, go_on, most, now_in = threading.Event(), threading.Event(), [], []
    remover = FakeRemover([OK, OK])

    def hold(_request: CutRequest) -> None:
        now_in.append(1)
        most.append(len(now_in))
        inside.set()
        assert go_on.wait(30)
        now_in.pop()

    remover.before = hold
    limited = RateLimitedRemover(remover, limiter(gates, ceiling=1))
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(limited.cut, REQUEST) for _ in range(2)]
        assert inside.wait(30)
        writes = gates.writes
        time.sleep(0.6)  # long enough for the second to look a few times
        assert gates.writes == writes == 1
        go_on.set()
        assert [future.result(30).answer for future in both] == [OK, OK]
    assert most == [1, 1]


def test_a_stop_ends_the_wait_and_sends_nothing(gates: CountingGates) -> None:
    lanes = limiter(gates, ceiling=1)
    lanes.enter(1.0, 1)
    remover = FakeRemover([OK])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(RateLimitedRemover(remover, lanes).cut, REQUEST)
        lanes._stop.set()
        with pytest.raises(Stopped, match="on request"):
            waiting.result(30)
    assert remover.requests == []


def test_a_pause_of_more_than_two_minutes_is_deferred(gates: CountingGates) -> None:
    limited = RateLimitedRemover(FakeRemover([RateLimited("429", retry_after_s=3_600.0)]), limiter(gates))
    with pytest.raises(RateLimited):
        limited.cut(REQUEST)
    with pytest.raises(Deferred) as caught:
        limited.cut(REQUEST)

    assert caught.value.for_s == pytest.approx(3_600, abs=60)


def test_a_full_account_is_not_taken_for_a_pause(gates: CountingGates) -> None:
    """What died with its slots gives them back after more than two minutes; others may finish any moment."""
    lanes = limiter(gates, ceiling=1)
    token = lanes.enter(1.0, 1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lanes.enter, 1.0, 1)
        lanes.released(token)
        assert waiting.result(30)


def test_a_paid_answer_is_not_lost_when_its_slot_cannot_be_given_back(gates: CountingGates) -> None:
    remover = FakeRemover([OK])

    def break_down(_request: CutRequest) -> None:
        gates.broken = True

    remover.before = break_down

    assert RateLimitedRemover(remover, limiter(gates)).cut(REQUEST).answer == OK


@pytest.mark.parametrize(
    "error",
    [RateLimited("429"), OutcomeUnknown("timeout"), ItemRejected("400"), KeyboardInterrupt(), StateError("full")],
    ids=lambda error: type(error).__name__,
)
def test_every_end_gives_the_slot_back(gates: CountingGates, error: BaseException) -> None:
    with pytest.raises(type(error)):
        RateLimitedRemover(FakeRemover([error]), limiter(gates)).cut(REQUEST)

    assert gates.state().slots == {}


def test_an_outage_leaves_one_slot_and_rejected_pictures_do_not(gates: CountingGates) -> None:
    script: list[BgPipelineError] = [ItemRejected("400")] * OUTAGE
    limited = RateLimitedRemover(FakeRemover([*script, *[OutcomeUnknown("timeout")] * OUTAGE]), limiter(gates))

    def run() -> int:
        for _ in range(OUTAGE):
            with pytest.raises(BgPipelineError):
                limited.cut(REQUEST)
        return gates.state().width

    assert run() > 1
    assert run() == 1


def test_what_headers_tell_is_kept_for_the_account(gates: CountingGates) -> None:
    class Telling(FakeRemover):
        def cut(self, request: CutRequest) -> CutReply:
            return replace(super().cut(request), rate=RateFacts(500, 499, 60))

    RateLimitedRemover(Telling([OK]), limiter(gates, account="removebg")).cut(REQUEST)

    state = gates.state("removebg")
    assert (state.pace, state.units) == (Pace.PACED, 500)
    assert sum(units for _, units in state.sent) == 10


def test_headers_of_a_refusal_are_heard_too(gates: CountingGates) -> None:
    error = RateLimited("429", retry_after_s=1.0)
    error.rate = RateFacts(120, 50, 1)
    with pytest.raises(RateLimited):
        RateLimitedRemover(FakeRemover([error]), limiter(gates)).cut(REQUEST)

    assert gates.state().units == 120


def claim_in(database: Database) -> Claim:
    number = catalogue_id(database)
    SqlObservations(database, number).observe([Observation("a.jpg", "", "e", "h", 1, "image/png")])
    ask = Ask(AskedBy.NIGHT, Budget("a run"))
    claim = SqlWorkQueue(database, number).claim_items(ask, "a test", {"a.jpg": None}).claim
    assert claim is not None
    return claim


def test_processes_share_the_limit_of_their_account(tmp_path: Path) -> None:
    """Two databases on one file, as two processes have them, and eight lanes in all."""
    url, lock, now_in, most = f"sqlite:///{tmp_path}/manifest.db", threading.Lock(), set[int](), []
    databases = [Database(url), Database(url)]
    of_two = replace(REQUEST, claim=claim_in(databases[0]))

    def note(_request: CutRequest) -> None:
        me = threading.get_ident()
        with lock:
            now_in.add(me)
            most.append(len(now_in))
        time.sleep(0.02)
        with lock:
            now_in.discard(me)

    remover = FakeRemover([OK] * 12)
    remover.before = note
    both = [RateLimitedRemover(remover, limiter(SqlGates(database), ceiling=3)) for database in databases]
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(both[number % 2].cut, of_two) for number in range(12)]
        assert all(future.result(60).answer == OK for future in done)
    state = limits_from(SqlGates(databases[0]).limits("bgeraser"))
    for database in databases:
        database.close()

    assert max(most) <= 3
    assert len(most) == 12
    assert state.slots == {}


def test_slots_of_a_process_that_was_killed_are_free_with_its_claim_and_others_are_not(gates: CountingGates) -> None:
    """They would be free by themselves only after the longest time that a request can take."""
    limiter(gates, ceiling=1).enter(1.0, 7)
    lanes = limiter(gates, ceiling=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lanes.enter, 1.0, 8)
        time.sleep(0.6)  # long enough to look a few times
        assert not waiting.done()
        gates.dead = {7}
        try:
            assert waiting.result(30).startswith("8:")
        finally:
            lanes._stop.set()
    assert len(gates.state().slots) == 1


@pytest.mark.parametrize("ceiling", [1, 2, 4])
def test_no_request_that_has_a_slot_waits_for_one_that_has_none(gates: CountingGates, ceiling: int) -> None:
    """Where it does, all slots are sooner or later with such requests, and nothing is sent until the slots expire."""
    lanes = limiter(gates, ceiling)

    def send_many() -> None:
        for _ in range(60):
            token = lanes.enter(1.0, 1)
            time.sleep(0.0005)  # so that others come in between
            lanes.released(token)

    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(send_many) for _ in range(8)]
        try:
            for future in done:
                future.result(30)
        finally:
            lanes._stop.set()


def test_a_process_that_comes_later_gets_its_share_of_the_slots(gates: CountingGates) -> None:
    """The first one has a request for each slot that it frees."""
    gates.change_limits("bgeraser", lambda _state: Limits(width=4, base=4, reached=4).as_json())
    first, second = limiter(gates, ceiling=4), limiter(gates, ceiling=4)
    stop = first._stop

    def send_on(lanes: Limiter) -> None:
        while not stop.is_set():
            token = lanes.enter(1.0, 1)
            stop.wait(0.1)
            lanes.released(token)

    def held(lanes: Limiter) -> int:
        return sum(lanes._name in token for token in gates.state().slots)

    with ThreadPoolExecutor(16) as pool:
        done = [pool.submit(send_on, first) for _ in range(8)]
        until = time.monotonic() + 30
        while held(first) < 4 and time.monotonic() < until:
            time.sleep(0.01)
        done += [pool.submit(send_on, second) for _ in range(8)]
        while (share := held(second)) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        stop.set()
        second._stop.set()
        ended = {type(future.exception(30)) for future in done}

    assert share >= 2
    assert ended <= {type(None), Stopped}
