"""What `deploy/` has is taken by the programs that read it, as far as they are here."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy
import yaml

from bg_pipeline_tests.deployment import INSTANCE, ROOT

DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


@pytest.mark.parametrize(
    ("launcher", "name"), [("dagster-celery.yaml", "CeleryLauncher"), ("dagster-docker.yaml", "DockerRunLauncher")]
)
def test_dagster_loads_an_instance_for_several_machines(
    launcher: str, name: str, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sqlalchemy.make_url(postgres_url).set(drivername="postgresql+psycopg2")
    monkeypatch.setenv("DAGSTER_PG_URL", url.render_as_string(hide_password=False))
    monkeypatch.setenv("DAGSTER_LOGS_BUCKET", "logs")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("CELERY_BROKER", "redis://queue.example/0")
    monkeypatch.setenv("CELERY_BACKEND", "redis://queue.example/1")
    whole = yaml.safe_load(INSTANCE.read_text()) | read("dagster-cluster.yaml") | read(launcher)
    del whole["event_log_storage"]
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(whole))

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert type(instance.run_launcher).__name__ == name
        assert type(instance.compute_log_manager).__name__ == "S3ComputeLogManager"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY / "systemd", tmp_path / "units")
    units = sorted((tmp_path / "units").glob("*.service"))
    for unit in units:
        unit.write_text(unit.read_text().replace("/opt/bg-pipeline/bin", str(BIN)))
    done = subprocess.run(
        ["systemd-analyze", "verify", *units],
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}/units:"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(units) == 4
    assert (done.returncode, done.stderr) == (0, "")


def test_every_program_that_deploy_starts_is_in_the_environment() -> None:
    compose = read("compose.yaml")
    services = compose["services"].values()
    programs = {service["command"][0] for service in services if "command" in service}
    for unit in (DEPLOY / "systemd").glob("*.service"):
        programs |= set(re.findall(r"^ExecStart=/opt/bg-pipeline/bin/(\S+)", unit.read_text(), re.MULTILINE))

    assert programs == {"dagster", "dagster-daemon", "dagster-webserver", "dagster-celery"}
    assert [name for name in programs if not (BIN / name).exists()] == []
    (server,) = yaml.safe_load(compose["configs"]["workspace"]["content"])["load_from"]
    assert server["grpc_server"]["host"] in compose["services"]


def test_what_the_values_of_the_chart_name_is_there() -> None:
    values = read("helm-values.yaml")
    (code,) = values["dagster-user-deployments"]["deployments"]

    assert importlib.import_module(code["codeServerArgs"][1]).defs
    shipped = yaml.safe_load(INSTANCE.read_text())
    assert values["concurrency"]["pools"] == {
        "granularity": shipped["concurrency"]["pools"]["granularity"],
        "defaultLimit": shipped["concurrency"]["pools"]["default_limit"],
    }
    assert values["dagsterDaemon"]["runRetries"]["maxRetries"] == shipped["run_retries"]["max_retries"]
