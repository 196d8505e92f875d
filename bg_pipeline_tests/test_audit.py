"""What `make audit` says where it cannot look: pip-audit ends well when it had no advisory for any package."""

import importlib.util
import json
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import bg_pipeline

SKIPPED = {"name": "one", "skip_reason": "not on the index"}
SOUND = {"name": "two", "version": "2", "vulns": []}
BAD = {"name": "three", "version": "3", "vulns": [{"id": "PYSEC-1"}]}


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    file = Path(bg_pipeline.__file__).parent.parent / ".ci" / "audit.py"
    spec = importlib.util.spec_from_file_location("audit", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "UV", "true")
    return module


def answer(audit: ModuleType, monkeypatch: pytest.MonkeyPatch, packages: Any, said: str = "") -> None:
    def tool(package: str, *_command: str) -> "subprocess.CompletedProcess[str]":
        found = {"results": {}} if package.startswith("detect") else {"dependencies": packages}
        out = "" if packages is None else json.dumps(found)
        return subprocess.CompletedProcess([], 0, out, said)

    monkeypatch.setattr(audit, "tool", tool)


def test_what_no_advisory_was_had_for_is_not_called_sound(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(audit, monkeypatch, [SKIPPED, SOUND])

    assert audit.main() == 0
    assert capsys.readouterr().out == "not checked: vulnerabilities of 1 of 2 packages: not on the index\n"


def test_a_tool_that_cannot_be_had_is_named_with_its_reason(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(audit, monkeypatch, None, "resolving\nno index\n")

    assert audit.main() == 0
    assert capsys.readouterr().out == "not checked: vulnerabilities: no index\nnot checked: secrets: no index\n"


def test_a_vulnerable_package_fails(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(audit, monkeypatch, [SOUND, BAD])

    assert audit.main() == 1
    assert capsys.readouterr().out == "three 3: PYSEC-1\n"
