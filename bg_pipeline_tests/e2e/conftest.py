"""A shop with five pictures, and the sandbox on a socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.pictures import cut_middle, product
from bg_pipeline_tests.stub_vendor import StubVendor, stub_vendor


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    vendor = SandboxState()
    with running_sandbox(vendor, cut_middle) as running:
        made = Shop(tmp_path, vendor, running.base_url)
        for n in range(3):
            made.put(f"shoes/{n}.png", product(n))
        made.put("bags/9.jpg", product(9, kind="JPEG"))
        made.put("top.png", product(20))
        yield made


@pytest.fixture
def vendor() -> Iterator[StubVendor]:
    """A vendor that was written from its documentation, on a socket."""
    with stub_vendor(StubVendor()) as running:
        yield running
