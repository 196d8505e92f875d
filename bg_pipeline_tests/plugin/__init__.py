"""
A package of others, which brings a vendor and a store by entry points: `pyproject.toml` and `bgp_example/`.

Fixtures install it: `plugin` for a test in this process, `plugin_site` for the search path of another one.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def plugin_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what pip puts into site-packages: the content of the wheel."""
    made = tmp_path_factory.mktemp("plugin")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)]
    subprocess.run(command, cwd=HERE, check=True, capture_output=True)
    (wheel,) = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(made / "site")
    return made / "site"


@pytest.fixture
def plugin(plugin_site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package is installed for this test."""
    monkeypatch.syspath_prepend(plugin_site)
    return plugin_site
