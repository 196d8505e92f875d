"""The real client of PhotoRoom, over real sockets."""

import json
from decimal import Decimal
from typing import Any

import pytest

from bg_pipeline.errors import AccountError, ConfigurationError, ItemRejected, TransientError, UnusableAnswer
from bg_pipeline.vendors.photoroom import client as module
from bg_pipeline_tests.adapters.clients import KEY, bought, examples, photoroom, replay, request
from bg_pipeline_tests.adapters.server import Vendor
from bg_pipeline_tests.pictures import cutout_of

PATHS = {"basic": "/v1/segment", "plus": "/v2/edit"}


@examples("photoroom")
def test_every_recorded_answer_is_understood(vendor: Vendor, example: dict[str, Any]) -> None:
    path = PATHS[example["plan"]] if example["call"] == "cut" else "/v2/account"
    replay(example, vendor, photoroom(vendor.base_url, plan=example["plan"]), path)


def test_basic_and_plus_have_dialects_and_hosts_of_their_own(
    vendor: Vendor, elsewhere: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BASIC_URL", vendor.base_url)
    monkeypatch.setattr(module, "PLUS_URL", elsewhere.base_url)
    sent = request(params={"size": "hd"})
    vendor.say("/v1/segment", body=cutout_of(sent.image))
    elsewhere.say("/v2/edit", body=cutout_of(sent.image))
    elsewhere.say("/v2/account", body=b'{"images": {"available": 7}}')
    basic = photoroom("")
    basic.cut(sent)
    photoroom("", plan="plus").cut(request())

    assert basic.balance() == 7
    assert vendor.seen[0].form == {"format": b"png", "size": b"hd", "image_file": sent.image}
    assert elsewhere.seen[0].form == {
        "removeBackground": b"true",
        "outputSize": b"originalImage",
        "referenceBox": b"originalImage",
        "export.format": b"png",
        "imageFile": sent.image,
    }
    assert {request.headers["X-Api-Key"] for request in (*vendor.seen, *elsewhere.seen)} == {KEY}


def test_the_sandbox_of_the_vendor_is_free_and_has_no_balance(vendor: Vendor) -> None:
    sent = request(credits_expected=Decimal(0))
    vendor.say("/v1/segment", body=cutout_of(sent.image))
    client = photoroom(vendor.base_url, key=f"sandbox_{KEY}")

    assert client.cut(sent).credits_charged == 0
    assert client.balance() is None


@pytest.mark.parametrize(
    ("plan", "account", "is_refused"),
    [
        ("plus", "basic", True),
        ("plus", "plus", False),
        ("basic", "basic", False),
        ("basic", "plus", False),
        ("plus", "partner", False),
        ("plus", None, False),
    ],
)
def test_edits_on_an_account_of_the_basic_plan_are_refused_before_they_take_five_images_each(
    vendor: Vendor, plan: str, account: str | None, is_refused: bool
) -> None:
    body = {"images": {"available": 7, "subscription": 10}, **({"plan": account} if account else {})}
    vendor.say("/v2/account", body=json.dumps(body).encode())
    client = photoroom(vendor.base_url, plan=plan)

    if not is_refused:
        assert client.balance() == 7
        return
    with pytest.raises(ConfigurationError, match="PHOTOROOM_PLAN=plus: the account has the plan basic"):
        client.balance()


@pytest.mark.parametrize(
    ("params", "form"),
    [
        ({"padding": "10%"}, {"padding": b"10%"}),
        (
            {"templateId": "592dd982-4a1b-4cd9-ab11-21481d5a0064"},
            {"templateId": b"592dd982-4a1b-4cd9-ab11-21481d5a0064"},
        ),
        (
            {"background.prompt": "a beach"},
            {"background.prompt": b"a beach", "outputSize": b"originalImage", "referenceBox": b"originalImage"},
        ),
        ({"removeBackground": "false"}, {"removeBackground": b"false", "outputSize": b"originalImage"}),
    ],
)
def test_the_subject_stays_where_it_is_unless_the_recipe_moves_it(
    vendor: Vendor, params: dict[str, str], form: dict[str, bytes]
) -> None:
    sent = request(params=params)
    vendor.say("/v2/edit", body=cutout_of(sent.image))
    photoroom(vendor.base_url, plan="plus").cut(sent)

    always = {"removeBackground": b"true", "export.format": b"png", "imageFile": sent.image}
    assert vendor.seen[0].form == {**always, **form}


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("glow.mode must be one of ai.soft", AccountError),
        ("background.prompt is not valid", ItemRejected),
        ("The image has more than 6000 pixels a side.", ItemRejected),
    ],
)
def test_a_refused_parameter_blames_no_picture(vendor: Vendor, message: str, error: type[Exception]) -> None:
    vendor.say("/v2/edit", 400, json.dumps({"error": {"message": message}}).encode())

    with pytest.raises(error, match=message) as caught:
        photoroom(vendor.base_url, plan="plus").cut(request(params={"glow.mode": "3"}))
    assert caught.value.answer  # type: ignore[attr-defined]


@pytest.mark.parametrize("body", [b"{}", b'{"base64img": 3}', b'{"base64img": "no base64!"}', b"<html>", b""])
def test_a_success_without_a_picture_was_paid_for(vendor: Vendor, body: bytes) -> None:
    vendor.say("/v1/segment", body=body)

    with pytest.raises(UnusableAnswer):
        bought(photoroom(vendor.base_url), request())


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"images": {"available": -1e12}}', b'{"images": {"available": "N/A"}}']
)
def test_a_balance_that_is_no_sound_number_is_unknown_not_zero(vendor: Vendor, body: bytes) -> None:
    vendor.say("/v2/account", body=body)

    with pytest.raises(TransientError, match="no number"):
        photoroom(vendor.base_url).balance()
