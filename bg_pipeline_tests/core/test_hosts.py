"""When a picture host counts as down, and what that means for its items."""

import pytest

from bg_pipeline.core.hosts import HostOutage, PictureHost, Unanswered, blames_host, judge
from bg_pipeline.core.records import Listed


def host_after(answers: str) -> PictureHost:
    """A host by its answers: `+` for one, `-` for none."""
    host = PictureHost("cdn.example.com")
    for answer in answers:
        if answer == "+":
            host.answered()
        else:
            host.failed("cdn.example.com answered 503", 0.0)
    return host


def unanswered(key: str, host: PictureHost, *, unknown: bool = False) -> Unanswered:
    return Unanswered(Listed(key, "", 1), f"{key}: no answer", host, unknown)


@pytest.mark.parametrize(
    ("answers", "down"),
    [
        ("", False),
        ("--", False),
        ("---", True),
        ("+---", False),
        ("--+-", False),
        ("+" + "-" * 10, True),
        ("-" * 10, True),
        ("-" * 10 + "+", False),
    ],
)
def test_a_host_is_down_after_several_failures_without_any_answer(answers: str, down: bool) -> None:
    assert host_after(answers).is_down is down


@pytest.mark.parametrize(
    ("status", "blames"),
    [(500, True), (502, True), (503, True), (429, True), (408, True), (403, False), (404, False), (410, False)],
)
def test_only_some_statuses_are_about_the_host(status: int, blames: bool) -> None:
    assert blames_host(status) is blames


def test_the_items_of_a_host_that_is_down_are_one_outage() -> None:
    down = host_after("---")
    judged = judge([unanswered("a", down), unanswered("b", down, unknown=True)])

    assert judged.outages == (HostOutage("cdn.example.com", 2, "cdn.example.com answered 503"),)
    assert (judged.not_looked, judged.unreadable) == ({}, ())


def test_an_item_of_a_host_that_serves_others_is_looked_at_again_and_one_of_no_host_cannot_be_read() -> None:
    up = host_after("-+")
    typo = unanswered("b", host_after("-"), unknown=True)
    judged = judge([unanswered("a", up), typo])

    assert (judged.outages, judged.not_looked, judged.unreadable) == ((), {"a": "a: no answer"}, (typo,))
