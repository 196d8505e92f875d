"""The failures of a catalogue that stand, and their acceptance by a person."""

from collections.abc import Collection, Sequence

from bg_pipeline.core.failures import StandingFailure
from bg_pipeline.core.report import Cause, Failure, Summary
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.pipeline.listing import ScanResult
from bg_pipeline.ports.context import Catalogue, Policy


def standing_failures(
    catalogue: Catalogue, policy: Policy, collections: Collection[str] | None = None
) -> list[StandingFailure]:
    """Return the failures that stand, also accepted ones, of all or these collections; none of what is left out."""
    return [
        failure
        for failure in catalogue.failures.standing()
        if not policy.filter.leaves_out(failure.key) and (collections is None or failure.collection in collections)
    ]


def accept(catalogue: Catalogue, policy: Policy, keys: Sequence[str] | None, reason: str) -> list[str]:
    """
    Accept these failures, or all that stand; return the keys in order.

    Raises:
        ConfigurationError: there is no reason, or a key has no failure; nothing was accepted.
    """
    if not reason.strip():
        raise ConfigurationError("an accepted failure needs a reason for others: --reason TEXT")
    standing = [failure.key for failure in standing_failures(catalogue, policy)]
    for key in keys or ():
        if key not in standing:
            raise ConfigurationError(
                f"{key!r} has no failure that stands; nothing was accepted. `bg-pipeline failures` lists them"
            )
    return catalogue.failures.accept(standing if keys is None else keys, reason.strip())


def count_standing(
    catalogue: Catalogue, policy: Policy, scan: ScanResult, summary: Summary, collections: Collection[str] | None
) -> None:
    """Add to the summary of a night what its scan could not look at or read, and the failures that stand."""
    summary.not_looked = scan.not_looked
    summary.hosts_down = scan.hosts_down
    failures = [each for each in standing_failures(catalogue, policy, collections) if not each.accepted]
    unreadable = [each for each in failures if each.key in scan.unreadable]
    summary.standing = len(failures)
    summary.failed += len(unreadable)
    summary.failures += [Failure(each.key, each.state, each.why, Cause.UNREADABLE) for each in unreadable]
