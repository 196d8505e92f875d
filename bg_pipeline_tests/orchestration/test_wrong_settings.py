"""Wrong settings under Dagster: the location loads with all its names, runs fail with the sentence, sensors go on."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from bg_pipeline.orchestration.opener import Opener
from bg_pipeline.orchestration.schedule import loaded_schedule
from bg_pipeline.pipeline.settings import ScheduleSettings
from bg_pipeline_tests.orchestration.conftest import Run, Shop

NAMES = """
import dagster as dg
from bg_pipeline.orchestration.definitions import defs
dg.Definitions.validate_loadable(defs)
repository = defs.get_repository_def()
print(sorted(repository.job_names))
print([s.name for s in repository.schedule_defs], sorted(s.name for s in repository.sensor_defs))
print(sorted(key.to_user_string() for key in repository.assets_defs_by_key))
print([p.name for p in {a.partitions_def for a in defs.resolve_all_asset_specs()} if p])
"""

WRONG = {
    "cron": "BG_NIGHTLY_CRON=every night\n",
    "31st of February": "BG_NIGHTLY_CRON=0 2 31 2 *\n",
    "seconds": "BG_NIGHTLY_CRON=0 0 2 * * *\n",
    "time zone": "BG_TIMEZONE=Mars/Olympus\n",
    "days": "BG_RUN_DAYS=soon\n",
    "slip": "BG_PROVDER=removebg\n",
    "no line": "BG_FORMAT webp\n",
    "no key": "BG_PROVIDER=removebg\n",
}


def names(folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", NAMES], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_wrong_setting_unloads_the_code_location_or_takes_a_name_from_it(tmp_path: Path) -> None:
    complete = names(tmp_path)
    for wrong in ("BG_NIGHTLY_CRON=every night\n", "BG_TIMEZONE=Mars/Olympus\nBG_PROVDER=removebg\n"):
        (tmp_path / ".env").write_text(wrong)
        assert names(tmp_path) == complete
    (tmp_path / ".env").unlink()
    (tmp_path / "bg_pipeline.toml").write_text("[bg]\nmax_credits_per_run = 1\n")

    assert names(tmp_path) == complete


@pytest.mark.parametrize("kind", ["cron", "31st of February", "seconds", "time zone", "days"])
def test_a_wrong_schedule_is_loaded_as_the_default_with_what_is_wrong(kind: str) -> None:
    Path(".env").write_text(WRONG[kind])
    loaded = loaded_schedule(Opener().schedule)

    assert loaded.settings == ScheduleSettings()
    assert WRONG[kind].partition("=")[0] in loaded.problem


@pytest.mark.parametrize("cron", ["30 1 * * *", "0 2 * * 1-5", "@daily", "0 4 1,15 * *"])
def test_what_dagster_follows_is_a_schedule(cron: str) -> None:
    Path(".env").write_text(f"BG_NIGHTLY_CRON={cron}\n")

    assert Opener().schedule().nightly_cron == cron


@pytest.mark.parametrize("kind", ["cron", "time zone", "slip", "no line", "no key"])
def test_a_run_fails_with_the_name_and_the_sentence_of_the_wrong_setting(
    kind: str, shop: Shop, run: Run, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BG_PROVIDER")
    Path(".env").write_text(WRONG[kind])
    result = run("detect_delta")
    (failed,) = [e for e in result.all_events if e.is_step_failure and e.step_key == "source_images"]
    said = failed.step_failure_data.user_failure_data

    assert not result.success
    assert said is not None
    expected = {"no line": ".env, line 1", "no key": "REMOVEBG_API_KEY"}
    assert expected.get(kind, WRONG[kind].partition("=")[0]) in str(said.description)


def test_a_changed_setting_counts_at_the_next_run_of_the_same_process(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("BG_MAX_CREDITS_PER_RUN=2\n")
    assert run("detect_delta").success
    run("process_pending")
    assert len(shop.vendor.ledger.charges()) == 2

    Path(".env").write_text("BG_MAX_CREDITS_PER_RUN=0\n")
    run("process_pending")
    assert len(shop.vendor.ledger.charges()) == 2
