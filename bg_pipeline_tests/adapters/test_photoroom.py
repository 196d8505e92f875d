"""The real client of PhotoRoom, over real sockets."""

from decimal import Decimal
from typing import Any

import pytest

from bg_pipeline.errors import TransientError, UnusableAnswer
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
