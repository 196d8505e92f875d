"""The schedule by itself, with a night a minute; takes minutes, so it is no part of the usual run: `pytest -m long`."""

import time
from collections.abc import Iterator

import pytest

from bg_pipeline_tests.deployment import Deployment, deployed
from bg_pipeline_tests.pictures import product

pytestmark = pytest.mark.long

_AT = ".dagster/scheduled_execution_time"


@pytest.fixture
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    settings = {"BG_NIGHTLY_CRON": "* * * * *"}
    with deployed(tmp_path_factory.mktemp("schedule"), settings=settings, fast=True) as made:
        made.put("shoes/1.png", product(1))
        yield made


def nights(deployment: Deployment) -> list[dict[str, str]]:
    """The tags of each detection."""
    return [{t["key"]: t["value"] for t in r["tags"]} for r in deployment.runs() if r["jobName"] == "detect_delta"]


def test_the_schedule_starts_the_nights_and_those_that_were_missed_are_caught_up_by_one_run(
    deployment: Deployment,
) -> None:
    deployment.until("the first night is published", lambda: deployment.outputs() == ["shoes/1.png"])
    deployment.processes["daemon"].kill()
    deployment.processes["daemon"].wait()
    stopped = time.time()
    before = len(nights(deployment))
    while time.time() < (stopped // 60 + 4) * 60 + 5:  # at least three nights without a daemon
        time.sleep(1)
    deployment.start_daemon()
    started = time.time()
    deployment.until("a night is made up for", lambda: len(nights(deployment)) > before)
    time.sleep(max(0.0, (started // 60 + 1) * 60 - 2 - time.time()))

    assert len(nights(deployment)) == before + 1
    assert deployment.charges() == 1
