"""A small shop with real parts, and an instance of Dagster that forgets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.sandbox.client import cut_left_half


@dataclass
class Shop:
    """Where its files are, and its vendor."""

    home: Path
    vendor: SandboxState

    def put(self, key: str, data: bytes) -> None:
        file = self.home / "images" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    state = SandboxState()
    with running_sandbox(state, cut_left_half) as running:
        monkeypatch.setenv("BG_PROVIDER", "bgeraser")
        monkeypatch.setenv("BG_LOW_CREDITS", "50")
        monkeypatch.setenv("BGERASER_API_KEY", "canary-key")
        monkeypatch.setenv("BGERASER_BASE_URL", running.base_url)
        monkeypatch.setenv("BG_STABLE_S", "0")
        made = Shop(tmp_path, state)
        for n in range(2):
            made.put(f"shoes/{n}.png", product(n))
        made.put("bags/9.png", product(9))
        yield made


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def run(instance: dg.DagsterInstance) -> Run:
    """Runs a job of the code location on the instance."""
    from bg_pipeline.orchestration.definitions import defs

    def execute(job: str, **options: object) -> dg.ExecuteInProcessResult:
        return defs.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False, **options)  # type: ignore[arg-type]

    return execute
