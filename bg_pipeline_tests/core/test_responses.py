"""The kind tables, line by line, and what holds where they say nothing."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_pipeline.core.responses import (
    DEFAULT_RULES,
    ResponseKind,
    Rule,
    Shape,
    classify_response,
    number,
    read_json,
    shape_of,
    vendor_error,
)
from bg_pipeline.vendors.bgeraser import client as bgeraser
from bg_pipeline.vendors.photoroom import client as photoroom
from bg_pipeline.vendors.removebg import client as removebg

TABLES = {"bgeraser": bgeraser.RESPONSES, "removebg": removebg.RESPONSES, "photoroom": photoroom.RESPONSES}
LINES = [(f"{name} {number}", table, rule) for name, table in TABLES.items() for number, rule in enumerate(table)]


def case(rule: Rule) -> list[tuple[int, str, Shape]]:
    """Every status, code and shape that a line names; where it names none, one that is in no table."""
    statuses = rule.statuses if len(rule.statuses) < 50 else (200, 418, 599)
    return [
        (status, code, shape)
        for status in statuses
        for code in (rule.codes or ("a code that nobody knows",))
        for shape in (rule.shapes or (Shape.OTHER,))
    ]


@pytest.mark.parametrize(("table", "rule"), [pytest.param(t, r, id=name) for name, t, r in LINES])
def test_every_line_of_a_table_is_reached_and_says_why(table: Sequence[Rule], rule: Rule) -> None:
    for status, code, shape in case(rule):
        assert classify_response(table, status, code, shape) is rule
    assert rule.because


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (100, ResponseKind.OUTCOME_UNKNOWN),
        (201, ResponseKind.OUTCOME_UNKNOWN),
        (202, ResponseKind.OUTCOME_UNKNOWN),
        (204, ResponseKind.OUTCOME_UNKNOWN),
        (301, ResponseKind.ACCOUNT),
        (307, ResponseKind.ACCOUNT),
        (401, ResponseKind.ACCOUNT),
        (402, ResponseKind.NO_CREDITS),
        (403, ResponseKind.ACCOUNT),
        (404, ResponseKind.ACCOUNT),
        (405, ResponseKind.ACCOUNT),
        (408, ResponseKind.TRANSIENT),
        (413, ResponseKind.REJECTED),
        (415, ResponseKind.REJECTED),
        (422, ResponseKind.REJECTED),
        (429, ResponseKind.RATE_LIMITED),
        (451, ResponseKind.ACCOUNT),
        (500, ResponseKind.TRANSIENT),
        (501, ResponseKind.OUTCOME_UNKNOWN),
        (502, ResponseKind.OUTCOME_UNKNOWN),
        (503, ResponseKind.TRANSIENT),
        (504, ResponseKind.OUTCOME_UNKNOWN),
        (520, ResponseKind.OUTCOME_UNKNOWN),
        (521, ResponseKind.TRANSIENT),
        (524, ResponseKind.OUTCOME_UNKNOWN),
        (599, ResponseKind.OUTCOME_UNKNOWN),
        (999, ResponseKind.OUTCOME_UNKNOWN),
    ],
)
def test_every_vendor_agrees_on_what_http_itself_says(
    table: Sequence[Rule], status: int, expected: ResponseKind
) -> None:
    """A gateway may hide a call that was charged; 500 and 503 are the service's own word that it failed."""
    assert classify_response(table, status, "", Shape.OTHER).kind is expected


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@given(status=st.integers(100, 999), code=st.text(max_size=5), shape=st.sampled_from(Shape))
def test_there_is_a_verdict_for_whatever_is_answered(
    table: Sequence[Rule], status: int, code: str, shape: Shape
) -> None:
    kind = classify_response(table, status, code, shape).kind

    assert kind is not ResponseKind.OK or status == 200
    assert kind in {ResponseKind.OK, ResponseKind.UNUSABLE, ResponseKind.NO_CREDITS} or status != 200
    assert DEFAULT_RULES[-1].fits(status, code, shape)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n", Shape.PICTURE),
        (b"PK\x03\x04", Shape.ZIP),
        (b'{"data": {}}', Shape.JSON),
        (b'{"success": true, "message": "fine", "error": null}', Shape.JSON),
        (b'{"success": false}', Shape.REFUSAL),
        (b'{"error": {"detail": "no"}}', Shape.REFUSAL),
        (b'{"errors": [{}]}', Shape.REFUSAL),
        (b"[1]", Shape.OTHER),
        (b"{}", Shape.OTHER),
        (b"<html>", Shape.OTHER),
        (b"", Shape.OTHER),
        (b"[" * 200_000, Shape.OTHER),
        (b'{"a": ' * 100_000, Shape.OTHER),
    ],
)
def test_a_body_is_what_its_bytes_say(body: bytes, expected: Shape) -> None:
    assert shape_of(body) is expected


@given(st.binary(max_size=50))
def test_no_body_is_an_error(body: bytes) -> None:
    assert shape_of(body)
    assert len(vendor_error(read_json(body))) == 2


@pytest.mark.parametrize(
    ("found", "expected"),
    [(7, 7), ("7.25", Decimal("7.25")), (Decimal("0.1"), Decimal("0.1")), (0, 0), (-1, None), (10**9 + 1, None)]
    + [(odd, None) for odd in (True, None, [], {}, "N/A", "", "NaN", "Infinity", float("nan"), "1e12", "1e999999999")],
)
def test_a_number_of_credits_is_finite_and_within_reason(found: Any, expected: Any) -> None:
    assert number(found, 10**9) == expected


def test_a_balance_may_be_below_zero() -> None:
    assert number("-3.5", 10**9, -(10**9)) == Decimal("-3.5")
    assert number(-(10**9) - 1, 10**9, -(10**9)) is None
