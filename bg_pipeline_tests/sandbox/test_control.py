"""The control routes, limits and latency."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from bg_pipeline.sandbox.state import Limits
from bg_pipeline_tests.sandbox import client

UNLIMITED = {"concurrent": None, "per_minute": None}
FRESH = {
    "credits": {"bgeraser": 1000, "removebg": 1000, "photoroom": 1000},
    "latency_s": 0,
    "lag_s": 0,
    "limits": UNLIMITED,
    "limits_of": {
        "bgeraser": UNLIMITED,
        "removebg": {"concurrent": None, "per_minute": 500},
        "photoroom": UNLIMITED,
    },
    "faults": [],
    "chance": {"rate": 0, "seed": 0},
    "photoroom_plan": "basic",
}


def test_the_state_of_a_fresh_sandbox_can_be_read(start):
    assert client.state(start().base_url) == FRESH


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"credits": {"removebg": 0.25}}, {"credits": FRESH["credits"] | {"removebg": 0.25}}),
        ({"latency_s": 2}, {"latency_s": 2}),
        ({"lag_s": 3}, {"lag_s": 3}),
        ({"photoroom_plan": "plus"}, {"photoroom_plan": "plus"}),
        ({"chance": {"rate": 0.05}}, {"chance": {"rate": 0.05, "seed": 0}}),
        (
            {"limits_of": {"removebg": {"concurrent": 2}}},
            {"limits_of": FRESH["limits_of"] | {"removebg": {"concurrent": 2, "per_minute": 500}}},
        ),
        ({"limits": {"concurrent": 3}}, {"limits": {"concurrent": 3, "per_minute": None}}),
        ({"faults": [{"kind": "slow", "seconds": 1.5}]}, {"faults": [{"kind": "slow", "seconds": 1.5}]}),
    ],
)
def test_a_change_touches_only_what_it_names(start, changes, expected):
    sandbox = start()
    answer = client.put_state(sandbox.base_url, changes)
    assert answer.status_code == 200
    assert answer.json() == client.state(sandbox.base_url) == FRESH | expected


def test_one_limit_can_be_lifted_while_the_other_stays(start):
    base_url = start(limits=Limits(concurrent=3, per_minute=60)).base_url
    client.put_state(base_url, {"limits": {"concurrent": None}})
    assert client.state(base_url)["limits"] == {"concurrent": None, "per_minute": 60}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ([], "object"),
        ({"speed": 1}, "speed"),
        ({"credits": {"acme": 1}}, "credits.acme"),
        ({"credits": {"bgeraser": -1}}, "credits.bgeraser"),
        ({"credits": {"bgeraser": True}}, "credits.bgeraser"),
        ({"latency_s": -1}, "latency_s"),
        ({"latency_s": None}, "latency_s"),
        ({"latency_s": "fast"}, "latency_s"),
        ({"limits": {"concurrent": 0}}, "limits.concurrent"),
        ({"limits": {"hourly": 1}}, "limits.hourly"),
        ({"limits_of": {"acme": {}}}, "limits_of.acme"),
        ({"chance": {"rate": 1.5}}, "chance.rate"),
        ({"photoroom_plan": "gold"}, "photoroom_plan"),
        ({"faults": {"kind": "500"}}, "faults"),
        ({"faults": [{"kind": "501"}]}, "'reset_after_charge'"),
    ],
)
def test_a_bad_change_is_refused_with_a_sentence_and_changes_nothing(start, changes, complaint):
    sandbox = start()
    combined = {"latency_s": 9} | changes if isinstance(changes, dict) else changes
    answer = client.put_state(sandbox.base_url, combined)
    assert answer.status_code == 400
    assert complaint in answer.json()["error"]
    assert client.state(sandbox.base_url) == FRESH


def test_a_change_that_is_not_json_is_refused(start):
    url = f"{start().base_url}/_sandbox/state"
    assert requests.put(url, data=b"{", timeout=client.TIMEOUT_S).status_code == 400


def test_an_answer_takes_no_less_than_the_latency(start, fake_time):
    def cut(image):
        fake_time.now_s += 0.75
        return client.cut_left_half(image)

    client.post(start(cut=cut, latency_s=2).base_url)
    assert fake_time.slept == [1.25]


def test_an_answer_that_took_longer_is_not_delayed(start, fake_time):
    def cut(image):
        fake_time.now_s += 3
        return client.cut_left_half(image)

    assert client.post(start(cut=cut, latency_s=2).base_url).json()["data"]["processingTimeMs"] == 3000
    assert fake_time.slept == []


def test_calls_beyond_the_minute_are_told_how_long_to_wait(start, fake_time):
    base_url = start(limits=Limits(per_minute=2)).base_url
    client.post(base_url)
    fake_time.now_s += 20.5
    client.post(base_url)
    refused = client.post(base_url)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "40")
    fake_time.now_s += 40
    assert client.post(base_url).status_code == 200


def test_refused_calls_do_not_count_against_the_minute(start, fake_time):
    """Else a client that keeps trying would never get in again."""
    base_url = start(limits=Limits(per_minute=1)).base_url
    assert [client.post(base_url).status_code for _ in range(3)] == [200, 429, 429]
    fake_time.now_s += 60
    assert client.post(base_url).status_code == 200


def test_calls_beyond_the_concurrent_limit_are_refused_until_one_has_ended(start):
    cutting, go_on = threading.Event(), threading.Event()

    def cut(image):
        cutting.set()
        assert go_on.wait(client.TIMEOUT_S)
        return client.cut_left_half(image)

    base_url = start(cut=cut, limits=Limits(concurrent=1)).base_url
    with ThreadPoolExecutor() as pool:
        first = pool.submit(client.post, base_url)
        assert cutting.wait(client.TIMEOUT_S)
        refused = client.post(base_url)
        go_on.set()
        assert first.result().status_code == 200
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert client.post(base_url).status_code == 200


def test_the_sandbox_answers_while_it_cuts(start):
    """The cut is slow and bound to a processor; in the event loop it would hold up everybody."""
    cutting, go_on = threading.Event(), threading.Event()

    def cut(image):
        cutting.set()
        assert go_on.wait(client.TIMEOUT_S)
        return client.cut_left_half(image)

    base_url = start(cut=cut).base_url
    with ThreadPoolExecutor() as pool:
        call = pool.submit(client.post, base_url)
        assert cutting.wait(client.TIMEOUT_S)
        assert client.remaining(base_url) == 999
        assert client.ledger(base_url)["charges"] == []
        go_on.set()
        assert call.result().status_code == 200
