"""What a request's `Accept` header gets, at the vendors that answer in two ways; and how browsers call them."""

import pytest
import requests

from bg_pipeline.sandbox.faults import Fault, FaultKind
from bg_pipeline.sandbox.serve import RunningSandbox
from bg_pipeline_tests.sandbox import client

PICTURES = {"removebg": "/v1.0/removebg", "photoroom": "/v1/segment"}


def accepted(sandbox: RunningSandbox, path: str, accept: str | None) -> str:
    files = {"image_file": ("a.png", client.picture(), "image/png")}
    headers = {"X-Api-Key": "any", "Accept": accept}
    answer = requests.post(f"{sandbox.base_url}{path}", files=files, headers=headers, timeout=client.TIMEOUT_S)
    assert answer.status_code == 200
    return answer.headers["Content-Type"].partition(";")[0]


@pytest.mark.parametrize("path", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        (None, False),
        ("*/*", False),
        ("application/json, text/plain, */*", False),  # axios, unless told otherwise
        ("image/png, application/json", False),  # photoroom-cli
        ("application/json", True),
        ("application/json, text/plain", True),
        ("application/json, */*;q=0.1", True),
        ("application/json;q=0.5, image/*", False),
        ("image/*;q=0.2, application/json;q=0.9", True),
        ("APPLICATION/JSON", True),
        ("application/json;q=none", False),
    ],
)
def test_json_needs_a_strictly_higher_quality_than_a_picture(
    shared: RunningSandbox, path: str, accept: str | None, is_json: bool
) -> None:
    assert (accepted(shared, path, accept) == "application/json") is is_json


@pytest.mark.parametrize("path", ["/v1.0/removebg", "/v1/segment", "/v2/edit", "/api/tools/bg-removal", "/v1/account"])
def test_a_browser_may_call_every_vendor_but_not_change_the_sandbox(shared: RunningSandbox, path: str) -> None:
    asks = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key",
    }
    allowed = requests.options(f"{shared.base_url}{path}", headers=asks, timeout=client.TIMEOUT_S)
    control = requests.options(f"{shared.base_url}/_sandbox/state", headers=asks, timeout=client.TIMEOUT_S)

    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "*"
    assert "x-api-key" in allowed.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Origin" not in control.headers


def test_errors_of_a_vendor_can_be_read_by_a_page_too(start) -> None:
    sandbox = start(faults=[Fault(kind=FaultKind.NO_CREDITS)])
    files = {"image_file": ("a.png", client.picture(), "image/png")}
    headers = {"X-Api-Key": "any", "Origin": "https://shop.example"}
    answer = requests.post(f"{sandbox.base_url}/v1/segment", files=files, headers=headers, timeout=client.TIMEOUT_S)

    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (402, "*")


@pytest.mark.parametrize(("key", "shape"), [("bge_live_abc", "data"), ("any", "credits"), ("sandbox_abc", "credits")])
def test_the_account_on_a_shared_path_is_that_of_the_keys_vendor(shared: RunningSandbox, key: str, shape: str) -> None:
    assert list(client.get(f"{shared.base_url}/v1/account", key).json()) == [shape]
