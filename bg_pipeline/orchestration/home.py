"""
Prepare the folder that DAGSTER_HOME names: `python -m bg_pipeline.orchestration.home`.

Needed once, before webserver and daemon start: both create the same files in an empty folder, and one would fail.
"""

import shutil
import sys
from pathlib import Path

import dagster as dg

from bg_pipeline.orchestration.dagster_private import LOST_RUN_CURSORS
from bg_pipeline.settings.reader import dagster_home


def prepare(home: Path) -> None:
    """Create the folder, its `dagster.yaml` and `workspace.yaml`, and Dagster's tables where they are missing."""
    home.mkdir(parents=True, exist_ok=True)
    for file in (home / "dagster.yaml", home / "workspace.yaml"):
        if not file.exists():
            shutil.copy(Path(__file__).with_name(file.name), file)
    with dg.DagsterInstance.get() as instance:
        if not instance.get_runs_count():
            # Without this cursor the daemon starts from the same place, but warns that it has none.
            instance.daemon_cursor_storage.set_cursor_values(dict.fromkeys(LOST_RUN_CURSORS, "0"))


if __name__ == "__main__":
    folder = dagster_home()
    if not folder:
        sys.exit("DAGSTER_HOME is not set: set it to the absolute path of a folder")
    prepare(Path(folder))
