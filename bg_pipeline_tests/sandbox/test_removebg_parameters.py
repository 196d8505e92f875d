"""remove.bg: parameters, sources and the layout of the subject."""

import io

import pytest
import requests
from PIL import Image

from bg_pipeline_tests.sandbox import client
from bg_pipeline_tests.sandbox.removebg import PATH, SMALL, error_of


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
