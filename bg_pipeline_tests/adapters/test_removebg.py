"""The real client of remove.bg, over real sockets."""

from decimal import Decimal
from typing import Any

import pytest

from bg_pipeline.errors import QualityDropped, TransientError, UnusableAnswer
from bg_pipeline_tests.adapters.clients import KEY, bought, examples, removebg, replay, request, zipped
from bg_pipeline_tests.adapters.server import Vendor
from bg_pipeline_tests.pictures import cutout_of, opened

CUT, ACCOUNT = "/v1.0/removebg", "/v1.0/account"


@examples("removebg")
def test_every_recorded_answer_is_understood(vendor: Vendor, example: dict[str, Any]) -> None:
    replay(example, vendor, removebg(vendor.base_url), CUT if example["call"] == "cut" else ACCOUNT)


def test_a_zip_is_asked_for_and_becomes_one_picture(vendor: Vendor) -> None:
    sent = request(params={"size": "full"})
    vendor.say(CUT, body=zipped(cutout_of(sent.image)), headers={"X-Request-Id": "r-1"})
    client = removebg(vendor.base_url)
    reply = client.cut(sent)

    image = opened(client.open_answer(reply.answer))
    assert image.mode == "RGBA"
    assert image.getchannel("A").tobytes() == opened(cutout_of(sent.image)).getchannel("A").tobytes()
    assert (reply.credits_charged, reply.request_id) == (Decimal(1), "r-1")
    assert vendor.seen[0].headers["X-Api-Key"] == KEY
    assert vendor.seen[0].form == {"format": b"zip", "size": b"full", "image_file": sent.image}


def test_another_format_is_asked_for_if_the_recipe_says_so(vendor: Vendor) -> None:
    sent = request(params={"size": "full", "format": "png", "type": "product"})
    vendor.say(CUT, body=cutout_of(sent.image))

    assert removebg(vendor.base_url).cut(sent).answer == cutout_of(sent.image)
    assert vendor.seen[0].form["format"] == b"png"
    assert vendor.seen[0].form["type"] == b"product"


@pytest.mark.parametrize(
    ("size", "headers", "dropped"),
    [
        ((1000, 800), {"X-Width": "559", "X-Height": "447", "X-Credits-Charged": "0.25"}, "249,873 pixels"),
        ((1000, 800), {"X-Width": "559", "X-Height": "447"}, "249,873 pixels"),
        ((1000, 800), {"X-Credits-Charged": "0.25"}, "0.25 credits"),
        ((1000, 800), {"X-Credits-Charged": "0"}, None),
        ((1000, 800), {"X-Credits-Charged": "1", "X-Width": "1000", "X-Height": "800"}, None),
        ((500, 333), {"X-Credits-Charged": "0.25", "X-Width": "500", "X-Height": "333"}, None),
        ((500, 333), {"X-Credits-Charged": "odd", "X-Width": "wide", "X-Height": ""}, None),
    ],
)
def test_less_than_was_asked_for_is_told_apart(
    vendor: Vendor, size: tuple[int, int], headers: dict[str, str], dropped: str | None
) -> None:
    """A small picture costs a preview's price with some tiers, and free calls cost nothing: neither is a downgrade."""
    sent = request(size, params={"size": "full"})
    vendor.say(CUT, body=zipped(cutout_of(sent.image)), headers=headers)
    if dropped is None:
        assert removebg(vendor.base_url).cut(sent).answer
        return
    with pytest.raises(QualityDropped, match=dropped) as caught:
        removebg(vendor.base_url).cut(sent)
    charged = headers.get("X-Credits-Charged")
    assert caught.value.credits_charged == (Decimal(charged) if charged else None)


@pytest.mark.parametrize("charged", ["", "NaN", "-1", "1e9", "Infinity", "one"])
def test_an_odd_charge_counts_as_the_price(vendor: Vendor, charged: str) -> None:
    sent = request()
    vendor.say(CUT, body=zipped(cutout_of(sent.image)), headers={"X-Credits-Charged": charged})

    assert removebg(vendor.base_url).cut(sent).credits_charged == Decimal(1)


def test_a_zip_that_is_no_cutout_was_paid_for(vendor: Vendor) -> None:
    vendor.say(
        CUT,
        body=zipped(cutout_of(request().image), alpha_png=None),
    )

    with pytest.raises(UnusableAnswer, match=r"0 entries named alpha\.png"):
        bought(removebg(vendor.base_url), request())


def test_a_balance_below_zero_is_a_balance(vendor: Vendor) -> None:
    vendor.say(ACCOUNT, body=b'{"data": {"attributes": {"credits": {"total": -3}}}}')

    assert removebg(vendor.base_url).balance() == -3


@pytest.mark.parametrize("total", ["-1e12", '"NaN"', "NaN", "1e12", "true", "null", '"N/A"', "[200]", "1" * 5000])
def test_a_balance_that_is_no_sound_number_is_unknown_not_zero(vendor: Vendor, total: str) -> None:
    vendor.say(ACCOUNT, body=b'{"data": {"attributes": {"credits": {"total": %s}}}}' % total.encode())

    with pytest.raises(TransientError, match="no number"):
        removebg(vendor.base_url).balance()
