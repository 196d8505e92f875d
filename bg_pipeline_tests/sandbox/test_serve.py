"""Starting and stopping."""

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.sandbox.faults import Fault, FaultKind
from bg_pipeline.sandbox.serve import RunningSandbox, _listen, running_sandbox, serve
from bg_pipeline.sandbox.state import Clock, SandboxState
from bg_pipeline_tests.sandbox import client


def _address(base_url: str) -> tuple[str, int]:
    parts = urlsplit(base_url)
    return parts.hostname, parts.port


def test_a_stopped_sandbox_frees_its_port():
    with running_sandbox(cut=client.cut_left_half) as sandbox:
        assert client.post(sandbox.base_url).status_code == 200
    _, port = _address(sandbox.base_url)
    again = RunningSandbox(SandboxState(), client.cut_left_half, port)
    try:
        assert client.post(again.base_url).status_code == 200
    finally:
        again.stop()


def test_answers_do_not_wait_for_acknowledgements():
    """Every call but the first on a connection took 44 ms too long: 2 % of a benchmark at two seconds a call."""
    with _listen(0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_sandbox_can_be_stopped_at_once():
    """Stopping may come before the thread has got round to starting."""
    sandbox = RunningSandbox(SandboxState(), client.cut_left_half)
    sandbox.stop()
    with pytest.raises(requests.ConnectionError):
        client.post(sandbox.base_url)


def test_two_sandboxes_do_not_share_anything():
    with running_sandbox(cut=client.cut_left_half) as one, running_sandbox(cut=client.cut_left_half) as other:
        client.post(one.base_url)
        assert client.ledger(other.base_url) == {"charges": [], "requests": 0, "faults": {}}


def test_an_idle_connection_does_not_hold_up_the_stop():
    with requests.Session() as session, running_sandbox(cut=client.cut_left_half) as sandbox:
        session.get(f"{sandbox.base_url}/_sandbox/ledger", timeout=client.TIMEOUT_S)


def test_stopping_drops_a_call_that_would_take_an_hour_and_logs_no_error(caplog, monkeypatch):
    monkeypatch.setattr("bg_pipeline.sandbox.serve.GRACE_S", 0.01)
    waiting = threading.Event()

    async def sleep(seconds: float) -> None:
        waiting.set()
        await asyncio.sleep(seconds)

    state = SandboxState(faults=[Fault(kind=FaultKind.SLOW, seconds=3600)], clock=Clock(sleep=sleep))
    with ThreadPoolExecutor() as pool:
        with running_sandbox(state, client.cut_left_half) as sandbox:
            call = pool.submit(client.post, sandbox.base_url)
            assert waiting.wait(client.TIMEOUT_S)
        with pytest.raises(requests.ConnectionError):
            call.result()
    assert len(state.ledger.charges()) == 1
    assert caplog.records == []


def test_a_client_that_gives_up_in_the_middle_of_its_upload_leaves_no_trace(caplog):
    with running_sandbox(cut=client.cut_left_half) as sandbox:
        with socket.create_connection(_address(sandbox.base_url)) as connection:
            connection.sendall(b"POST /api/tools/bg-removal HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\nabc")
        assert client.post(sandbox.base_url).status_code == 200
    assert sandbox.state.ledger.requests == 1
    assert caplog.records == []


@pytest.mark.parametrize(("port", "reason"), [(-1, "from 0 to 65535"), (65536, "from 0 to 65535")])
def test_a_port_that_does_not_exist_is_a_matter_of_settings(port, reason):
    with pytest.raises(ConfigurationError, match=reason):
        serve(port, SandboxState(), print, client.cut_left_half)


def test_a_port_in_use_is_a_matter_of_settings():
    with running_sandbox(cut=client.cut_left_half) as sandbox:
        _, port = _address(sandbox.base_url)
        with pytest.raises(ConfigurationError, match=f"cannot use port {port}: Address already in use"):
            serve(port, SandboxState(), print, client.cut_left_half)


def test_a_missing_opencv_is_a_matter_of_settings(monkeypatch):
    """It comes with an extra, and nothing else in the sandbox needs it."""
    monkeypatch.setitem(sys.modules, "bg_pipeline.imaging.grabcut", None)
    with pytest.raises(ConfigurationError, match=r"bg-pipeline\[local\]"):
        serve(0, SandboxState(), print)


SERVING = """
from bg_pipeline.sandbox.serve import serve
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.sandbox.client import cut_left_half
serve(0, SandboxState(), lambda url: print(url, flush=True), cut_left_half)
print("stopped")
"""


def test_the_sandbox_in_the_foreground_ends_quietly_on_ctrl_c():
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SERVING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        base_url = process.stdout.readline().strip()
        assert client.post(base_url).status_code == 200
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=client.TIMEOUT_S)
    assert (process.returncode, output, errors) == (0, "stopped\n", "")
