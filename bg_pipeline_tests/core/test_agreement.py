"""Hosts with other settings than those in use are refused, unless a person declares theirs."""

import pytest

from bg_pipeline.core.agreement import Agreement, SettingsInUse, agree

KNOWN = SettingsInUse("one", {"BG_FORMAT": "png", "BG_MARGIN": "0"})
OTHER = {"BG_FORMAT": "webp", "BG_MARGIN": "0"}


@pytest.mark.parametrize(
    ("own", "known", "declared", "result"),
    [
        (KNOWN, None, False, Agreement(record=True)),
        (KNOWN, KNOWN, False, Agreement()),
        (SettingsInUse("two", KNOWN.digests), KNOWN, False, Agreement()),
        (SettingsInUse("one", OTHER), KNOWN, False, Agreement(record=True)),
        (SettingsInUse("two", OTHER), KNOWN, False, Agreement(("BG_FORMAT",))),
        (SettingsInUse("two", OTHER), KNOWN, True, Agreement(record=True)),
        (SettingsInUse("two", {**KNOWN.digests, "BG_NEWER": "1"}), KNOWN, False, Agreement()),
    ],
)
def test_each_row_of_the_table(
    own: SettingsInUse, known: SettingsInUse | None, declared: bool, result: Agreement
) -> None:
    assert agree(own, known, declared=declared) == result
