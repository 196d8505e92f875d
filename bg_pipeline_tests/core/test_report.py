"""When a collection counts as done."""

import pytest

from bg_pipeline.core.records import State
from bg_pipeline.core.report import Cause, Failure, Summary, why_unfinished

CORRUPT = Failure("c/a.jpg", State.FAILED, "corrupt", Cause.PICTURE)
BUSY = "another run holds some of the items"


@pytest.mark.parametrize(
    ("listed", "published", "result", "left_because", "why"),
    [
        (2, 2, Summary(), "", ""),
        (2, 1, Summary(failures=[CORRUPT]), "", ""),
        (2, 1, Summary(pending=1), "", ""),
        (2, 2, Summary(), BUSY, ""),
        (2, 1, Summary(pending=1), BUSY, BUSY),
        (0, 0, Summary(), "", "no item"),
        (2, 0, Summary(failures=[CORRUPT]), "", "c/a.jpg: corrupt"),
        (2, 0, Summary(pending=2), "", ""),
        (2, 1, Summary(pending=1, failures=[CORRUPT]), BUSY, BUSY),
    ],
)
def test_a_collection_is_done_unless_it_is_empty_or_all_failed_or_requested_items_were_left(
    listed: int, published: int, result: Summary, left_because: str, why: str
) -> None:
    reason = why_unfinished(listed, published, result, left_because)

    assert bool(reason) == bool(why)
    assert why in reason
