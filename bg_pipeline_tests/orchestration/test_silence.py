"""No secret is in anything that is left of a service's every fault: events, logs, alerts, files, the manifest."""

import json
import logging

import dagster as dg
import pytest
from click.testing import CliRunner

from bg_pipeline.cli.main import main
from bg_pipeline.sandbox.faults import Fault, FaultKind
from bg_pipeline_tests.orchestration.conftest import Run, Shop
from bg_pipeline_tests.orchestration.runs import night
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.webhook import webhook

KEY, HOOK = "canary-key", "canary-hook"
ROUNDS = 8
"""Some faults close the gate, which a person opens again."""


def test_no_secret_is_left_anywhere_by_any_fault_of_a_service(
    shop: Shop,
    run: Run,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("bg_pipeline.net.http.TOTAL_S", 1.0)
    monkeypatch.setattr("bg_pipeline.net.http.MAX_ANSWER_BYTES", 1 << 20)
    monkeypatch.setattr("bg_pipeline.purchasing.answers.WAITS_S", ())
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    with webhook() as (port, took):
        monkeypatch.setenv("BG_ALERT_URLS", f"json://user:{HOOK}@127.0.0.1:{port}/{HOOK}")
        kinds = sorted(FaultKind, key=lambda kind: kind is FaultKind.NO_CREDITS)  # at the end, for an alert
        shop.vendor.faults.replace([Fault(kind=kind, after=1) for kind in kinds])
        for number in range(ROUNDS):
            for n in range(10):
                shop.put(f"round {number}/{n}.png", product(100 + 10 * number + n))
            if number == 0:
                said += [str(event) for each in night(run) for event in instance.all_logs(each.run_id)]
            else:
                for command in ("gate open bgeraser", "-v sync", "-v sync --json", "failures", "export --format csv"):
                    said.append(CliRunner().invoke(main, command.split()).output)
            if not shop.vendor.faults.remaining():
                break
    left = [path for path in shop.home.rglob("*") if path.is_file()]
    said += [path.read_bytes().decode("latin-1") for path in left] + [str(path) for path in left]
    everything = "\n".join([*said, caplog.text, *capfd.readouterr(), *took])

    assert set(shop.vendor.faults.done()) == {kind.value for kind in FaultKind}
    assert any(path.name == "manifest.db" for path in left)
    assert json.loads(took[0])["title"]
    assert "INTERNAL_ERROR" in everything
    assert KEY not in everything
    assert HOOK not in everything
