"""Decide if a purchase is allowed, and check the balance afterwards."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bg_pipeline.core.gate import Gate, GateReason, Thresholds, on_balance, resume_above
from bg_pipeline.core.records import Attempt, AttemptState
from bg_pipeline.core.retry import moment
from bg_pipeline.errors import (
    BgPipelineError,
    BudgetReached,
    ChargedTooOften,
    GateClosed,
    PurchaseDeferred,
    WindowEnded,
)

MAX_CHARGES = 3
"""Most charges for one purchase, ever. Without a cap one unlucky picture was charged five times in a soak test
at 5 % faults."""

MOST_CREDITS = 10**9
"""Largest number of credits that a setting or an option takes."""

MOST_DRIFT = Decimal("0.01")
"""Tolerated drift of the balance, as a share of the charges; above it a person should look."""


def runs_out_on(balance: Decimal | None, spent: Decimal, days: int, now: float) -> date | None:
    """Return the day on which the balance ends at the spending rate of the last `days`; None if it never does."""
    if balance is None or spent <= 0:
        return None
    days_left = min(max(balance, Decimal(0)) * days / spent, Decimal(36_500))
    return (datetime.fromtimestamp(now, UTC) + timedelta(days=float(days_left))).date()


@dataclass(frozen=True, slots=True)
class Budget:
    """The spending limit of one run; the ledger counts under its name, over all of its processes."""

    run: str
    cap: Decimal | None = None
    """Credits; None for no limit."""
    until: float | None = None
    """Epoch second from which it starts no purchase; None for no end."""

    def is_over(self, now: float) -> bool:
        """Return True if the time for buying is over."""
        return self.until is not None and now >= self.until


@dataclass(frozen=True, slots=True)
class DayCap:
    """The most that all runs of all catalogues may spend in one day."""

    credits: Decimal
    timezone: str = "UTC"
    """The time zone in which the day begins."""
    account: str = ""
    """The account whose spending counts; empty for that of all accounts together."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules for every purchase at one account, in every run of every catalogue."""

    thresholds: Thresholds
    day_caps: tuple[DayCap, ...] = ()


@dataclass(frozen=True, slots=True)
class Spent:
    """Sums of the ledger in credits: charged, perhaps charged, or in flight."""

    since_balance: Decimal = Decimal(0)
    """Credits spent since the account's balance was last read."""
    by_run: Decimal = Decimal(0)
    by_day: tuple[Decimal, ...] = ()
    """Credits spent today under each of `Rules.day_caps`, in their order."""
    charges: int = 0
    """Attempts for this purchase that were charged, at all accounts."""
    doubts: int = 0
    """Further attempts for it that may have been charged, until a reading of the balance tells."""


def counted(gate: Gate, spent: Decimal) -> Decimal | None:
    """Return the expected balance: the last reading, minus the spending since."""
    return None if gate.balance is None else gate.balance - spent


def authorize_purchase(
    price: Decimal, gate: Gate, spent: Spent, budget: Budget, rules: Rules, now: float
) -> tuple[Gate, BgPipelineError | None]:
    """
    Decide if a purchase is allowed, and update the gate.

    Requests in flight count as spent: together they may neither exceed a cap nor dip below the threshold.

    Returns:
        The new gate, and the objection to the purchase: WindowEnded, GateClosed, ChargedTooOften, PurchaseDeferred,
        BudgetReached, or None.
    """
    if budget.is_over(now):
        return gate, WindowEnded("the time for buying is over")
    left = counted(gate, spent.since_balance)
    if gate.is_open and left is not None and price:
        gate = on_balance(gate, left, rules.thresholds, now)
    if not gate.is_open:
        return gate, GateClosed(why_closed(gate, rules.thresholds, left))
    if refusal := _too_often(gate, spent):
        return gate, refusal
    for whose, sum_spent, cap in (
        ("of this run", spent.by_run, budget.cap),
        *(
            (f"of this day{f' at {each.account}' if each.account else ''}", today, each.credits)
            for each, today in zip(rules.day_caps, spent.by_day, strict=True)
        ),
    ):
        if cap is not None and sum_spent + price > cap:
            return gate, BudgetReached(
                f"the next image costs {price} credits, but {sum_spent} of the {cap} {whose} are spent or in flight"
            )
    return gate, None


def _too_often(gate: Gate, spent: Spent) -> BgPipelineError | None:
    """
    Limit the charges for one purchase.

        charges                                    result
        fewer than `MAX_CHARGES`                   allowed
        as many, all of them known                 a person has to ask for more
        as many, some in doubt, balance readable   wait for a reading that tells
        as many, some in doubt, no balance         a person has to ask for more
    """
    if spent.charges + spent.doubts < MAX_CHARGES:
        return None
    if spent.charges >= MAX_CHARGES or gate.balance is None:
        return ChargedTooOften(
            f"{spent.charges + spent.doubts} purchases of this picture were or may have been charged without a cutout: "
            "`bg-pipeline why KEY` lists them, `bg-pipeline retry --again KEY` buys it again"
        )
    return PurchaseDeferred(
        f"{spent.doubts} requests for this picture may have been charged; a later reading of the balance tells"
    )


def charges_of(attempts: Iterable[Attempt]) -> int:
    """Return the number of these attempts that count towards the limit of charges."""
    return sum(a.state in {AttemptState.CHARGED, AttemptState.UNUSABLE} and not a.waived for a in attempts)


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an attempt in doubt."""

    attempt: Attempt
    state: AttemptState
    """Unusable if it was or may have been charged: it counts towards the limit of charges. Otherwise refused."""
    credits_charged: Decimal
    because: str


def settle_doubts(doubts: Sequence[Attempt], fell_by: Decimal, charged: Decimal, unusable: Decimal) -> list[Settled]:
    """
    Decide which attempts in doubt were charged, by two readings of the balance of their account.

        balance                                        result
        rose                                           topped up in between, so nothing is known: all count as charged
        fell by the charges for good answers at most   all were free
        fell by all charges and the price of all       all were charged
        otherwise                                      unknown which: the oldest get what is beyond all charges, and of
                                                       each purchase as many count towards its limit as can have been
                                                       charged, should no unusable answer have been

    Args:
        doubts: attempts in doubt between the readings, oldest first.
        fell_by: credits.
        charged: charges between the readings by the ledger, credits.
        unusable: of these for unusable answers; a vendor may not have charged for them.
    """
    settled: list[Settled] = []
    left = fell_by - charged
    most = dict.fromkeys((each.purchase_id for each in doubts), left + unusable)
    for attempt in doubts:
        price, purchase = attempt.credits_expected, attempt.purchase_id
        if price and fell_by < 0:
            one = Settled(attempt, AttemptState.UNUSABLE, price, "the balance rose meanwhile, so it counts as charged")
        elif 0 < price <= left:
            left -= price
            one = Settled(attempt, AttemptState.UNUSABLE, price, "the balance shows that it was charged")
        elif 0 < price <= most[purchase]:
            because = "the balance shows a charge for it or for another, so it counts towards the limit of charges"
            one = Settled(attempt, AttemptState.UNUSABLE, Decimal(0), because)
        else:
            one = Settled(attempt, AttemptState.REFUSED, Decimal(0), "the balance shows no charge for it")
        most[purchase] -= price
        settled.append(one)
    return settled


NO_BALANCE = (
    "no balance can be read: only the caps limit what is spent, and the gate closes when the vendor says that no"
    " credits are left"
)
"""What is said of an account whose vendor has no balance."""


def why_closed(gate: Gate, thresholds: Thresholds, left: Decimal | None = None) -> str:
    """
    Explain in one sentence why the gate is closed and what opens it.

    Args:
        gate: a closed one.
        thresholds: credits at which it opens.
        left: expected balance; None for the last reading.
    """
    left = gate.balance if left is None else left
    behind = gate.drift is not None and gate.drift > 0
    shown = f" (the vendor showed {gate.reading} at the last reading, and may be minutes behind)" if behind else ""
    opens_at = moment(gate.opens_at)
    not_before = f", not before {opens_at}" if gate.until else ""
    cause = f" ({gate.why})" if gate.why else ""
    opens = f"`bg-pipeline gate open {gate.account}` opens it"
    sentences = {
        GateReason.LOW_CREDITS: f"{left} credits are left{shown}; the gate closes below {thresholds.low} and opens at "
        f"{thresholds.resume}: top up, {_lower(thresholds, left)}or {opens} for what is left",
        GateReason.NO_CREDITS: f"no credits are left{cause}: top up; "
        + (opens if left is None else f"it opens at {thresholds.resume}{not_before}, or {opens}"),
        GateReason.BALANCE_UNKNOWN: f"the balance cannot be read{cause}: check the settings of the account; {opens} "
        "anyway",
        GateReason.BAD_KEY: f"the key or a setting is refused{cause}: correct it; the gate opens at "
        f"{opens_at}, or {opens} at once",
        GateReason.OUTAGE: f"it does not serve now{cause}; it is tried again at {opens_at}",
        GateReason.QUALITY: f"it delivers less than is paid for{cause}: check the plan and the credits; then {opens}",
        GateReason.BY_HAND: f"closed by hand{cause}; {opens}",
    }
    return f"{gate.account}: {sentences.get(gate.reason, 'open')}"


def _lower(thresholds: Thresholds, left: Decimal | None) -> str:
    """Return the advice on settings that open a gate with so many credits; empty if none do."""
    if left is None or left < 1:
        return ""
    own = " and remove BG_RESUME_CREDITS" if thresholds.resume != resume_above(thresholds.low) else ""
    return f"set BG_LOW_CREDITS to at most {int(left // 2)}{own}, "


def day_of(now: float, timezone: str) -> tuple[float, float]:
    """Return the epoch seconds of the last midnight in this time zone, and of the next."""
    began = datetime.fromtimestamp(now, ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return began.timestamp(), (began + timedelta(days=1)).timestamp()


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The ledger compared with two readings of the balance."""

    fell_by: Decimal
    charged: Decimal
    in_doubt: Decimal
    drift: Decimal
    """Credits explained neither by charges nor by purchases in doubt; positive when more is gone."""
    sound: bool
    because: str


def reconcile(before: Decimal, after: Decimal, charged: Decimal, in_doubt: Decimal) -> Reconciliation:
    """
    Compare the fall of the balance with the ledger.

        balance                                        result
        rose                                           sound: topped up in between, so nothing is known
        fell by charged to charged + in doubt          sound
        within `MOST_DRIFT` of that                    sound
        otherwise                                      drift

    Args:
        before: an earlier reading, credits.
        after: a later one.
        charged: credits charged between them, by the ledger.
        in_doubt: further credits that may have been charged.
    """
    fell_by = before - after
    drift = min(Decimal(0), fell_by - charged) + max(Decimal(0), fell_by - charged - in_doubt)
    if fell_by < 0:
        return Reconciliation(fell_by, charged, in_doubt, Decimal(0), True, "topped up in between")
    sound = abs(drift) <= MOST_DRIFT * max(charged, fell_by)
    because = "as in the ledger" if not drift else f"the balance fell by {fell_by}, the ledger says {charged}"
    if in_doubt and drift:
        because += f" and {in_doubt} in doubt"
    return Reconciliation(fell_by, charged, in_doubt, drift, sound, because)
