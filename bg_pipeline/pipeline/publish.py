"""Publish the items that share one purchase."""

from collections.abc import Iterable, Mapping

from bg_pipeline.core.credits import MAX_CHARGES, charges_of
from bg_pipeline.core.delta import Goal
from bg_pipeline.core.recipe import digest_of, purchase_id
from bg_pipeline.core.records import Entry, Published, State
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
from bg_pipeline.imaging.pictures import render
from bg_pipeline.pipeline.feed import Task
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
        use = self._policy.use(cutout.master, cutout.cut_digest, recipe)
        rendered = self._run.call(render, source, cutout.image, recipe.rendition, use)
        free = entries[1:] if cutout.paid else entries
        self._tally.saved(entries[0].collection, len(free) * self._policy.price_with(recipe))
        for entry in entries:
            try:
                self._write(task, entry, cutout, rendered)
            except ItemError as error:
                self.give_up(task, [entry], error)

    def _hold(self, task: Task, entries: list[Entry], cutout: ObtainedMaster) -> None:
        # Another worker may have learned meanwhile whose picture it shows.
        master = self._accounts.purchases.find([cutout.master.purchase_id]) or cutout.master
        why = master.suspicion or cutout.master.suspicion
        self.end(task, entries, State.QUARANTINED, why, Cause.SUSPICIOUS)
        if (other := cutout.swapped_with) is not None:
            self._catalogue.items.end_quarantine(other.purchase_id, State.QUARANTINED, other.suspicion)

    def _write(self, task: Task, entry: Entry, cutout: ObtainedMaster, rendered: bytes) -> None:
        name, rendition = self._output_name(entry), self._policy.recipes.of(entry.key).rendition
        # `queue.publish` refuses a lost claim too late: a newer cutout of another run would be overwritten by then.
        self._catalogue.queue.verify(task.claim, entry.key)
        with one_blob(self._catalogue.outputs, len(rendered)):
            self._catalogue.outputs.write(name, rendered)
        origin = (cutout.master.purchase_id, cutout.cut_digest, rendition.digest)
        published = Published(*origin, name, digest_of(rendered), entry.content_hash)
        self._catalogue.queue.publish(entry.key, published, task.claim)
        task.ended[entry.key] = State.PUBLISHED
        self._tally.published(entry)

    def _output_name(self, entry: Entry) -> str:
        return f"{entry.stem}{self._policy.recipes.of(entry.key).rendition.format.extension}"

    def _read(self, task: Task) -> tuple[bytes, list[Entry]]:
        """Return the bytes that were hashed, and the entries that still have them."""
        source, unchanged = b"", []
        for entry in task.rest:
            if pattern := self._policy.filter.leaves_out(entry.key):
                self.put_back(task, [entry], f"left out by {pattern}; the next sync skips it", Cause.CHANGED)
                continue
            try:
                with one_blob(self._catalogue.outputs):
                    self._catalogue.outputs.validate_name(self._output_name(entry))
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
