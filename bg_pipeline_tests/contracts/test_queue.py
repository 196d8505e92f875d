"""One suite for pending work and the claims on it: in memory, in SQLite, in PostgreSQL."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import takewhile

import pytest

from bg_pipeline.core.buying import Position, position_of
from bg_pipeline.core.claims import EVERYTHING, LEASE_S, Ask, AskedBy, Claim, Selection
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.records import NO_PRIORITY, Master, Reason, State
from bg_pipeline.errors import ClaimLost
from bg_pipeline_tests.contracts.manifest import ASK, Manifest, keys_of, seen, shown, work

CHANGED = Selection(reasons=frozenset({Reason.CHANGED}))


def only(*collections: str) -> Selection:
    return Selection(frozenset(collections))


def at(key: str) -> Position:
    """The place of an item without a step or priority of its own."""
    return 0, NO_PRIORITY, key


def see_twins(manifest: Manifest) -> None:
    """Six items in two collections; `w` and `x` are wanted by two of them each."""
    wanted = {"c/1": "w", "c/2": "x", "c/3": "y", "d/1": "x", "d/2": "w", "d/3": "z"}
    manifest.see(*(f"{key}.jpg" for key in wanted))
    manifest.record(*(work(f"{key}.jpg", purchase_id=purchase) for key, purchase in wanted.items()))


def test_pending_work_is_counted_by_collection_and_can_be_selected(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "d/b.jpg", "é/c.jpg", "top.jpg")
    manifest.record(work("c/a.jpg"), work("d/b.jpg", Reason.CHANGED), work("é/c.jpg"), work("top.jpg"))

    assert list(manifest.queue.pending().items()) == [("", 1), ("c", 1), ("d", 1), ("é", 1)]
    assert manifest.queue.pending(CHANGED) == {"d": 1}
    assert manifest.queue.pending(only("", "c")) == {"": 1, "c": 1}
    assert manifest.queue.pending(Selection(frozenset({"c"}), CHANGED.reasons)) == {}
    assert keys_of(manifest.claim_pending(CHANGED)) == ["d/b.jpg"]
    assert keys_of(manifest.claim_pending(only("", "c"))) == ["c/a.jpg", "top.jpg"]
    assert keys_of(manifest.claim_pending(only())) == []


def test_claimed_work_still_counts_as_pending_and_is_not_among_the_free_keys(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg", "c/b.jpg", "c/c.jpg", "d/d.jpg")
    manifest.claim("c/a.jpg")

    assert manifest.queue.pending() == {"c": 3, "d": 1}
    assert manifest.queue.pending_keys(EVERYTHING, 9) == ["c/b.jpg", "c/c.jpg", "d/d.jpg"]
    assert manifest.queue.pending_keys(EVERYTHING, 1) == ["c/b.jpg", "d/d.jpg"]
    assert manifest.queue.pending_keys(only("d"), 9) == ["d/d.jpg"]


def test_a_claim_takes_only_what_is_free(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg", "c/b.jpg", "c/c.jpg")
    manifest.claim("c/b.jpg")

    assert keys_of(manifest.claim_pending()) == ["c/a.jpg", "c/c.jpg"]
    left = manifest.claim_pending()
    assert (left.claim, left.entries, left.taken_over) == (None, (), False)
    assert manifest.queue.claim_items(ASK, "a test", {"c/a.jpg": None}).claim is None


def test_a_claim_takes_at_most_so_many_purchases_and_all_items_of_each(manifest: Manifest) -> None:
    see_twins(manifest)

    assert sorted(keys_of(manifest.claim_pending(limit=2))) == ["c/1.jpg", "c/2.jpg", "d/1.jpg", "d/2.jpg"]
    assert sorted(keys_of(manifest.claim_pending(limit=2))) == ["c/3.jpg", "d/3.jpg"]


def test_items_that_wait_for_no_purchase_yet_count_one_by_one(manifest: Manifest) -> None:
    manifest.see("c/1.jpg", "c/2.jpg", "c/3.jpg")
    manifest.record(*(work(f"c/{n}.jpg", purchase_id="") for n in (1, 2, 3)))

    assert keys_of(manifest.claim_pending(limit=2)) == ["c/1.jpg", "c/2.jpg"]


def test_items_of_a_purchase_that_are_not_selected_are_left(manifest: Manifest) -> None:
    see_twins(manifest)

    assert keys_of(manifest.claim_pending(only("c"), limit=2)) == ["c/1.jpg", "c/2.jpg"]
    assert sorted(keys_of(manifest.claim_pending())) == ["c/3.jpg", "d/1.jpg", "d/2.jpg", "d/3.jpg"]


def test_a_claim_goes_on_behind_a_place_and_still_takes_what_waits_with_it(manifest: Manifest) -> None:
    see_twins(manifest)

    assert keys_of(manifest.claim_pending(limit=1, after=at("c/2.jpg"))) == ["c/3.jpg"]
    assert sorted(keys_of(manifest.claim_pending(limit=1, after=at("d/1.jpg")))) == ["c/1.jpg", "d/2.jpg"]
    assert manifest.claim_pending(after=at("d/3.jpg")).claim is None


def test_a_claim_finds_work_over_many_pages(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bg_pipeline.manifest.queue._PAGE", 2)
    keys = [f"{collection}/{n}.jpg" for collection in ("c", "d", "e") for n in range(5)]
    manifest.see_work(*keys)
    manifest.claim(*keys[3:6])

    assert keys_of(manifest.claim_pending(only("d", "c"), limit=5)) == [*keys[:3], *keys[6:8]]
    assert keys_of(manifest.claim_pending(limit=3, after=at("d/3.jpg"))) == keys[9:12]
    assert keys_of(manifest.claim_pending()) == [keys[8], *keys[12:]]


def see_in_steps(manifest: Manifest) -> None:
    """Six items in two collections; step, priority and then key put them into the order 6 to 1."""
    places = {
        "d/1": (1, 0.0),
        "c/2": (1, -1.5),
        "d/3": (0, NO_PRIORITY),
        "c/4": (0, 2.0),
        "d/5": (0, 1.0),
        "c/6": (0, 1.0),
    }
    keys = {f"{key}.jpg": place for key, place in places.items()}
    manifest.see(*keys)
    manifest.observations.set_places({key: (key[0], priority) for key, (_, priority) in keys.items()})
    manifest.record(*(work(key, purchase_id=key, step=step) for key, (step, _) in keys.items()))


IN_STEPS = ["c/6.jpg", "d/5.jpg", "c/4.jpg", "d/3.jpg", "c/2.jpg", "d/1.jpg"]


@pytest.mark.parametrize("limit", [1, 2, 6])
@pytest.mark.parametrize("selection", [EVERYTHING, only("c", "d"), only("c"), only("e", "d")])
def test_claims_go_through_the_order_of_purchases(manifest: Manifest, selection: Selection, limit: int) -> None:
    see_in_steps(manifest)
    claims = (manifest.claim_pending(selection, limit=limit) for _ in IN_STEPS)

    wanted = [key for key in IN_STEPS if selection.collections is None or key[0] in selection.collections]
    assert [key for claimed in claims for key in keys_of(claimed)] == wanted


@pytest.mark.parametrize("selection", [EVERYTHING, only("c", "d")])
def test_a_claim_goes_on_behind_any_place_of_the_order(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch, selection: Selection
) -> None:
    monkeypatch.setattr("bg_pipeline.manifest.queue._PAGE", 2)
    monkeypatch.setattr("bg_pipeline.manifest.queue._SHORT_PAGE", 1)
    see_in_steps(manifest)
    for number, key in enumerate(IN_STEPS, 1):
        claimed = manifest.claim_pending(selection, after=position_of(manifest.entry(key)))
        assert keys_of(claimed) == IN_STEPS[number:]
        if claimed.claim is not None:
            manifest.queue.release(claimed.claim)


def test_the_free_keys_of_a_collection_are_the_first_of_its_order(manifest: Manifest) -> None:
    see_in_steps(manifest)

    assert manifest.queue.pending_keys(EVERYTHING, 1) == ["c/6.jpg", "d/5.jpg"]
    assert manifest.queue.pending_keys(EVERYTHING, 2) == ["c/4.jpg", "c/6.jpg", "d/3.jpg", "d/5.jpg"]


def test_the_next_delta_gives_items_their_step_again(manifest: Manifest) -> None:
    see_in_steps(manifest)
    manifest.record(*(work(key, purchase_id=key, step=9 if key == "c/6.jpg" else 0) for key in IN_STEPS))

    assert keys_of(manifest.claim_pending(limit=1)) == ["c/2.jpg"]
    assert manifest.entry("c/6.jpg").step == 9


def test_only_items_whose_purchase_has_a_master_are_claimed_where_nothing_may_be_bought(manifest: Manifest) -> None:
    see_twins(manifest)
    assert manifest.claim_pending(bought=True).claim is None

    manifest.purchases.adopt(Master("x", "digest", 2, 1, "nothing was removed"))
    assert manifest.claim_pending(bought=True).claim is None  # the next account may be asked

    manifest.purchases.approve("x")
    assert sorted(keys_of(manifest.claim_pending(bought=True))) == ["c/2.jpg", "d/1.jpg"]
    assert len(manifest.claim_pending().entries) == 4


def test_what_is_no_longer_pending_is_not_claimed(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg", "c/b.jpg", "c/c.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    manifest.set_state("c/b.jpg", State.FAILED)

    assert keys_of(manifest.claim_pending()) == ["c/c.jpg"]
    assert manifest.queue.pending() == {"c": 1}


def test_items_are_claimed_whatever_their_state_but_only_at_the_revision_that_is_given(manifest: Manifest) -> None:
    manifest.see("c/a.jpg", "c/b.jpg", "c/c.jpg", "c/d.jpg")
    manifest.publish("c/a.jpg", shown("c/a.png"))
    stale = manifest.entry("c/b.jpg").revision
    manifest.observations.observe([seen("c/b.jpg", "other bytes")])
    wanted = {"c/a.jpg": manifest.entry("c/a.jpg").revision, "c/b.jpg": stale, "c/c.jpg": None, "c/unknown.jpg": None}
    claimed = manifest.queue.claim_items(ASK, "a test", wanted)

    assert keys_of(claimed) == ["c/a.jpg", "c/c.jpg"]
    assert claimed.entries[0].published == shown("c/a.png")
    assert manifest.queue.claim_items(ASK, "a test", {}).claim is None


def test_a_claim_tells_its_owner_and_who_asked_and_for_how_much(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg", "c/b.jpg")
    sample = Ask(AskedBy.BACKFILL, Budget("a backfill", Decimal("12.5")))
    first = manifest.claim_pending(limit=1, owner="one", ask=sample).claim
    second = manifest.claim_pending(limit=1, owner="two").claim

    assert (first, second) == tuple(manifest.queue.claims())
    assert first is not None
    assert second is not None
    assert (first.owner, first.ask, first.ends_at) == ("one", sample, manifest.clock.now + LEASE_S)
    assert (second.owner, second.ask) == ("two", ASK)


def test_claims_can_be_asked_for_that_hold_pending_items_of_a_selection(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg", "c/done.jpg", "d/b.jpg")
    first, second = manifest.claim("c/a.jpg"), manifest.claim("d/b.jpg")
    manifest.publish("c/done.jpg", shown("c/done.png"))
    third = manifest.claim("c/done.jpg")

    assert {claim.id for claim in manifest.queue.claims()} >= {first.id, second.id, third.id}
    assert manifest.queue.claims(EVERYTHING) == [first, second]
    assert manifest.queue.claims(only("c")) == [first]
    assert manifest.queue.claims(CHANGED) == []
    manifest.clock.now += LEASE_S + 1
    assert manifest.queue.claims(EVERYTHING) == []


def test_a_heartbeat_keeps_a_claim_alive(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg")
    claim = manifest.claim("c/a.jpg")
    manifest.clock.now += LEASE_S - 10
    manifest.queue.heartbeat([claim])
    manifest.clock.now += LEASE_S - 10

    assert manifest.claim_pending().claim is None
    assert [living.ends_at for living in manifest.queue.claims()] == [manifest.clock.now + 10]


def test_what_a_dead_claim_held_is_taken_over_and_it_writes_no_more(manifest: Manifest) -> None:
    """Fencing: the first holder slept through its claim and wakes up."""
    manifest.see_work("c/a.jpg", "c/b.jpg")
    dead = manifest.claim("c/a.jpg")
    manifest.clock.now += LEASE_S + 1
    assert manifest.queue.claims() == []
    assert manifest.queue.pending_keys(EVERYTHING, 9) == ["c/a.jpg", "c/b.jpg"]

    claimed = manifest.claim_pending()
    assert (keys_of(claimed), claimed.taken_over) == (["c/a.jpg", "c/b.jpg"], True)
    manifest.queue.heartbeat([dead])
    assert manifest.queue.claims() == [claimed.claim]
    for write in _writes(manifest, dead):
        with pytest.raises(ClaimLost):
            write()
    assert manifest.items.states()["pending"] == 2
    manifest.queue.release(dead)
    assert manifest.queue.pending_keys(EVERYTHING, 9) == []


def _writes(manifest: Manifest, claim: Claim) -> list[Callable[[], object]]:
    return [
        lambda: manifest.queue.verify(claim, "c/a.jpg"),
        lambda: manifest.queue.publish("c/a.jpg", shown("c/a.png"), claim),
        lambda: manifest.queue.set_state("c/a.jpg", State.FAILED, "", "w", claim),
        lambda: manifest.buy("w", claim=claim, item_key="c/a.jpg"),
    ]


def test_of_what_is_published_at_once_only_what_was_taken_over_is_lost(manifest: Manifest) -> None:
    keys = [f"c/{n}.jpg" for n in range(8)]
    manifest.see_work(*keys)
    claim = manifest.claim(*keys)
    manifest.clock.now += LEASE_S + 1
    taken = manifest.claim(*keys[:2])
    together = threading.Barrier(8)

    def publish(key: str) -> bool:
        together.wait()
        try:
            manifest.queue.publish(key, shown(f"{key}.png", key), claim, {"small": shown(f"{key}.webp", key)})
        except ClaimLost:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(publish, keys)) == [False, False, *[True] * 6]
    entries = [manifest.entry(key) for key in keys]
    assert [entry.state for entry in entries] == [State.PENDING] * 2 + [State.PUBLISHED] * 6
    assert [entry.published.output_name for entry in entries[2:] if entry.published] == [f"{k}.png" for k in keys[2:]]
    assert sorted(manifest.items.outputs(keys)) == keys[2:]
    manifest.queue.publish(keys[0], shown("first.png", keys[0]), taken)


def test_a_claim_of_what_was_free_takes_nothing_over(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg", "c/b.jpg", "c/c.jpg")
    manifest.queue.release(manifest.claim("c/a.jpg"))
    manifest.claim("c/b.jpg")
    manifest.publish("c/c.jpg", shown("c/c.png"))
    manifest.items.mark_stale("c/c.jpg", "digest")

    claimed = manifest.claim_pending()
    assert (keys_of(claimed), claimed.taken_over) == (["c/a.jpg", "c/c.jpg"], False)


def test_an_expired_claim_whose_items_were_not_taken_is_still_good(manifest: Manifest) -> None:
    """Also after another claim cleared up behind it."""
    manifest.see_work("c/a.jpg", "c/b.jpg", "c/c.jpg")
    claim = manifest.claim("c/a.jpg", "c/b.jpg")
    manifest.clock.now += LEASE_S + 1
    manifest.queue.verify(claim, "c/a.jpg")
    manifest.queue.publish("c/a.jpg", shown("c/a.png"), claim)
    manifest.claim("c/c.jpg")
    manifest.queue.set_state("c/b.jpg", State.FAILED, "", "w", claim)

    assert [e.state for e in manifest.items.entries()] == [State.PUBLISHED, State.FAILED, State.PENDING]


def test_an_expired_claim_comes_back_to_life_while_nothing_of_it_was_taken(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg")
    claim = manifest.claim("c/a.jpg")
    manifest.clock.now += LEASE_S + 1
    manifest.queue.heartbeat([claim])

    assert manifest.claim_pending().claim is None


def test_a_claim_that_is_released_gives_back_what_was_not_finished(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg", "c/b.jpg")
    claim = manifest.claim("c/a.jpg", "c/b.jpg")
    manifest.queue.publish("c/a.jpg", shown("c/a.png"), claim)
    manifest.queue.release(claim)
    manifest.queue.release(claim)

    assert manifest.queue.claims() == []
    again = manifest.claim_pending()
    assert (keys_of(again), again.taken_over) == (["c/b.jpg"], False)
    with pytest.raises(ClaimLost):
        manifest.queue.set_state("c/b.jpg", State.FAILED, "", "w", claim)


def test_a_write_ends_the_hold_on_its_item_and_on_no_other(manifest: Manifest) -> None:
    manifest.see_work("c/a.jpg", "c/b.jpg")
    claim = manifest.claim("c/a.jpg", "c/b.jpg")
    manifest.queue.set_state("c/a.jpg", State.PENDING, "tried again later", "w", claim)

    with pytest.raises(ClaimLost):
        manifest.queue.publish("c/a.jpg", shown("c/a.png"), claim)
    assert keys_of(manifest.claim_pending()) == ["c/a.jpg"]
    manifest.queue.publish("c/b.jpg", shown("c/b.png"), claim)


def test_the_id_of_a_claim_is_not_used_again(manifest: Manifest) -> None:
    """It is the fence of what was taken under it."""
    manifest.see_work("c/a.jpg")
    ids = set()
    for _ in range(3):
        claim = manifest.claim("c/a.jpg")
        ids.add(claim.id)
        manifest.queue.release(claim)

    assert len(ids) == 3


@pytest.mark.parametrize("limit", [1, 4])
def test_two_claimers_never_hold_one_item(manifest: Manifest, limit: int) -> None:
    keys = [f"c/{n:02}.jpg" for n in range(24)]
    manifest.see(*keys)
    manifest.record(*(work(key, purchase_id=f"w{n // 2}") for n, key in enumerate(keys)))
    together = threading.Barrier(4)

    def claim_all(owner: str) -> list[tuple[str, ...]]:
        together.wait()
        claims = (manifest.claim_pending(limit=limit, owner=owner) for _ in keys)
        return [tuple(keys_of(claimed)) for claimed in takewhile(lambda claimed: claimed.claim, claims)]

    with ThreadPoolExecutor(4) as pool:
        claims = [claim for mine in pool.map(claim_all, "abcd") for claim in mine]
    assert sorted(key for claim in claims for key in claim) == keys
    assert all(len(claim) == 2 * limit for claim in claims)


def test_two_that_want_the_same_items_never_both_get_one(manifest: Manifest) -> None:
    keys = [f"c/{n}.jpg" for n in range(8)]
    manifest.see(*keys)
    together = threading.Barrier(4)

    def want(owner: str) -> list[str]:
        together.wait()
        return keys_of(manifest.queue.claim_items(ASK, owner, dict.fromkeys(keys)))

    with ThreadPoolExecutor(4) as pool:
        assert sorted(key for got in pool.map(want, "abcd") for key in got) == keys
