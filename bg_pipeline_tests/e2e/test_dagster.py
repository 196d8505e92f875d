"""
Dagster as an operator runs it, and what it recovers from without one: real processes, killed one after the other.

The deployment keeps Dagster's records and the manifest in PostgreSQL; `dagster dev` and the browser test use SQLite.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy

from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.leases import SqlLeases
from bg_pipeline.ports.context import DETECTION
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.deployment import INSTANCE, ROOT, Deployment, deployed, descendants, developing
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.webhook import webhook

pytestmark = pytest.mark.processes

DONE = {"SUCCESS", "FAILURE", "CANCELED"}


@pytest.fixture(scope="module", name="webhook")
def _webhook() -> Iterator[tuple[int, list[str]]]:
    with webhook() as made:
        yield made


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, webhook: tuple[int, list[str]]
) -> Iterator[Deployment]:
    home = tmp_path_factory.mktemp("deployment")
    urls = {}
    for name in ("dagster_records", "manifest"):
        engine = sqlalchemy.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
        with engine.connect() as conn:
            conn.exec_driver_sql(f"CREATE DATABASE {name}_e2e")
        engine.dispose()
        urls[name] = sqlalchemy.make_url(postgres_server).set(database=f"{name}_e2e")
    records = urls["dagster_records"].set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
    settings = {
        "BG_STATE": urls["manifest"].render_as_string(hide_password=False),
        "BG_CONCURRENCY": "2",
        "BG_ALERT_URLS": f"json://127.0.0.1:{webhook[0]}/",
    }
    vendor = SandboxState(latency_s=0.4)
    with deployed(home, vendor=vendor, postgres=records, settings=settings, fast=True) as made:
        yield made
    for path in (home / "dagster").rglob("*"):
        assert not path.is_file() or b"canary-key" not in path.read_bytes(), path
    for log in home.glob("*.log"):
        assert "canary-key" not in log.read_text()


_shade = iter(range(10_000))


def new_pictures(deployment: Deployment, collection: str, count: int) -> list[str]:
    names = [f"{collection}/{n}.png" for n in range(count)]
    for name in names:
        deployment.put(name, product(next(_shade)))
    return names


def detect(deployment: Deployment) -> None:
    run = deployment.launch("detect_delta")
    deployment.until("the delta is found", lambda: deployment.status(run) == "SUCCESS")


def are_published(deployment: Deployment, names: list[str]) -> Callable[[], bool]:
    return lambda: set(names) <= set(deployment.outputs())


def newest(deployment: Deployment, job: str) -> str:
    return next((str(r["runId"]) for r in deployment.runs() if r["jobName"] == job), "")


def worker_of(deployment: Deployment, run_id: str) -> int:
    return deployment.workers()[run_id]


def until_all_is_over(deployment: Deployment) -> None:
    """Every run has ended and nothing is pending."""
    deployment.until("all runs are over", lambda: {r["status"] for r in deployment.runs()} <= DONE)


def bought_once(deployment: Deployment, before: int, names: list[str], extra: int = 0) -> None:
    """
    Args:
        extra: requests that were in flight at a kill: each may be bought once more.
    """
    charges = deployment.charges() - before
    assert len(names) <= charges <= len(names) + extra


def test_a_night_is_two_runs_however_many_collections_it_has(deployment: Deployment) -> None:
    names = [name for c in range(5) for name in new_pictures(deployment, f"night{c}", 2)]
    detect(deployment)
    deployment.until("everything is published", are_published(deployment, names))
    until_all_is_over(deployment)

    assert sorted(r["jobName"] for r in deployment.runs()) == ["detect_delta", "process_pending"]
    assert {r["status"] for r in deployment.runs()} == {"SUCCESS"}
    assert deployment.charges() == len(names)

    detect(deployment)
    deployment.until("the sensor has looked", lambda: "nothing is pending" in deployment.last_tick("delta_dispatch"))
    assert [r["jobName"] for r in deployment.runs()].count("process_pending") == 1


def test_a_second_night_says_who_is_at_it_and_ends(deployment: Deployment) -> None:
    database = Database(deployment.env["BG_STATE"])
    leases = SqlLeases(database, catalogue_id(database))
    lease = leases.acquire(DETECTION, "the first night")
    run = deployment.launch("detect_delta")
    deployment.until("it has ended", lambda: deployment.status(run) == "SUCCESS")
    leases.release(lease)
    database.close()

    (tags,) = [r["tags"] for r in deployment.runs() if r["runId"] == run]
    said = {tag["key"]: tag["value"] for tag in tags}["bg_pipeline/skipped"]
    assert "the first night" in said
    assert "ends at" in said


def test_what_waits_for_credits_is_seen_waiting_and_goes_on_after_a_top_up(
    deployment: Deployment, webhook: tuple[int, list[str]]
) -> None:
    before = deployment.charges()
    deployment.top_up(10)
    deployment.until("the gate is closed", lambda: "10 credits are left" in deployment.last_tick("low_credit_sensor"))
    names = new_pictures(deployment, "hats", 2) + new_pictures(deployment, "caps", 2)
    detect(deployment)
    deployment.backfill("hats", "caps")
    deployment.until("the backfill waits", lambda: "QUEUED" in {r["status"] for r in deployment.runs()})
    deployment.until(
        "its run says what it waits for",
        lambda: any("credits are left" in t["value"] for r in deployment.runs() for t in r["tags"]),
    )
    deployment.until("no run is asked for", lambda: "top up" in deployment.last_tick("delta_dispatch"))
    deployment.until("somebody is told", lambda: any("top up" in text for text in webhook[1]))
    time.sleep(6)
    assert {r["status"] for r in deployment.runs() if r["hasConcurrencyKeySlots"]} <= {"QUEUED", *DONE}
    assert deployment.charges() == before

    deployment.top_up(500)
    deployment.until("the rest is published", are_published(deployment, names))
    until_all_is_over(deployment)
    bought_once(deployment, before, names)


def test_a_backfill_that_runs_out_of_credits_keeps_its_place(deployment: Deployment) -> None:
    before = deployment.charges()
    names = new_pictures(deployment, "belts", 10)
    deployment.top_up(54)
    detect(deployment)
    deployment.backfill("belts")
    deployment.until(
        "it pauses",
        lambda: (
            any(
                "credits are left" in t["value"]
                for r in deployment.runs()
                for t in r["tags"]
                if "waits_for" in t["key"]
            )
            and "credits are left" in deployment.last_tick("low_credit_sensor")
        ),
    )
    assert deployment.charges() - before < len(names)

    deployment.top_up(500)
    deployment.until("the rest is published", are_published(deployment, names))
    until_all_is_over(deployment)
    bought_once(deployment, before, names)


def test_a_terminated_run_drains_stays_ended_and_goes_on_when_it_is_run_again(deployment: Deployment) -> None:
    before = deployment.charges()
    names = new_pictures(deployment, "gloves", 12)
    detect(deployment)
    deployment.until("it buys", lambda: deployment.charges() >= before + 2)
    run = newest(deployment, "process_pending")
    deployment.terminate(run)
    deployment.until("it has ended", lambda: deployment.status(run) == "CANCELED")
    done = [name for name in names if name in deployment.outputs()]
    assert deployment.charges() - before == len(done) < len(names)
    deployment.until("it stays ended", lambda: "was cancelled" in deployment.last_tick("delta_dispatch"))

    deployment.reexecute_from_failure(run)
    deployment.until("the rest is published", are_published(deployment, names))
    until_all_is_over(deployment)
    bought_once(deployment, before, names)


def test_a_killed_run_is_started_again_and_buys_at_most_what_was_in_flight_twice(deployment: Deployment) -> None:
    before = deployment.charges()
    names = new_pictures(deployment, "scarves", 12)
    detect(deployment)
    deployment.until("it buys", lambda: deployment.charges() >= before + 2)
    run = newest(deployment, "process_pending")
    os.kill(worker_of(deployment, run), signal.SIGKILL)
    deployment.until("the rest is published", are_published(deployment, names))
    until_all_is_over(deployment)

    assert deployment.status(run) == "FAILURE"
    bought_once(deployment, before, names, extra=2)


def test_a_killed_daemon_goes_on_where_it_was(deployment: Deployment) -> None:
    before = deployment.charges()
    deployment.processes["daemon"].kill()
    deployment.processes["daemon"].wait()
    names = new_pictures(deployment, "ties", 2)
    run = deployment.launch("detect_delta")
    deployment.start_daemon()
    deployment.until("the queued run is done", lambda: deployment.status(run) == "SUCCESS")
    deployment.until("everything is published", are_published(deployment, names))
    until_all_is_over(deployment)
    bought_once(deployment, before, names)


def test_a_run_that_dies_with_its_code_server_blocks_no_night_and_is_cleared_away(deployment: Deployment) -> None:
    before = deployment.charges()
    names = new_pictures(deployment, "socks", 12)
    detect(deployment)
    deployment.until("it buys", lambda: deployment.charges() >= before + 2)
    run = newest(deployment, "process_pending")
    worker = worker_of(deployment, run)
    servers = [pid for pid, command in descendants(deployment.processes["daemon"].pid).items() if "api grpc" in command]
    for pid in [*servers, worker]:
        os.kill(pid, signal.SIGKILL)
    deployment.until("the rest is published", are_published(deployment, names))
    deployment.until("it is cleared away", lambda: deployment.status(run) == "FAILURE")
    bought_once(deployment, before, names, extra=2)


_SWITCHES = """
{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError {
    __typename ... on RepositoryLocation { repositories {
        schedules { name scheduleState { status } }
        sensors { name sensorState { status } } } } } } } } }
"""

RUNNING = dict.fromkeys(
    [
        "nightly_delta_sync",
        *("delta_dispatch", "low_credit_sensor", "missed_night", "lost_runs", "old_runs", "alerts", "failed_runs"),
    ],
    "RUNNING",
)


def switches(deployment: Deployment) -> dict[str, str]:
    """Schedules and sensors of the one code location, by what a person left them at."""
    (location,) = deployment.ask(_SWITCHES)["workspaceOrError"]["locationEntries"]
    assert location["name"] == "bg_pipeline"
    (repository,) = location["locationOrLoadError"]["repositories"]
    found = {s["name"]: s["scheduleState"]["status"] for s in repository["schedules"]}
    return found | {s["name"]: s["sensorState"]["status"] for s in repository["sensors"]}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The repository, as far as Dagster looks at it, with a home that `make dev` would make."""
    for name in ("Makefile", "dg.toml", "pyproject.toml", "workspace.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "bg_pipeline").symlink_to(ROOT / "bg_pipeline")
    (tmp_path / ".dagster").mkdir()
    shutil.copy(INSTANCE, tmp_path / ".dagster")
    return tmp_path


def test_what_is_switched_off_under_dagster_dev_stays_off_under_dg_dev_and_a_webserver_of_its_own(clone: Path) -> None:
    """All three know the schedule and the sensors by the same name of the same code location."""
    off = RUNNING | {"old_runs": "STOPPED", "nightly_delta_sync": "STOPPED"}
    with developing(clone, "dagster", "dev") as made:
        assert switches(made) == RUNNING
        made.switch_off_schedule("nightly_delta_sync")

        def is_off() -> bool:
            # A tick that ends at this moment writes the state that it began with: Dagster's own race.
            made.switch_off("old_runs")
            time.sleep(2)
            return switches(made) == off

        made.until("the switches stay off", is_off)
    for command in (("dg", "dev"), ("dagster-webserver", "-w", "workspace.yaml")):
        with developing(clone, *command) as made:
            assert switches(made) == off, command


def test_make_dev_warns_of_nothing_while_it_finds_and_publishes_what_is_new(clone: Path) -> None:
    shutil.rmtree(clone / ".dagster")
    (clone / "images" / "shoes").mkdir(parents=True)
    (clone / "images" / "shoes" / "1.png").write_bytes(product(1))
    with developing(clone, "make", "dev", "RUN=", "UV=/bin/true") as made:
        detect(made)
        made.until("it is published", lambda: made.outputs() == ["shoes/1.png"])
        until_all_is_over(made)
    told = (clone / "make.log").read_text()

    assert "Serving dagster-webserver" in told
    assert [line for line in told.splitlines() if "warn" in line.lower()] == []
