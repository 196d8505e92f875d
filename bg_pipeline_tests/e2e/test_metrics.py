"""Metrics as a monitoring system of other people reads them."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.deployment import BIN, PATH, free_port
from bg_pipeline_tests.e2e.two_shops import TwoShops
from bg_pipeline_tests.pictures import cut_middle

_CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[TwoShops]:
    vendor = SandboxState()
    with running_sandbox(vendor, cut_middle) as running:
        yield TwoShops(tmp_path, vendor, running.base_url)


def test_the_text_is_as_the_command_prints_it_and_of_all_catalogues(shops: TwoShops) -> None:
    shops.run("sync", "--all")
    text = shops.run("metrics")

    assert 'bg_pipeline_items{catalogue="brand_a",state="published"} 2.0\n' in text
    assert 'bg_pipeline_items{catalogue="brand_b",state="published"} 2.0\n' in text
    assert 'bg_pipeline_credits_charged_total{account="main"} 3.0\n' in text
    assert "brand_a" not in shops.run("metrics", "--catalogue", "brand_b")


def test_a_port_that_is_taken_is_one_sentence(shops: TwoShops) -> None:
    port = int(shops.env["BGERASER_BASE_URL"].rpartition(":")[2])
    shops.run("metrics", "--serve", "--port", str(port), code=2)

    assert f"metrics cannot be served at 127.0.0.1, port {port}: Address already in use" in shops.err


@pytest.mark.processes
@pytest.mark.skipif(not shutil.which("prometheus"), reason="there is no prometheus: apt-get install prometheus")
def test_prometheus_reads_them_and_finds_nothing_to_object(shops: TwoShops, tmp_path: Path) -> None:
    shops.run("sync", "--all")
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=shops.run("metrics"), capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")

    ours, theirs = free_port(), free_port()
    (tmp_path / "prometheus.yml").write_text(_CONFIG.format(port=ours))
    storage = f"--storage.tsdb.path={tmp_path / 'tsdb'}"
    commands = (
        [BIN / "bg-pipeline", "metrics", "--serve", "--port", str(ours)],
        ["prometheus", f"--config.file={tmp_path}/prometheus.yml", storage, f"--web.listen-address=127.0.0.1:{theirs}"],
    )
    env = {**shops.env, "PATH": PATH}
    running = [subprocess.Popen(command, cwd=shops.home, env=env, stderr=subprocess.DEVNULL) for command in commands]
    try:
        published = _until_known(theirs, 'sum(bg_pipeline_items{state="published"})')
        assert published == "4"
        assert _until_known(theirs, "bg_pipeline_credits_charged_total") == "3"
        assert _until_known(theirs, 'bg_pipeline_gate{account="main",state="open"}') == "1"
    finally:
        for process in running:
            process.terminate()
            process.wait(timeout=30)


def _until_known(port: int, query: str) -> str:
    """The value of a query that has one result, as soon as Prometheus knows one."""
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                result = json.load(answer)["data"]["result"]
        except (urllib.error.URLError, ConnectionError):
            result = []
        if result:
            value: str = result[0]["value"][1]
            return value
        time.sleep(0.1)
    raise AssertionError(f"Prometheus knows nothing of {query}")
