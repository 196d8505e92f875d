"""Fixtures of the adapters' tests."""

from collections.abc import Iterator

import pytest

from bg_pipeline_tests.adapters import server


@pytest.fixture
def vendor() -> Iterator[server.Vendor]:
    with server.vendor() as made:
        yield made


@pytest.fixture
def elsewhere() -> Iterator[server.Vendor]:
    """Another host: another port is another origin."""
    with server.vendor() as made:
        yield made
