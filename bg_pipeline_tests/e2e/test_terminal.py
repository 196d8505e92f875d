"""Names in a catalogue cannot control the terminal, nor end a command."""

import json
import logging
import os

import pytest

from bg_pipeline.cli.progress import Bars
from bg_pipeline.cli.render import grid
from bg_pipeline.cli.terminal import Terminal, say
from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.pictures import product

HOSTILE = [
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "\x9b2J",
    "[red]",
    "[/]",
    "[/red]",
    "b]",
    "[link=https://example.com]x",
    ":shoe:",
    "two\nlines",
    "back\rstart",
    "\u202egnp.exe",
    "\u2066isolate",
    "\udcff\udcfe",
    "nul\x00",
]


def is_plain(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_printed_as_one_line_character_by_character(
    name: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    Terminal().print(f"kept {name}.")
    Terminal().print(grid(("item",), [(name,)]))
    with caplog.at_level(logging.INFO, "bg_pipeline"):
        say(f"kept {name}.", err=True)
    shown = capsys.readouterr()
    line = shown.out.splitlines()[0]

    assert is_plain(shown.out + shown.err)
    assert len(shown.out.splitlines()) == 3
    assert shown.err.splitlines() == caplog.messages == [line]
    assert not name.isprintable() or line == f"kept {name}."


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bar_can_have_any_name(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for terminal in ("0", "1"):
        monkeypatch.setenv("TTY_COMPATIBLE", terminal)
        with Bars() as bars:
            bars.start(f"cutting {name}", 2)
            bars.advance(2)
            bars.done()
        shown = capsys.readouterr().err

        assert "cutting " in shown
        assert name.isprintable() == (name in shown)


def test_a_sync_of_a_catalogue_with_such_names_is_plain_and_complete(shop: Shop) -> None:
    shop.env["BG_COLLECTION_DEPTH"] = "1"
    names = [name for name in HOSTILE if "/" not in name and "\x00" not in name]
    for number, name in enumerate(names):
        key = f"{name}/{name}.png"
        shop.put(key, product(30 + number)[: None if number % 2 else -25])
    keys = {f"{name}/{name}.png" for name in names}

    # Plain text: a pipe is no terminal, so each control character would be a name's.
    printed = shop.run("plan") + shop.err + shop.run("sync", code=1) + shop.err + shop.run("failures") + shop.err
    assert is_plain(printed)
    assert {row["key"] for row in json.loads(shop.run("failures", "--json"))} < keys
    assert sum(len(files) for _, _, files in os.walk(shop.home / "cutouts")) == 5 + len(names) // 2
