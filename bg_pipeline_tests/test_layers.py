"""The map in ARCHITECTURE.md, enforced by plain pytest too."""

import os
from pathlib import Path

import bg_pipeline


def test_imports_point_down() -> None:
    from importlinter.cli import lint_imports

    here = Path.cwd()
    os.chdir(Path(bg_pipeline.__file__).parent.parent)
    try:
        assert lint_imports(cache_dir=None, no_cache=True) == 0
    finally:
        os.chdir(here)
