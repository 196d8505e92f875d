"""Vendors that other packages bring, and what is said where that does not work."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from bg_pipeline.cli.main import main
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.vendors import registry
from bg_pipeline.vendors.registry import OURS, installed, usable
from bg_pipeline.wiring.settings import compose

Bring = Callable[..., None]


@pytest.fixture
def bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bring:
    """Installs a package whose entry points bring vendors: name to object."""

    def install(package: str, **vendors: str) -> None:
        info = tmp_path / f"{package}-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 2.0\n")
        lines = [f"{name} = {where}" for name, where in vendors.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{registry.GROUP}]", *lines, ""]))

    monkeypatch.syspath_prepend(tmp_path)
    return install


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("no_such_module:PLUGIN", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("bg_pipeline.vendors.local.vendor:PLUGIN", "is not a Plugin of this name"),
        ("json:loads", "is not a Plugin of this name"),
    ],
)
def test_a_vendor_that_cannot_be_loaded_names_its_package_and_stops_nothing_else(
    where: str, said: str, bring: Bring
) -> None:
    bring("broken-vendor", acme=where)

    with pytest.raises(ConfigurationError, match=f"acme of the package broken-vendor 2.0 cannot be loaded: .*{said}"):
        compose(RawSettings({"bg_provider": "acme"}))
    assert {offer.name for offer in compose(RawSettings()).offers()} == {*OURS} - {"removebg_protocol"}


def test_a_name_that_two_packages_bring_is_refused(bring: Bring) -> None:
    bring("one", acme="bg_pipeline.vendors.local.vendor:PLUGIN")
    bring("two", acme="bg_pipeline.vendors.local.vendor:PLUGIN")

    with pytest.raises(ConfigurationError, match=r"(one|two) 2.0 is also brought by (one|two) 2.0: uninstall"):
        compose(RawSettings({"bg_provider": "acme"}))


def test_what_is_built_in_cannot_be_replaced(bring: Bring) -> None:
    bring("hijack", local="no_such_module:PLUGIN")

    assert [account.vendor.title for account in compose(RawSettings({"bg_provider": "local"})).accounts] == ["local"]
    with pytest.raises(ConfigurationError, match=r"hijack 2.0 is never used: local is built in"):
        installed()[-1].load()
    assert [each.vendor.name for each in usable()] == list(OURS)


def test_doctor_names_the_package_that_is_broken(bring: Bring) -> None:
    bring("broken-vendor", acme="no_such_module:PLUGIN")
    told = CliRunner().invoke(main, ["doctor", "--json"])
    (found,) = [line for line in json.loads(told.stdout) if line["check"] == "vendors"]

    assert (found["ok"], told.exit_code) == (False, 2)
    assert "broken-vendor 2.0 cannot be loaded" in found["detail"]
