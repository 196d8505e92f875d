"""The real client of bgeraser, over real sockets: against the sandbox, and against answers it has to survive."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest

from bg_pipeline.errors import (
    AccountError,
    BgPipelineError,
    ItemRejected,
    NoCredits,
    OutcomeUnknown,
    QualityDropped,
    RateLimited,
    ResultAwaited,
    TransientError,
    UnusableAnswer,
)
from bg_pipeline.sandbox.faults import Fault
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import Limits, SandboxState
from bg_pipeline_tests.adapters.clients import KEY, SURFACES, bought, examples, replay, request
from bg_pipeline_tests.adapters.clients import bgeraser as client
from bg_pipeline_tests.adapters.server import Vendor
from bg_pipeline_tests.pictures import cutout_of, encoded, opened
from bg_pipeline_tests.sandbox.client import cut_left_half

TOOL = "/api/tools/bg-removal"


class Sandbox:
    """The sandbox's address and state."""

    def __init__(self, base_url: str, state: SandboxState) -> None:
        self.base_url = base_url
        self.state = state


@pytest.fixture
def sandbox() -> Iterator[Callable[..., Sandbox]]:
    with ExitStack() as stack:

        def start(**settings: Any) -> Sandbox:
            state = SandboxState(**settings)
            return Sandbox(stack.enter_context(running_sandbox(state, cut_left_half)).base_url, state)

        yield start


def test_a_cutout_is_bought_and_fetched(sandbox: Callable[..., Sandbox]) -> None:
    running = sandbox()
    caller = client(running.base_url)
    reply = caller.cut(request())

    assert opened(caller.open_answer(reply.answer)).size == (48, 32)
    assert reply.credits_charged == Decimal(1)
    assert len(running.state.ledger.charges()) == 1


def test_the_balance_is_read(sandbox: Callable[..., Sandbox]) -> None:
    assert client(sandbox(credits_of={"bgeraser": Decimal("12.5")}).base_url).balance() == Decimal("12.5")


@pytest.mark.parametrize("field", ["image_file", "image", "file"])
def test_the_name_of_the_file_field_is_a_setting(sandbox: Callable[..., Sandbox], field: str) -> None:
    assert client(sandbox().base_url, file_field=field).cut(request()).answer


@pytest.mark.parametrize(
    ("fault", "error", "charges"),
    [
        ({"kind": "500"}, TransientError, 0),
        ({"kind": "502_html"}, OutcomeUnknown, 0),
        ({"kind": "503"}, TransientError, 0),
        ({"kind": "429"}, RateLimited, 0),
        ({"kind": "402"}, NoCredits, 0),
        ({"kind": "401"}, AccountError, 0),
        ({"kind": "reset_before"}, OutcomeUnknown, 0),
        ({"kind": "reset_after_charge"}, OutcomeUnknown, 1),
        ({"kind": "200_html"}, UnusableAnswer, 0),
        ({"kind": "200_json_error"}, UnusableAnswer, 0),
        ({"kind": "empty_body"}, UnusableAnswer, 0),
    ],
    ids=lambda value: value.get("kind") if isinstance(value, dict) else None,
)
def test_each_fault_becomes_the_error_that_says_what_to_do(
    sandbox: Callable[..., Sandbox], fault: dict[str, Any], error: type[BgPipelineError], charges: int
) -> None:
    running = sandbox(faults=[Fault(**fault)])

    with pytest.raises(error) as caught:
        client(running.base_url).cut(request())
    assert type(caught.value) is error
    assert KEY not in str(caught.value)
    assert len(running.state.ledger.charges()) == charges
    assert client(running.base_url).cut(request()).answer


def test_what_the_service_cannot_read_is_rejected(sandbox: Callable[..., Sandbox]) -> None:
    with pytest.raises(ItemRejected, match="400"):
        client(sandbox().base_url).cut(request(image=b"no picture"))


def test_the_wait_that_the_service_asks_for_is_passed_on(sandbox: Callable[..., Sandbox]) -> None:
    with pytest.raises(RateLimited) as caught:
        client(sandbox(faults=[Fault(kind="429", retry_after="17")]).base_url).cut(request())

    assert caught.value.retry_after_s == 17.0


def test_a_limit_of_the_service_is_met_by_slowing_down(sandbox: Callable[..., Sandbox]) -> None:
    running = sandbox(limits=Limits(per_minute=1))
    caller = client(running.base_url)
    caller.cut(request())

    with pytest.raises(RateLimited):
        caller.cut(request())


def test_a_wrong_key_names_the_setting(sandbox: Callable[..., Sandbox]) -> None:
    running = sandbox(keys=frozenset({"another"}))
    with pytest.raises(AccountError, match="BGERASER_API_KEY"):
        client(running.base_url).cut(request())
    with pytest.raises(AccountError, match="BGERASER_API_KEY"):
        client(running.base_url).balance()


def test_an_empty_account_is_not_a_fault_of_the_picture(sandbox: Callable[..., Sandbox]) -> None:
    with pytest.raises(NoCredits, match="402 INSUFFICIENT_CREDITS"):
        client(sandbox(credits_of={"bgeraser": Decimal(0)}).base_url).cut(request())


@examples("bgeraser")
def test_every_documented_answer_is_understood(vendor: Vendor, example: dict[str, Any]) -> None:
    replay(example, vendor, client(vendor.base_url, surface=example["surface"]), SURFACES[example["surface"]]["path"])


def result(vendor: Vendor, path: str = "/r.png", **more: Any) -> bytes:
    data = ", ".join(f'"{name}": {value}' for name, value in {"imageUrl": f'"{vendor.base_url}{path}"', **more}.items())
    return b'{"success": true, "data": {%s}}' % data.encode()


def test_the_result_is_fetched_without_the_key(vendor: Vendor) -> None:
    vendor.say(TOOL, body=result(vendor))
    vendor.say("/r.png", body=b"picture")

    assert bought(client(vendor.base_url), request()) == b"picture"
    assert KEY in vendor.seen[0].headers["Authorization"]
    assert KEY not in str(vendor.seen[1])


def test_a_further_tool_is_given_the_last_result_and_its_own_parameters(vendor: Vendor) -> None:
    cutout = cutout_of(request().image)
    vendor.say("/api/tools/upscale", body=result(vendor, width=96, height=64))
    vendor.say("/r.png", body=b"larger")
    sent = request(image=cutout, media_type="image/png", params={"factor": "2"}, tool="upscale")

    assert bought(client(vendor.base_url), sent) == b"larger"
    assert vendor.seen[0].form == {"factor": b"2", "image_file": cutout}
    assert b'filename="image.png"' in vendor.seen[0].body


def test_a_tool_may_make_it_smaller(vendor: Vendor) -> None:
    vendor.say("/api/tools/crop", body=result(vendor, width=10, height=10))
    vendor.say("/r.png", body=b"smaller")

    assert bought(client(vendor.base_url), request(tool="crop")) == b"smaller"


def test_a_cut_that_came_back_smaller_is_a_lower_tier_and_is_not_fetched(vendor: Vendor) -> None:
    vendor.say(TOOL, body=result(vendor, width=24, height=16))

    with pytest.raises(QualityDropped, match="384 pixels were returned, 1,536 were sent"):
        client(vendor.base_url).cut(request())
    assert len(vendor.seen) == 1


@pytest.mark.parametrize("surface", ["tools", "v1"])
def test_a_picture_in_place_of_a_url_is_taken(vendor: Vendor, surface: str) -> None:
    cutout = encoded(opened(cutout_of(request().image)), "WEBP", lossless=True)
    vendor.say(SURFACES[surface]["path"], body=cutout)

    assert client(vendor.base_url, surface=surface).cut(request()).answer == cutout


def test_v1_is_asked_as_remove_bg_would_be(vendor: Vendor) -> None:
    vendor.say("/v1/removebg", body=cutout_of(request().image))
    client(vendor.base_url, surface="v1").cut(request(params={"size": "full"}))

    assert vendor.seen[0].headers["X-Api-Key"] == KEY
    assert set(vendor.seen[0].form) == {"size", "image_file"}


@pytest.mark.parametrize(
    "url", ["{elsewhere}/r.png", "http://169.254.169.254/latest", "https://127.0.0.1/r.png", "file:///etc/passwd", ""]
)
def test_a_result_url_that_points_inwards_is_not_fetched(vendor: Vendor, elsewhere: Vendor, url: str) -> None:
    target = url.format(elsewhere=elsewhere.base_url)
    vendor.say(TOOL, body=b'{"success": true, "data": {"imageUrl": "%s"}}' % target.encode())

    with pytest.raises(UnusableAnswer):
        bought(client(vendor.base_url), request())
    assert elsewhere.seen == []
    assert len(vendor.seen) == 1


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_result_that_cannot_be_fetched_is_awaited_and_its_url_is_told_to_no_one(vendor: Vendor, status: int) -> None:
    vendor.say(TOOL, body=result(vendor, "/secret-token/r.png?signature=canary-signature"))
    vendor.say("/secret-token/r.png?signature=canary-signature", status)

    with pytest.raises(ResultAwaited, match=str(status)) as caught:
        bought(client(vendor.base_url), request())
    assert caught.value.refused == (status < 500)
    assert "canary-signature" not in f"{caught.value}{caught.value.__cause__}{caught.value.answer}"
    assert [seen.path.partition("?")[0] for seen in vendor.seen] == [TOOL, "/secret-token/r.png"]


def test_an_answer_whose_url_is_not_fetched_is_quoted_without_it(vendor: Vendor) -> None:
    vendor.say(TOOL, body=b'{"success": true, "data": {"imageUrl": "file:///etc/canary"}}')

    with pytest.raises(UnusableAnswer) as caught:
        bought(client(vendor.base_url), request())
    assert '"imageUrl": "***"' in caught.value.answer


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"data": {"credits": {"remaining": 7}}}', Decimal(7)),
        (b'{"data": {"credits": "7.25"}}', Decimal("7.25")),
        (b'{"credits": {"remaining": 0}}', Decimal(0)),
        (b'{"credits": -3}', Decimal(-3)),
        (b'{"data": {"attributes": {"credits": {"total": 200}}}}', Decimal(200)),
        (b'{"success": true, "message": "ok", "data": {"credits": 12.1}}', Decimal("12.1")),
    ],
)
def test_a_balance_is_found_in_every_shape_the_vendor_may_use(vendor: Vendor, body: bytes, expected: Decimal) -> None:
    vendor.say("/api/account", body=body)

    assert client(vendor.base_url).balance() == expected


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"[]", b'{"data": {}}', b'{"credits": "N/A"}', b'{"credits": true}', b'{"credits": "NaN"}'),
        *(b'{"credits": NaN}', b'{"credits": -1e12}', b'{"credits": 1e12}', b'{"credits": 1e999}', b"[" * 100_000),
    ],
)
def test_a_balance_that_is_no_sound_number_is_unknown_not_zero(vendor: Vendor, body: bytes) -> None:
    vendor.say("/api/account", body=body)

    with pytest.raises(TransientError, match="no number"):
        client(vendor.base_url).balance()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"success": false, "error": {"code": "BAD", "message": "too odd"}}', "400 BAD: too odd"),
        (b'{"error": "BAD"}', "400 BAD"),
        (b'{"errors": [{"code": "bad", "title": "Too odd"}]}', "400 bad: Too odd"),
        (b'{"code": "BAD", "message": "too odd"}', "400 BAD: too odd"),
        (b"<html>Bad request</html>", "400"),
        (b"", "400"),
    ],
)
def test_an_error_is_understood_in_every_shape_the_vendor_may_use(vendor: Vendor, body: bytes, expected: str) -> None:
    vendor.say(TOOL, 400, body)

    with pytest.raises(ItemRejected, match=expected):
        client(vendor.base_url).cut(request())


@pytest.mark.parametrize("status", [200, 400, 403, 500])
def test_an_empty_account_is_believed_by_its_code_whatever_the_status(vendor: Vendor, status: int) -> None:
    vendor.say(TOOL, status, b'{"success": false, "error": {"code": "INSUFFICIENT_CREDITS"}}')

    with pytest.raises(NoCredits):
        client(vendor.base_url).cut(request())
