"""From the bytes of an item to its master: found, taken over, or bought."""

import threading
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal

from bg_pipeline.core.credits import Budget
from bg_pipeline.core.delta import Goal, cut_of
from bg_pipeline.core.keys import master_name
from bg_pipeline.core.recipe import AS_IT_IS, Cut, digest_of, work_id
from bg_pipeline.core.records import Entry, Lease, Master
from bg_pipeline.core.report import Summary
from bg_pipeline.errors import (
    AccountError,
    BgPipelineError,
    Deferred,
    GateClosed,
    ItemChanged,
    ItemRejected,
    OutcomeUnknown,
    QualityDropped,
    StoreError,
    TransientError,
    UnusableAnswer,
)
from bg_pipeline.imaging.pictures import Prepared, as_master, inspect, prepare
from bg_pipeline.ports import CutRequest
from bg_pipeline.steps.gate import look, report
from bg_pipeline.steps.parts import Parts

MAX_USELESS = 5
"""Purchases in a row without a usable cutout, after which a provider's gate closes: it is the service then, not the
pictures."""

BALANCE_EVERY = 100
"""Purchases between two readings of the balance; in between it is counted down."""

UNCHARGED = (ItemRejected, GateClosed, AccountError, Deferred, TransientError)
"""After these, and no others, the next provider may be asked: nothing was paid for."""


@dataclass(frozen=True, slots=True)
class Obtained:
    """A master, and the cut that it is of."""

    cut_hash: str
    master: Master
    image: bytes
    reshaped: bool = False
    """Further tools followed the cut: its frame and colours are its own."""
    paid: bool = False
    """It was bought just now."""


class Purchases:
    """
    The purchases of one run, for all its lanes together.

    Args:
        parts: where everything is.
        lease: under which.
        budget: what may be spent.
        summary: where they are counted.
        lock: guards `summary`.
    """

    def __init__(self, parts: Parts, lease: Lease, budget: Budget, summary: Summary, lock: threading.Lock) -> None:
        self._parts = parts
        self._lease = lease
        self._budget = budget
        self._summary = summary
        self._lock = lock
        self._since_reading: Counter[str] = Counter()

    def obtain(self, entry: Entry, source: bytes) -> Obtained:
        """
        The master of an item, by whichever of the recipe's cuts there is one, or else by the first that can be bought.

        Raises:
            ItemError: this picture cannot be had.
            LeaseHeld: another run is buying it.
            BudgetReached, GateClosed, AccountError, Deferred, TransientError: nothing was charged, and nothing is wrong
                with the picture.
            OutcomeUnknown, UnusableAnswer: it may have been, or was, charged.
        """
        recipe = self._parts.recipe
        goal = Goal.of(recipe)
        for cut in recipe.accepted:
            if (found := self._kept(entry, cut)) is not None:
                return found
        if (wanted := cut_of(entry, goal)) not in goal.cuts:
            if (found := self._kept_by(entry.work_id, wanted)) is not None:
                return found
            raise ItemChanged("its old master is damaged")
        refusal: BgPipelineError | None = None
        for cut in recipe.cuts:
            prepared = self._parts.call(prepare, source, cut.max_side_px, cut.max_pixels)
            if recipe.keep_cutouts and prepared.is_cutout:
                return self._as_it_is(entry, source)
            try:
                return self._bought(entry, cut, prepared)
            except UNCHARGED as error:
                if isinstance(error, Deferred):
                    report(self._parts.control, cut.provider, error, self._parts.now)
                # A picture is only to blame when every provider says so.
                if refusal is None or isinstance(refusal, ItemRejected):
                    refusal = error
        assert refusal is not None
        raise refusal

    def _kept(self, entry: Entry, cut: Cut) -> Obtained | None:
        found = self._kept_by(work_id(entry.content_hash, cut.hash), cut.hash)
        return replace(found, reshaped=bool(cut.steps)) if found else None

    def _kept_by(self, work: str, cut_hash: str) -> Obtained | None:
        master = self._parts.ledger.master(work)
        if master is None:
            return None
        data = self._parts.masters.read(master_name(work))
        if data is None:
            raise StoreError(
                f"the master {master_name(work)} is on record and not in the store: see that BG_MASTERS is "
                "the right place and mounted. Nothing was bought again"
            )
        if digest_of(data) == master.digest:
            return Obtained(cut_hash, master, data)
        self._parts.ledger.forget_master(work)
        return None

    def _as_it_is(self, entry: Entry, source: bytes) -> Obtained:
        image = self._parts.call(as_master, source)
        found = self._parts.call(inspect, image)
        size = (found.width_px, found.height_px)
        master = Master("", digest_of(image), *size, found.suspicion, digest_of(source), AS_IT_IS.hash)
        return self._take(entry, AS_IT_IS, image, master)

    def _take(self, entry: Entry, cut: Cut, image: bytes, like: Master) -> Obtained:
        """Store a master that costs nothing, and of which all but its work is known."""
        master = replace(like, work_id=work_id(entry.content_hash, cut.hash))
        self._parts.masters.write(master_name(master.work_id), image)
        self._parts.ledger.keep_master(master, None, Decimal(0))
        return Obtained(cut.hash, master, image, bool(cut.steps))

    def _bought(self, entry: Entry, cut: Cut, prepared: Prepared) -> Obtained:
        """Each stage is a work of its own, so that what one has brought is not bought again for the next."""
        image, media_type, size = prepared.image, prepared.media_type, (prepared.width_px, prepared.height_px)
        for stage in cut.stages:
            done = self._kept(entry, stage) or self._stage(entry, stage, image, media_type, size)
            if done.master.suspicion:  # nothing is bought on top of what may be worth nothing
                break
            image, media_type, size = done.image, "image/png", (done.master.width_px, done.master.height_px)
        return done

    def _stage(self, entry: Entry, stage: Cut, image: bytes, media_type: str, size: tuple[int, int]) -> Obtained:
        sent_digest = digest_of(image)
        twin = self._parts.ledger.twin(sent_digest, stage.hash)
        if twin is not None and (same := self._kept_by(twin.work_id, stage.hash)) is not None:
            # Other bytes, the same picture: only its metadata or its compression changed.
            # What a person approved of stays approved.
            return self._take(entry, stage, same.image, same.master)
        step = stage.steps[-1] if stage.steps else None
        request = CutRequest(
            work_id=work_id(entry.content_hash, stage.hash),
            item_key=entry.key,
            image=image,
            media_type=media_type,
            width_px=size[0],
            height_px=size[1],
            params=step.params if step else stage.params,
            credits_expected=self._parts.stage_price(stage, size[0] * size[1]),
            lease=self._lease,
            budget=self._budget,
            cut_hash=stage.hash,
            sent_digest=sent_digest,
            tool=step.tool if step else "",
        )
        self._order(stage.provider, request)
        bought = self._kept(entry, stage)
        if bought is None:
            raise UnusableAnswer("the master cannot be read back")
        if bought.master.width_px:
            self._parts.streaks.served(stage.provider)
        else:
            self._count_useless(stage.provider, UnusableAnswer(bought.master.suspicion))
        return replace(bought, paid=True)

    def _order(self, provider: str, request: CutRequest) -> None:
        price = request.credits_expected
        try:
            charged = self._parts.removers[provider].cut(request).credits_charged
        except OutcomeUnknown as error:
            with self._lock:
                self._summary.in_doubt += 1
                self._summary.credits_in_doubt += price
            self._count_useless(provider, Deferred(str(error), for_s=0.0))
            raise
        except UnusableAnswer as error:
            with self._lock:
                self._summary.wasted += 1
                self._summary.credits += price if error.credits_charged is None else error.credits_charged
            self._count_useless(provider, error)
            raise
        with self._lock:
            self._summary.purchases += 1
            self._summary.credits += charged
            self._summary.bought_from[provider] = self._summary.bought_from.get(provider, 0) + 1
            self._since_reading[provider] += 1
            due = price and self._since_reading[provider] >= BALANCE_EVERY
            if due:
                self._since_reading[provider] = 0
        if due:
            look(self._parts, provider)

    def _count_useless(self, provider: str, error: BgPipelineError) -> None:
        useless = self._parts.streaks.useless(provider)
        if useless < MAX_USELESS:
            return
        said = f"{useless} purchases in a row brought nothing usable, the last: {error}"
        ends = Deferred(said, for_s=0.0) if isinstance(error, Deferred) else QualityDropped(said)
        report(self._parts.control, provider, ends, self._parts.now)
