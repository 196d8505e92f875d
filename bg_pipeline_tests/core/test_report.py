"""When a collection counts as done."""

import pytest

from bg_pipeline.core.hosts import HostOutage
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Cause, Exit, Failure, Summary, why_unfinished

CORRUPT = Failure("c/a.jpg", State.FAILED, "corrupt", Cause.PICTURE)
BUSY = "another run holds some of the items"


@pytest.mark.parametrize(
    ("listed", "published", "result", "left", "left_because", "why"),
    [
        (2, 2, Summary(), 0, "", ""),
        (2, 1, Summary(failures=[CORRUPT]), 0, "", ""),
        (2, 1, Summary(), 1, "", ""),
        (2, 2, Summary(), 0, BUSY, ""),
        (2, 1, Summary(), 1, BUSY, f"1 items are left: {BUSY}"),
        (2, 2, Summary(), 2, BUSY, f"2 items are left: {BUSY}"),
        (0, 0, Summary(), 0, "", "no item"),
        (2, 0, Summary(failures=[CORRUPT]), 0, "", "c/a.jpg: corrupt"),
        (2, 0, Summary(), 2, "", ""),
        (2, 1, Summary(failures=[CORRUPT]), 1, BUSY, BUSY),
    ],
)
def test_a_collection_is_done_unless_it_is_empty_or_all_failed_or_requested_items_were_left(
    listed: int, published: int, result: Summary, left: int, left_because: str, why: str
) -> None:
    reason = why_unfinished(listed, published, result, left, left_because)

    assert bool(reason) == bool(why)
    assert why in reason


@pytest.mark.parametrize(
    ("summary", "code", "reason"),
    [
        (Summary(), Exit.DONE, "no failure stands"),
        (Summary(failed=2, standing=2), Exit.SOME_FAILED, "2 items failed; 2 failures stand"),
        (Summary(standing=1), Exit.SOME_FAILED, "1 failures stand"),
        (Summary(quarantined=1), Exit.SOME_FAILED, "1 items wait for a review"),
        (Summary(not_looked={"c/": "locked"}), Exit.SOME_FAILED, "1 items or folders could not be looked at"),
        (Summary(hosts_down=(HostOutage("cdn", 20, "503"),)), Exit.SOME_FAILED, "cdn does not serve its 20 items"),
        (Summary(budget_reached=True, pending=3), Exit.BUDGET, "the credit limit is reached; 3 items are pending"),
        (Summary(window_ended=True, pending=3), Exit.BUDGET, "the time for buying is over: 3 items are left"),
        (Summary(paused="no credits are left", standing=1), Exit.PAUSED, "no credits are left"),
    ],
)
def test_each_exit_code_has_its_reason(summary: Summary, code: Exit, reason: str) -> None:
    assert summary.exit_code is code
    assert reason in summary.exit_reason
