"""The map in ARCHITECTURE.md, enforced by plain pytest too."""

import logging.config
import os
import re
from pathlib import Path

import pytest

import bg_pipeline


def test_imports_point_down(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlinter.cli import lint_imports

    # It would disable every logger of this process, for the tests after this one.
    monkeypatch.setattr(logging.config, "dictConfig", lambda _config: None)
    here = Path.cwd()
    os.chdir(Path(bg_pipeline.__file__).parent.parent)
    try:
        assert lint_imports(cache_dir=None, no_cache=True) == 0
    finally:
        os.chdir(here)


def test_only_a_vendor_s_own_folder_and_the_list_know_its_name() -> None:
    package = Path(bg_pipeline.__file__).parent
    name = re.compile("remove_?bg|photo_?room|bgeraser", re.IGNORECASE)
    knowing = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.suffix in {".py", ".json", ".yaml", ".html"} and name.search(path.read_text())
    }

    outside = {path for path in knowing if path.partition("/")[0] not in {"vendors", "sandbox", "demo"}}
    assert outside == {"cli/sandbox.py"}
    assert {path for path in knowing if path.startswith("vendors/") and path.count("/") == 1} == {"vendors/registry.py"}
