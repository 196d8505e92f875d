"""remove.bg's wire format, over a real socket."""

import base64
import hashlib
import io
import zipfile
from decimal import Decimal

import pytest
import requests
from PIL import Image

from bg_pipeline.sandbox.state import Limits
from bg_pipeline_tests.sandbox import client

PATH = "/v1.0/removebg"
SMALL = client.picture(40, 30)
LARGE = client.picture(800, 600)
"""Does not fit a preview, has half a megapixel."""


def error_of(answer: requests.Response) -> tuple[int, str]:
    (error,) = answer.json()["errors"]
    assert error["title"]
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    return answer.status_code, error["code"]


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


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"size": "huge"}, "invalid_size"),
        ({"format": "gif"}, "invalid_format"),
        ({"channels": "rgb"}, "invalid_channels"),
        ({"bg_color": "blurple"}, "invalid_bg_color"),
        ({"bg_color": "12345"}, "invalid_bg_color"),
        ({"crop_margin": "1 2 3"}, "invalid_crop_margin"),
        ({"crop_margin": "wide"}, "invalid_crop_margin"),
        ({"position": "left"}, "invalid_position"),
        ({"position": "10% 20% 30%"}, "invalid_position"),
        ({"position": "101%"}, "invalid_position"),
        ({"scale": "5%"}, "invalid_scale"),
        ({"scale": "110%"}, "invalid_scale"),
        ({"scale": "0.5"}, "invalid_scale"),
        ({"semitransparency": "maybe"}, "invalid_semitransparency"),
        ({"roi": "0 0 10"}, "invalid_roi"),
        ({"roi": "a b c d"}, "invalid_roi"),
        ({"roi": "0px 0px 41px 10px"}, "roi_exceeds_bounds"),
        ({"roi": "0% 0% 101% 10%"}, "roi_exceeds_bounds"),
        ({"roi": "10px 10px 10px 20px"}, "roi_region_empty"),
        ({"roi": "20px 10px 10px 20px"}, "roi_region_empty"),
        ({"image_url": "http://a/b.jpg"}, "multiple_sources"),
        ({"bg_color": "red", "bg_image_url": "http://a/b.jpg"}, "multiple_bg_sources"),
        ({"bg_image_url": "b.jpg"}, "invalid_bg_image_url"),
        ({"bg_image_url": "http://127.0.0.1:9/b.jpg"}, "failed_bg_download"),
        ({"roi": "20px 0px 40px 30px"}, "unknown_foreground"),
    ],
    ids=str,
)
def test_a_parameter_that_is_not_as_documented_is_refused_free_of_charge(shared, parameters, code):
    before = client.ledger(shared.base_url)["charges"]
    answer = client.removebg(shared.base_url, SMALL, **parameters)
    assert error_of(answer) == (400, code)
    assert "X-RateLimit-Limit" not in answer.headers
    assert client.ledger(shared.base_url)["charges"] == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_source"),
        ({"data": {"image_file_b64": ""}}, "missing_source"),
        ({"data": {"image_file": "text"}}, "missing_source"),
        ({"data": b"{", "json": None}, "missing_source"),
        ({"json": ["a"]}, "missing_source"),
        ({"files": {"image_url": ("a.png", client.picture())}}, "missing_source"),
        ({"files": {"image_file": ("a.mp4", b"not a picture")}}, "invalid_file_type"),
        ({"files": {"image_file": ("a.png", b"")}}, "invalid_file_type"),
        ({"files": {"image_file": ("a.gif", client.picture(file_format="GIF"))}}, "invalid_file_type"),
        ({"files": {"image_file": ("a.png", client.picture()[:-40])}}, "failed_to_read_image"),
        ({"data": {"image_file_b64": "a"}}, "failed_to_read_image"),
        ({"files": {"image_file": ("a.png", bytes(22_000_001))}}, "file_too_large"),
        ({"data": {"image_url": "picture.jpg"}}, "invalid_image_url"),
        ({"data": {"image_url": "http://127.0.0.1:9/a.jpg"}}, "failed_image_download"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused(shared, body, code):
    headers = {"X-Api-Key": "k"}
    answer = requests.post(shared.base_url + PATH, headers=headers, timeout=client.TIMEOUT_S, **body)
    assert error_of(answer) == (400, code)


def test_a_picture_of_more_than_50_megapixels_is_refused_by_its_size(shared):
    buffer = io.BytesIO()
    Image.new("1", (10_000, 6_000)).save(buffer, "PNG")
    answer = client.removebg(shared.base_url, buffer.getvalue())
    assert error_of(answer) == (400, "resolution_too_high")
    assert answer.json()["errors"][0]["detail"] == (
        "Input image has 60 megapixels, maximum supported input resolution is 50 megapixels"
    )


def test_empty_parameters_are_not_given(shared):
    """The official command line sends all of them on every call."""
    names = (
        "roi",
        "crop",
        "crop_margin",
        "scale",
        "position",
        "channels",
        "bg_color",
        "bg_image_url",
        "format",
        "type",
    )
    nothing = dict.fromkeys(names, "")
    answer = client.removebg(shared.base_url, SMALL, image_url="", image_file_b64="", **nothing)
    assert client.opened(answer).size == (40, 30)


def test_a_region_of_interest_hides_all_that_is_outside(shared):
    cutout = client.opened(client.removebg(shared.base_url, SMALL, roi="25% 0 100% 50%"))
    assert cutout.getchannel("A").getbbox() == (10, 0, 20, 15)


@pytest.mark.parametrize(
    ("margin", "size"),
    [("0", (20, 30)), ("10%", (24, 36)), ("5px", (30, 40)), ("1px 2px", (24, 32)), ("0 0 1px 3px", (23, 31))],
)
def test_a_crop_leaves_the_subject_and_its_margin(shared, margin, size):
    cutout = client.opened(client.removebg(shared.base_url, SMALL, crop="true", crop_margin=margin))
    assert cutout.size == size


def test_a_margin_ends_at_half_the_subject(shared):
    assert client.opened(client.removebg(shared.base_url, SMALL, crop="true", crop_margin="400px")).size == (40, 60)


@pytest.mark.parametrize(
    ("parameters", "box"),
    [
        ({"position": "center"}, (10, 0, 30, 30)),
        ({"position": "100%"}, (20, 0, 40, 30)),
        ({"scale": "50%"}, (15, 8, 25, 23)),
        ({"scale": "50%", "position": "0% 100%"}, (0, 15, 10, 30)),
    ],
)
def test_the_subject_is_scaled_and_moved_within_its_frame(shared, parameters, box):
    cutout = client.opened(client.removebg(shared.base_url, SMALL, **parameters))
    assert (cutout.size, cutout.getchannel("A").getbbox()) == ((40, 30), box)


def test_a_background_is_laid_under_the_subject(shared):
    plain = client.opened(client.removebg(shared.base_url, SMALL, bg_color="00ff00", format="png"))
    assert plain.convert("RGB").getpixel((39, 0)) == (0, 255, 0)
    files = {"image_file": SMALL, "bg_image_file": client.picture(90, 90, mode="L")}
    answer = requests.post(shared.base_url + PATH, files=files, headers={"X-Api-Key": "k"}, timeout=client.TIMEOUT_S)
    assert (client.opened(answer).format, client.opened(answer).size) == ("JPEG", (40, 30))


@pytest.mark.parametrize(
    ("parameters", "header"),
    [
        ({"type": "car"}, "car"),
        ({"type": "graphic"}, "other"),
        ({"type": "graphic", "type_level": "latest"}, "graphics"),
        ({"type": "person", "type_level": "none"}, None),
    ],
)
def test_the_type_is_told_as_finely_as_asked(shared, parameters, header):
    assert client.removebg(shared.base_url, SMALL, **parameters).headers.get("X-Type") == header


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


def test_a_limit_for_all_and_one_of_the_provider_both_hold(start):
    base_url = start(limits=Limits(per_minute=1)).base_url
    assert [client.removebg(base_url).status_code for _ in range(2)] == [200, 429]
    assert [client.post(base_url).status_code for _ in range(2)] == [200, 429]
    client.put_state(base_url, {"limits": {"per_minute": None}, "limits_of": {"removebg": {"per_minute": None}}})
    answer = client.removebg(base_url)
    assert answer.status_code == 200
    assert "X-RateLimit-Limit" not in answer.headers
