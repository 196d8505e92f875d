"""Scripted faults: what each does to a call, what it costs, and how a script is read."""

import json
from decimal import Decimal

import pytest

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.sandbox.faults import NO_CHANCE, Chance, Fault, FaultKind, FaultPlan, load_faults
from bg_pipeline_tests.sandbox import client

ERRORS = {
    FaultKind.INTERNAL_ERROR: (500, "INTERNAL_ERROR"),
    FaultKind.UNAVAILABLE: (503, "SERVICE_UNAVAILABLE"),
    FaultKind.TOO_MANY_REQUESTS: (429, "RATE_LIMITED"),
    FaultKind.NO_CREDITS: (402, "INSUFFICIENT_CREDITS"),
    FaultKind.BAD_KEY: (401, "UNAUTHORIZED"),
    FaultKind.SUCCESS_ERROR: (200, "PROCESSING_FAILED"),
}


@pytest.mark.parametrize(("kind", "expected"), ERRORS.items(), ids=ERRORS)
def test_a_scripted_error_speaks_as_the_vendor_does(start, kind, expected):
    answer = client.post(start(faults=[Fault(kind=kind)]).base_url)
    assert answer.json()["success"] is False
    assert (answer.status_code, answer.json()["error"]["code"]) == expected


@pytest.mark.parametrize(("kind", "status"), [(FaultKind.BAD_GATEWAY_PAGE, 502), (FaultKind.SUCCESS_PAGE, 200)])
def test_a_proxy_page_is_html(start, kind, status):
    answer = client.post(start(faults=[Fault(kind=kind)]).base_url)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")


def test_an_empty_body_is_a_success_without_content(start):
    answer = client.post(start(faults=[Fault(kind=FaultKind.EMPTY_BODY)]).base_url)
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_fault_that_is_charged_needs_credits(start):
    sandbox = start(faults=[Fault(kind=FaultKind.RESET_AFTER_CHARGE)], credits_of={"bgeraser": Decimal(0)})
    assert client.post(sandbox.base_url).status_code == 402


@pytest.mark.parametrize("value", ["7", "Wed, 21 Oct 2026 07:28:00 GMT", "-5", "soon", "1e9", ""])
def test_a_429_carries_the_scripted_retry_after_as_it_is(start, value):
    fault = Fault(kind=FaultKind.TOO_MANY_REQUESTS, retry_after=value)
    assert client.post(start(faults=[fault]).base_url).headers["Retry-After"] == value


def test_a_429_leaves_retry_after_out_when_the_script_says_null(start):
    fault = Fault(kind=FaultKind.TOO_MANY_REQUESTS, retry_after=None)
    assert "Retry-After" not in client.post(start(faults=[fault]).base_url).headers


def test_a_429_says_whole_seconds_when_the_script_says_nothing(start):
    """Official clients parse the header as a number, and without one retry at once."""
    answer = client.post(start(faults=[Fault(kind=FaultKind.TOO_MANY_REQUESTS)]).base_url)
    assert answer.headers["Retry-After"] == "1"


def test_a_truncated_image_arrives_whole_as_http_and_broken_as_png(start):
    answer = client.post(start(faults=[Fault(kind=FaultKind.TRUNCATED_IMAGE)]).base_url)
    with pytest.raises(OSError, match="truncated"):
        client.download(answer).load()


def test_a_result_of_the_wrong_size_is_announced_as_the_right_one(start):
    """A client that trusts the JSON would publish a single pixel."""
    answer = client.post(start(faults=[Fault(kind=FaultKind.WRONG_SIZE)]).base_url, client.picture(40, 30))
    assert (answer.json()["data"]["width"], answer.json()["data"]["height"]) == (40, 30)
    assert client.download(answer).size == (1, 1)


def test_an_opaque_result_has_no_alpha(start):
    answer = client.post(start(faults=[Fault(kind=FaultKind.OPAQUE)]).base_url, client.picture(40, 30))
    assert (client.download(answer).mode, client.download(answer).size) == ("RGB", (40, 30))


def test_a_slow_answer_is_held_back_and_good(start, fake_time):
    answer = client.post(start(faults=[Fault(kind=FaultKind.SLOW, seconds=90)]).base_url)
    assert fake_time.slept == [90]
    assert client.download(answer).mode == "RGBA"


def test_faults_follow_each_other_each_counting_from_the_end_of_the_last(start):
    script = [
        Fault(kind=FaultKind.INTERNAL_ERROR, times=2, after=1),
        Fault(kind=FaultKind.UNAVAILABLE),
        Fault(kind=FaultKind.BAD_GATEWAY_PAGE, after=1),
    ]
    base_url = start(faults=script).base_url
    assert [client.post(base_url).status_code for _ in range(7)] == [200, 500, 500, 503, 200, 502, 200]


def test_a_fault_may_be_for_the_calls_of_one_vendor_only(start):
    script = [Fault(kind=FaultKind.UNAVAILABLE, vendor="removebg", after=1), Fault(kind=FaultKind.INTERNAL_ERROR)]
    base_url = start(faults=script).base_url
    assert [client.removebg(base_url).status_code, client.post(base_url).status_code] == [200, 500]
    assert [client.post(base_url).status_code, client.removebg(base_url).status_code] == [200, 503]
    assert client.ledger(base_url)["faults"] == {"500": 1, "503": 1}


def test_chance_spoils_the_same_calls_in_the_same_way_with_the_same_seed():
    first, again, other = (
        [chance.fault(call, 0.0) for call in range(500)]
        for chance in (Chance(rate=0.2, seed=7), Chance(rate=0.2, seed=7), Chance(rate=0.2, seed=8))
    )
    assert first == again != other
    assert 60 < sum(fault is not None for fault in first) < 140


def test_chance_brings_every_kind_but_those_that_befall_an_account():
    kinds = {Chance(rate=1, seed=7).fault(call, 0.0).kind for call in range(500)}
    assert kinds == set(FaultKind) - {FaultKind.NO_CREDITS, FaultKind.BAD_KEY}


def test_chance_brings_retry_after_in_all_its_forms():
    faults = [Chance(rate=1, seed=7).fault(call, 0.0) for call in range(500)]
    waits = {fault.retry_after for fault in faults if fault.kind is FaultKind.TOO_MANY_REQUESTS}
    assert waits == {None, "2", "86400", "Thu, 01 Jan 1970 00:00:01 GMT"}


def test_chance_leaves_alone_what_the_script_has_spoiled(start):
    script = [Fault(kind=FaultKind.UNAVAILABLE, times=3)]
    base_url = start(faults=script, chance=Chance(rate=0.0)).base_url
    assert [client.post(base_url).status_code for _ in range(4)] == [503, 503, 503, 200]
    client.put_state(base_url, {"chance": {"rate": 1, "seed": 4}})
    client.put_state(base_url, {"faults": [{"kind": "402"}]})
    assert client.post(base_url).status_code == 402


def test_without_a_rate_nothing_is_left_to_chance():
    assert [Chance(seed=7).fault(call, 0.0) for call in range(100)] == [None] * 100


@pytest.mark.parametrize(
    ("key", "data", "status"), [(None, None, 401), ("k", b"rubbish", 400)], ids=["bad key", "bad image"]
)
def test_a_call_refused_by_itself_uses_up_no_fault(start, key, data, status):
    base_url = start(faults=[Fault(kind=FaultKind.INTERNAL_ERROR)]).base_url
    assert client.post(base_url, data, key=key).status_code == status
    assert client.post(base_url).status_code == 500


def test_what_is_left_of_a_script_is_written_as_its_author_wrote_it():
    script = FaultPlan([Fault(kind=FaultKind.TOO_MANY_REQUESTS, times=3, retry_after=None)], NO_CHANCE, lambda: 0.0)
    script.next_call("bgeraser")
    assert [fault.as_json() for fault in script.remaining()] == [{"kind": "429", "times": 2, "retry_after": None}]


def test_a_script_is_read_from_a_file(tmp_path):
    path = tmp_path / "faults.json"
    path.write_text(json.dumps([{"kind": "slow", "seconds": 2}, {"kind": "429", "after": 3, "retry_after": None}]))
    assert load_faults(path) == [
        Fault(kind=FaultKind.SLOW, seconds=2),
        Fault(kind=FaultKind.TOO_MANY_REQUESTS, after=3, retry_after=None),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[", "Invalid JSON"),
        ("{}", "valid array"),
        ("[3]", "0: Input should be an object"),
        ('[{"times": 1}]', "0.kind: Field required"),
        ('[{"kind": "500", "times": 0}]', "0.times: .*greater than or equal to 1"),
        ('[{"kind": "500", "times": true}]', "0.times: .*integer"),
        ('[{"kind": "500", "after": -1}]', "0.after"),
        ('[{"kind": "500", "often": 1}]', "0.often"),
        ('[{"kind": "500", "seconds": 1}]', "'seconds' belongs to the kind 'slow' and 'slow_loris', not to '500'"),
        ('[{"kind": "slow", "seconds": NaN}]', "0.seconds|NaN|Invalid JSON"),
        ('[{"kind": "429", "retry_after": "1\\r\\nX-Evil: 1"}]', "0.retry_after"),
        ('[{"kind": "503", "retry_after": "1"}]', "'retry_after' belongs to the kind '429'"),
        ('[{"kind": "503", "location": "http://a/"}]', "'location' belongs to the kind 'redirect'"),
        ('[{"kind": "503", "vendor": "acme"}]', "0.vendor"),
    ],
)
def test_a_wrong_script_is_refused_with_the_place_and_the_reason(tmp_path, text, complaint):
    path = tmp_path / "faults.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=complaint):
        load_faults(path)


def test_an_unknown_kind_is_refused_with_the_names_of_the_known_ones(tmp_path):
    path = tmp_path / "faults.json"
    path.write_text('[{"kind": "501"}]')
    with pytest.raises(ConfigurationError) as refusal:
        load_faults(path)
    assert [kind for kind in FaultKind if f"'{kind}'" not in str(refusal.value)] == []


def test_a_script_that_is_not_there_is_a_matter_of_settings(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load_faults(tmp_path / "faults.json")
