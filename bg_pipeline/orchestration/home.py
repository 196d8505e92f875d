"""
Prepare the folder that DAGSTER_HOME names: `python -m bg_pipeline.orchestration.home`.

Needed once, before webserver and daemon: on an empty folder both would make the same files, and one would fail.
"""

import shutil
import sys
from pathlib import Path

import dagster as dg

from bg_pipeline.orchestration.dagster_private import LOST_RUN_CURSORS
from bg_pipeline.settings.reader import dagster_home


def prepare(home: Path) -> None:
    """Make the folder with its `dagster.yaml` and Dagster's tables; what is there stays."""
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists():
        shutil.copy(Path(__file__).with_name(settings.name), settings)
    with dg.DagsterInstance.get() as instance:
        if not instance.get_runs_count():
            # The daemon starts from here too, but with a warning that it does not know where to go on.
            instance.daemon_cursor_storage.set_cursor_values(dict.fromkeys(LOST_RUN_CURSORS, "0"))


if __name__ == "__main__":
    named = dagster_home()
    if not named:
        sys.exit("DAGSTER_HOME is not set: let it name a folder, by its absolute path")
    prepare(Path(named))
