"""What both soaks count of the money, and the table at their end."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy

from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.benchmarks.tables import show, verdict

Line = tuple[str, Any, bool | None]
"""What was counted, how much of it, and whether that is as it must be; None where it need not be."""

MOST_CHARGES = 3


def charges(vendor: SandboxState) -> Counter[str]:
    """By the picture that was sent."""
    return Counter(charge.sha256 for charge in vendor.ledger.charges())


def of_money(vendor: SandboxState, manifest: str, most_extra: int) -> list[Line]:
    """
    Args:
        vendor: who counted the charges.
        manifest: URL of the database with the attempts.
        most_extra: requests that were in flight when something was killed, and charged faults.
    """
    engine = sqlalchemy.create_engine(manifest)
    with engine.connect() as conn:
        recorded = Counter(sent for (sent,) in conn.exec_driver_sql("SELECT sent_digest FROM attempts"))
    engine.dispose()
    charged = charges(vendor)
    extra = charged.total() - len(charged)
    return [
        ("charges without a record", (charged - recorded).total(), not charged - recorded),
        ("most charges for one picture", max(charged.values()), max(charged.values()) <= MOST_CHARGES),
        ("charges beyond one a picture", f"{extra} of at most {most_extra}", extra <= most_extra),
    ]


def end(lines: Sequence[Line]) -> bool:
    """Show the table; return whether all lines were met."""
    show(("soak", "", ""), [(name, str(value), "" if met is None else verdict(met)) for name, value, met in lines])
    return all(met is not False for _, _, met in lines)
