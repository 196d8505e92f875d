"""Two hosts that work for one catalogue, with settings of their own."""

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bg_pipeline.cli import options
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.shop import ShopInHere
from bg_pipeline_tests.pictures import cut_middle, product


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShopInHere]:
    monkeypatch.chdir(tmp_path)
    vendor = SandboxState()
    with running_sandbox(vendor, cut_middle) as running:
        made = ShopInHere(tmp_path, vendor, running.base_url)
        made.put("a.png", product(1))
        yield made


def test_a_host_with_other_settings_is_refused_until_they_are_the_same_or_declared(
    shop: ShopInHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on(host: str) -> None:
        monkeypatch.setattr(socket, "gethostname", lambda: host)

    on("one")
    shop.run("sync")
    on("two")
    shop.run("sync")
    shop.env |= {"BG_FORMAT": "webp", "BG_MAX_CREDITS_PER_RUN": "7", "BGERASER_API_KEY": "canary-key-two"}
    shop.run("sync", code=2)
    assert "the host one works for this catalogue with other values of" in shop.err
    for name in ("[account.bgeraser] api_key", "[rendition.main]", "BG_MAX_CREDITS_PER_RUN"):
        assert name in shop.err
    assert "canary" not in shop.err
    (found,) = [each for each in shop.json("doctor", code=2) if each["check"] == "other hosts"]
    assert "the host one works for this catalogue with other values of" in found["detail"]
    assert [path.suffix for path in (shop.home / "cutouts").iterdir() if path.is_file()] == [".png"]

    shop.run("declare")
    shop.json("doctor")
    shop.run("sync")
    on("one")
    shop.run("sync")
    shop.env["BG_FORMAT"] = "png"
    shop.run("sync", code=2)
    assert len(shop.vendor.ledger.charges()) == 1


def test_one_host_changes_its_settings_as_it_likes(shop: ShopInHere) -> None:
    for format_ in ("png", "webp", "png"):
        shop.env["BG_FORMAT"] = format_
        shop.run("sync")


def test_runs_that_begin_in_one_second_as_the_first_process_of_their_containers_spend_each_under_its_own_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    moment = datetime(2026, 11, 27, tzinfo=UTC)
    monkeypatch.setattr(options, "datetime", type("Stopped", (datetime,), {"now": lambda _zone: moment}))

    assert options.run_name("sync").run_id != options.run_name("sync").run_id
