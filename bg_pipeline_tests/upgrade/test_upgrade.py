"""A shop of an earlier version is taken over by this one: manifest, masters, and Dagster's records."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.storage.event_log.sqlite.consolidated_sqlite_event_log import ConsolidatedSqliteEventLogStorage

from bg_pipeline.core.records import AttemptState
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.adapters.old_manifests import picture
from bg_pipeline_tests.adapters.test_migrations import Killed, dying_after
from bg_pipeline_tests.e2e.shop import Shop, ShopInHere
from bg_pipeline_tests.pictures import cut_middle, opened
from bg_pipeline_tests.upgrade.shops import (
    BROKEN,
    FIRST,
    IN_FLIGHT,
    MANIFEST,
    NIGHT,
    SWITCHED_OFF,
    VERSIONS,
    restore_dagster,
    restore_shop,
)

PUBLISHED = (FIRST | NIGHT).keys() - {BROKEN}
BOUGHT = len(PUBLISHED) - 1
"""Two of the pictures are the same."""


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=MANIFEST)
def shop(request: pytest.FixtureRequest, version: str, tmp_path: Path) -> Iterator[Shop]:
    state = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    restore_shop(version, tmp_path, state)
    vendor = SandboxState()
    with running_sandbox(vendor, cut_middle) as running:
        made = ShopInHere(tmp_path, vendor, running.base_url)
        made.env["BG_STATE"] = state or f"sqlite:///{tmp_path}/.bg_pipeline/manifest.db"
        yield made


def outputs(shop: Shop) -> dict[str, bytes]:
    folder = shop.home / "cutouts"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("[!.]*/*.png")}


def test_only_what_was_in_flight_is_bought_and_masters_and_failures_are_as_they_were(shop: Shop) -> None:
    before = outputs(shop)
    assert before.keys() == PUBLISHED
    for lost in ("bags/1.png", "hats/0.png"):
        (shop.home / "cutouts" / lost).unlink()
    assert shop.json("plan")["purchases"] == len(IN_FLIGHT)
    done = shop.json("sync", code=1)

    assert (done["published"], done["purchases"]) == (len(IN_FLIGHT) + 2, len(IN_FLIGHT))
    assert len(shop.vendor.ledger.charges()) == len(IN_FLIGHT)
    after = outputs(shop)
    assert after.keys() == PUBLISHED | IN_FLIGHT.keys()
    for name, data in after.items():
        assert opened(data).mode == "RGBA"
        assert data == before.get(name, data) or name in {"bags/1.png", "hats/0.png"}
    assert [each["key"] for each in shop.json("failures")] == [BROKEN]
    # What was in flight was sent more than a day ago, so the balance shows by now that it was free.
    settled, bought = ["refused"] * len(IN_FLIGHT), ["charged"] * len(IN_FLIGHT)
    assert states_of_attempts(shop) == ["charged"] * BOUGHT + settled + bought
    assert shop.json("check", "--masters")["damaged_masters"] == []

    again = shop.json("sync", code=1)
    assert (again["published"], again["purchases"]) == (0, 0)
    shop.json("sync", "--rerender", code=1)
    assert len(shop.vendor.ledger.charges()) == len(IN_FLIGHT)


def states_of_attempts(shop: Shop) -> list[AttemptState]:
    database = Database(shop.env["BG_STATE"])
    attempts = sorted(SqlLedger(database).log(0.0), key=lambda attempt: attempt.id)
    database.close()
    return [attempt.state for attempt in attempts]


@pytest.mark.processes
def test_a_migration_that_dies_leaves_the_old_version_and_the_next_command_makes_it(
    shop: Shop,
) -> None:
    """It dies at some of its statements: `test_migrations` has it die at each."""
    before, shown = picture(shop.env["BG_STATE"]), outputs(shop)
    for survived in itertools.count(step=20):
        try:
            with dying_after(survived):
                Database(shop.env["BG_STATE"]).close()
        except Killed:
            assert picture(shop.env["BG_STATE"]) == before
        else:
            break

    assert survived
    assert outputs(shop) == shown
    assert shop.json("sync", code=1)["purchases"] == len(IN_FLIGHT)


@pytest.fixture
def nights(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The shop with its Dagster, opened by this version."""
    restore_shop(version, tmp_path)
    restore_dagster(version, tmp_path / "dagster")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    with running_sandbox(SandboxState(), cut_middle) as running:
        for name, value in Shop(tmp_path, running.state, running.base_url).env.items():
            monkeypatch.setenv(name, value)
        with dg.DagsterInstance.get() as instance:
            yield instance


def test_dagster_goes_on_with_the_partitions_nights_and_switches_that_it_had(nights: dg.DagsterInstance) -> None:
    from bg_pipeline.orchestration.definitions import defs

    assert isinstance(nights.event_log_storage, ConsolidatedSqliteEventLogStorage)
    cutouts = dg.AssetKey("cutouts")
    known = {*nights.get_dynamic_partitions("collections")}
    shown = nights.get_materialized_partitions(cutouts)
    assert shown
    assert shown <= known <= {"bags", "hats", "shoes"}
    repository = defs.get_repository_def()
    told = {}
    for state in nights.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        data = state.instigator_data
        assert data is not None
        sensor = repository.get_sensor_def(state.instigator_name)
        with dg.build_sensor_context(nights, data.cursor, repository_def=repository) as context:  # type: ignore[union-attr]
            told[sensor.name] = sensor.evaluate_tick(context).skip_message or ""
    assert f"the schedule {SWITCHED_OFF} is switched off" in told["missed_night"]

    for job in ("detect_delta", "process_pending"):
        assert defs.resolve_job_def(job).execute_in_process(instance=nights).success
    assert {*nights.get_dynamic_partitions("collections")} >= known | {"belts"}
    assert nights.get_materialized_partitions(cutouts) >= shown | {"belts"}
