"""The command that starts the sandbox."""

from decimal import Decimal

import pytest
from click.testing import CliRunner

from bg_pipeline.cli.main import main
from bg_pipeline.sandbox.faults import Chance, Fault, FaultKind


@pytest.fixture
def served(monkeypatch):
    """What the server would be started with."""
    calls = []

    def serve(port, state, announce):
        announce(f"http://127.0.0.1:{port}")
        calls.append(state)

    monkeypatch.setattr("bg_pipeline.cli.sandbox.serve", serve)
    return calls


def test_the_options_reach_the_sandbox(served, tmp_path):
    script = tmp_path / "faults.json"
    script.write_text('[{"kind": "hang"}]')
    words = ["--credits", "7.5", "--latency", "2", "--faults", str(script), "--fault-rate", "0.05", "--seed", "3"]
    assert CliRunner().invoke(main, ["sandbox", *words]).exit_code == 0
    (state,) = served
    assert [state.balance(name).remaining for name in ("bgeraser", "removebg", "photoroom")] == [Decimal("7.5")] * 3
    assert (state.latency_s, state.faults.chance) == (2, Chance(rate=0.05, seed=3))
    assert state.faults.remaining() == [Fault(kind=FaultKind.HANG)]


def test_it_says_how_each_vendor_is_led_to_it(served):
    told = CliRunner().invoke(main, ["sandbox", "--port", "8787"]).output
    for vendor in ("bgeraser", "removebg", "photoroom"):
        assert f"BG_PROVIDER={vendor} {vendor.upper()}_API_KEY=" in told
        assert f"{vendor.upper()}_BASE_URL=http://127.0.0.1:8787\n" in told
