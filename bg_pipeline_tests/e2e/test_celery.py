"""A night by two workers of Celery, one of which is killed: with Redis, and with RabbitMQ."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import yaml

from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.deployment import ROOT, Deployment, deployed, free_port
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.s3 import moto

pytestmark = pytest.mark.celery

_DEPLOY = ROOT / "deploy"


@contextmanager
def server(home: Path, *command: str, **env: str) -> Iterator[None]:
    with (home / "broker.log").open("a") as log:
        process = subprocess.Popen(
            command, env=os.environ | env, stdout=log, stderr=log, cwd=home, start_new_session=True
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


@contextmanager
def redis(home: Path) -> Iterator[tuple[str, str]]:
    port = free_port()
    with server(home, "redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""):
        yield f"redis://127.0.0.1:{port}/0", f"redis://127.0.0.1:{port}/1"


@contextmanager
def rabbitmq(home: Path) -> Iterator[tuple[str, str]]:
    port = free_port()
    env = {
        "RABBITMQ_NODENAME": f"bg{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "logs"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "HOME": str(home),
    }
    (found,) = Path("/usr/lib/rabbitmq/lib").glob("*/sbin/rabbitmq-server")
    with server(home, str(found), **env):
        yield f"amqp://guest:guest@127.0.0.1:{port}//", "rpc://"


BROKERS = {"redis": redis, "rabbitmq": rabbitmq}
_shades = itertools.count()
_EXECUTOR = {
    "BG_EXECUTOR": "dagster_celery.celery_executor",
    "BG_EXECUTOR_CONFIG": "celery.yaml",
    "BG_NIGHT_STEPS": "2",
}

_CAPTURED = """
query($id: ID!) { runOrError(runId: $id) { ... on Run { eventConnection { events {
    ... on LogsCapturedEvent { fileKey } ... on MaterializationEvent {
        assetKey { path } metadataEntries { label ... on PathMetadataEntry { path } } } } } } } }
"""
_LOG = "query($key: [String!]!) { capturedLogs(logKey: $key) { stderr } }"


@pytest.fixture(scope="module")
def postgres(postgres_server: str) -> Callable[[], sqlalchemy.URL]:
    """Makes databases."""
    numbers = itertools.count()

    def make() -> sqlalchemy.URL:
        name = f"celery_{next(numbers)}"
        engine = sqlalchemy.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
        with engine.connect() as conn:
            conn.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return sqlalchemy.make_url(postgres_server).set(database=name)

    return make


@contextmanager
def working(
    home: Path,
    broker: str,
    postgres: Callable[[], sqlalchemy.URL],
    *,
    launcher: bool = False,
    stores: Mapping[str, str] | None = None,
    logs: Mapping[str, Any] | None = None,
) -> Iterator[Deployment]:
    """
    A deployment with two workers, which execute whole runs, or their steps.

    Args:
        home: an empty folder.
        broker: one of `BROKERS`.
        postgres: makes databases.
        launcher: whether workers execute whole runs.
        stores: settings of places that both workers reach.
        logs: where the logs of steps go, as `dagster.yaml` has it.
    """
    shutil.copy(_DEPLOY / "celery.yaml", home)
    with ExitStack() as own, BROKERS[broker](home) as (broker_url, backend):
        settings = {
            "BG_STATE": postgres().render_as_string(hide_password=False),
            "BG_CONCURRENCY": "2",
            "CELERY_BROKER": broker_url,
            "CELERY_BACKEND": backend,
            **({} if launcher else _EXECUTOR),
            **(stores or {}),
        }
        records = postgres().set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
        instance = yaml.safe_load((_DEPLOY / "dagster-celery.yaml").read_text()) if launcher else {}
        instance |= {"compute_logs": logs} if logs else {}
        vendor = SandboxState(latency_s=0.4)
        with deployed(home, vendor=vendor, postgres=records, settings=settings, fast=True, instance=instance) as made:
            for name in ("one", "two"):
                worker = ("dagster-celery", "worker", "start", "-A", "dagster_celery.app", "-n", name)
                # What it writes for itself, no other program finds, as on another machine. Sockets have short paths.
                apart = ("env", f"TMPDIR={own.enter_context(tempfile.TemporaryDirectory(prefix=name))}")
                made.start(name, *apart, *worker, "-y", "celery.yaml", "--", "--concurrency=2")
            yield made


def buying(deployment: Deployment, collection: str, count: int) -> str:
    """Put pictures into a collection; return the run that buys them, as soon as it does."""
    before = deployment.charges()
    for n in range(count):
        deployment.put(f"{collection}/{n}.png", product(next(_shades)))
    deployment.launch("detect_delta")
    deployment.until("it buys", lambda: deployment.charges() >= before + 2)
    return next(str(r["runId"]) for r in deployment.runs() if r["jobName"] == "process_pending")


def at_work_on(deployment: Deployment, run_id: str) -> list[str]:
    """The workers that have the run, or a step of it."""
    return [name for name in ("one", "two") if run_id in (deployment.home / f"{name}.log").read_text()]


@pytest.mark.parametrize(("broker", "launcher"), [("redis", True), ("rabbitmq", False)])
def test_a_night_outlives_a_killed_worker_and_ends_when_it_is_terminated(
    broker: str, launcher: bool, tmp_path: Path, postgres: Callable[[], sqlalchemy.URL]
) -> None:
    with working(tmp_path, broker, postgres, launcher=launcher) as deployment:
        # Terminate reaches the step, which no signal does, and what is in flight is kept.
        run = buying(deployment, "hats", 24)
        deployment.terminate(run)
        deployment.until("it has ended", lambda: deployment.status(run) == "CANCELED", 30)
        assert deployment.charges() == len(deployment.outputs()) < 24

        run = buying(deployment, "gloves", 24)
        # One worker has the run, or each has one of the steps that share its work.
        deployment.until("all are at work", lambda: len(at_work_on(deployment, run)) == (1 if launcher else 2))
        os.killpg(deployment.processes[at_work_on(deployment, run)[0]].pid, signal.SIGKILL)
        deployment.until("everything is published", lambda: len(deployment.outputs()) == 48, 120)
        assert 48 <= deployment.charges() <= 48 + 2, "at most what was in flight is bought twice"
        if not launcher:
            deployment.until(
                "the queue gave the step of the lost worker to the other", lambda: deployment.status(run) == "SUCCESS"
            )


def test_the_ui_shows_logs_and_pages_of_a_run_on_another_machine(
    tmp_path: Path, postgres: Callable[[], sqlalchemy.URL]
) -> None:
    with moto() as s3:
        bucket = s3.new_bucket().name
        stores = {f"BG_{use}": f"s3://{bucket}/{use.lower()}" for use in ("OUTPUT", "MASTERS", "SPOOL", "GALLERY")}
        stores |= {
            "BG_S3_ENDPOINT": s3.endpoint,
            "AWS_ACCESS_KEY_ID": s3.access_key,
            "AWS_SECRET_ACCESS_KEY": s3.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "DAGSTER_LOGS_BUCKET": bucket,
        }
        logs = yaml.safe_load((_DEPLOY / "dagster-cluster.yaml").read_text())["compute_logs"]
        logs["config"]["endpoint_url"] = s3.endpoint
        with working(tmp_path, "redis", postgres, launcher=True, stores=stores, logs=logs) as deployment:
            run = buying(deployment, "hats", 4)
            deployment.until("it has ended", lambda: deployment.status(run) == "SUCCESS")
            events = deployment.ask(_CAPTURED, id=run)["runOrError"]["eventConnection"]["events"]
            steps = [event["fileKey"] for event in events if "fileKey" in event]
            pages = [
                entry["path"]
                for event in events
                if event.get("assetKey", {}).get("path") == ["review_gallery"]
                for entry in event["metadataEntries"]
                if entry["label"] == "page"
            ]

            shown = [deployment.ask(_LOG, key=[run, "compute_logs", step])["capturedLogs"]["stderr"] for step in steps]
            assert shown
            assert all(f"{run} - " in text for text in shown), "each says what its run did"
            assert [page.rpartition("/")[0] for page in pages] == [f"s3://{bucket}/gallery"]
            found = s3.client.get_object(Bucket=bucket, Key=pages[0].removeprefix(f"s3://{bucket}/"))
            assert b"hats/0.png" in found["Body"].read()
