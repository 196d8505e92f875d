"""The same catalogue by the command line and by Dagster: one night, read at different stages."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from bg_pipeline.cli.main import main
from bg_pipeline.core.records import Entry
from bg_pipeline.core.runlog import LookRecord
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.schema import run_log
from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings
from bg_pipeline_tests.pictures import cut_middle, product

pytestmark = pytest.mark.processes

COLLECTIONS = 24
DAY_S = 86_400.0

_THEIRS = {"run_id", "job", "started_at", "ended_at", "asked_by", "everything", "collections"}
"""Fields of a record in which the two may differ: who ran it, when, and what a backfill calls all collections."""


@dataclass
class Side:
    """One of the two: its own folder, manifest and vendor."""

    home: Path
    vendor: SandboxState
    night: Callable[..., None]
    """Runs a night, or with `only` a part of it."""

    def put(self, key: str, data: bytes) -> None:
        file = self.home / "images" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def remove(self, key: str) -> None:
        (self.home / "images" / key).unlink()

    @property
    def charges(self) -> Counter[str]:
        return Counter(charge.sha256 for charge in self.vendor.ledger.charges())

    @property
    def rows(self) -> list[Entry]:
        with open_pipeline(load_settings()) as pipeline:
            entries = list(pipeline.catalogue.items.entries())
        return [
            replace(
                e,
                published=e.published and replace(e.published, run=""),
                published_at=None,
                changed_at=0.0,
                absent_since=None,
                trashed_at=None,
                revision=0,
            )
            for e in entries
        ]

    @property
    def states(self) -> Counter[str]:
        return Counter(entry.state.value for entry in self.rows)

    @property
    def log(self) -> list[tuple[str, dict[str, Any]]]:
        """Kind and facts of each record, in the order of the stages."""
        database = Database(load_settings().purchasing.state.get_secret_value())
        with database.read() as conn:
            # Whether folders had been still for long enough depends on the speed of this machine.
            query = select(run_log).where(run_log.c.kind != LookRecord.kind).order_by(run_log.c.id)
            found = [(row.kind, _facts(row.record)) for row in conn.execute(query)]
        database.close()
        return found

    @property
    def outputs(self) -> dict[str, bytes]:
        files = (self.home / "cutouts").rglob("*")
        return {f.relative_to(self.home).as_posix(): f.read_bytes() for f in files if f.is_file()}


def _facts(record: dict[str, Any]) -> dict[str, Any]:
    facts = {name: value for name, value in record.items() if name not in _THEIRS}
    if "summary" in facts:
        summary = {name: value for name, value in facts["summary"].items() if name != "seconds"}
        facts["summary"] = summary | {"failures": sorted(summary["failures"], key=lambda f: f["key"])}
    return facts


def _by_command(only: str = "all") -> None:
    done = CliRunner().invoke(main, ["sync", "--json", "--only", only])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert json.loads(done.output.splitlines()[-1]) is not None


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Side], Any]], list[Any]]:
    """Plays a story on both sides; returns what it returns for each."""

    def play(story: Callable[[Side], Any]) -> list[Any]:
        return [_play(tool, tmp_path / tool, monkeypatch, story) for tool in ("command", "dagster")]

    return play


def _play(tool: str, home: Path, monkeypatch: pytest.MonkeyPatch, story: Callable[[Side], Any]) -> Any:
    home.mkdir()
    state = SandboxState()
    with (
        running_sandbox(state, cut_middle) as running,
        dg.DagsterInstance.ephemeral() as instance,
        monkeypatch.context() as patched,
    ):
        patched.chdir(home)
        patched.setenv("BG_PROVIDER", "bgeraser")
        patched.setenv("BGERASER_API_KEY", "any")
        patched.setenv("BGERASER_BASE_URL", running.base_url)
        patched.setenv("BG_STABLE_S", "0")
        side = Side(home, state, _by_command if tool == "command" else _by_dagster(instance))
        for n in range(COLLECTIONS):
            side.put(f"c{n:02}/1.png", product(n))
        return story(side)


def _by_dagster(instance: dg.DagsterInstance) -> Callable[..., None]:
    def run(job: str, **options: Any) -> None:
        assert defs.resolve_job_def(job).execute_in_process(instance=instance, **options).success

    def night(only: str = "all") -> None:
        run("detect_delta")
        if only == "all":
            run("process_pending")
            return
        keys = sorted(instance.get_dynamic_partitions("collections"))
        tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
        run("process_delta", tags=tags, run_config={"ops": {"cutouts": {"config": {"only": only}}}})

    return night


Both = Callable[[Callable[[Side], Any]], list[Any]]


def test_a_night_is_the_same_in_its_stages_charges_rows_outputs_and_records(both: Both) -> None:
    def story(side: Side) -> Any:
        side.put("c00/broken.png", product(99)[:-25])
        side.put("c01/twin.png", product(5))
        side.night()
        side.night()
        return side.charges, side.rows, side.outputs, side.log

    by_command, by_dagster = both(story)

    assert by_command == by_dagster
    assert [kind for kind, _ in by_command[3]] == [
        *("balance", "scan", "detect", "process"),
        *("scan", "detect", "process"),  # the balance may still be behind
    ]


def test_a_pause_stops_both_at_the_same_point_and_both_go_on_after_a_top_up(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_LOW_CREDITS", "50")

    def story(side: Side) -> Any:
        side.vendor.ledger.set_balance("bgeraser", Decimal(60))
        side.night()
        paused = (side.states, sum(side.charges.values()), [kind for kind, _ in side.log])
        side.vendor.ledger.set_balance("bgeraser", Decimal(500))
        side.night()
        return paused, side.charges, side.outputs, side.states

    by_command, by_dagster = both(story)

    assert by_command == by_dagster
    assert 0 < by_command[0][1] < COLLECTIONS


def test_a_cap_stops_both_at_the_same_point(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BG_MAX_CREDITS_PER_RUN", "5")

    def story(side: Side) -> Any:
        side.night()
        side.put("new/1.png", product(77))
        side.night()
        return side.states, sum(side.charges.values()), [kind for kind, _ in side.log]

    by_command, by_dagster = both(story)

    assert by_command == by_dagster
    assert by_command[1] == 10


def test_cutouts_of_deleted_pictures_go_to_the_trash_at_the_same_stage(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_DELETE_POLICY", "trash")
    real, days = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + days[0] * DAY_S)

    def story(side: Side) -> Any:
        days[0] = 0.0
        side.night()
        side.remove("c03/1.png")
        side.put("c04/2.png", product(50))
        for day in (1.0, 2.5):
            days[0] = day
            side.night()
        return side.charges, side.rows, side.outputs, [kind for kind, _ in side.log]

    by_command, by_dagster = both(story)

    assert by_command == by_dagster
    assert [kind for kind in by_command[3] if kind in {"clear_out", "process"}] == ["clear_out", "process"] * 3
    assert any(".trash" in name for name in by_command[2])


@pytest.mark.parametrize("only", ["all", "new", "changed", "failed"])
def test_a_part_of_the_delta_is_the_same_part_for_both(both: Both, only: str) -> None:
    def story(side: Side) -> Any:
        side.put("c00/broken.png", product(99)[:-25])
        side.night()
        side.put("c00/broken.png", product(99)[:-30])
        side.put("c01/new.png", product(51))
        side.put("c02/1.png", product(52))
        side.put("c05/copy.png", product(7))
        (side.home / "cutouts" / "c06" / "1.png").unlink()
        side.night(only=only)
        return side.charges, side.rows, side.outputs, side.log

    by_command, by_dagster = both(story)

    assert by_command == by_dagster
    last = by_command[3][-1][1]["summary"]
    assert last["published"] == {"all": 4, "new": 2, "changed": 2, "failed": 0}[only]
