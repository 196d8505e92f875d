"""A project of Dagster, as `create-dagster project` makes it."""

import uuid
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

ACCOUNT = {"name": "main", "vendor": "bgeraser", "key_env": "SHOP_KEY"}


def catalogue(name: str, **more: Any) -> dict[str, Any]:
    """Attributes of a catalogue with folders of its own."""
    return {
        "name": name,
        "account": "main",
        "source": f"{name}/images",
        "output": f"{name}/cutouts",
        "stable_s": 0,
        **more,
    }


class Project:
    """
    A folder with the parts of a project that Dagster reads.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # One name in each process is one module.
        self.module = f"project_{uuid.uuid4().hex[:8]}"
        self.defs = folder / "src" / self.module / "defs"
        self.defs.mkdir(parents=True)
        for package in (self.defs, self.defs.parent):
            (package / "__init__.py").touch()
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "{self.module}"\nversion = "1"\n'
            f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{self.module}"\n'
        )

    def add(self, kind: str, attributes: dict[str, Any], path: str = "") -> None:
        file = self.defs / (path or f"{kind}_{attributes['name']}".lower()) / "defs.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump({"type": f"bg_pipeline.components.{kind}", "attributes": attributes}))

    def load(self) -> dg.Definitions:
        """What a code server or a run loads."""
        return dg.ComponentTree.for_project(self.folder).build_defs()
