"""The table of safeguards is about the program as it is. `make mutation` shows that each is needed."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from bg_pipeline_tests.safeguards.safeguard import ROOT, Safeguard, as_document
from bg_pipeline_tests.safeguards.table import SAFEGUARDS


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda each: each.promise)
def test_what_is_taken_out_is_there_once_and_leaves_a_program(safeguard: Safeguard) -> None:
    text = (ROOT / safeguard.path).read_text(encoding="utf-8")

    assert text.count(safeguard.text) == 1, safeguard.path
    ast.parse(text.replace(safeguard.text, safeguard.instead))


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda each: each.promise)
def test_the_test_of_a_safeguard_is_there(safeguard: Safeguard) -> None:
    assert safeguard.test_name in _tests(ROOT / safeguard.test_id.partition("::")[0])


def test_each_safeguard_is_taken_out_once() -> None:
    assert len({(each.file, each.text) for each in SAFEGUARDS}) == len(SAFEGUARDS)
    assert len({each.promise for each in SAFEGUARDS}) == len(SAFEGUARDS)


def test_the_document_of_safeguards_was_made_of_the_table() -> None:
    document = (ROOT / "docs" / "safeguards.md").read_text(encoding="utf-8")

    assert document == as_document(SAFEGUARDS), "python -m bg_pipeline_tests.safeguards docs > docs/safeguards.md"


def test_every_test_that_the_threats_name_is_there() -> None:
    names = set(re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8")))
    everywhere = {name for path in (ROOT / "bg_pipeline_tests").rglob("test_*.py") for name in _tests(path)}

    assert len(names) > 30
    assert names - everywhere == set()


@cache
def _tests(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )
