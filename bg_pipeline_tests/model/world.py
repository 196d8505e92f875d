"""A pipeline of fakes with everything around it, and what must be true of both at any time."""

import copy
import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from decimal import Decimal
from itertools import count, groupby, pairwise

from bg_pipeline.core.credits import Budget
from bg_pipeline.core.deletes import DeletePolicy
from bg_pipeline.core.gate import GateState, by_hand
from bg_pipeline.core.records import State
from bg_pipeline.core.refusals import IN_A_ROW
from bg_pipeline.core.review import ReviewDecision
from bg_pipeline.errors import BgPipelineError, StoreError
from bg_pipeline.pipeline.choice import Choice
from bg_pipeline.pipeline.detect import plan
from bg_pipeline.pipeline.night import sync
from bg_pipeline.pipeline.revert import revert
from bg_pipeline.pipeline.review import decide
from bg_pipeline.pipeline.verify import verify
from bg_pipeline.purchasing.refusals import ASK_EVERY_S
from bg_pipeline_tests.crashing import Killed, Wire, wired
from bg_pipeline_tests.fakes import MemoryStore
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.model.pictures import BAD, GOOD, call_once, subject_of
from bg_pipeline_tests.model.vendor import Fault, ModelVendor, Post

ACCOUNT = "bgeraser"
DAY_S = 86_400.0
DEAD_S = 1000.0
"""After so long a claim and a lease have ended."""

DIGESTS = {hashlib.sha256(each).hexdigest(): each for each in (*GOOD, *BAD)}


class World:
    """One catalogue, its stores, its vendor and its clock."""

    def __init__(self, *, rehash: bool, trash: bool, day_cap: int | None) -> None:
        looks = count()
        self.graph = Graph(call=call_once, seconds=lambda: float(next(looks)))
        self.vendor = ModelVendor(now=self.graph.clock)
        self.graph.remover = self.vendor
        self.graph.source.reads_at_once = 1
        self.graph.rehash_nights = 1 if rehash else 0
        self.graph.deletes = DeletePolicy(trash=trash)
        self.graph.day_cap = None if day_cap is None else Decimal(day_cap)
        self.graph.while_asleep = self.pass_time  # a run waits for another, which may be dead
        self.set_back_s = 0.0
        """Seconds by which the clock was set back, in all."""
        self.removed_at: dict[str, float] = {}
        """Since when no night has seen a picture: one that comes and goes between two nights is gone all the while."""
        self.interruptions = 0
        """Runs that were killed, or that another run overtook: each may cost one request more."""
        self.harm_done = 0
        """Paid bytes that a store lost or altered."""
        self.asked_again = 0
        self.altered: set[str] = set()
        """Names of outputs that another program wrote to or removed."""
        self.caps: dict[str, int] = {}
        self.refused: set[str] = set()
        """Purchases that the vendor refused, or whose answers were no cutouts."""

    # what happens

    @property
    def elapsed_s(self) -> float:
        """Seconds since some moment, whatever was done to the clock."""
        return self.graph.clock.now + self.set_back_s

    def wait(self, seconds: float) -> None:
        """Let time pass; negative seconds set the clock back."""
        self.graph.clock.now += seconds
        self.set_back_s += max(0.0, -seconds)

    def pass_time(self) -> None:
        self.graph.clock.now += 5.0

    def put(self, key: str, picture: bytes) -> None:
        self.graph.source.put(key, picture)

    def delete(self, key: str) -> None:
        del self.graph.source.files[key]
        self.removed_at.setdefault(key, self.elapsed_s)

    def hide(self, key: str | None) -> None:
        """A listing lacks a picture that is there."""
        self.graph.source.hidden = {key} if key else set()
        if key:
            self.removed_at.setdefault(key, self.elapsed_s)

    def sync(
        self,
        *,
        faults: Sequence[Fault | None],
        cap: int | None = None,
        fuse: Callable[["World"], Wire] | None = None,
        **options: bool,
    ) -> None:
        """One run, to its end or not; then everything is looked at."""
        self.vendor.faults = list(faults)
        before, there = dict(self._visible()), set(self.graph.source.files)
        rejected = {e.key for e in self.graph.database.entries.values() if e.state is State.WITHDRAWN}
        name = f"run {self.graph.runs + 1}"
        if cap is not None:
            self.caps[name] = cap
        first, whole, listed = len(self.vendor.posts), False, self._listed()
        try:
            if fuse is None:
                _night(self.graph, cap, **options)
            else:
                with wired(self.graph, fuse(self)):
                    _night(self.graph, cap, **options)
            whole = not self.graph.stop.is_set()
        except Killed:
            self.interruptions += 1
            self.graph.clock.now += DEAD_S
        except BgPipelineError:
            pass
        finally:
            self.graph.stop.clear()
            self.vendor.faults = []
        unusable = {Fault.GARBAGE, Fault.OTHERS, Fault.REJECTED, Fault.LOST_CHARGED, Fault.LOST_FREE}
        self.refused |= {each.purchase_id for each in self.vendor.posts if each.fault in unusable}
        self._check_stops(self.vendor.posts[first:])
        self._check_removals(before, there, rejected)
        self._check_charges()
        self._check_outputs()
        self._check_judged()
        if whole:
            self._check_blame()
            for key in listed:
                self.removed_at.pop(key, None)

    def another(self, *, after_death: bool = False) -> Callable[[], None]:
        """
        A whole night of another process, to be called while one is at work.

        Args:
            after_death: the process at work stands still until it counts as dead.
        """
        other = copy.copy(self.graph)
        other.runs, other.stop = self.graph.runs + 10_000, threading.Event()

        def act() -> None:
            self.interruptions += 1  # it waits for the one at work, which never beats meanwhile, and takes over
            if after_death:
                self.graph.clock.now += DEAD_S
            with suppress(BgPipelineError):
                _night(other)

        return act

    def fill(self, store: str) -> None:
        self._store(store).full = True

    def make_room(self) -> None:
        for store in ("outputs", "masters", "spool"):
            self._store(store).full = False

    def harm(self, store: str, which: int, alter: bool) -> None:
        """A store loses a blob, or another program writes to it."""
        blobs = self._store(store).blobs
        if not blobs:
            return
        name = sorted(blobs)[which % len(blobs)]
        if store == "outputs":
            self.altered.add(name)
        else:
            self.harm_done += 1
        if alter:
            blobs[name] = blobs[name][: len(blobs[name]) // 2]
        else:
            del blobs[name]

    def set_balance(self, credits_left: int) -> None:
        self.vendor.credits_left = Decimal(credits_left)

    def verify(self) -> None:
        """A person has all outputs read; the night after it renders again what another program wrote to."""
        with suppress(BgPipelineError):
            verify(self.graph.catalogue, self.graph.accounts, self.graph.run)
        self.sync(faults=[])

    def decide(self, decision: ReviewDecision, key: str) -> None:
        """A person looks at a result."""
        self.asked_again += decision is ReviewDecision.REDO
        self._by_person(lambda: decide(self.graph.pipeline, decision, key, "a person"))

    def revert(self, run: int) -> None:
        """A person takes back what a run published."""
        self._by_person(lambda: revert(self.graph.pipeline, f"run {run}", "a person"))

    def _by_person(self, act: Callable[[], object]) -> None:
        before = self._visible()
        with suppress(BgPipelineError):
            act()
        self._check_copies(before)
        self._check_outputs()

    def open_gate(self) -> None:
        self.graph.gates.change_gate(
            ACCOUNT, lambda gate: by_hand(gate, GateState.OPEN, "a person", self.graph.clock.now)
        )

    # what must be true

    def _check_charges(self) -> None:
        charges, recorded = self.vendor.charges, Counter[str]()
        for attempt in self.graph.database.attempts.values():
            recorded[attempt.purchase_id] += 1
        for purchase, number in charges.items():
            assert number <= recorded[purchase], "a charge that is not on record"
        extra = sum(max(0, number - 1) for number in self._paid_results().values())
        assert extra <= self.interruptions + self.harm_done + self.asked_again, "a paid result was bought again"
        for run, cap in self.caps.items():
            spent = sum(each.charged for each in self.vendor.posts if each.run == run)
            assert spent <= cap, f"{run} spent {spent} of {cap}"

    def _paid_results(self) -> Counter[str]:
        """Good answers that were paid for, by purchase."""
        return Counter(each.purchase_id for each in self.vendor.posts if each.charged and each.fault is None)

    def _check_outputs(self) -> None:
        visible = self._visible()
        for name, blob in visible.items():
            if name not in self.altered:
                subject_of(blob)
        for entry in self.graph.database.entries.values():
            shown = entry.published
            if entry.state is not State.PUBLISHED or entry.absent or shown is None or shown.output_name in self.altered:
                continue
            assert shown.output_name in visible, f"{entry.key} is published, and its output is not there"
            blob = visible[shown.output_name]
            assert hashlib.sha256(blob).hexdigest() == shown.output_digest, f"the output of {entry.key} is another"
            expected = subject_of(DIGESTS[shown.content_hash])
            assert subject_of(blob) == expected, f"{entry.key} shows another picture"
        names = [e.published.output_name for e in self.graph.database.entries.values() if e.published and not e.absent]
        taken = Counter(name for name in names if name)
        assert not [name for name, number in taken.items() if number > 1], "two items share an output"

    def _check_blame(self) -> None:
        for entry in self.graph.database.entries.values():
            if entry.state is State.FAILED and entry.content_hash in DIGESTS:
                is_good = DIGESTS[entry.content_hash] in GOOD and not entry.problem
                assert not is_good or entry.purchase_id in self.refused, f"{entry.key} failed: {entry.detail}"

    def _check_judged(self) -> None:
        """A plan that leaves out what was judged before says the same as one that judges all."""
        catalogue, accounts, policy, _ = self.graph.pipeline.context
        quick = plan(catalogue, accounts, policy)
        judged, self.graph.database.judged = self.graph.database.judged, {}
        whole = plan(catalogue, accounts, policy)
        self.graph.database.judged = judged
        assert (quick.changes, quick.counts, quick.rows) == (whole.changes, whole.counts, whole.rows)

    def _check_stops(self, posts: list[Post]) -> None:
        """
        After an answer that the account is empty, nothing is sent without a new reading of its balance.

        After an answer that the key is refused, the balance was read a few seconds ago, and no run has many of them.
        """
        for first, second in pairwise(posts):
            if first.run != second.run:
                continue
            if first.fault is Fault.KEY:
                assert second.read_at > first.at - ASK_EVERY_S, "a request after the key was refused"
            elif first.fault is None and not first.charged:
                assert second.readings > first.readings, "a request after the account was refused"
        for _, run in groupby(posts, lambda each: each.run):
            in_a_row = (len(list(same)) for fault, same in groupby(run, lambda each: each.fault) if fault is Fault.KEY)
            assert max(in_a_row, default=0) <= IN_A_ROW, "many requests after the key was refused"

    def _check_copies(self, before: dict[str, bytes]) -> list[str]:
        """Names that were visible and are not any more: of each a copy is kept."""
        kept = set(self.graph.outputs.blobs.values())
        gone = sorted(set(before) - set(self._visible()) - self.altered)
        for name in gone:
            assert before[name] in kept, f"{name} is gone, and no copy is kept"
        return gone

    def _check_removals(self, before: dict[str, bytes], there: set[str], rejected: set[str]) -> None:
        """
        A night takes off what is replaced, what a person rejected, and what has been gone for long; no more.

        Args:
            before: what was visible before the night.
            there: keys of the pictures that were there then; one that came meanwhile may have come too late.
            rejected: keys whose cutouts a person had rejected; a move that failed then is completed now.
        """
        after = self._visible()
        for name in self._check_copies(before):
            for entry in self.graph.database.entries.values():
                is_owner = entry.published is not None and entry.stem and name.rpartition(".")[0] == entry.stem
                if not is_owner or entry.state is State.WITHDRAWN or entry.key in rejected:
                    continue
                if entry.published.output_name in after:
                    continue
                assert entry.key not in there, f"{name} is gone, and its picture is there"
                assert self.removed_at[entry.key] <= self.elapsed_s - DAY_S, f"{name} went too early"

    def _states(self) -> dict[str, object]:
        return {key: (entry.state, entry.published) for key, entry in self.graph.database.entries.items()}

    def _store(self, name: str) -> MemoryStore:
        return {"outputs": self.graph.outputs, "masters": self.graph.masters, "spool": self.graph.spool}[name]

    def _listed(self) -> list[str]:
        """Keys that a listing of now has, if it does not break off."""
        source = self.graph.source
        return [each.key for each in source.list() if not each.problem] if source.fail_after is None else []

    def _visible(self) -> dict[str, bytes]:
        outputs = self.graph.outputs
        return {name: outputs.blobs[name] for name in outputs.list()}

    # what must come of it

    def calm(self) -> None:
        """Everything around it works again: then a few nights bring all that can be done, and one more does nothing."""
        graph = self.graph
        self.make_room()
        source = graph.source
        source.fail_after, source.locked, source.hidden, source.unreadable = None, set(), set(), set()
        if not source.files:  # an empty source stops everything
            self.put("lone.png", GOOD[0])
        self.vendor.credits_left = Decimal(10_000)
        graph.day_cap = None
        self.open_gate()
        for _ in range(4):
            graph.clock.now += 90_000
            self.sync(faults=[], apply_recipe_change=True, without_canary=True)
        standing = {each.key for each in graph.failures.standing()}
        # Nothing is done then, as on a share that is not mounted.
        are_masters_away = graph.database.masters and next(graph.masters.list(), None) is None
        rejected = {e.content_hash for e in graph.database.entries.values() if e.state is State.WITHDRAWN}
        by_person = {e.key for e in graph.database.entries.values() if e.content_hash in rejected}
        by_person |= {key for key, _run in graph.database.reversions}
        for key, picture in source.files.items():
            entry = graph.database.entries[key]
            is_free = entry.purchase_id not in self.refused and key not in by_person and not self.harm_done
            if picture in GOOD and is_free:
                assert entry.state is State.PUBLISHED, f"{key} is {entry.state}: {entry.detail}"
                assert entry.published is not None
                assert DIGESTS[entry.published.content_hash] == picture or graph.rehash_nights == 0
            if picture in BAD and key not in by_person and not are_masters_away:
                assert key in standing, f"{key} is no picture, and no failure says so"
        posts, writes = len(self.vendor.posts), len(graph.outputs.writes)
        states = self._states()
        with suppress(StoreError) if are_masters_away else nullcontext():
            _night(graph)
        assert (len(self.vendor.posts), len(graph.outputs.writes)) == (posts, writes), "a night for nothing"
        assert self._states() == states, "a night changed what was done"


def _night(graph: Graph, cap: int | None = None, **options: bool) -> None:
    """A run of the command line; it may find that another has listed the source for it."""
    graph.runs += 1
    sync(graph.pipeline, Budget(f"run {graph.runs}", None if cap is None else Decimal(cap)), Choice(**options))
