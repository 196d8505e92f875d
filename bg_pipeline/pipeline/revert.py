"""Revert the publications of one run: former outputs return, what was new goes to the trash."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.deletes import Action
from bg_pipeline.core.outputs import all_outputs
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Entry, State
from bg_pipeline.core.revert import Previous, Reverted, Step, plan_revert, refusal_of_kept, refusal_of_present
from bg_pipeline.core.review import (
    DecisionRecord,
    ReviewDecision,
    Seen,
    is_taken_off,
    is_withdrawn,
    plan_decision,
    result_of,
)
from bg_pipeline.errors import ClaimLost, ConfigurationError, ItemError
from bg_pipeline.pipeline.claimed import ELSEWHERE, claimed_items
from bg_pipeline.pipeline.ownership import guard
from bg_pipeline.pipeline.review import decide
from bg_pipeline.pipeline.trash import move_to_trash
from bg_pipeline.ports.context import DETECTION, Catalogue, Pipeline, leased
from bg_pipeline.ports.single import one_blob

_GROUP = 20
"""Items claimed together: few, so that other runs do not wait long for them."""


@dataclass(slots=True)
class RevertResult:
    """What became of the items that a run published."""

    put_back: list[str] = field(default_factory=list)
    """Keys whose former output is back."""
    taken_off: list[str] = field(default_factory=list)
    """Keys that had no output before; their cutouts are in the trash."""
    left: dict[str, str] = field(default_factory=dict)
    """The reason for leaving an item as it is, by key."""

    def add(self, key: str, step: Step, why: str) -> None:
        """Count one item."""
        if step is Step.LEAVE:
            self.left[key] = why
        else:
            (self.put_back if step is Step.PUT_BACK else self.taken_off).append(key)


def preview(catalogue: Catalogue, run_id: str, collection: str | None = None) -> RevertResult:
    """
    Return what `revert` would do, by the manifest alone; change nothing.

    Raises:
        ConfigurationError: no item is published by this run.
    """
    result, previous = RevertResult(), catalogue.previous.of_run(run_id)
    for entry in _published_by(catalogue, run_id, collection):
        result.add(entry.key, *plan_revert(entry, run_id, previous.get(entry.key, ())))
    return result


def revert(pipeline: Pipeline, run_id: str, by: str, collection: str | None = None) -> RevertResult:
    """
    Put back the outputs and publications that a run replaced, and take off what it published first.

    It buys nothing. What a later run published again is left. If its process dies, the same call completes it.

    Args:
        pipeline: the whole pipeline.
        run_id: the run.
        by: the person.
        collection: only its items; None for all.

    Raises:
        ConfigurationError: no item is published by this run.
        LeaseHeld: a detection is running.
        ForeignStore: see `ownership.guard`.
        StoreError: the outputs can be neither read nor written. Items before that are reverted.
    """
    guard(pipeline)
    catalogue, run, result = pipeline.catalogue, pipeline.run, RevertResult()
    with leased(catalogue.leases, DETECTION, run.name.owner):
        keys = [entry.key for entry in _published_by(catalogue, run_id, collection)]
        previous = catalogue.previous.of_run(run_id)
        for start in range(0, len(keys), _GROUP):
            if run.stop.is_set():
                break
            group = keys[start : start + _GROUP]
            with claimed_items(catalogue, run, group) as claimed:
                mine = {entry.key for entry in claimed.entries}
                result.left |= {key: ELSEWHERE for key in group if key not in mine}
                for entry in claimed.entries:
                    assert claimed.claim is not None
                    change = _Reversion(pipeline, claimed.claim, run_id, by)
                    result.add(entry.key, *change.carry_out(entry, previous.get(entry.key, ())))
    return result


def redo(pipeline: Pipeline, run_id: str, by: str, collection: str | None = None) -> list[str]:
    """
    Let the next sync publish again what was reverted of a run; what was taken off returns at once. It buys nothing.

    Returns:
        The keys.

    Raises:
        ConfigurationError: nothing of this run is reverted.
        LeaseHeld: another run works on an item, or a detection is running. The items before it are done.
        ItemError, StoreError: a store failed. The same call completes it.
    """
    guard(pipeline)
    catalogue = pipeline.catalogue
    reverted = [each.key for each in catalogue.reversions.all() if each.run == run_id]
    entries = [e for e in catalogue.deltas.get_many(reverted) if collection in {None, e.collection}]
    if not entries:
        raise ConfigurationError(f"nothing of the run {run_id!r} is reverted; `bg-pipeline revert` lists the runs")
    for entry in entries:
        if _is_off_by(entry, run_id):
            decide(pipeline, ReviewDecision.APPROVE, entry.key, by, f"the run {run_id} is done again")
        catalogue.reversions.lift(run_id, [entry.key])
    return [entry.key for entry in entries]


def _is_off_by(entry: Entry, run_id: str) -> bool:
    """Return True if an item is off the shop because this run was reverted."""
    shown = entry.published
    is_off = is_withdrawn(entry) and not is_taken_off(entry)
    return is_off and shown is not None and (shown.run, shown.content_hash) == (run_id, entry.content_hash)


def _published_by(catalogue: Catalogue, run_id: str, collection: str | None) -> Sequence[Entry]:
    entries = catalogue.previous.published_by(run_id)
    if not entries and not any(each.run == run_id for each in catalogue.reversions.all()):
        raise ConfigurationError(
            f"no cutout is published by the run {run_id!r}, or BG_KEEP_PREVIOUS_DAYS is over since; "
            "`bg-pipeline revert` lists the runs"
        )
    # What is off the shop since this run was reverted is done.
    return [e for e in entries if collection in {None, e.collection} and not _is_done(e, run_id)]


def _is_done(entry: Entry, run_id: str) -> bool:
    return _is_off_by(entry, run_id) and entry.published is not None and not entry.published.output_name


@dataclass(frozen=True, slots=True)
class _Reversion:
    """The reversion of items under one claim."""

    pipeline: Pipeline
    claim: Claim
    run_id: str
    by: str

    def carry_out(self, entry: Entry, previous: Sequence[Previous]) -> tuple[Step, str]:
        step, why = plan_revert(entry, self.run_id, previous)
        try:
            with one_blob(self.pipeline.catalogue.outputs):
                if step is Step.PUT_BACK:
                    former = [each for each in previous if each.published is not None]
                    step, why = self._put_back(entry, former, why)
                elif step is Step.TAKE_OFF:
                    step, why = self._take_off(entry, previous, why)
        except ClaimLost:
            return Step.LEAVE, ELSEWHERE
        except ItemError as error:
            return Step.LEAVE, str(error)
        return step, why

    def _put_back(self, entry: Entry, previous: Sequence[Previous], why: str) -> tuple[Step, str]:
        catalogue, store, shown = self.pipeline.catalogue, self.pipeline.catalogue.outputs, entry.published
        assert shown is not None
        kept: dict[str, bytes] = {}
        for each in previous:
            data = store.read(each.kept_name)
            if refused := refusal_of_kept(each, _digest(data)):
                return Step.LEAVE, refused
            if each.published and data is not None:
                kept[each.published.output_name] = data
        present = list(all_outputs(entry, catalogue.items.outputs([entry.key]).get(entry.key, ())))
        names = [output.published.output_name for output in present if output.published.output_name]
        for output in present:
            data = store.read(output.published.output_name) if output.published.output_name else None
            if refused := refusal_of_present(output.published, previous, _digest(data)):
                return Step.LEAVE, refused
        catalogue.queue.verify(self.claim, entry.key)
        for name, data in kept.items():
            store.write(name, data)
        for name in names:
            if name not in kept:
                store.remove(name)
        catalogue.reversions.put_back(previous, Reverted.of(entry.key, shown, self.by), self.claim)
        return Step.PUT_BACK, why

    def _take_off(self, entry: Entry, previous: Sequence[Previous], why: str) -> tuple[Step, str]:
        pipeline, shown = self.pipeline, entry.published
        assert shown is not None
        catalogue, recipe = pipeline.catalogue, pipeline.policy.recipes.of(entry.key)
        names = {
            each.rendition: each.published.output_name
            for each in all_outputs(entry, catalogue.items.outputs([entry.key]).get(entry.key, ()))
        }
        returns: dict[str, bytes] = {}
        for each in previous:
            data = catalogue.outputs.read(each.kept_name)
            if refused := refusal_of_kept(each, _digest(data)):
                return Step.LEAVE, refused
            if data is not None and (name := names.get(each.rendition)):
                returns[name] = data
        result = result_of(entry, recipe, {})
        reason = f"the run {self.run_id} was reverted"
        # Another picture by now is not what was reverted: the next sync makes its cutout.
        if shown.content_hash == entry.content_hash and entry.state is not State.WITHDRAWN:
            plan = plan_decision(ReviewDecision.REJECT, entry, result, recipe, self.by, reason)
            if plan.refused:
                return Step.LEAVE, plan.refused
            record = DecisionRecord(
                entry.key, ReviewDecision.REJECT, self.by, reason, Seen(entry.content_hash, result.digest)
            )
            catalogue.reversions.record(Reverted.of(entry.key, shown, self.by))
            catalogue.reviews.record([record], {entry.key: plan}, self.claim)
        for name, data in returns.items():
            catalogue.trash.give_back(name, digest_of(data))
        action, left_because = move_to_trash(catalogue, pipeline.run, entry, self.claim, returns=returns)
        return (Step.LEAVE, left_because) if action is Action.LEAVE else (Step.TAKE_OFF, why)


def _digest(data: bytes | None) -> str | None:
    return None if data is None else digest_of(data)
