"""The ports by themselves: narrow enough to be known by heart."""

import inspect
from typing import Any, Protocol

import pytest

from bg_pipeline.ports import alerts, catalogue, purchasing, retention, review, running, stores

PORTS = [
    port
    for module in (alerts, catalogue, purchasing, retention, review, running, stores)
    for _, port in inspect.getmembers(module, inspect.isclass)
    if Protocol in port.__bases__ and port.__module__ == module.__name__
]


@pytest.mark.parametrize("port", PORTS)
def test_a_port_has_at_most_ten_methods(port: type[Any]) -> None:
    methods = [name for name, member in vars(port).items() if not name.startswith("_") and callable(member)]

    assert len(methods) <= 10


def test_the_ports_of_the_manifest_are_among_them() -> None:
    names = {port.__name__ for port in PORTS}

    assert names >= {
        "Observations",
        "Deltas",
        "WorkQueue",
        "Items",
        "Trash",
        "Purchases",
        "Ledger",
        "Gates",
        "Erasures",
    }
