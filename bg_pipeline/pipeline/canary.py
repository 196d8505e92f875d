"""Try a changed recipe on a few pictures, show old and new side by side, and record what a person decides."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bg_pipeline.core.canary import CANARY_PAGE, Trial, choose, in_sum, in_words, rating_of
from bg_pipeline.core.claims import Ask, Claim
from bg_pipeline.core.recipe import digest_of
from bg_pipeline.core.records import Change, Entry
from bg_pipeline.core.runlog import CanaryRecord
from bg_pipeline.errors import (
    BeingBought,
    ChargedTooOften,
    ConfigurationError,
    ItemChanged,
    ItemError,
    OutcomeUnknown,
    PurchaseDeferred,
    ResultAwaited,
    TransientError,
    UnusableAnswer,
)
from bg_pipeline.imaging.difference import measure_difference
from bg_pipeline.imaging.page import sheet_html
from bg_pipeline.imaging.pictures import thumbnail
from bg_pipeline.imaging.rendering import render
from bg_pipeline.imaging.sheet import Pair
from bg_pipeline.pipeline.claimed import ELSEWHERE
from bg_pipeline.pipeline.detect import plan
from bg_pipeline.pipeline.ownership import guard
from bg_pipeline.pipeline.publish import probe_stores
from bg_pipeline.pipeline.trials import MOST_READ
from bg_pipeline.ports.context import Catalogue, Pipeline, Policy, Run, kept_alive
from bg_pipeline.ports.running import Call
from bg_pipeline.ports.single import one_blob, one_picture
from bg_pipeline.ports.stores import BlobStore
from bg_pipeline.purchasing.buyer import Buyer
from bg_pipeline.purchasing.tally import Tally

_SHOWN_PX = 640

_OF_ONE_PICTURE = (
    *(ItemError, TransientError, UnusableAnswer, OutcomeUnknown, ResultAwaited),
    *(PurchaseDeferred, BeingBought, ChargedTooOften),
)
"""Errors that end the trial of one picture only."""


def find_golden(pipeline: Pipeline, most: int | None = None) -> list[Change]:
    """
    Return the pictures on which the changed recipe would be tried, each with its price; change nothing.

    Args:
        pipeline: the whole pipeline.
        most: see `core.canary.choose`.

    Raises:
        StoreError: the outputs cannot be listed.
    """
    catalogue, accounts, policy, _ = pipeline.context
    held = [change for change in plan(catalogue, accounts, policy, lists_held=True).changes if change.held]
    return choose(held, policy.golden, policy.cut_of, most)


def try_recipe(pipeline: Pipeline, ask: Ask, golden: Sequence[Change], pages: BlobStore) -> CanaryRecord:
    """
    Make the new cutouts of a few pictures, compare them with the published ones, and write one page. Publish nothing.

    What is bought is a purchase like any other: the recipe finds it when it is bought for all. It stays unpublished
    until a person accepts the canary, or requests the recipe without it.

    Args:
        pipeline: the whole pipeline.
        ask: the requester and the budget.
        golden: from `find_golden`.
        pages: the gallery.

    Raises:
        ForeignStore: see `ownership.guard`.
        BudgetReached, GateClosed, AccountError, Deferred: no more can be bought now; the same call goes on later.
        StateError, StoreError: the work cannot continue; everything paid for is kept.
    """
    guard(pipeline)
    catalogue, accounts, policy, run = pipeline.context
    probe_stores(catalogue, accounts)
    cuts = tuple(sorted({policy.cut_of(each.key) for each in golden}))
    record = CanaryRecord(run_id=run.name.run_id, job=run.name.job, collections=None, started_at=run.now(), cuts=cuts)
    # On record before anything is bought: what a killed canary bought is not published either.
    catalogue.run_log.write(record)
    wanted = {each.key: each.revision for each in golden}
    claimed = catalogue.queue.claim_items(ask, run.name.owner, wanted)
    entries = {entry.key: entry for entry in claimed.entries}
    results: list[tuple[Trial, Pair]] = []
    try:
        with kept_alive("canary", lambda: catalogue.queue.heartbeat([claimed.claim] if claimed.claim else [])):
            for change in golden:
                run.end_if_asked("what was bought is kept, and the same command goes on")
                entry = entries.get(change.key)
                if claimed.claim is None or entry is None:
                    results.append(_untried(change, policy, f"{ELSEWHERE}, or it has changed since"))
                    continue
                asked = replace(entry, reason=change.reason, purchase_id=change.purchase_id)
                results.append(_Tried(pipeline, claimed.claim).one(asked, change))
    finally:
        if claimed.claim:
            catalogue.queue.release(claimed.claim)
    record = replace(record, trials=tuple(trial for trial, _ in results))
    _write_page(pages, [pair for _, pair in results], record)
    catalogue.run_log.write(record)
    return record


def accept(catalogue: Catalogue, policy: Policy, run: Run, by: str, reason: str = "") -> CanaryRecord:
    """
    Record that a person accepts the last canary: its recipe may be bought for all pictures.

    Raises:
        ConfigurationError: no canary of a present recipe is complete.
    """
    records = catalogue.run_log.read(CanaryRecord, limit=MOST_READ)
    last = next((each for each in records if each.trials), None)
    present = {each.cut.digest for each in (policy.recipe, *(special.recipe for special in policy.recipes.special))}
    if last is None or not present.intersection(last.cuts):
        raise ConfigurationError(
            "there is nothing to accept: no canary of the present recipe is complete. `bg-pipeline canary` tries it"
        )
    cuts = tuple(sorted({trial.cut_digest for trial in last.trials if trial.difference}))
    if not cuts:
        raise ConfigurationError("the last canary made no cutout: `bg-pipeline canary` tries the recipe again")
    accepted = replace(
        last, run_id=run.name.run_id, job=run.name.job, started_at=run.now(), cuts=cuts, accepted_by=by, reason=reason
    )
    catalogue.run_log.write(accepted)
    return accepted


@dataclass(frozen=True, slots=True)
class _Tried:
    """The trials under one claim."""

    pipeline: Pipeline
    claim: Claim

    def one(self, entry: Entry, change: Change) -> tuple[Trial, Pair]:
        """Try the recipe on one picture."""
        catalogue, accounts, policy, run = self.pipeline.context
        try:
            with one_picture(catalogue.source):
                source = catalogue.source.read(entry.key)
            if digest_of(source) != entry.content_hash:
                raise ItemChanged("the picture has changed since the last scan")
            recipe = policy.recipes.of(entry.key)
            cutout = Buyer(accounts, policy, run, Tally()).obtain(entry, source, self.claim)
            use = policy.use(cutout.master, cutout.cut_digest, recipe)
            (new,) = run.call(render, source, cutout.image, [recipe.rendition], use)
            old = self._published(entry)
            difference = run.call(measure_difference, old, new)
        except _OF_ONE_PICTURE as error:
            return _untried(change, policy, str(error))
        trial = Trial(entry.key, policy.cut_of(entry.key), difference, cutout.master.suspicion)
        return trial, _pair(run.call, trial, old, new)

    def _published(self, entry: Entry) -> bytes:
        outputs, shown = self.pipeline.catalogue.outputs, entry.published
        assert shown is not None
        with one_blob(outputs):
            data = outputs.read(shown.output_name)
        if data is None:
            raise ItemChanged(f"{shown.output_name} is not in the output, so there is nothing to compare with")
        return data


def _untried(change: Change, policy: Policy, why: str) -> tuple[Trial, Pair]:
    trial = Trial(change.key, policy.cut_of(change.key), problem=why)
    return trial, Pair(change.key, None, None, why)


def _pair(call: Call, trial: Trial, old: bytes, new: bytes) -> Pair:
    assert trial.difference is not None
    note = "; ".join(filter(None, (rating_of(trial), trial.problem, in_words(trial.difference))))
    return Pair(trial.key, call(thumbnail, old, _SHOWN_PX), call(thumbnail, new, _SHOWN_PX), note)


def _write_page(pages: BlobStore, pairs: Sequence[Pair], record: CanaryRecord) -> None:
    facts = (
        ("in sum", in_sum(record.trials)),
        ("run", record.run_id),
        ("each pair", "published on the left, new on the right"),
    )
    page = sheet_html(pairs, title="Canary of a changed recipe", facts=facts)
    pages.write(CANARY_PAGE, page.encode())
