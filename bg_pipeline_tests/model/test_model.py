"""A catalogue through anything that can happen to it, in any order: see `world` for what must hold."""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from bg_pipeline.core.review import ReviewDecision
from bg_pipeline_tests.crashing import Fuse, Interruption
from bg_pipeline_tests.model.inline import use_one_thread
from bg_pipeline_tests.model.pictures import BAD, GOOD
from bg_pipeline_tests.model.vendor import Fault
from bg_pipeline_tests.model.world import DAY_S, World

KEYS = ("a/0.png", "a/1.png", "a/2.jpg", "b/0.png", "b/ü.png", "B/0.png", "a/0.jpg", "lone.png")
keys = st.sampled_from(KEYS)
good, bad = st.integers(0, len(GOOD) - 1), st.integers(0, len(BAD) - 1)
calls = st.integers(1, 220)
faults = st.lists(st.none() | st.sampled_from(Fault), max_size=4)
stores = st.sampled_from(("outputs", "masters", "spool"))


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    use_one_thread(monkeypatch)


def world_of(pictures: int, *, rehash: bool = False, trash: bool = False, day_cap: int | None = None) -> World:
    """A world with so many pictures."""
    world = World(rehash=rehash, trash=trash, day_cap=day_cap)
    for n, key in enumerate(KEYS[:pictures]):
        world.put(key, GOOD[n])
    return world


class Nights(RuleBasedStateMachine):
    """A source that changes, a vendor that fails, processes that die, stores that fill up, a person who helps."""

    @initialize(rehash=st.booleans(), trash=st.booleans(), day_cap=st.none() | st.integers(2, 12))
    def begin(self, rehash: bool, trash: bool, day_cap: int | None) -> None:
        self.world = world_of(6, rehash=rehash, trash=trash, day_cap=day_cap)

    # the source

    @rule(key=keys, picture=good)
    def put(self, key: str, picture: int) -> None:
        self.world.put(key, GOOD[picture])

    @rule(key=keys, picture=bad)
    def put_no_picture(self, key: str, picture: int) -> None:
        self.world.put(key, BAD[picture])

    @precondition(lambda self: self.world.graph.rehash_nights and self.world.graph.source.files)
    @rule(data=st.data(), picture=good)
    def edit_unseen(self, data: st.DataObject, picture: int) -> None:
        self.world.graph.source.files[self._one(data)] = GOOD[picture]

    @precondition(lambda self: self.world.graph.source.files)
    @rule(data=st.data())
    def touch(self, data: st.DataObject) -> None:
        key = self._one(data)
        self.world.put(key, self.world.graph.source.files[key])

    @precondition(lambda self: self.world.graph.source.files)
    @rule(data=st.data(), to=keys)
    def rename(self, data: st.DataObject, to: str) -> None:
        key = self._one(data)
        if key != to:
            self.world.put(to, self.world.graph.source.files[key])
            self.world.delete(key)

    @precondition(lambda self: self.world.graph.source.files)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self.world.delete(self._one(data))

    @precondition(lambda self: self.world.graph.source.files)
    @rule(data=st.data())
    def delete_for_a_few_hours(self, data: st.DataObject) -> None:
        self.world.delete(self._one(data))
        for _ in range(2):
            self.world.sync(faults=[])
            self.world.graph.clock.now += 3600

    @rule(folder=st.sampled_from(("a/", "b/", "")))
    def delete_many(self, folder: str) -> None:
        for key in [key for key in self.world.graph.source.files if key.startswith(folder)]:
            self.world.delete(key)

    @rule(after=st.none() | st.integers(0, 5))
    def break_listing(self, after: int | None) -> None:
        self.world.graph.source.fail_after = after

    @rule(folder=st.none() | st.sampled_from(("a/", "b/")))
    def lock(self, folder: str | None) -> None:
        self.world.graph.source.locked = {folder} if folder else set()

    @rule(key=st.none() | keys)
    def make_unreadable(self, key: str | None) -> None:
        self.world.graph.source.unreadable = {key} if key else set()

    @rule(key=st.none() | keys)
    def hide(self, key: str | None) -> None:
        self.world.hide(key)

    # runs

    @rule(faults=faults, cap=st.none() | st.integers(0, 4))
    def night(self, faults: list[Fault | None], cap: int | None) -> None:
        self.world.sync(faults=faults, cap=cap)

    @rule(faults=faults, at=calls, after=st.booleans())
    def killed_night(self, faults: list[Fault | None], at: int, after: bool) -> None:
        self.world.sync(faults=faults, fuse=lambda _world: Fuse(at, after))

    @rule(faults=faults, at=calls)
    def stopped_night(self, faults: list[Fault | None], at: int) -> None:
        self.world.sync(faults=faults, fuse=lambda world: Interruption(at, world.graph.stop.set))

    @rule(faults=faults, at=calls)
    def two_nights(self, faults: list[Fault | None], at: int) -> None:
        other = self.world.another()
        self.world.sync(faults=faults, fuse=lambda world: Interruption(at, other))

    @rule(at=calls)
    def overtaken_night(self, at: int) -> None:
        other = self.world.another(after_death=True)
        self.world.sync(faults=[], fuse=lambda world: Interruption(at, other))

    @rule(at=calls, key=keys, picture=good)
    def edited_meanwhile(self, at: int, key: str, picture: int) -> None:
        self.world.sync(faults=[], fuse=lambda world: Interruption(at, lambda: world.put(key, GOOD[picture])))

    @rule(at=calls, store=stores)
    def full_meanwhile(self, at: int, store: str) -> None:
        self.world.sync(faults=[], fuse=lambda world: Interruption(at, lambda: world.fill(store)))

    # time and money

    @rule(seconds=st.sampled_from((60.0, 3600.0, 90_000.0, 700_000.0, -3600.0)))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(credits_left=st.integers(0, 120))
    def set_balance(self, credits_left: int) -> None:
        self.world.set_balance(credits_left)

    # stores

    @rule(store=stores)
    def fill(self, store: str) -> None:
        self.world.fill(store)

    @rule()
    def make_room(self) -> None:
        self.world.make_room()

    @rule(store=stores, which=st.integers(0, 50), alter=st.booleans())
    def harm(self, store: str, which: int, alter: bool) -> None:
        self.world.harm(store, which, alter)

    # a person

    @rule()
    def open_gate(self) -> None:
        self.world.open_gate()

    @rule(side_px=st.sampled_from((30, 2500)), apply=st.booleans(), faults=faults)
    def change_recipe(self, side_px: int, apply: bool, faults: list[Fault | None]) -> None:
        self.world.graph.change_recipe(side_px=side_px)
        self.world.sync(faults=faults, apply_recipe_change=apply)

    @rule()
    def verify(self) -> None:
        self.world.verify()

    @rule()
    def retry(self) -> None:
        self.world.graph.items.retry()

    @rule(decision=st.sampled_from(ReviewDecision), key=keys)
    def decide(self, decision: ReviewDecision, key: str) -> None:
        self.world.decide(decision, key)

    @rule(back=st.integers(0, 3))
    def revert(self, back: int) -> None:
        self.world.revert(self.world.graph.runs - back)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.calm()

    def _one(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.world.graph.source.files)))


def test_a_picture_that_comes_and_goes_between_two_nights_was_gone_all_the_while() -> None:
    """Seed 271261401736581485987018558328005662810 of 5,000 lives of 100 steps."""
    world = world_of(6, trash=True)
    world.sync(faults=[])
    world.delete("a/0.png")
    world.sync(faults=[])
    world.put("a/0.png", GOOD[0])
    world.graph.clock.now += 90_000
    world.delete("a/0.png")
    world.sync(faults=[])

    assert "a/0.png" not in world.graph.outputs.list()
    world.calm()


def test_while_all_masters_are_away_a_night_stops_and_changes_nothing() -> None:
    """Found in 5,000 lives of 100 steps: outputs were lost too."""
    world = world_of(6)
    world.sync(faults=[])
    for store in ("masters", "outputs"):
        while list(world.graph.masters.list() if store == "masters" else world.graph.outputs.list()):
            world.harm(store, 0, alter=False)
    world.put("b/0.png", BAD[1])

    world.calm()


def test_a_picture_that_is_mended_after_the_clock_went_back_is_published_in_that_night() -> None:
    """Found in 5,000 lives of 100 steps: what was published in the hour before counted as published since the scan."""
    world = World(rehash=False, trash=False, day_cap=None)
    world.put("a/0.png", GOOD[0])
    world.sync(faults=[])
    world.put("a/0.png", BAD[0])
    world.sync(faults=[])
    world.graph.clock.now -= 3600
    world.put("a/0.png", GOOD[1])

    world.sync(faults=[])


def test_a_day_is_a_day_also_if_the_clock_was_set_back_after_a_picture_went() -> None:
    """Found in 300 lives of 100 steps."""
    world = world_of(6, trash=True)
    world.sync(faults=[])
    world.delete("b/ü.png")
    world.wait(-3600.0)
    world.sync(faults=[])
    world.wait(DAY_S + 60.0)
    world.sync(faults=[])

    assert "b/ü.png" not in world.graph.outputs.list()
    world.calm()


def test_a_key_that_is_refused_twice_while_the_account_answers_is_no_refused_account() -> None:
    """Found in 200 lives of 50 steps."""
    world = world_of(6)
    world.sync(faults=[Fault.KEY, Fault.KEY], fuse=lambda world: Interruption(1, world.another()))

    world.calm()


def test_what_is_taken_off_by_two_reversions_does_not_count_as_published() -> None:
    """Found in 200 lives of 50 steps."""
    world = world_of(6)
    world.graph.change_recipe(side_px=30)
    world.sync(faults=[None])
    world.put("a/0.png", GOOD[6])
    world.sync(faults=[])
    world.revert(world.graph.runs)
    world.sync(faults=[])
    world.revert(world.graph.runs - 2)

    world.calm()


def test_a_picture_that_returns_without_its_name_and_needs_another_cut_gets_one() -> None:
    """Found in 1,500 lives of 60 steps: it was published as `.png`."""
    world = World(rehash=False, trash=False, day_cap=None)
    world.put("a/0.png", GOOD[0])
    world.put("b/0.png", GOOD[1])
    world.sync(faults=[])
    world.delete("a/0.png")
    world.put("a/0.jpg", GOOD[4])
    world.sync(faults=[])
    world.put("a/0.png", GOOD[0])
    world.graph.change_recipe(side_px=30)
    world.sync(faults=[], apply_recipe_change=True, without_canary=True)

    world.calm()


def test_a_picture_that_a_person_wants_again_is_bought_by_the_recipe_that_came_meanwhile() -> None:
    """Found in 1,500 lives of 60 steps: it waited for the former cut."""
    world = world_of(6)
    world.sync(faults=[])
    world.decide(ReviewDecision.REDO, "a/0.png")
    world.graph.change_recipe(side_px=30)

    world.calm()


def test_a_rejected_cutout_that_could_not_be_moved_goes_in_the_next_night_whatever_its_picture_has_become() -> None:
    """Found in 5,000 lives of 100 steps."""
    world = world_of(3, rehash=True)
    world.sync(faults=[])
    world.fill("outputs")
    world.decide(ReviewDecision.REJECT, "a/1.png")
    world.make_room()
    world.put("a/1.png", BAD[1])
    world.sync(faults=[])

    assert "a/1.png" not in world.graph.outputs.list()
    world.calm()


def test_a_cutout_that_was_altered_in_the_trash_is_made_again_when_it_is_approved() -> None:
    """Found in 5,000 lives of 100 steps: the altered bytes were put on the shop."""
    world = World(rehash=False, trash=False, day_cap=None)
    world.put("a/0.png", GOOD[0])
    world.put("b/0.png", GOOD[1])
    world.sync(faults=[])
    world.decide(ReviewDecision.TAKE_OFF, "a/0.png")
    world.harm("outputs", 0, alter=True)
    world.decide(ReviewDecision.APPROVE, "a/0.png")

    world.calm()


def test_a_picture_that_can_be_read_again_is_not_failed_until_its_changed_cut_is_bought() -> None:
    """Found in 5,000 lives of 100 steps."""
    world = world_of(3, day_cap=2)
    world.sync(faults=[])
    world.hide("a/1.png")
    world.graph.source.unreadable = {"a/1.png"}
    world.sync(faults=[])
    world.hide(None)
    world.sync(faults=[])
    world.graph.source.unreadable = set()
    world.graph.change_recipe(side_px=30)
    world.sync(faults=[], apply_recipe_change=True)

    world.calm()


EXAMPLES, STEPS = map(int, os.environ.get("MODEL", "200x50").split("x"))
TestNights = Nights.TestCase
TestNights.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    derandomize="MODEL" not in os.environ,  # a change meets the same lives each time; new ones are for the soak
)
