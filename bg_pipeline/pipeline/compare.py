"""Send the same pictures to several vendors and engines, publish nothing, and keep every result as a master."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal

from bg_pipeline.core.claims import Ask, AskedBy, Claimed
from bg_pipeline.core.comparison import Load, Result, Throughput, cost_of, share_out, take_sample
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.prices import credits_for
from bg_pipeline.core.recipe import Recipe, digest_of, purchase_id
from bg_pipeline.core.recipes import Recipes
from bg_pipeline.core.records import AttemptState, Entry, State
from bg_pipeline.errors import (
    BeingBought,
    BgPipelineError,
    ConfigurationError,
    ItemChanged,
    LeaseHeld,
    OutcomeUnknown,
    StateError,
    StoreError,
)
from bg_pipeline.pipeline.claimed import ELSEWHERE, claimed_items
from bg_pipeline.pipeline.ownership import guard
from bg_pipeline.pipeline.recovery import HELD, recover
from bg_pipeline.ports.context import Accounts, Catalogue, Pipeline, Policy, Run
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Remover
from bg_pipeline.ports.single import one_picture
from bg_pipeline.purchasing.buyer import Buyer
from bg_pipeline.purchasing.money import limits_of
from bg_pipeline.purchasing.tally import Tally
from bg_pipeline.purchasing.wrapper import Wrapper


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a comparison that one account has."""

    missing: tuple[Entry, ...]
    """Pictures without a result there."""
    credits: Decimal
    """Upper bound of their price."""
    loads: tuple[Load, ...]
    """The missing ones, by the number in flight with which they are bought."""


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """The pictures to compare, and what is to be bought for them."""

    entries: tuple[Entry, ...]
    parts: Mapping[str, Part]
    """By account."""

    @property
    def credits(self) -> Decimal:
        """Upper bound of the price, at all accounts together."""
        return sum((part.credits for part in self.parts.values()), Decimal(0))

    @property
    def to_make(self) -> int:
        """Number of results that are missing."""
        return sum(len(part.missing) for part in self.parts.values())


@dataclass(frozen=True, slots=True)
class Comparison:
    """The results, and the throughput, by account."""

    results: Mapping[str, tuple[Result, ...]]
    """In the order of the sample."""
    throughput: Mapping[str, tuple[Throughput, ...]]


def only_at(policy: Policy, account: str) -> Policy:
    """Return the policy of buying at one of its accounts alone."""
    index = policy.accounts.index(account)

    def narrowed(recipe: Recipe) -> Recipe:
        return replace(recipe, cuts=(recipe.cuts[index],))

    recipes = policy.recipes
    special = [replace(each, recipe=narrowed(each.recipe)) for each in recipes.special]
    vendors = {account: policy.vendors[account]}
    return replace(policy, recipes=Recipes(narrowed(recipes.default), special), vendors=vendors)


def plan_comparison(
    catalogue: Catalogue,
    accounts: Accounts,
    policy: Policy,
    count: int,
    most_in_flight: Mapping[str, int],
    collection: str | None = None,
) -> ComparisonPlan:
    """
    Choose the pictures, and price what is missing. It buys nothing.

    Args:
        catalogue: owner of the items, after a scan.
        accounts: accounts for the purchases.
        policy: with all the accounts to compare.
        count: number of pictures.
        most_in_flight: most requests at once that the settings allow, by account.
        collection: only pictures of this one; None for all.

    Raises:
        ConfigurationError: two of the accounts sell the same, or there is no picture.
    """
    _require_different(policy)
    listed = (e for e in catalogue.items.entries() if collection in {None, e.collection})
    if policy.hold_in_doubt:  # only a detected item has a state in which it can be held
        listed = (e for e in listed if e.stem)
    entries = take_sample((e for e in listed if not policy.filter.leaves_out(e.key)), count)
    if not entries:
        detected = ", and with BG_IN_DOUBT=hold a sync has to detect it first" if policy.hold_in_doubt else ""
        raise ConfigurationError(
            f"there is no picture to compare: `bg-pipeline plan` shows what the source has{detected}"
        )
    parts: dict[str, Part] = {}
    for account, vendor in policy.vendors.items():
        recipes = only_at(policy, account).recipes
        names = {e.key: _names(e, recipes.of(e.key)) for e in entries}
        bought = accounts.purchases.bought([name for each in names.values() for name in each])
        missing = [e for e in entries if bought.isdisjoint(names[e.key])]
        price = sum((credits_for(vendor, recipes.of(e.key).cut, None) for e in missing), Decimal(0))
        loads = share_out(len(missing), most_in_flight[account])
        parts[account] = Part(tuple(missing), price, tuple(loads))
    return ComparisonPlan(tuple(entries), parts)


def compare(pipeline: Pipeline, plan: ComparisonPlan, synced: Recipes, cap: Decimal | None = None) -> Comparison:
    """
    Make the missing results, one account after the other, and return all.

    Each is bought like any other purchase: within the caps and the gates, and on the ledger. All together never cost
    more than the plan says. The state of the items stays as it is; only with BG_IN_DOUBT=hold, an item is held whose
    purchase may have been charged, if a sync would make the same purchase.

    Args:
        pipeline: with the policy of the plan.
        plan: what to compare.
        synced: what a sync of this catalogue buys.
        cap: most credits; None for the price in the plan.

    Raises:
        ForeignStore: see `ownership.guard`.
        LeaseHeld: another run has claimed all of the items.
        StateError, StoreError: the comparison cannot continue; everything paid for is kept.
    """
    guard(pipeline)
    catalogue, accounts, policy, run = pipeline.context
    recover(catalogue, accounts, policy, run)
    most = plan.credits if cap is None else min(cap, plan.credits)
    ask = Ask(AskedBy.COMPARE, Budget(run.name.run_id, most))
    results: dict[str, tuple[Result, ...]] = {}
    throughput: dict[str, tuple[Throughput, ...]] = {}
    doubtful: dict[str, tuple[str, str]] = {}
    run.progress.start("comparing", len(plan.entries) * len(policy.accounts))
    with claimed_items(catalogue, run, [entry.key for entry in plan.entries], ask) as claimed:
        if claimed.claim is None:
            raise LeaseHeld("another run has claimed these items: compare again when it has ended")
        for account in policy.accounts:
            side = _Side(catalogue, accounts, policy, run, claimed, account)
            throughput[account] = tuple(side.make(plan.entries, plan.parts[account]))
            results[account] = tuple(side.results(plan.entries))
            doubtful.update(side.in_doubt(synced))
        if policy.hold_in_doubt:
            _hold(catalogue, claimed, doubtful)
    run.progress.done()
    return Comparison(results, throughput)


class _AtOnce(Wrapper):
    """A remover with a limit of requests in flight that can be changed while there are none."""

    def __init__(self, inner: Remover) -> None:
        super().__init__(inner)
        self.slots = threading.Semaphore()

    def cut(self, request: CutRequest) -> CutReply:
        with self.slots:
            return self._inner.cut(request)


class _Side:
    """One account in a comparison."""

    def __init__(
        self, catalogue: Catalogue, accounts: Accounts, policy: Policy, run: Run, claimed: Claimed, account: str
    ) -> None:
        self._catalogue = catalogue
        self._accounts = accounts
        self._run = run
        self._account = account
        self._policy = only_at(policy, account)
        assert claimed.claim is not None
        self._claim = claimed.claim
        self._mine = {entry.key: entry for entry in claimed.entries}
        self._remover = _AtOnce(accounts.removers[account])
        self._buyer = Buyer(replace(accounts, removers={account: self._remover}), self._policy, run, Tally())
        self._errors: dict[str, BgPipelineError] = {}

    def make(self, entries: Sequence[Entry], part: Part) -> Iterator[Throughput]:
        """Make what is missing; yield the throughput of each load."""
        missing = {entry.key for entry in part.missing}
        self._obtain([entry for entry in entries if entry.key not in missing], self._policy.concurrency)
        rest = iter(part.missing)
        for load in part.loads:
            began_at = self._run.now()
            batch = [entry for _, entry in zip(range(load.pictures), rest, strict=False)]
            self._obtain(batch, load.in_flight)
            if measured := self._measure(batch, load, began_at):
                yield measured
        # Another worker was buying the same bytes under another name, and has them by now.
        postponed = [e for e in part.missing if isinstance(self._errors.get(e.key), BeingBought)]
        self._obtain(postponed, 1)

    def results(self, entries: Iterable[Entry]) -> Iterator[Result]:
        """Yield the result of each picture, as the records have it."""
        for entry in entries:
            recipe = self._policy.recipes.of(entry.key)
            error = self._errors.get(entry.key)
            master = None if error else self._accounts.purchases.find(_names(entry, recipe))
            attempts = self._accounts.ledger.attempts(_stages(entry, recipe))
            cost = cost_of([each for each in attempts if each.account == self._account], self._run.name.run_id)
            yield Result(entry.key, master, str(error or ""), cost)

    def in_doubt(self, synced: Recipes) -> Iterator[tuple[str, tuple[str, str]]]:
        """Yield key, purchase and error of what may have been charged, and would be bought by a sync too."""
        for key, error in self._errors.items():
            cut = self._policy.recipes.of(key).cut
            if isinstance(error, OutcomeUnknown) and cut.digest in {each.digest for each in synced.of(key).cuts}:
                yield key, (purchase_id(self._mine[key].content_hash, cut.digest), str(error))

    def _obtain(self, entries: Sequence[Entry], in_flight: int) -> None:
        if not entries:
            return
        self._remover.slots = threading.Semaphore(in_flight)
        # Twice as many workers, as in a sync: while one prepares a picture, another uses the slot.
        with ThreadPoolExecutor(2 * in_flight, thread_name_prefix="compare") as pool:
            for entry, error in zip(entries, pool.map(self._try, entries), strict=True):
                if error is None:
                    self._errors.pop(entry.key, None)
                else:
                    self._errors[entry.key] = error

    def _try(self, entry: Entry) -> BgPipelineError | None:
        try:
            self._run.end_if_asked("it was not sent")
            self._obtain_one(entry)
        except (StateError, StoreError):
            self._run.stop.set()
            raise
        except BgPipelineError as error:
            return error
        finally:
            self._run.progress.advance()
        return None

    def _obtain_one(self, entry: Entry) -> None:
        mine = self._mine.get(entry.key)
        if mine is None:
            raise BeingBought(ELSEWHERE)
        with self._run.bytes.holding(entry.size_bytes):
            with one_picture(self._catalogue.source):
                source = self._catalogue.source.read(entry.key)
            if not digest_of(source) == entry.content_hash == mine.content_hash:
                raise ItemChanged("the picture changed after it was hashed: compare again")
            cut = self._policy.recipes.of(entry.key).cut
            self._buyer.obtain(
                replace(mine, purchase_id=purchase_id(entry.content_hash, cut.digest)), source, self._claim
            )

    def _measure(self, batch: Sequence[Entry], load: Load, began_at: float) -> Throughput | None:
        names = [name for entry in batch for name in _stages(entry, self._policy.recipes.of(entry.key))]
        attempts = [
            each
            for each in self._accounts.ledger.attempts(names)
            if each.started_at >= began_at and each.ended_at is not None
        ]
        made = {each.purchase_id for each in attempts if each.state is AttemptState.CHARGED}
        if not made:
            return None
        seconds = max(each.ended_at or 0.0 for each in attempts) - min(each.started_at for each in attempts)
        gate = self._accounts.gates.gate(self._account)
        width = limits_of(self._accounts, gate, self._run.now()).in_flight
        return Throughput(load.in_flight, min(load.in_flight, width), len(made), seconds)


def _hold(catalogue: Catalogue, claimed: Claimed, doubtful: Mapping[str, tuple[str, str]]) -> None:
    """Let a sync not repeat what may have been charged, until a person asks for it."""
    assert claimed.claim is not None
    for entry in claimed.entries:
        if entry.state is State.PENDING and entry.key in doubtful:
            purchase, why = doubtful[entry.key]
            catalogue.queue.set_state(entry.key, State.FAILED, f"{why}: {HELD}", purchase, claimed.claim)


def _require_different(policy: Policy) -> None:
    names: dict[str, str] = {}
    for account, cut in zip(policy.accounts, policy.recipe.cuts, strict=True):
        if (other := names.setdefault(cut.digest, account)) != account:
            raise ConfigurationError(
                f"{other} and {account} sell the same cut, and it is bought once: name only one of them in --with"
            )


def _names(entry: Entry, recipe: Recipe) -> list[str]:
    """Return the ids of every result that the recipe accepts for a picture, the preferred one first."""
    return [purchase_id(entry.content_hash, digest) for cut in recipe.accepted for digest in cut.digests]


def _stages(entry: Entry, recipe: Recipe) -> list[str]:
    """Return the ids of all purchases that lead to the result."""
    return [purchase_id(entry.content_hash, digest) for stage in recipe.cut.stages for digest in stage.digests]
