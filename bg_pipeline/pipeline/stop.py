"""A request to end a run that works in another process, perhaps on another machine."""

from bg_pipeline.core.claims import run_of_lease
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.ports.context import Monitor

_COMMANDS = "command "


def runs_at_work(monitor: Monitor) -> dict[str, str]:
    """Return the owner of each run that works now: Dagster's by their leases, commands by their claims."""
    held = {run: lease.owner for lease, _ in monitor.leases.leases() if (run := run_of_lease(lease.name))}
    claims = [each for each in monitor.queue.claims() if each.ask.budget.run.startswith(_COMMANDS)]
    return held | {claim.ask.budget.run: claim.owner for claim in claims}


def ask_to_stop(monitor: Monitor, name: str, by: str) -> str:
    """
    Ask the one run to end whose name begins like this; return its owner.

    Raises:
        ConfigurationError: no run, or more than one, has such a name.
    """
    at_work = runs_at_work(monitor)
    called = [run for run in at_work if run.startswith(name)]
    if len(called) != 1:
        listed = "".join(f"\n  {run}  {owner}" for run, owner in at_work.items()) or " none"
        several = "several runs have" if called else "no run at work has"
        raise ConfigurationError(f"{several} a name that begins with {name!r}. At work:{listed}")
    monitor.stops.ask(called[0], by)
    return at_work[called[0]]
