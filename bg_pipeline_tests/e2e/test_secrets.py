"""No secret is printed, logged, raised or stored, in whichever setting it stands and however that fails."""

import os
import sqlite3
import subprocess
import sys
import traceback
from pathlib import Path

import dagster as dg
import pytest

from bg_pipeline.errors import StateError
from bg_pipeline.redaction import keep_secret, redacted, secrets_in
from bg_pipeline_tests.pictures import product

CANARY = "qZ7canary9Xw"
CLOSED = "127.0.0.1:1"
"""A port where nothing listens."""

POSTGRES = "postgresql+psycopg"
SQL = {"BG_SOURCE_QUERY": "SELECT key, image FROM pictures"}
S3 = {"BG_SOURCE": "s3://pictures", "AWS_ACCESS_KEY_ID": f"AKIA{CANARY}", "AWS_SECRET_ACCESS_KEY": f"{CANARY}/x+y"}
REGION = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1"}

CASES: dict[str, dict[str, str]] = {
    "a manifest that refuses": {"BG_STATE": f"{POSTGRES}://u:{CANARY}@{CLOSED}/db?sslpassword={CANARY}"},
    "a manifest whose host is not known": {"BG_STATE": f"{POSTGRES}://u:{CANARY}@no-such-host.invalid/db"},
    "a manifest with a bare at": {"BG_STATE": f"{POSTGRES}://u:x@{CANARY}@{CLOSED}/db"},
    "a manifest with a bare at and slash": {"BG_STATE": f"{POSTGRES}://u:x@{CANARY}/y@{CLOSED}/db"},
    "a manifest with a bare slash and number sign": {"BG_STATE": f"{POSTGRES}://u:{CANARY}/#y@{CLOSED}/db"},
    "a manifest without its host": {"BG_STATE": f"{POSTGRES}://u:{CANARY}/db"},
    "a source that refuses": {"BG_SOURCE": f"{POSTGRES}://u:{CANARY}@{CLOSED}/db?password={CANARY}", **SQL},
    "a source with a bare at": {"BG_SOURCE": f"{POSTGRES}://u:x@{CANARY}@{CLOSED}/db", **SQL},
    "a source without its host": {"BG_SOURCE": f"{POSTGRES}://u:{CANARY}/db", **SQL},
    "a source without its scheme": {"BG_SOURCE": f"u:{CANARY}@{CLOSED}"},
    "keys in the URL of a source": {"BG_SOURCE": f"s3://AKIA:{CANARY}@bucket"},
    "keys in the URL of outputs": {"BG_OUTPUT": f"s3://AKIA:{CANARY}@bucket"},
    "keys in the URL of masters": {"BG_MASTERS": f"s3://AKIA:{CANARY}@bucket"},
    "keys in the URL of the spool": {"BG_SPOOL": f"s3://AKIA:{CANARY}@bucket"},
    "keys in the URL of pages": {"BG_GALLERY": f"s3://AKIA:{CANARY}@bucket"},
    "an endpoint with credentials": {**S3, "BG_S3_ENDPOINT": f"http://user:{CANARY}@{CLOSED}"},
    "an endpoint that no parser takes": {**S3, "BG_S3_ENDPOINT": f"http://user:{CANARY}@h\u2100st"},
    "an endpoint of AWS with credentials": {**S3, **REGION, "AWS_ENDPOINT_URL": f"http://user:{CANARY}@{CLOSED}"},
    "an endpoint of AWS that is no URL": {**S3, **REGION, "AWS_ENDPOINT_URL": f"user:{CANARY}@host"},
    "a profile that does not exist": {**S3, "AWS_PROFILE": "none"},
    "an S3 server that does not answer": {**S3, **REGION, "BG_S3_ENDPOINT": f"http://{CLOSED}"},
    "a proxy that does not answer": {
        **S3,
        **REGION,
        "BG_S3_ENDPOINT": "http://s3.example.com",
        "HTTP_PROXY": f"http://u:{CANARY}@{CLOSED}",
    },
    "alerts": {"BG_ALERT_URLS": f"slack://{CANARY}/B0/x json://u:{CANARY}@{CLOSED}/ https://{CLOSED}/{CANARY}"},
    "an alert that is no URL": {"BG_ALERT_URLS": f"hooks.slack.com/{CANARY}"},
    "a key of two words": {"BG_PROVIDER": "bgeraser", "BGERASER_API_KEY": f"{CANARY} x"},
    "a vendor that does not answer": {
        "BG_PROVIDER": "bgeraser",
        "BGERASER_API_KEY": CANARY,
        "BGERASER_BASE_URL": f"http://{CLOSED}",
    },
    "a vendor's URL with credentials": {"BGERASER_BASE_URL": f"https://u:{CANARY}@host"},
    "a vendor's path to another host": {"BGERASER_PATH": f"/@{CANARY}.example"},
    "a vendor's field": {"BGERASER_FILE_FIELD": f'x"\r\n{CANARY}'},
    "an address of the UI with credentials": {"BG_DAGSTER_URL": f"http://u:{CANARY}@host"},
}

FILES = {
    "a table with a wrong value": f'[account.main]\nvendor = "bgeraser"\napi_key = ["{CANARY}"]\n',
    "a table that is not closed": f'[account.main]\nvendor = "bgeraser"\napi_key = "{CANARY}\n',
    "a value without quotes": f"[account.main]\napi_key = {CANARY}\n",
}


_ALL = """
import contextlib, sys
from bg_pipeline.cli.main import main
for command in sys.argv[1:]:
    with contextlib.suppress(SystemExit):
        main(["-v", *command.split()])
"""
"""Run commands one after the other in one process, which starts only once."""


def everything_from(home: Path, env: dict[str, str], *commands: str) -> str:
    """What these commands print and store."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", **env}
    texts = []
    done = subprocess.run(
        [sys.executable, "-c", _ALL, *commands], cwd=home, env=env, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    texts += [done.stdout, done.stderr]
    for file in home.rglob("*"):
        if file.is_file() and file.name not in {"bg_pipeline.toml", "pictures.db"}:
            texts += [str(file), file.read_bytes().decode("latin-1")]
    return "\n".join(texts)


@pytest.mark.processes
@pytest.mark.parametrize("env", CASES.values(), ids=CASES)
def test_a_secret_in_a_setting_is_never_shown(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.jpg").write_bytes(product(1, kind="JPEG"))
    commands = ["doctor", "sync"] if "BG_ALERT_URLS" not in env else ["doctor", "alert-test"]

    assert CANARY.lower() not in everything_from(tmp_path, env, *commands).lower()


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_a_secret_in_the_file_of_settings_is_never_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "bg_pipeline.toml").write_text(text)

    assert CANARY not in everything_from(tmp_path, {}, "doctor", "sync")


def test_a_signed_url_of_a_picture_is_never_shown(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "pictures.db") as conn:
        conn.execute("CREATE TABLE pictures (key TEXT, url TEXT)")
        conn.execute("INSERT INTO pictures VALUES ('a.jpg', ?)", (f"https://{CLOSED}/a?X-Amz-Signature={CANARY}",))
    env = {"BG_SOURCE": "sqlite:///pictures.db", "BG_SOURCE_QUERY": "SELECT key, url FROM pictures"}

    said = everything_from(tmp_path, env, "sync", "failures", "why a.jpg")
    assert "a.jpg" in said
    assert CANARY not in said


@pytest.mark.parametrize(
    "case",
    [
        "a manifest that refuses",
        "a manifest with a bare at",
        "a source that refuses",
        "an endpoint of AWS with credentials",
        "an S3 server that does not answer",
    ],
)
def test_dagster_stores_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    from bg_pipeline.orchestration.definitions import defs

    monkeypatch.setattr("bg_pipeline.orchestration.opener.RETRY", dg.RetryPolicy(max_retries=0))
    (tmp_path / "images").mkdir()
    for name, value in CASES[case].items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs.resolve_job_def("detect_delta")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        events = instance.all_logs(result.run_id)

    assert not result.success
    assert events
    assert CANARY not in "\n".join(repr(event) for event in events)


def test_a_fault_in_dagster_s_step_is_stored_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    from bg_pipeline.orchestration.opener import Opener

    keep_secret(CANARY)

    def broken(*_: object) -> None:
        raise RuntimeError(f"cannot parse {CANARY}")

    monkeypatch.setattr("bg_pipeline.orchestration.opener.settings_of", broken)
    with pytest.raises(dg.Failure) as caught, Opener().open():
        pass
    assert "cannot parse ***" in str(caught.value.description)
    assert caught.value.__suppress_context__


def test_the_cause_of_an_error_is_not_stored_by_dagster(monkeypatch: pytest.MonkeyPatch) -> None:
    from bg_pipeline.orchestration.opener import Opener

    def broken(*_: object) -> None:
        raise StateError("the manifest cannot be reached") from RuntimeError(CANARY)

    monkeypatch.setattr("bg_pipeline.orchestration.opener.settings_of", broken)
    with pytest.raises(dg.Failure) as caught, Opener().open():
        pass
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no host at http://user:pw@host:80/x", "no host at http://***@host:80/x"),
        ("no host at http://user:p@w/o#rd@host", "no host at http://***@host"),
        ("no host at http://token@host", "no host at http://***@host"),
        ("see https://host/img@2x.jpg", "see https://host/img@2x.jpg"),
        ("see https://host:8080/img@2x.jpg", "see https://host:8080/img@2x.jpg"),
        ("s3://bucket/img@2x.jpg is missing", "s3://bucket/img@2x.jpg is missing"),
        ("the manifest postgresql://u:***@host/db", "the manifest postgresql://u:***@host/db"),
    ],
)
def test_only_credentials_are_removed_from_a_url(text: str, shown: str) -> None:
    assert redacted(text) == shown


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("postgresql://u:p%40ss@h/db", {"p%40ss", "p@ss"}),
        ("postgresql://h/db?user=u&password=p1&sslkey=k1", {"p1", "k1"}),
        ("sqlite:///a:b@c.db", set()),
        ("/srv/images", set()),
    ],
)
def test_the_secrets_of_a_url_are_its_password_and_such_values(url: str, secrets: set[str]) -> None:
    assert set(secrets_in(url)) == secrets


def test_a_known_secret_is_removed_in_every_encoding_but_not_from_longer_words() -> None:
    keep_secret("postgres")

    assert redacted("postgresql failed for cG9zdGdyZXM=: 'POSTGRES'") == "postgresql failed for ***: '***'"
