"""
The balance as an asset: a plot over weeks, and a check that fails while the gate is closed.

Tick, asset and check show the same `Balance`: the last reading, counted down by what was spent since.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal

import dagster as dg

from bg_pipeline.core.credits import why_closed
from bg_pipeline.core.gate import Gate, Thresholds, first_open
from bg_pipeline.core.moments import age_s, ago
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.orchestration.metadata import OWNERS, Metadata
from bg_pipeline.orchestration.names import AccountNames
from bg_pipeline.orchestration.opener import Opener
from bg_pipeline.orchestration.pool import pause_pool, resume_pool
from bg_pipeline.orchestration.waiting import show_waiting_runs
from bg_pipeline.ports.context import Accounts, Pipeline
from bg_pipeline.purchasing.gate import read_balances
from bg_pipeline.purchasing.money import left_of

CHECK = "gate_open"

EVERY_S = 600.0
"""Longest time in seconds until a balance that falls is written again. One event per tick would add megabytes a
night."""

_SHORTEST_S = 60.0
"""Shortest time in seconds between two events, unless a gate moved."""

Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


@dataclass(frozen=True, slots=True)
class Balance:
    """The gate of an account and the credits that should be left now; None where none are counted."""

    gate: Gate
    left: Decimal | None


def balances_of(accounts: Accounts, gates: Sequence[Gate]) -> list[Balance]:
    return [Balance(gate, left_of(accounts, gate)) for gate in gates]


def in_words(balances: Sequence[Balance], thresholds: Mapping[str, Thresholds], now: float) -> str:
    """Return one line about all accounts: the credits left, how old that reading is, and why a gate is closed."""
    return "; ".join(_sentence(balance, thresholds, now) for balance in balances)


def _sentence(balance: Balance, thresholds: Mapping[str, Thresholds], now: float) -> str:
    gate, left = balance.gate, balance.left
    if left is None:
        known, read = "counts no credits", ""
    else:
        known, read = f"{left} credits", f" (balance read {ago(gate.balance_at, now)})"
    if gate.is_open:
        return f"{gate.account}: {known}{read}, requests are allowed"
    return f"{why_closed(gate, thresholds[gate.account], left)}{read}"


@dataclass(frozen=True, slots=True)
class LastReported:
    """Values at the last event, and at the last tick."""

    gates: str = ""
    balances: str = ""
    at: float = 0.0
    """Epoch seconds of the last event."""
    seen: str = ""
    """Balances at the last tick."""

    @classmethod
    def from_cursor(cls, cursor: str | None) -> "LastReported":
        try:
            return cls(**json.loads(cursor or "{}"))
        except (ValueError, TypeError):
            return cls()

    def cursor(self) -> str:
        return json.dumps(asdict(self))


def changes_since(
    names: AccountNames,
    balances: Sequence[Balance],
    thresholds: Mapping[str, Thresholds],
    before: LastReported,
    now: float,
) -> tuple[LastReported, list[Event]]:
    """
    Return the new cursor and the events to write.

        gate      balance                                 result
        moved     -                                       write
        same      as at the last event                    nothing
        same      as at the last tick: it came to rest    write, a minute after the last event
        same      still moving                            write, `EVERY_S` after the last event
    """
    gates = "; ".join(f"{b.gate.account} {b.gate.state} {b.gate.reason} {b.gate.pause}" for b in balances)
    shown = "; ".join(str(balance.left) for balance in balances)
    wait_s = _SHORTEST_S if shown == before.seen else EVERY_S
    if gates == before.gates and (shown == before.balances or age_s(before.at, now) < wait_s):
        return LastReported(before.gates, before.balances, before.at, shown), []
    return LastReported(gates, shown, now, shown), events_of(names, balances, thresholds)


def events_of(names: AccountNames, balances: Sequence[Balance], thresholds: Mapping[str, Thresholds]) -> list[Event]:
    """Return both events: Dagster shows a check as not evaluated if its asset has a newer one."""
    facts = _facts(balances, thresholds)
    check = dg.AssetCheckEvaluation(
        asset_key=names.balance,
        check_name=CHECK,
        passed=first_open([balance.gate for balance in balances]).is_open,
        metadata=facts,
        severity=dg.AssetCheckSeverity.ERROR,
    )
    return [dg.AssetMaterialization(names.balance, metadata=facts), check]


def _facts(balances: Sequence[Balance], thresholds: Mapping[str, Thresholds]) -> Metadata:
    """Name the first account's balance `balance`, so that its plot continues when a second account is added."""
    facts: Metadata = {}
    for number, (gate, left) in enumerate((balance.gate, balance.left) for balance in balances):
        suffix = f"_{gate.account}" if number else ""
        facts[f"account{suffix}"] = dg.MetadataValue.text(gate.account)
        if left is not None:
            facts[f"balance{suffix}"] = dg.MetadataValue.float(float(left))
            facts[f"balance_read_at{suffix}"] = dg.MetadataValue.timestamp(gate.balance_at)
        closed = "" if gate.is_open else why_closed(gate, thresholds[gate.account], left)
        facts[f"gate{suffix}"] = dg.MetadataValue.text(closed or "open: requests are allowed")
    return facts


@dataclass(frozen=True, slots=True)
class AccountOpener:
    """Opens an account, which is one for all catalogues that buy at it."""

    names: AccountNames
    catalogues: Sequence[Opener]
    """The catalogues that buy at it."""

    @contextmanager
    def open(self) -> Iterator[Pipeline]:
        """
        Open the pipeline of the first catalogue whose settings are right: a wrong one stops no other.

        Raises:
            Failure: the settings of all of them are wrong, or none buys there.
        """
        if not self.catalogues:
            raise dg.Failure(f"no catalogue buys at the account {self.names.account}", allow_retries=False)
        with next(filter(_is_usable, self.catalogues), self.catalogues[0]).open() as services:
            yield services


def _is_usable(opener: Opener) -> bool:
    try:
        opener.settings()
    except ConfigurationError:
        return False
    return True


def build_account(opener: AccountOpener) -> dg.Definitions:
    """Return the balance of an account, the check of its gate, and the sensor that reads the balance."""
    names = opener.names
    sensor = _low_credit_sensor(opener)
    balance = dg.AssetSpec(
        names.balance,
        description="The credits left in each account: its last reading, minus what was spent since. The sensor "
        f"`{sensor.name}` reads it twice a minute and writes it here within a minute, or every ten minutes while a run "
        "spends. Below BG_LOW_CREDITS nothing is bought.",
        group_name=names.group,
        owners=OWNERS,
        kinds={"python"},
    )
    return dg.Definitions(assets=[balance], asset_checks=[_gate_open(opener)], sensors=[sensor])


def _gate_open(opener: AccountOpener) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=opener.names.balance,
        name=CHECK,
        description="At least one account allows requests. If none does, the entry `gate` says why and what to do; "
        "after a top-up a gate opens by itself.",
    )
    def gate_open() -> dg.AssetCheckResult:
        with opener.open() as services:
            thresholds = services.policy.thresholds
            gates = read_balances(services.accounts, services.policy, services.run)
            facts = _facts(balances_of(services.accounts, gates), thresholds)
        return dg.AssetCheckResult(passed=first_open(gates).is_open, metadata=facts)

    return gate_open


def _low_credit_sensor(opener: AccountOpener) -> dg.SensorDefinition:
    pool = opener.names.pool

    @dg.sensor(
        name=opener.names.name("low_credit_sensor"),
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Reads the balance. Below the threshold it closes the gate and sets the pool `{pool}` to 0; after "
        "a top-up it opens the gate and restores the pool. Tags the runs that wait for either with what they wait for.",
    )
    def low_credit_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """Read the balances. The tick shows the gates, and `credit_balance` shows them over time."""
        with opener.open() as services:
            accounts, policy, run = services.accounts, services.policy, services.run
            balances = balances_of(accounts, read_balances(accounts, policy, run))
            now, thresholds = run.now(), policy.thresholds
            before = LastReported.from_cursor(context.cursor)
            reported, events = changes_since(opener.names, balances, thresholds, before, now)
            status = in_words(balances, thresholds, now)
        allowed = first_open([balance.gate for balance in balances]).is_open
        (resume_pool if allowed else pause_pool)(context.instance, pool)
        closed = "" if allowed else _all_closed(balances, thresholds)
        show_waiting_runs(context.instance, pool, closed, now)
        return dg.SensorResult(skip_reason=status, cursor=reported.cursor(), asset_events=events)

    return low_credit_sensor


def _all_closed(balances: Sequence[Balance], thresholds: Mapping[str, Thresholds]) -> str:
    """Return why each gate is closed."""
    return "; ".join(why_closed(each.gate, thresholds[each.gate.account], each.left) for each in balances)
