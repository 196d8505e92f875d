"""Get the master for the bytes of an item: find it, take it over or buy it."""

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.colours import use_of
from bg_pipeline.core.delta import Goal, cut_of
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.prices import credits_for_stage
from bg_pipeline.core.recipe import AS_IT_IS, Cut, Recipe, digest_of, purchase_id
from bg_pipeline.core.records import Entry, Master
from bg_pipeline.errors import (
    AccountError,
    AnswerWaiting,
    BeingBought,
    BgPipelineError,
    Deferred,
    GateClosed,
    ItemChanged,
    ItemRejected,
    OutcomeUnknown,
    QualityDropped,
    RefusedForNow,
    ResultAwaited,
    TransientError,
    UnusableAnswer,
)
from bg_pipeline.imaging.pictures import PreparedImage, as_master, inspect, prepare
from bg_pipeline.ports.context import Accounts, Policy, Run
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Finished
from bg_pipeline.ports.single import one_blob
from bg_pipeline.purchasing.gate import read_balance, report_answer
from bg_pipeline.purchasing.masters import ObtainedMaster, StoredMasters, ids_of
from bg_pipeline.purchasing.tally import Tally

_LOG = logging.getLogger(__name__)

MAX_USELESS = 5
"""Purchases in a row without a usable cutout, after which an account's gate closes: then the vendor is at fault, not
the pictures."""

BALANCE_EVERY = 100
"""Purchases between two readings of the balance; between them it is counted down."""

BALANCE_EVERY_NEAR = 10
"""The same near the threshold: within twice of what is spent between two readings."""

UNCHARGED = (ItemRejected, GateClosed, AccountError, RefusedForNow, Deferred, TransientError)
"""The only errors after which the next account may be tried: nothing was paid for."""


class Buyer:
    """
    The purchases of one run, for all its workers together.

    Args:
        accounts: accounts and masters.
        policy: rules for the wanted results.
        run: owner of the purchases.
        tally: counters of the purchases.
    """

    def __init__(self, accounts: Accounts, policy: Policy, run: Run, tally: Tally) -> None:
        self._accounts = accounts
        self._policy = policy
        self._run = run
        self._tally = tally
        self._masters = StoredMasters(accounts, policy, run)
        self._purchases: Counter[str] = Counter()
        self._reading_at: dict[str, int] = {}
        """Number of the purchase after which the balance is read, by account."""
        self._lock = threading.Lock()

    def obtain(self, entry: Entry, source: bytes, claim: Claim) -> ObtainedMaster:
        """
        Return an item's master: an existing one of any accepted cut, else one of the first cut that can be bought.

        Raises:
            ItemError: no cutout of this picture can be made, or its master cannot be read.
            StoreError: no master can be read.
            BeingBought: another run or worker is buying it.
            ClaimLost: another run has the item.
            BudgetReached, GateClosed, AccountError, Deferred, TransientError: nothing was charged, and nothing is known
                to be wrong with the picture.
            PurchaseDeferred, ChargedTooOften: this picture may not be bought now, or not without a person.
            OutcomeUnknown, UnusableAnswer: the purchase may have been, or was, charged.
            ResultAwaited: it was charged, and a later run finishes it.
        """
        recipe = self._policy.recipes.of(entry.key)
        goal = Goal.of(recipe)
        passed_on: dict[str, ObtainedMaster] = {}
        for master in self._masters.of(entry):
            compared = self._masters.compared(master, source, recipe)
            if not _is_passed_on(compared, recipe):
                return compared
            passed_on[compared.cut_digest] = compared
        if (wanted := cut_of(entry, goal)) not in goal.cuts:
            if (old := self._masters.read(self._accounts.purchases.find([entry.purchase_id]), wanted)) is not None:
                return self._masters.compared(old, source, recipe)
            raise ItemChanged("its old master is damaged")
        return self._try_accounts(entry, source, claim, recipe, passed_on)

    def _try_accounts(
        self, entry: Entry, source: bytes, claim: Claim, recipe: Recipe, passed_on: Mapping[str, ObtainedMaster]
    ) -> ObtainedMaster:
        """Buy at the first account that serves, and whose result is not passed on to the next, now or earlier."""
        last: ObtainedMaster | None = None
        refusal: BgPipelineError | None = None
        for account, cut in zip(self._policy.accounts, recipe.cuts, strict=True):
            limits, renditions = (cut.max_side_px, cut.max_pixels), tuple(recipe.renditions.values())
            prepared = self._run.call(prepare, source, *limits, renditions, self._policy.animated)
            if recipe.keep_cutouts and prepared.is_cutout:
                return self._keep_original(entry, source)
            try:
                bought = passed_on.get(cut.digest) or self._buy(entry, account, cut, source, prepared, claim)
            except UNCHARGED as error:
                refusal = self._refusal(account, error, refusal)
                continue
            if not _is_passed_on(bought, recipe):
                return bought
            last = bought
        # If no account cuts this picture better, a person looks at what there is.
        if last is not None and (refusal is None or isinstance(refusal, ItemRejected)):
            return last
        assert refusal is not None
        raise refusal

    def _refusal(self, account: str, error: BgPipelineError, earlier: BgPipelineError | None) -> BgPipelineError:
        """Return the error to raise if no further account serves; raise this one if no further may be asked."""
        if error.doubts:  # another account would be a second charge
            raise error
        if isinstance(error, Deferred):
            report_answer(self._accounts.gates, account, error, self._run.now)
        # The picture is at fault only if every vendor says so.
        return error if earlier is None or isinstance(earlier, ItemRejected) else earlier

    def _keep_original(self, entry: Entry, source: bytes) -> ObtainedMaster:
        image = self._run.call(as_master, source)
        answer = self._run.call(inspect, image)
        size = (answer.width_px, answer.height_px)
        use = use_of(AS_IT_IS, ()).use
        master = Master("", digest_of(image), *size, answer.suspicion, digest_of(source), AS_IT_IS.digest, use=use)
        return self._store_free(entry, AS_IT_IS, image, master)

    def _store_free(self, entry: Entry, cut: Cut, image: bytes, like: Master) -> ObtainedMaster:
        """Store a free master under the purchase id of this cut; the rest of its record comes from `like`."""
        name = purchase_id(entry.content_hash, cut.digest)
        master = replace(like, purchase_id=name, content_hash=entry.content_hash)
        with one_blob(self._accounts.masters, len(image)):
            self._accounts.masters.write(master_name(master.purchase_id), image)
        self._accounts.purchases.keep(master, None, Decimal(0))
        return ObtainedMaster(cut.digest, master, image)

    def _buy(
        self, entry: Entry, account: str, cut: Cut, source: bytes, prepared: PreparedImage, claim: Claim
    ) -> ObtainedMaster:
        """Buy each stage as a purchase of its own, so that its result is not bought again for the next stage."""
        image, media_type, size = prepared.image, prepared.media_type, (prepared.width_px, prepared.height_px)
        for stage in cut.stages:
            sendable = (image, media_type, size)
            stored = None  # of the cut itself there is none
            if stage != cut:
                stored = self._masters.of_cut(entry, stage) or self._masters.stored(entry, stage)
            result = stored or self._obtain_stage(entry, account, stage, sendable, claim)
            result = self._masters.compared(result, source, self._policy.recipes.of(entry.key))
            if result.master.suspicion:  # no further stage is bought for a result that may be worthless
                break
            image, media_type, size = result.image, "image/png", (result.master.width_px, result.master.height_px)
        return result

    def _obtain_stage(
        self, entry: Entry, account: str, stage: Cut, sendable: tuple[bytes, str, tuple[int, int]], claim: Claim
    ) -> ObtainedMaster:
        image, media_type, size = sendable
        sent_digest = digest_of(image)
        existing = self._accounts.purchases.same_payload(sent_digest, stage.digests)
        if existing is not None and (obtained := self._masters.read(existing, stage.digest)) is not None:
            # The file differs, but what would be sent does not: only metadata or compression changed.
            # An approval by a person stays valid.
            return self._store_free(entry, stage, obtained.image, obtained.master)
        tool = stage.tools[-1] if stage.tools else None
        names = ids_of(entry, stage)
        request = CutRequest(
            purchase_id=names[0],
            purchase_ids=tuple(names),
            limit_ids=tuple(_limit_ids(entry, self._policy.recipes.of(entry.key), len(stage.tools))),
            item_key=entry.key,
            collection=entry.collection,
            image=image,
            media_type=media_type,
            width_px=size[0],
            height_px=size[1],
            params=tool.params if tool else stage.params,
            credits_expected=credits_for_stage(self._policy.vendors[account], stage, size[0] * size[1]),
            claim=claim,
            cut_digests=stage.digests,
            sent_digest=sent_digest,
            tool=tool.name if tool else "",
            content_hash=entry.content_hash,
            use=use_of(stage, self._policy.vendors.values()).use,
        )
        try:
            finished = self._order(account, request)
        except AnswerWaiting as error:
            with one_blob(self._accounts.spool):
                if error.attempt.purchase_id not in names:
                    self._accounts.answers.resume(error.attempt)
                    raise BeingBought("an earlier run bought the same picture under another name") from error
                finished = self._accounts.answers.resume(error.attempt, request)
            return ObtainedMaster.of(stage, finished)
        if finished.master.width_px and finished.is_of_picture:
            self._run.useless.end(account)
        else:
            self._count_useless(account, UnusableAnswer(finished.master.suspicion))
        return ObtainedMaster.of(stage, finished, paid=request.credits_expected > 0)

    def _order(self, account: str, request: CutRequest) -> Finished:
        """Buy a cutout."""
        price = request.credits_expected
        try:
            reply = self._send(account, request)
            finished = self._accounts.answers.take(account, request, reply)
        except OutcomeUnknown as error:
            self._count_useless(account, Deferred(str(error), for_s=0.0))
            raise
        except UnusableAnswer as error:
            charged = price if error.credits_charged is None else error.credits_charged
            self._tally.count(request.collection, lambda summary: summary.count_wasted(account, charged))
            self._count_useless(account, error)
            raise
        except ResultAwaited as error:
            charged = error.credits_charged
            self._tally.count(request.collection, lambda summary: summary.count_awaited(account, charged))
            raise
        self._tally.count(request.collection, lambda summary: summary.count_bought(account, reply.credits_charged))
        if price and self._is_reading_due(account):
            self._read_balance(account, price)
        return finished

    def _send(self, account: str, request: CutRequest) -> CutReply:
        """Send a request, with its retries; count those that may have been charged."""
        doubts = 0
        try:
            reply = self._accounts.removers[account].cut(request)
            doubts = reply.doubts
        except BgPipelineError as error:
            doubts = error.doubts
            raise
        finally:
            if doubts:
                price = request.credits_expected
                self._tally.count(request.collection, lambda summary: summary.count_in_doubt(price, doubts))
        return reply

    def _is_reading_due(self, account: str) -> bool:
        with self._lock:
            self._purchases[account] += 1
            return self._purchases[account] == self._reading_at.setdefault(account, BALANCE_EVERY_NEAR)

    def _read_balance(self, account: str, price: Decimal) -> None:
        gate = read_balance(self._accounts, self._policy, self._run, account)
        low = self._policy.thresholds[account].low
        is_near = gate.balance is not None and gate.balance - low <= 2 * BALANCE_EVERY * price
        with self._lock:
            self._reading_at[account] = self._purchases[account] + (BALANCE_EVERY_NEAR if is_near else BALANCE_EVERY)

    def _count_useless(self, account: str, error: BgPipelineError) -> None:
        useless = self._run.useless.count(account)
        if useless < MAX_USELESS:
            return
        message = f"{useless} purchases in a row gave no usable cutout; the last: {error}"
        reason = Deferred(message, for_s=0.0) if isinstance(error, Deferred) else QualityDropped(message)
        report_answer(self._accounts.gates, account, reason, self._run.now)


def _is_passed_on(obtained: ObtainedMaster, recipe: Recipe) -> bool:
    """Return True if the next account is asked in place of this result."""
    return bool(obtained.master.suspicion) and obtained.cut_digest in recipe.passed_on_digests


def _limit_ids(entry: Entry, recipe: Recipe, tools: int) -> list[str]:
    """Return the ids of the purchase with so many tools, at every account."""
    stages = [stage for cut in recipe.cuts for stage in cut.stages if len(stage.tools) == tools]
    return [each for stage in stages for each in ids_of(entry, stage)]
