"""Waits, headers, exit codes and summaries."""

import json
import math
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline import errors
from bg_pipeline.core.claims import AskedBy
from bg_pipeline.core.credits import runs_out_on
from bg_pipeline.core.media import sniff
from bg_pipeline.core.records import RateFacts, State
from bg_pipeline.core.report import Cause, Exit, Failure, Summary, exit_code_of
from bg_pipeline.core.retry import LONGEST_WAIT_S, moment, parse_rate, parse_retry_after, wait_s
from bg_pipeline.core.runlog import ProcessRecord, from_json, to_json

DATE = "Mon, 01 Jun 2020 15:48:36 GMT"
HEADERS = st.none() | st.sampled_from(("7", "-5", DATE, "Mon, 01 Jun 2020 15:48:36 +9999")) | st.text(max_size=12)


@pytest.mark.parametrize(
    ("value", "date_header", "expected"),
    [
        ("7", None, 7.0),
        (" 0 ", None, 0.0),
        ("-5", None, 0.0),
        ("86400", None, LONGEST_WAIT_S),
        ("99999999999999999999", None, LONGEST_WAIT_S),
        ("Wed, 21 Oct 2026 07:28:10 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 10.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2026 07:28:10 GMT", None, None),
        ("soon", None, None),
        ("1.5", None, None),
        ("", None, None),
        (None, None, None),
        ("Wed, 99 Oct 2026 07:28:10 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("Wednesday, 21-Oct-26 07:28:10 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 10.0),
        ("Wed Oct 21 07:28:10 2026", "Wed, 21 Oct 2026 07:28:00 GMT", 10.0),
        ("Wed, 21 Oct 2026 09:28:10 +0200", "Wed, 21 Oct 2026 07:28:00 GMT", 10.0),
        pytest.param("Thu, 01 Jan 1970 00:01:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", 60.0, id="their clock is off"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", LONGEST_WAIT_S, id="huge"),
        ("Wed, 21 Oct 2026 07:28:10 GMT", "just now", None),
        ("120, 60", None, None),
        ("inf", None, None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(
    value: str | None, date_header: str | None, expected: float | None
) -> None:
    assert parse_retry_after(value, date_header) == expected


@given(value=HEADERS, date_header=HEADERS)
def test_no_header_of_a_service_is_an_error(value: str | None, date_header: str | None) -> None:
    wait = parse_retry_after(value, date_header)

    assert wait is None or 0 <= wait < math.inf
    assert parse_rate(value, value, value, date_header) is None or value


@pytest.mark.parametrize(
    ("limit", "remaining", "reset", "date_header", "expected"),
    [
        pytest.param("500", "494", "1591026567", DATE, RateFacts(500, 494, 51), id="recorded"),
        pytest.param("500", "494", "1591026567000", DATE, RateFacts(500, 494, 51), id="in milliseconds"),
        pytest.param("500", "0", "1591626567", DATE, RateFacts(500, 0, LONGEST_WAIT_S), id="in a week"),
        pytest.param("500", "0", "9" * 40, DATE, RateFacts(500, 0, LONGEST_WAIT_S), id="never"),
        pytest.param("500", "494", "1591026000", DATE, RateFacts(500, 494, 0), id="over already"),
        pytest.param("500", "900", "1591026567", DATE, RateFacts(500, 500, 51), id="more left than there are"),
        pytest.param("500", "494", "1591026567", None, None, id="no clock of theirs"),
        pytest.param("500", "494", "1591026567", "now", None, id="no date"),
        pytest.param("500", None, "1591026567", DATE, None, id="not all of it"),
        pytest.param("500", "-1", "1591026567", DATE, None, id="negative"),
        pytest.param("500", "NaN", "1591026567", DATE, None, id="no number"),
    ],
)
def test_a_rate_limit_is_read_against_the_date_of_its_own_answer(
    limit: str, remaining: str | None, reset: str, date_header: str | None, expected: RateFacts | None
) -> None:
    assert parse_rate(limit, remaining, reset, date_header) == expected


@pytest.mark.parametrize(("retry", "expected"), [(0, 1.0), (1, 2.0), (3, 8.0), (6, 60.0), (10_000, 60.0)])
def test_the_wait_doubles_up_to_a_minute(retry: int, expected: float) -> None:
    assert wait_s(retry, None, jitter=1.0) == expected


def test_a_wait_that_the_service_names_is_obeyed() -> None:
    assert wait_s(0, 33.0, jitter=0.1) == 33.0
    assert wait_s(0, 1e18, jitter=0.1) == LONGEST_WAIT_S


@pytest.mark.parametrize("epoch_s", [-1e300, -1.0, 0.0, 1_796_000_000.0, 1.8e12, 1e17, 1e300, math.inf])
def test_every_time_that_may_be_stored_can_be_shown(epoch_s: float) -> None:
    assert moment(epoch_s).endswith(" UTC")


@pytest.mark.parametrize(
    ("balance", "spent", "expected"),
    [
        (Decimal(300), Decimal(300), date(1970, 1, 31)),
        (Decimal(-5), Decimal(300), date(1970, 1, 1)),
        (None, Decimal(5), None),
        (Decimal(5), Decimal(0), None),
    ],
)
def test_the_run_out_date_follows_the_spending(balance: Decimal | None, spent: Decimal, expected: date | None) -> None:
    assert runs_out_on(balance, spent, days=30, now=0.0) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.ConfigurationError(""), Exit.SETTINGS),
        (errors.NoCredits(""), Exit.PAUSED),
        (errors.GuardStopped(""), Exit.GUARD),
        (errors.LeaseHeld(""), Exit.LEASE),
        (errors.BudgetReached(""), Exit.BUDGET),
        (errors.SourceUnreadable(""), Exit.FATAL),
    ],
)
def test_every_error_that_ends_a_command_has_its_exit_code(error: errors.BgPipelineError, expected: Exit) -> None:
    assert exit_code_of(error) is expected


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        (Summary(published=3), Exit.DONE),
        (Summary(failed=1), Exit.SOME_FAILED),
        (Summary(quarantined=1), Exit.SOME_FAILED),
        (Summary(failed=1, paused="no credits"), Exit.PAUSED),
        (Summary(budget_reached=True), Exit.BUDGET),
        (Summary(pending=1, failures=[Failure("a", State.PENDING, "503", Cause.SERVICE)]), Exit.SOME_FAILED),
    ],
)
def test_the_exit_code_of_a_summary_is_the_worst_that_happened(summary: Summary, expected: Exit) -> None:
    assert summary.exit_code is expected


def test_summaries_of_collections_add_up() -> None:
    total = Summary(published=1, credits=Decimal(1), by_reason={"new": 1})
    total.add(Summary(published=2, credits=Decimal("0.25"), failed=1, by_reason={"new": 1, "renamed": 1}))

    assert (total.published, total.credits, total.failed) == (3, Decimal("1.25"), 1)
    assert total.by_reason == {"new": 2, "renamed": 1}


def test_a_summary_survives_being_logged() -> None:
    summary = Summary(
        credits=Decimal("0.25"),
        saved=Decimal(3),
        credits_in_doubt=Decimal(1),
        bought_from={"bgeraser": 2},
        paused="an outage",
        failures=[Failure("a", State.FAILED, "x", Cause.PICTURE)],
    )
    record = ProcessRecord(
        run_id="r", job="j", collections=None, started_at=1.0, asked_by=AskedBy.NIGHT, everything=True, summary=summary
    )

    assert from_json(ProcessRecord, json.loads(json.dumps(to_json(record)))) == record


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVE", ""),
        (b"\0\0\0\x20ftypavif", "image/avif"),
        (b"<!doctype html>", ""),
        (b"", ""),
    ],
)
def test_a_file_is_what_its_first_bytes_say(head: bytes, media_type: str) -> None:
    assert sniff(head) == media_type
