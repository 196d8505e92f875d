"""What is known of vendors: announced ends, and how old the facts are."""

import re
import warnings
from datetime import UTC, datetime

import pytest

from bg_pipeline.core.presets import PRESETS
from bg_pipeline.vendors.registry import OURS, plugin

REMOVEBG = plugin("removebg").vendor
assert REMOVEBG.end


@pytest.mark.parametrize(
    ("now", "when"),
    [
        (datetime(2026, 11, 27, 9, tzinfo=UTC), "in 4 days"),
        (datetime(2026, 12, 1, 7, tzinfo=UTC), "within a day"),
        (datetime(2026, 12, 1, 9, tzinfo=UTC), "it is over"),
        (datetime(2027, 3, 1, tzinfo=UTC), "it is over"),
    ],
)
def test_an_announced_end_is_told_with_what_ends_and_what_to_do(now: datetime, when: str) -> None:
    told = REMOVEBG.end_of_service(REMOVEBG.cut(2500, base_url="https://api.remove.bg"), now.timestamp())

    assert f"for 2026-12-01 08:00 UTC ({when}): the self-serve API" in told
    assert "Name another vendor or engine in BG_PROVIDER" in told


def test_services_that_keep_the_protocol_of_one_that_ends_are_not_told_of_it() -> None:
    assert not REMOVEBG.end_of_service(REMOVEBG.cut(2500, base_url="https://compatible.example"), 0.0)


@pytest.mark.parametrize("name", [name for name in OURS if name != "removebg"])
def test_no_end_is_told_where_none_is_known(name: str) -> None:
    vendor = plugin(name).vendor
    assert not vendor.end_of_service(vendor.cut(2500, next(iter(vendor.variants)), base_url=""), 0.0)


def outdated(text: str, today: datetime) -> list[str]:
    """The dates of reading in a text that are more than a year old."""
    months = [(int(year), int(month)) for year, month in re.findall(r"read (\d{4})-(\d{2})", text)]
    return [f"{y}-{m:02}" for y, m in months if (today.year - y) * 12 + today.month - m > 12]


def test_facts_grow_old_after_a_year() -> None:
    assert outdated("a page, read 2026-11", datetime(2027, 11, 30, tzinfo=UTC)) == []
    assert outdated("a page, read 2026-11; another, read 2027-02", datetime(2027, 12, 1, tzinfo=UTC)) == ["2026-11"]


@pytest.mark.parametrize("name", OURS)
def test_facts_of_a_vendor_name_the_month_in_which_they_were_read(name: str) -> None:
    """It warns when one is more than a year old: look again, and write the new month."""
    vendor = plugin(name).vendor
    prices = [variant.price.source for variant in vendor.variants.values() if variant.credits]
    texts = [*vendor.sources, *prices, *([vendor.end.source] if vendor.end else [])]

    assert all(re.search(r"read \d{4}-\d{2}", text) for text in prices)
    if old := outdated(" ".join(texts), datetime.now(UTC)):
        warnings.warn(f"{vendor.title}: facts of {', '.join(old)} are more than a year old", stacklevel=1)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_names_the_page_and_the_month_in_which_it_was_read(name: str) -> None:
    """It warns when that is more than a year ago: look again, and write the new month."""
    source = PRESETS[name].source

    assert re.fullmatch(r"\S+\.\S+/\S+, (.*, )?read \d{4}-\d{2}", source)
    if old := outdated(source, datetime.now(UTC)):
        warnings.warn(f"preset {name}: facts of {old[0]} are more than a year old", stacklevel=1)
