"""remove.bg: keys, the account and the limit of a minute."""

from decimal import Decimal

import requests

from bg_pipeline.sandbox.state import Limits
from bg_pipeline_tests.sandbox import client
from bg_pipeline_tests.sandbox.removebg import LARGE, PATH, SMALL, error_of


def test_a_key_may_come_as_a_bearer_token_and_others_are_a_403(start):
    base_url = start(keys=frozenset({"good"})).base_url
    url = base_url + PATH
    bearer = {"Authorization": "Bearer good"}
    assert requests.post(url, files={"image_file": SMALL}, headers=bearer, timeout=30).status_code == 200
    for answer in (client.removebg(base_url, key="bad"), client.get(f"{base_url}/v1.0/account", "bad")):
        assert error_of(answer) == (403, "auth_failed")
        assert answer.json()["errors"][0]["title"] == "API Key invalid"
    for answer in (client.removebg(base_url, key=""), client.get(f"{base_url}/v1.0/account", "")):
        assert error_of(answer) == (403, "auth_failed")
        assert answer.json()["errors"][0]["title"] == "Missing API Key"


def test_the_account_has_exactly_the_documented_keys(start):
    """The official Ruby client fails on any other."""
    base_url = start(credits_of={"removebg": Decimal("2.5")}).base_url
    client.removebg(base_url)
    answer = client.get(f"{base_url}/v1.0/account")
    assert answer.json() == {
        "data": {
            "attributes": {
                "credits": {"total": 2.25, "subscription": 0, "payg": 2.25, "enterprise": 0},
                "api": {"free_calls": 0, "sizes": "all"},
            }
        }
    }
    assert "X-RateLimit-Limit" not in answer.headers


def test_the_account_may_lag_behind_the_charges(start, fake_time):
    base_url = start(credits_of={"removebg": Decimal(10)}, lag_s=5).base_url

    def total() -> float:
        return client.get(f"{base_url}/v1.0/account").json()["data"]["attributes"]["credits"]["total"]

    client.removebg(base_url, LARGE, size="full")
    fake_time.now_s += 3
    client.removebg(base_url)
    assert total() == 10
    fake_time.now_s += 2
    assert total() == 9
    fake_time.now_s += 3
    assert total() == 8.75


def rates(answer: requests.Response) -> list[int]:
    return [int(answer.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset")]


def test_a_minute_begins_with_the_first_call_and_counts_megapixels(start, fake_time):
    """One constant Reset, 60 seconds after the first call, as recorded from the real service."""
    base_url = start().base_url
    began = int(fake_time.now_s)
    assert rates(client.removebg(base_url, SMALL)) == [500, 499, began + 60]
    fake_time.now_s += 59
    assert rates(client.removebg(base_url, client.picture(1600, 1200))) == [500, 497, began + 60]
    fake_time.now_s += 11
    assert rates(client.removebg(base_url, client.picture(1200, 800))) == [500, 499, began + 130]


def test_beyond_the_minute_a_call_is_refused_with_whole_seconds_to_wait(start, fake_time):
    """The official command line computes with the header, and without a number retries at once."""
    base_url = start(limits_of={"removebg": Limits(per_minute=3)}).base_url
    for _ in range(2):
        client.removebg(base_url, SMALL)
    fake_time.now_s += 20.5
    two_megapixels = client.picture(1600, 1200)
    refused = client.removebg(base_url, two_megapixels)
    assert error_of(refused) == (429, "rate_limit_exceeded")
    assert refused.headers["Retry-After"] == "40"
    assert rates(refused) == [3, 1, 1_700_000_060]
    assert client.removebg(base_url, SMALL).status_code == 200
    fake_time.now_s += 40
    assert client.removebg(base_url, two_megapixels).status_code == 200


def test_a_picture_larger_than_the_whole_minute_gets_a_minute_to_itself(start, fake_time):
    base_url = start(limits_of={"removebg": Limits(per_minute=1)}).base_url
    two_megapixels = client.picture(1600, 1200)
    assert [client.removebg(base_url, two_megapixels).status_code for _ in range(2)] == [200, 429]
    fake_time.now_s += 60
    assert client.removebg(base_url, two_megapixels).status_code == 200


def test_a_limit_for_all_and_one_of_the_vendor_both_hold(start):
    base_url = start(limits=Limits(per_minute=1)).base_url
    assert [client.removebg(base_url).status_code for _ in range(2)] == [200, 429]
    assert [client.post(base_url).status_code for _ in range(2)] == [200, 429]
    client.put_state(base_url, {"limits": {"per_minute": None}, "limits_of": {"removebg": {"per_minute": None}}})
    answer = client.removebg(base_url)
    assert answer.status_code == 200
    assert "X-RateLimit-Limit" not in answer.headers
