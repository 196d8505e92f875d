"""Refusals of single pictures by an account that is well."""

from collections.abc import Sequence
from itertools import takewhile

from bg_pipeline.core.moments import age_s
from bg_pipeline.core.records import Attempt
from bg_pipeline.core.responses import ResponseKind
from bg_pipeline.core.retry import moment
from bg_pipeline.errors import RefusedForNow

IN_A_ROW = 3
"""Different pictures refused in a row, after which the account is at fault, not the pictures."""

FIRST_WAIT_S, LONGEST_WAIT_S = 600.0, 86_400.0
"""Seconds before a refused picture is sent again; doubled for each refusal in a row."""


def refused_lately(attempts: Sequence[Attempt], cleared_at: float, now: float) -> RefusedForNow | None:
    """
    Return the objection to sending a picture again that was refused lately; None if there is none.

    Args:
        attempts: all for this picture at one account, oldest first.
        cleared_at: epoch seconds; refusals before do not count.
        now: epoch seconds.
    """
    counted = ((a, a.ended_at or a.started_at) for a in reversed(attempts))
    row = list(takewhile(lambda each: each[0].kind == ResponseKind.REFUSED and each[1] > cleared_at, counted))
    if not row:
        return None
    (last, ended_at), times = row[0], len(row)
    wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(times - 1, 16))
    if age_s(ended_at, now) >= wait_s:
        return None
    again_at = ended_at + wait_s
    return RefusedForNow(
        f"{last.account} refused this picture {times} times in a row; it is not sent again before {moment(again_at)}. "
        f"The last: {last.detail}"
    )
