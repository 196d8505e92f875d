"""remove.bg: what is asked for and answered."""

import base64
import hashlib
import io
import zipfile
from decimal import Decimal

import pytest
import requests
from PIL import Image

from bg_pipeline_tests.sandbox import client
from bg_pipeline_tests.sandbox.removebg import LARGE, PATH, SMALL, error_of


def test_the_answer_is_the_picture_and_its_headers_tell_the_rest(shared):
    answer = client.removebg(shared.base_url, SMALL)
    cutout = client.opened(answer)
    assert (cutout.format, cutout.mode, cutout.size) == ("PNG", "RGBA", (40, 30))
    assert (cutout.getpixel((0, 0))[3], cutout.getpixel((39, 0))[3]) == (255, 0)
    told = {name: value for name, value in answer.headers.items() if name.startswith(("x-", "access-", "content-t"))}
    for name in ("limit", "remaining", "reset"):
        assert told.pop(f"x-ratelimit-{name}").isdigit()
    assert told == {
        "content-type": "image/png",
        "access-control-allow-origin": "*",
        "x-width": "40",
        "x-height": "30",
        "x-max-width": "40",
        "x-max-height": "30",
        "x-type": "product",
        "x-credits-charged": "0.25",
        "x-foreground-top": "0",
        "x-foreground-left": "0",
        "x-foreground-width": "20",
        "x-foreground-height": "30",
    }


def test_every_kind_of_body_is_understood(shared):
    text = base64.b64encode(SMALL).decode()
    url, headers, ways = shared.base_url + PATH, {"X-Api-Key": "k"}, []
    ways.append(requests.post(url, files={"image_file": SMALL}, headers=headers, timeout=client.TIMEOUT_S))
    ways.append(requests.post(url, data={"image_file_b64": text}, headers=headers, timeout=client.TIMEOUT_S))
    ways.append(requests.post(url, files={"image_file_b64": (None, text)}, headers=headers, timeout=client.TIMEOUT_S))
    ways.append(requests.post(url, json={"image_file_b64": text, "crop": False}, headers=headers, timeout=30))
    assert len({answer.content for answer in ways}) == 1
    assert client.opened(ways[0]).size == (40, 30)
    sha = hashlib.sha256(SMALL).hexdigest()
    assert [charge["sha256"] for charge in client.ledger(shared.base_url)["charges"][-4:]] == [sha] * 4


def test_a_large_base64_field_of_a_multipart_form_is_understood(shared):
    """The form parser's own limit is one megabyte."""
    noise = Image.effect_noise((1300, 1100), 100).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    assert len(text) > 1 << 20
    answer = requests.post(
        shared.base_url + PATH,
        files={"image_file_b64": (None, text)},
        headers={"X-Api-Key": "k"},
        timeout=client.TIMEOUT_S,
    )
    assert answer.status_code == 200


def test_a_picture_may_be_named_by_its_url(shared):
    url = client.post(shared.base_url).json()["data"]["imageUrl"]
    answer = requests.post(
        shared.base_url + PATH, data={"image_url": url}, headers={"X-Api-Key": "k"}, timeout=client.TIMEOUT_S
    )
    assert client.opened(answer).size == (40, 30)


def test_json_is_answered_to_those_who_accept_it(shared):
    answer = requests.post(
        shared.base_url + PATH,
        files={"image_file": SMALL},
        headers={"X-Api-Key": "k", "Accept": "application/json"},
        timeout=client.TIMEOUT_S,
    )
    data = answer.json()["data"]
    assert Image.open(io.BytesIO(base64.b64decode(data.pop("result_b64")))).size == (40, 30)
    assert data == {"foreground_top": 0, "foreground_left": 0, "foreground_width": 20, "foreground_height": 30}
    assert answer.headers["X-Credits-Charged"] == "0.25"


def test_a_zip_holds_the_colours_and_an_8_bit_grey_alpha_stored_as_they_are(shared):
    """The official Go client panics at an alpha of another mode."""
    answer = client.removebg(shared.base_url, SMALL, format="zip")
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["color.jpg", "alpha.png"]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        color, alpha = (Image.open(io.BytesIO(archive.read(name))) for name in archive.namelist())
    assert (color.format, color.mode, color.size) == ("JPEG", "RGB", (40, 30))
    assert (alpha.format, alpha.mode, alpha.size) == ("PNG", "L", (40, 30))
    assert alpha.getextrema() == (0, 255)


@pytest.mark.parametrize(
    ("parameters", "written"),
    [
        ({}, ("PNG", "RGBA")),
        ({"format": "png"}, ("PNG", "RGBA")),
        ({"format": "jpg"}, ("JPEG", "RGB")),
        ({"format": "webp"}, ("WEBP", "RGBA")),
        ({"bg_color": "ff0000"}, ("JPEG", "RGB")),
        ({"bg_color": "#ff000080"}, ("PNG", "RGBA")),
        ({"channels": "alpha"}, ("PNG", "L")),
    ],
)
def test_the_format_follows_the_wish_and_the_transparency(shared, parameters, written):
    cutout = client.opened(client.removebg(shared.base_url, SMALL, **parameters))
    assert (cutout.format, cutout.mode) == written


@pytest.mark.parametrize(
    ("size", "data", "cost", "pixels"),
    [
        ("preview", LARGE, "0.25", (577, 433)),
        ("small", LARGE, "0.25", (577, 433)),
        ("regular", LARGE, "0.25", (577, 433)),
        ("", LARGE, "0.25", (577, 433)),
        ("medium", LARGE, "1", (800, 600)),
        ("hd", LARGE, "1", (800, 600)),
        ("full", LARGE, "1", (800, 600)),
        ("4k", LARGE, "1", (800, 600)),
        ("50MP", LARGE, "1", (800, 600)),
        ("full", SMALL, "1", (40, 30)),
        ("auto", LARGE, "1", (800, 600)),
        ("auto", client.picture(500, 333), "0.25", (500, 333)),
        ("auto", client.picture(500, 500), "0.25", (500, 500)),
        ("auto", client.picture(501, 500), "1", (501, 500)),
    ],
)
def test_each_size_has_its_price_and_its_pixels(shared, size, data, cost, pixels):
    answer = client.removebg(shared.base_url, data, size=size)
    assert (answer.headers["X-Credits-Charged"], client.opened(answer).size) == (cost, pixels)
    assert (answer.headers["X-Width"], answer.headers["X-Height"]) == (str(pixels[0]), str(pixels[1]))
    assert client.ledger(shared.base_url)["charges"][-1]["credits"] == float(cost)


def test_a_png_has_no_more_than_10_megapixels_where_a_zip_has_all(shared):
    data = client.picture(4000, 3000, file_format="JPEG")
    png, archive = (client.removebg(shared.base_url, data, size="full", format=f) for f in ("png", "zip"))
    assert (png.headers["X-Width"], archive.headers["X-Width"]) == ("3651", "4000")


def test_auto_gives_a_preview_when_the_balance_covers_no_more(start):
    """Nothing but the pixels and the charge tell of it: what a guard against a drop in quality has to notice."""
    base_url = start(credits_of={"removebg": Decimal("1.5")}).base_url
    answers = [client.removebg(base_url, LARGE, size="auto") for _ in range(4)]
    assert [answer.headers.get("X-Credits-Charged") for answer in answers] == ["1", "0.25", "0.25", None]
    assert [answer.headers.get("X-Width") for answer in answers] == ["800", "577", "577", None]
    assert error_of(answers[3]) == (402, "insufficient_credits")
    assert error_of(client.removebg(base_url, LARGE, size="full")) == (402, "insufficient_credits")
