"""Publish the items that share one purchase."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from bg_pipeline.core.credits import MAX_CHARGES, charges_of
from bg_pipeline.core.delta import Goal
from bg_pipeline.core.outputs import Origin, OutputPlan, all_outputs, of_set, plan_outputs, rivals, twins
from bg_pipeline.core.recipe import Recipe, digest_of, purchase_id
from bg_pipeline.core.records import MAIN, Entry, Output, Published, State
from bg_pipeline.core.report import Cause
from bg_pipeline.errors import (
    BgPipelineError,
    ItemBlocked,
    ItemChanged,
    ItemError,
    ItemSkipped,
    ItemUnreadable,
    OutcomeUnknown,
    PurchaseDeferred,
    RefusedForNow,
    ResultAwaited,
    TransientError,
)
from bg_pipeline.imaging.rendering import render
from bg_pipeline.pipeline.feed import Task
from bg_pipeline.pipeline.previous import keep_previous
from bg_pipeline.pipeline.recovery import HELD
from bg_pipeline.ports.context import Accounts, Catalogue, Policy, Run
from bg_pipeline.ports.single import one_blob, one_picture
from bg_pipeline.purchasing.buyer import Buyer
from bg_pipeline.purchasing.masters import ObtainedMaster
from bg_pipeline.purchasing.tally import Tally

_LATER: Mapping[type[BgPipelineError], tuple[str, Cause]] = {
    ItemChanged: ("the next sync detects it again", Cause.CHANGED),
    ItemBlocked: ("the next sync tries again", Cause.STORE),
    TransientError: ("the next sync tries again", Cause.SERVICE),
    ResultAwaited: ("the next sync finishes it", Cause.AWAITED),
    RefusedForNow: ("it is tried again after a wait that grows", Cause.SERVICE),
    PurchaseDeferred: ("the next sync decides again", Cause.CHARGED),
}
"""Errors after which an item waits for a later run, with the outlook and the cause."""


_RENAME = "set another output_name in its [rendition.NAME] table, then run `bg-pipeline retry`"


class _Job(NamedTuple):
    """One item to publish."""

    entry: Entry
    plan: OutputPlan
    kept: Mapping[str, Published]
    """By rendition, the outputs that stay as they are."""
    former: Sequence[Output]
    """All of its outputs on record."""


def probe_stores(catalogue: Catalogue, accounts: Accounts) -> None:
    """
    Check that all stores take writes: a cutout that cannot be stored must not be bought.

    Raises:
        StoreError: one does not; the text gives the reason.
    """
    for store in (accounts.spool, accounts.masters, catalogue.outputs):
        store.probe()


class Publisher:
    """
    Publishes outputs, made from the source bytes of a task and a master.

    Args:
        catalogue: owner of the items.
        accounts: accounts for the purchases.
        policy: the wanted results.
        run: owner of the workers.
        tally: counters of the items.
    """

    def __init__(self, catalogue: Catalogue, accounts: Accounts, policy: Policy, run: Run, tally: Tally) -> None:
        self._catalogue = catalogue
        self._accounts = accounts
        self._policy = policy
        self._run = run
        self._tally = tally
        self._buyer = Buyer(accounts, policy, run, tally)

    def publish(self, task: Task) -> None:
        """
        Find or buy the master of a task, and publish each of its items from it.

        Raises:
            ItemError, BeingBought, ClaimLost and the other errors of `Buyer.obtain`: unpublished items are unchanged.
        """
        source, entries = self._read(task)
        if not entries:
            return
        cutout = self._buyer.obtain(entries[0], source, task.claim)
        if cutout.master.suspicion:
            self._hold(task, entries, cutout)
            return
        recipe = self._policy.recipes.of(entries[0].key)
        jobs = self._plan(entries, recipe, cutout)
        missing = [name for name in recipe.renditions if any(name not in job.kept for job in jobs)]
        rendered: dict[str, bytes] = {}
        if missing:
            use = self._policy.use(cutout.master, cutout.cut_digest, recipe)
            wanted = [recipe.renditions[name] for name in missing]
            made = self._run.call(render, source, cutout.image, wanted, use, cutout.alpha)
            rendered = dict(zip(missing, made, strict=True))
        free = entries[1:] if cutout.paid else entries
        self._tally.saved(entries[0].collection, len(free) * self._policy.price_with(recipe))
        for job in jobs:
            try:
                self._write(task, job, rendered)
            except ItemError as error:
                self.give_up(task, [job.entry], error)

    def _hold(self, task: Task, entries: list[Entry], cutout: ObtainedMaster) -> None:
        # Another worker may have learned meanwhile whose picture it shows.
        master = self._accounts.purchases.find([cutout.master.purchase_id]) or cutout.master
        why = master.suspicion or cutout.master.suspicion
        self.end(task, entries, State.QUARANTINED, why, Cause.SUSPICIOUS)
        if (other := cutout.swapped_with) is not None:
            self._catalogue.items.end_quarantine(other.purchase_id, State.QUARANTINED, other.suspicion)

    def _plan(self, entries: Sequence[Entry], recipe: Recipe, cutout: ObtainedMaster) -> list[_Job]:
        # No output is on record without the main one.
        shown = [entry.key for entry in entries if entry.published is not None]
        others = self._catalogue.items.outputs(shown) if shown else {}
        origin = Origin(cutout.master.purchase_id, cutout.cut_digest, is_new=cutout.paid)
        jobs = []
        for entry in entries:
            recorded = others.get(entry.key, ())
            plan = plan_outputs(entry, recorded, recipe, origin)
            jobs.append(_Job(entry, plan, self._kept(plan), tuple(all_outputs(entry, recorded))))
        return jobs

    def _kept(self, plan: OutputPlan) -> Mapping[str, Published]:
        """Return the outputs that are in the store as they are on record."""
        kept = {}
        for name, recorded in plan.recorded.items():
            with suppress(ItemError), one_blob(self._catalogue.outputs):
                data = self._catalogue.outputs.read(recorded.output_name)
                if data is not None and digest_of(data) == recorded.output_digest:
                    kept[name] = recorded
        return kept

    def _write(self, task: Task, job: _Job, rendered: Mapping[str, bytes]) -> None:
        entry, plan, made = job.entry, job.plan, dict(job.kept)
        for name, wanted in plan.wanted.items():
            if name not in made:
                made[name] = replace(wanted, output_digest=digest_of(rendered[name]))
        main, others = of_set(made)
        run = keep_previous(self._catalogue, self._policy, self._run, entry, job.former, {**others, MAIN: main})
        # `queue.publish` refuses a lost claim too late: a newer cutout of another run would be overwritten by then.
        self._catalogue.queue.verify(task.claim, entry.key)
        for name in [name for name in made if name not in job.kept]:
            with one_blob(self._catalogue.outputs, len(rendered[name])):
                self._catalogue.outputs.write(made[name].output_name, rendered[name])
        # Before the record, or a killed run would leave files that no record names.
        for output in plan.obsolete:
            self._take_away(entry, output)
        published = {name: replace(each, run=run) for name, each in others.items()}
        self._catalogue.queue.publish(entry.key, replace(main, run=run), task.claim, published)
        task.ended[entry.key] = State.PUBLISHED
        self._tally.published(entry)

    def _take_away(self, entry: Entry, output: Published) -> None:
        """Remove an output that is no longer wanted, unless it is another program's, or another item's by now."""
        with suppress(ItemError), one_blob(self._catalogue.outputs):
            data = self._catalogue.outputs.read(output.output_name)
            is_ours = data is not None and digest_of(data) == output.output_digest
            if is_ours and not self._catalogue.trash.is_published(output.output_name, but=entry.key):
                self._catalogue.outputs.remove(output.output_name)

    def _validate_names(self, entry: Entry) -> None:
        renditions = self._policy.recipes.of(entry.key).renditions.values()
        names = [each.name_of(entry.stem) for each in renditions]
        for name in names:
            with one_blob(self._catalogue.outputs):
                self._catalogue.outputs.validate_name(name)
        if not self._policy.recipes.have_templates:
            return
        if name := twins(names):
            raise ItemError(f"two of its renditions would be called {name}: {_RENAME}")
        catalogue, others = self._catalogue, rivals(entry.stem, renditions, self._policy.recipes.renditions)
        outputs = all_outputs(entry, catalogue.items.outputs([entry.key]).get(entry.key, ()))
        mine = {each.published.output_name for each in outputs}
        taken = [others[stem] for stem in catalogue.deltas.taken_stems(sorted(others))]
        taken = [name for name in taken if name not in mine]
        taken += [name for name in names if catalogue.trash.is_published(name, but=entry.key)]
        if taken:
            raise ItemError(f"its output {taken[0]} would have the name of another item's: {_RENAME}")

    def _read(self, task: Task) -> tuple[bytes, list[Entry]]:
        """Return the bytes that were hashed, and the entries that still have them."""
        source, unchanged = b"", []
        for entry in task.rest:
            if pattern := self._policy.filter.leaves_out(entry.key):
                self.put_back(task, [entry], f"left out by {pattern}; the next sync skips it", Cause.CHANGED)
                continue
            try:
                self._validate_names(entry)
                with one_picture(self._catalogue.source):
                    data = self._catalogue.source.read(entry.key)
                if digest_of(data) != entry.content_hash:
                    raise ItemChanged("the picture changed after it was hashed")
            except (ItemChanged, ItemUnreadable) as error:
                self._catalogue.observations.invalidate_hash(entry.key)
                self.put_back(task, [entry], f"{error}; the next sync hashes it again", Cause.CHANGED)
            except ItemError as error:
                self.give_up(task, [entry], error)
            else:
                source = data
                unchanged.append(entry)
        return source, unchanged

    def end_unusable(self, task: Task, error: BgPipelineError) -> None:
        """Put back, or hold for a person, the items that were, or may have been, charged without a cutout."""
        first = task.entries[0]
        cuts = Goal.of(self._policy.recipes.of(first.key)).cuts
        names = {purchase_id(first.content_hash, cut) for cut in cuts} | {task.purchase_id}
        charges = charges_of(self._accounts.ledger.attempts(sorted(names)))
        if charges >= MAX_CHARGES:
            why = f"{error}. It was charged {charges} times: `bg-pipeline retry --again KEY` buys it again"
            self.end(task, task.rest, State.QUARANTINED, why, Cause.CHARGED)
        elif self._policy.hold_in_doubt and isinstance(error, OutcomeUnknown):
            self.end(task, task.rest, State.FAILED, f"{error}: {HELD}", Cause.CHARGED)
        else:
            self.put_back(task, task.rest, f"{error}; the next sync tries again", Cause.CHARGED)

    def give_up(self, task: Task, entries: Iterable[Entry], error: BgPipelineError) -> None:
        """Leave these items to a later run if the error may pass; otherwise record that they failed."""
        for kind, (outlook, cause) in _LATER.items():
            if isinstance(error, kind):
                self.put_back(task, entries, f"{error}; {outlook}", cause)
                return
        if isinstance(error, ItemSkipped):
            for entry in entries:
                self._catalogue.queue.set_state(entry.key, State.SKIPPED, str(error), task.purchase_id, task.claim)
                task.ended[entry.key] = State.SKIPPED
            return
        self.end(task, entries, State.FAILED, str(error), Cause.PICTURE)

    def put_back(self, task: Task, entries: Iterable[Entry], why: str, cause: Cause) -> None:
        """Leave these items to a later run. Published items stay published, and their requested purchase stays held."""
        for entry in entries:
            if entry.state is not State.PUBLISHED:
                self._catalogue.queue.set_state(entry.key, State.PENDING, why, task.purchase_id, task.claim)
            task.ended[entry.key] = State.PENDING
            self._tally.failed(entry, State.PENDING, why, cause)

    def end(self, task: Task, entries: Iterable[Entry], state: State, why: str, cause: Cause) -> None:
        """Record that these items failed, or wait for a person."""
        for entry in entries:
            self._catalogue.queue.set_state(entry.key, state, why, task.purchase_id, task.claim)
            task.ended[entry.key] = state
            self._tally.failed(entry, state, why, cause)
