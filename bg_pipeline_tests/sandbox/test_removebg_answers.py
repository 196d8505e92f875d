"""remove.bg: shadows, the largest size, and the pictures that customers give away."""

import io

import pytest
import requests
from PIL import Image

from bg_pipeline_tests.sandbox import client
from bg_pipeline_tests.sandbox.removebg import error_of


def opened(answer: requests.Response) -> Image.Image:
    assert answer.status_code == 200
    return Image.open(io.BytesIO(answer.content)).convert("RGBA")


def test_the_largest_size_is_told_beside_that_of_the_answer(shared):
    answer = client.removebg(shared.base_url, client.picture(1200, 900), size="preview", format="png")
    assert opened(answer).size == (int(answer.headers["X-Width"]), int(answer.headers["X-Height"])) < (1200, 900)
    assert (answer.headers["X-Max-Width"], answer.headers["X-Max-Height"]) == ("1200", "900")


@pytest.mark.parametrize(
    "parameters",
    [
        {"add_shadow": "true"},
        {"shadow_type": "drop"},
        {"shadow_type": "auto", "shadow_opacity": "60"},
        {"shadow_type": "car", "shadow_opacity": "auto"},
    ],
)
def test_a_shadow_is_drawn_around_the_subject_and_leaves_its_colours(shared, parameters):
    sent, beside = client.picture(200, 150), (108, 75)  # the subject is the left half
    plain, shaded = (opened(client.removebg(shared.base_url, sent, **each)) for each in ({}, parameters))
    assert plain.getpixel(beside)[3] == 0 < shaded.getpixel(beside)[3] < 255
    assert shaded.getpixel((60, 75)) == plain.getpixel((60, 75))


@pytest.mark.parametrize("parameters", [{"shadow_type": "none"}, {"shadow_opacity": "80"}, {"add_shadow": "false"}])
def test_there_is_no_shadow_unless_one_is_asked_for(shared, parameters):
    sent = client.picture(200, 150)
    assert (
        client.removebg(shared.base_url, sent, **parameters).content == client.removebg(shared.base_url, sent).content
    )


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"shadow_type": "soft"}, "invalid_shadow_type"),
        ({"shadow_type": "drop", "shadow_opacity": "101"}, "invalid_shadow_opacity"),
        ({"shadow_type": "drop", "shadow_opacity": "half"}, "invalid_shadow_opacity"),
    ],
)
def test_a_shadow_that_is_not_offered_is_a_400(shared, parameters, code):
    assert error_of(client.removebg(shared.base_url, **parameters)) == (400, code)


def test_a_picture_may_be_given_away_for_training_at_no_charge(shared):
    before = len(shared.state.ledger.charges())
    answer = client.removebg(shared.base_url, path="/v1.0/improve", tag="shoes")
    assert len(answer.json()["id"]) == 36
    assert len(shared.state.ledger.charges()) == before
    assert error_of(client.removebg(shared.base_url, path="/v1.0/improve", key="")) == (403, "auth_failed")


def test_giving_nothing_away_is_a_400(shared):
    answer = requests.post(f"{shared.base_url}/v1.0/improve", headers={"X-Api-Key": "k"}, timeout=client.TIMEOUT_S)
    assert error_of(answer) == (400, "missing_source")
