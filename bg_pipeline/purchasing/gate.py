"""Read the gates of the accounts, and move them by the answers of the vendors."""

from collections.abc import Callable
from decimal import Decimal

from bg_pipeline.core.gate import (
    Gate,
    GateReason,
    on_reading,
    on_refusal,
    on_success,
    on_time,
    on_unreadable,
)
from bg_pipeline.errors import AccountError, BgPipelineError, Deferred, NoCredits, QualityDropped, TransientError
from bg_pipeline.ports.context import Accounts, Policy, Run
from bg_pipeline.ports.purchasing import Gates
from bg_pipeline.ports.running import Now


def gates_of(accounts: Accounts, policy: Policy) -> list[Gate]:
    """Return the recorded gates of all accounts, in the order in which the accounts are tried."""
    return [accounts.gates.gate(account) for account in policy.accounts]


def read_balances(accounts: Accounts, policy: Policy, run: Run) -> list[Gate]:
    """Read the balance of every account and move its gate; return the gates in the order of `gates_of`."""
    return [read_balance(accounts, policy, run, account) for account in policy.accounts]


def read_balance(accounts: Accounts, policy: Policy, run: Run, account: str) -> Gate:
    """Read the balance of one account and move its gate; return the new gate."""
    # The balance may not include purchases that end while the answer is on its way.
    asked_at = run.now()
    balance = None
    failure: BgPipelineError | None = None
    try:
        balance = accounts.removers[account].balance()
    except (AccountError, TransientError) as error:
        failure = error

    def move(gate: Gate, spent: Callable[[float], Decimal]) -> Gate:
        gate = on_time(gate, run.now())
        if isinstance(failure, AccountError):
            return on_refusal(gate, _reason(failure), str(failure), run.now())
        if failure is not None:
            return on_unreadable(gate, str(failure), run.now())
        return gate if balance is None else on_reading(gate, balance, spent, policy.thresholds[account], asked_at)

    return accounts.ledger.change_gate(account, move)


def report_answer(gates: Gates, account: str, error: BgPipelineError | None, now: Now) -> None:
    """Move the gate by a vendor's answer to a purchase; no error means success."""
    if error is None:
        gates.change_gate(account, on_success)
        return
    for_s = error.for_s if isinstance(error, Deferred) else 0.0
    gates.change_gate(account, lambda gate: on_refusal(gate, _reason(error), str(error), now(), for_s))


def _reason(error: BgPipelineError) -> GateReason:
    if isinstance(error, NoCredits):
        return GateReason.NO_CREDITS
    if isinstance(error, AccountError):
        return GateReason.BAD_KEY
    return GateReason.QUALITY if isinstance(error, QualityDropped) else GateReason.OUTAGE
