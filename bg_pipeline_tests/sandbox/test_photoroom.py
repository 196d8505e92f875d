"""Photoroom's two wire formats, over a real socket."""

import base64
import io
from decimal import Decimal

import pytest
import requests
from PIL import Image

from bg_pipeline_tests.sandbox import client

SMALL = client.picture(40, 30)


def test_basic_answers_with_the_picture(shared):
    answer = client.segment(shared.base_url, SMALL)
    cutout = client.opened(answer)
    assert (cutout.format, cutout.mode, cutout.size) == ("PNG", "RGBA", (40, 30))
    assert (answer.headers["Content-Type"], answer.headers["x-uncertainty-score"]) == ("image/png", "0")


def test_basic_answers_in_base64_to_those_who_prefer_json(shared):
    headers = {"x-api-key": "k", "Accept": "application/json"}
    url = f"{shared.base_url}/v1/segment"
    answer = requests.post(url, files={"image_file": SMALL}, headers=headers, timeout=client.TIMEOUT_S)
    assert answer.json().keys() == {"base64img"}
    assert Image.open(io.BytesIO(base64.b64decode(answer.json()["base64img"]))).size == (40, 30)


@pytest.mark.parametrize(
    ("parameters", "written"),
    [
        ({"format": "jpg"}, ("JPEG", "RGB", (40, 30))),
        ({"format": "webp"}, ("WEBP", "RGBA", (40, 30))),
        ({"channels": "alpha"}, ("PNG", "L", (40, 30))),
        ({"crop": "true"}, ("PNG", "RGBA", (20, 30))),
        ({"bg_color": "#FF00FF", "despill": "true"}, ("PNG", "RGBA", (40, 30))),
    ],
    ids=str,
)
def test_basic_follows_its_parameters(shared, parameters, written):
    cutout = client.opened(client.segment(shared.base_url, SMALL, **parameters))
    assert (cutout.format, cutout.mode, cutout.size) == written


def test_basic_shrinks_to_the_size_that_is_asked_for(shared):
    sizes = [
        client.opened(client.segment(shared.base_url, client.picture(800, 600), size=s)).size for s in ("preview", "")
    ]
    assert sizes == [(577, 433), (800, 600)]


@pytest.mark.parametrize(
    ("parameters", "data"),
    [
        ({"format": "gif"}, SMALL),
        ({"size": "huge"}, SMALL),
        ({"channels": "rgb"}, SMALL),
        ({"crop": "maybe"}, SMALL),
        ({"bg_color": "blurple"}, SMALL),
        ({}, b"no picture"),
        ({}, client.picture(6001, 10)),
    ],
)
def test_basic_refuses_in_its_own_shape(shared, parameters, data):
    answer = client.segment(shared.base_url, data, **parameters)
    assert answer.status_code == 400
    assert answer.json()["status_code"] == 400
    assert answer.json().keys() == {"detail", "status_code", "type"}


def test_basic_without_a_picture_says_so_in_the_documented_words(shared):
    answer = requests.post(f"{shared.base_url}/v1/segment", headers={"x-api-key": "k"}, timeout=client.TIMEOUT_S)
    assert answer.json() == {"detail": "Please provide an image.", "status_code": 400, "type": "missing_image"}


def test_an_empty_account_is_a_402_in_two_shapes(start):
    base_url = start(credits_of={"photoroom": Decimal(0)}).base_url
    words = "API credits exhausted. Visit https://app.photoroom.com/api-dashboard to purchase more API credits"
    basic, plus = client.segment(base_url), client.edit(base_url)
    assert (basic.status_code, plus.status_code) == (402, 402)
    assert basic.json() == {"detail": words, "status_code": 402, "type": "unknown_error"}
    assert plus.json() == {"error": {"detail": words}}


@pytest.mark.parametrize(("plan", "costs"), [("basic", [1, 5]), ("plus", [0.2, 1])])
def test_a_call_costs_images_of_the_plan(start, plan, costs):
    base_url = start(credits_of={"photoroom": Decimal(10)}, photoroom_plan=plan).base_url
    client.segment(base_url)
    client.edit(base_url)
    assert [charge["credits"] for charge in client.ledger(base_url)["charges"]] == costs
    left = float(10 - sum(Decimal(str(cost)) for cost in costs))
    assert client.get(f"{base_url}/v2/account").json() == {
        "images": {"available": left, "subscription": 10},
        "plan": plan,
    }


def test_a_sandbox_key_is_free_and_leaves_its_mark(start):
    base_url = start(credits_of={"photoroom": Decimal(0)}, keys=frozenset({"good"})).base_url
    assert client.segment(base_url, key="sandbox_bad").status_code == 403
    data = client.picture(400, 300, mode="L")
    for call in (client.segment, client.edit):
        answer = call(base_url, data, key="sandbox_good")
        assert (255, 0, 255, 255) in {colour for _, colour in client.opened(answer).getcolors(1 << 20)}
    charges = client.ledger(base_url)["charges"]
    assert [(charge["endpoint"], charge["credits"]) for charge in charges] == [("/v1/segment", 0), ("/v2/edit", 0)]


def test_a_real_key_leaves_no_mark(shared):
    colours = client.opened(client.segment(shared.base_url, client.picture(400, 300, mode="L"))).getcolors(1 << 20)
    assert (255, 0, 255, 255) not in {colour for _, colour in colours}


@pytest.mark.parametrize("key", ["", "bad", "sandbox_"])
def test_a_bad_key_is_a_403(start, key):
    base_url = start(keys=frozenset({"good"})).base_url
    basic, plus = client.segment(base_url, key=key), client.edit(base_url, key=key)
    assert (basic.status_code, basic.json()["status_code"]) == (403, 403)
    assert (plus.status_code, plus.json().keys()) == (403, {"error"})


def test_the_account_tells_a_missing_key_from_a_bad_one(start):
    base_url = start(keys=frozenset({"good"})).base_url
    path = "/v2/account"
    missing = client.get(base_url + path, "")
    assert (missing.status_code, missing.json()) == (400, {"error": {"message": "apiKey: Required"}})
    assert client.get(base_url + path, "bad").status_code == 403
    assert client.get(base_url + path, "good").status_code == 200


def test_plus_keeps_the_frame_when_the_whole_picture_is_its_reference(shared):
    cutout = client.opened(client.edit(shared.base_url, SMALL, referenceBox="originalImage"))
    assert (cutout.format, cutout.mode, cutout.size) == ("PNG", "RGBA", (40, 30))
    assert cutout.getchannel("A").getbbox() == (0, 0, 20, 30)


@pytest.mark.parametrize(
    ("parameters", "size", "box"),
    [
        ({}, (40, 30), (10, 0, 30, 30)),
        ({"outputSize": "croppedSubject"}, (20, 30), (0, 0, 20, 30)),
        ({"outputSize": "croppedSubject", "maxHeight": "15"}, (10, 15), (0, 0, 10, 15)),
        ({"outputSize": "100x100"}, (100, 100), (16, 0, 83, 100)),
        ({"outputSize": "100x100", "scaling": "fill"}, (100, 100), (0, 0, 100, 100)),
        ({"outputSize": "100x100", "padding": "0.2"}, (100, 100), (30, 20, 70, 80)),
        ({"outputSize": "100x100", "padding": "20px", "paddingTop": "40%"}, (100, 100), (36, 40, 63, 80)),
        ({"outputSize": "100x100", "margin": "10%", "padding": "0.25"}, (100, 100), (36, 30, 63, 70)),
    ],
    ids=str,
)
def test_plus_fits_the_subject_into_what_margin_and_padding_leave(shared, parameters, size, box):
    """By default the subject, not the picture, fills the result: docs.photoroom.com, positioning, read 2026-11."""
    cutout = client.opened(client.edit(shared.base_url, SMALL, **parameters))
    assert (cutout.size, cutout.getchannel("A").getbbox()) == (size, box)


@pytest.mark.parametrize(
    ("export", "written"), [("jpeg", "JPEG"), ("jpg", "JPEG"), ("webp", "WEBP"), ("avif", "AVIF"), ("png", "PNG")]
)
def test_plus_exports_every_format(shared, export, written):
    answer = client.edit(shared.base_url, SMALL, export_format=export, background_color="FF0000")
    assert client.opened(answer).format == written


def test_plus_can_leave_the_background_where_it_is(shared):
    cutout = client.opened(client.edit(shared.base_url, SMALL, removeBackground="false"))
    assert cutout.getchannel("A").getextrema() == (255, 255)


def test_plus_names_what_it_does_not_do(shared):
    answer = client.edit(shared.base_url, SMALL, lighting_mode="ai.auto", removeBackground="true")
    assert answer.headers["pr-unsupported-attributes"] == "lighting.mode"


def opened(content):
    return Image.open(io.BytesIO(content))


def test_plus_draws_a_shadow_around_the_subject_and_leaves_its_colours(shared):
    plain, soft, hard = (
        opened(client.edit(shared.base_url, client.picture(200, 150), referenceBox="originalImage", **each).content)
        for each in ({}, {"shadow_mode": "ai.soft"}, {"shadow_mode": "ai.hard"})
    )
    beside = (108, 75)  # the subject is the left half
    assert plain.getpixel(beside)[3] == 0 < soft.getpixel(beside)[3] < hard.getpixel(beside)[3]
    assert soft.getpixel((60, 75)) == plain.getpixel((60, 75))


@pytest.mark.parametrize(
    ("parameters", "size"),
    [({"upscale_mode": "ai.fast"}, (1100, 10)), ({"upscale_mode": "ai.slow"}, (600, 10))],
)
def test_plus_upscales_only_small_pictures(shared, parameters, size):
    answer = client.edit(shared.base_url, client.picture(*size), **parameters)
    assert (answer.status_code, "upscale.mode" in answer.json()["error"]["message"]) == (400, True)
    assert client.edit(shared.base_url, client.picture(500, 10), **parameters).status_code == 200


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"removeBackground": "yes"}, "removeBackground must be boolean"),
        ({"outputSize": "big"}, "outputSize"),
        ({"maxWidth": "100"}, "outputSize"),
        ({"padding": "0.5"}, "padding"),
        ({"margin": "wide"}, "margin"),
        ({"shadow.mode": "soft"}, "shadow.mode must be one of ai.soft"),
        ({"lighting.mode": "auto"}, "lighting.mode must be one of ai.auto"),
        ({"upscale.mode": "ai.best"}, "upscale.mode"),
        ({"expand.mode": "true"}, "expand.mode must be one of ai.auto"),
        ({"export.dpi": "50"}, "export.dpi must be a number between 72 and 1200"),
        ({"outline.width": "wide"}, "outline.width"),
        ({"preserveMetadata": "all"}, "preserveMetadata"),
        ({"verticalAlignment": "low"}, "verticalAlignment"),
        ({"removeBackground": "false", "referenceBox": "subjectBox"}, "referenceBox cannot be provided"),
        ({"background_color": "blurple"}, "background.color"),
        ({"export_format": "gif"}, "export.format"),
        ({"referenceBox": "me"}, "referenceBox"),
    ],
    ids=str,
)
def test_plus_refuses_in_its_own_shape(shared, parameters, words):
    answer = client.edit(shared.base_url, SMALL, **parameters)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_plus_fetches_a_picture_that_is_named_in_a_get(shared):
    url = client.post(shared.base_url).json()["data"]["imageUrl"]

    def edited(**query: str) -> requests.Response:
        headers = {"x-api-key": "k"}
        return requests.get(f"{shared.base_url}/v2/edit", params=query, headers=headers, timeout=client.TIMEOUT_S)

    assert client.opened(edited(imageUrl=url, outputSize="croppedSubject")).size == (20, 30)
    assert client.ledger(shared.base_url)["charges"][-1]["endpoint"] == "/v2/edit"
    for refused in (edited(), edited(imageUrl="a.png"), edited(imageUrl="http://127.0.0.1:9/a.png")):
        assert (refused.status_code, "imageUrl" in refused.json()["error"]["message"]) == (400, True)


def test_plus_needs_a_file_in_a_post(shared):
    answer = requests.post(f"{shared.base_url}/v2/edit", headers={"x-api-key": "k"}, timeout=client.TIMEOUT_S)
    assert (answer.status_code, answer.json()) == (400, {"error": {"message": "imageFile: Required"}})


def test_a_picture_without_a_subject_is_answered_with_a_score_of_doubt(start):
    base_url = start(cut=lambda image: Image.new("L", image.size)).base_url
    for call in (client.segment, client.edit):
        assert call(base_url).headers["x-uncertainty-score"] == "1"
