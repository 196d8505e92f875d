"""What the doctor shows of a setup, and that it changes nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bg_pipeline_tests.deployment import INSTANCE
from bg_pipeline_tests.e2e.shop import COMMAND
from bg_pipeline_tests.pictures import product

pytestmark = pytest.mark.processes


def doctor(home: Path, code: int = 0, **variables: str) -> dict[str, dict[str, Any]]:
    env = {"PATH": os.environ["PATH"], "HOME": str(home), **variables}
    done = subprocess.run(
        [COMMAND, "doctor", "--json"], cwd=home, env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return {each["check"]: each for each in json.loads(done.stdout)}


def tree(home: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(home.rglob("*"))}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(product(1))
    return tmp_path


@pytest.mark.parametrize("dagster", [False, True])
def test_the_doctor_creates_nothing(home: Path, dagster: bool) -> None:
    variables = {}
    if dagster:
        (home / "dagster").mkdir()
        (home / "dagster" / "dagster.yaml").write_text(INSTANCE.read_text())
        variables["DAGSTER_HOME"] = str(home / "dagster")
    before = tree(home)
    told = doctor(home, code=2 if dagster else 0, **variables)

    assert tree(home) == before
    for check in ("output", "masters", "spool"):
        assert "the first sync creates it" in told[check]["detail"]
    assert told["manifest"]["detail"] == "none yet; the first sync creates it"
    assert not dagster or "never ran" in told["Dagster's daemon"]["detail"]


def test_the_doctor_creates_nothing_beside_a_manifest(home: Path) -> None:
    env = {"PATH": os.environ["PATH"]}
    subprocess.run([COMMAND, "sync"], cwd=home, env=env, check=True, capture_output=True)
    before = sorted(tree(home))

    assert "1 items" in doctor(home)["manifest"]["detail"]
    assert sorted(tree(home)) == before


def test_the_doctor_creates_no_tables_in_an_empty_database(home: Path, postgres_url: str) -> None:
    from sqlalchemy import create_engine, inspect

    told = doctor(home, BG_STATE=postgres_url)
    engine = create_engine(postgres_url)

    assert told["manifest"]["detail"] == "none yet; the first sync creates it"
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_the_doctor_shows_each_value_with_its_origin_and_a_slip_in_the_environment(home: Path) -> None:
    (home / ".env").write_text("BG_FORMAT=webp\nREMOVEBG_API_KEY=canary-key\n")
    (home / "bg_pipeline.toml").write_text("bg_padding = 0.1\nbg_canvas = '500x500'\n")
    told = doctor(home, BG_CONCURRENCY="3", BG_MAX_CREDIT_PER_RUN="3")

    assert told["BG_CONCURRENCY"]["detail"] == "3 (environment)"
    assert told["BG_FORMAT"]["detail"] == f"webp ({home}/.env)"
    assert told["BG_PADDING"]["detail"] == f"0.1 ({home}/bg_pipeline.toml)"
    assert told["BG_OUTPUT"]["detail"] == f"{home}/cutouts (default)"
    assert told["REMOVEBG_API_KEY"]["detail"] == f"set (secret) ({home}/.env)"
    slip = told["BG_MAX_CREDIT_PER_RUN"]
    assert (slip["ok"], slip["is_warning"]) == (True, True)
    assert "did you mean BG_MAX_CREDITS_PER_RUN?" in slip["detail"]
    assert "wait until its code location is reloaded" in told["changed settings"]["detail"]
    assert "canary" not in str(told)


@pytest.mark.parametrize(
    ("variables", "check", "said"),
    [
        ({"BG_NIGHTLY_CRON": "every night"}, "schedule", "BG_NIGHTLY_CRON: must be five fields"),
        ({"BG_TIMEZONE": "Mars/Olympus"}, "settings", "BG_TIMEZONE: must be a time zone"),
        ({"BG_ALERT_URLS": "json://host slck://a/b/c"}, "alerts", "Apprise cannot use entry 2"),
        ({"DAGSTER_HOME": ".dagster"}, "DAGSTER_HOME", "is a relative path"),
        ({"DAGSTER_HOME": "/no/such/folder"}, "DAGSTER_HOME", "does not exist"),
        (
            {"BG_PROVIDER": "rembg", "BG_REMBG_MODEL": "u2nett"},
            "settings",
            "BG_REMBG_MODEL: must be one of u2netp, u2net",
        ),
        ({"BG_PROVIDER": "rembg", "BG_REMBG_MODEL": "/no/u2net.onnx"}, "settings", "there is no file /no/u2net.onnx"),
        ({"BG_OUTPUT": "/proc/1/x"}, "output", "/proc/1 cannot be written"),
    ],
)
def test_the_doctor_names_what_is_wrong(home: Path, variables: dict[str, str], check: str, said: str) -> None:
    before = tree(home)
    told = doctor(home, code=2, **variables)

    assert [each for each in told if not told[each]["ok"]] == [check]
    assert said in told[check]["detail"]
    assert tree(home) == before


def test_the_doctor_tells_a_dagster_home_in_dotenv_where_it_has_no_effect(home: Path) -> None:
    (home / ".env").write_text(f"DAGSTER_HOME={home}\n")

    assert "set it in the environment" in doctor(home, code=2)["DAGSTER_HOME"]["detail"]


def test_the_doctor_tells_where_the_weights_of_a_neural_engine_are(home: Path) -> None:
    told = doctor(home, code=0, BG_PROVIDER="rembg", REMBG_HOME=str(home))["engine rembg"]["detail"]
    (home / "u2net.onnx").touch()
    with_weights = doctor(home, code=0, BG_PROVIDER="rembg", REMBG_HOME=str(home))["engine rembg"]["detail"]

    assert f"the first cut downloads the weights of u2net (176 MB, any subject) into {home}/models/u2net" in told
    assert with_weights == f"installed, with {home}/u2net.onnx"


@pytest.mark.parametrize(("engine", "module"), [("local", "cv2"), ("rembg", "onnxruntime")])
def test_an_engine_without_its_extra_is_told(home: Path, engine: str, module: str) -> None:
    start = "import sys; import importlib.util as u; real = u.find_spec\n"
    start += f"u.find_spec = lambda name, *rest: None if name == '{module}' else real(name, *rest)\n"
    start += f"sys.modules['{module}'] = None\n"
    start += "from bg_pipeline.cli.main import main; main(['doctor', '--json'])"
    done = subprocess.run(
        [sys.executable, "-c", start],
        cwd=home,
        env={"PATH": os.environ["PATH"], "BG_PROVIDER": engine},
        capture_output=True,
        text=True,
        check=False,
    )
    told = {each["check"]: each for each in json.loads(done.stdout)}

    assert f"pip install 'bg-pipeline[{engine}]'" in told[f"engine {engine}"]["detail"]


def test_the_end_of_a_service_is_told_by_the_doctor_and_by_plan(home: Path) -> None:
    account = {"BG_PROVIDER": "removebg,local", "REMOVEBG_API_KEY": "canary"}
    command = [str(Path(sys.executable).parent / "bg-pipeline"), "plan", "--json"]
    env = {"PATH": os.environ["PATH"], **account, "HTTPS_PROXY": "http://127.0.0.1:9"}
    planned = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, check=False)

    assert "2026-12-01" in doctor(home, code=2, **account)["end of service"]["detail"]
    assert "2026-12-01" in json.loads(planned.stdout)["ends_of_service"][0]
