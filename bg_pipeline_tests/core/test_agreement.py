"""Hosts with other settings than those in use are refused, unless a person declares theirs."""

import pytest

from bg_pipeline.core.agreement import Agreement, Purpose, SettingsInUse, agree

KNOWN = SettingsInUse("one", {"BG_FORMAT": "png", "BG_MARGIN": "0"})
OTHER = {"BG_FORMAT": "webp", "BG_MARGIN": "0"}


@pytest.mark.parametrize(
    ("own", "known", "purpose", "result"),
    [
        (KNOWN, None, Purpose.WORK, Agreement(record=True)),
        (KNOWN, None, Purpose.LOOK, Agreement()),
        (KNOWN, KNOWN, Purpose.WORK, Agreement()),
        (SettingsInUse("two", KNOWN.digests), KNOWN, Purpose.WORK, Agreement()),
        (SettingsInUse("one", OTHER), KNOWN, Purpose.WORK, Agreement(record=True)),
        (SettingsInUse("one", OTHER), KNOWN, Purpose.LOOK, Agreement()),
        (SettingsInUse("two", OTHER), KNOWN, Purpose.WORK, Agreement(("BG_FORMAT",))),
        (SettingsInUse("two", OTHER), KNOWN, Purpose.LOOK, Agreement(("BG_FORMAT",))),
        (SettingsInUse("two", OTHER), KNOWN, Purpose.DECLARE, Agreement(record=True)),
        (SettingsInUse("two", {**KNOWN.digests, "BG_NEWER": "1"}), KNOWN, Purpose.WORK, Agreement()),
    ],
)
def test_each_row_of_the_table(
    own: SettingsInUse, known: SettingsInUse | None, purpose: Purpose, result: Agreement
) -> None:
    assert agree(own, known, purpose) == result
