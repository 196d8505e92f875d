"""Decide which masters that no item uses may be removed. In doubt they stay: they are paid for."""

from bg_pipeline.core.deletes import ceiling

_DAY_S = 86_400.0


def unused_before(days: int, now: float) -> float:
    """Return the epoch second since which a master must be unused to be removed now."""
    return now - days * _DAY_S


def excess(due: int, masters: int, allowed: int) -> str:
    """
    Return the reason why so many masters may not be removed at once; empty if they may.

    Args:
        due: masters that would be removed.
        masters: all masters on record.
        allowed: number that a person allowed.
    """
    most = ceiling(masters)
    if due <= max(most, allowed):
        return ""
    return (
        f"{due} of {masters} masters would be pruned, and at most {most} may go without a person. Nothing was pruned. "
        "Check that BG_SOURCE is the right location and complete; `bg-pipeline prune` shows them and asks"
    )
