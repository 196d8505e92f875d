"""The wire format of the bgeraser "tools" dialect, over a real socket."""

import hashlib
import io
import socket
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image, ImageCms

from bg_pipeline_tests.sandbox import client

PICTURES = {
    "jpeg": client.picture(mode="RGB", file_format="JPEG"),
    "webp": client.picture(mode="RGB", file_format="WEBP"),
    "grey": client.picture(mode="L"),
    "cmyk": client.picture(mode="CMYK", file_format="JPEG"),
    "palette with transparency": client.picture(mode="P", transparency=bytes(range(256))),
    "grey with alpha": client.picture(mode="LA"),
}


def test_a_good_call_is_answered_with_a_url_of_the_cutout(start):
    sandbox = start()
    answer = client.post(sandbox.base_url, client.picture(40, 30))
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    data = answer.json()["data"]
    assert (data["width"], data["height"], data["format"]) == (40, 30, "png")
    assert isinstance(data["processingTimeMs"], int)
    assert data["imageUrl"].startswith(f"{sandbox.base_url}/files/")
    cutout = client.download(answer)
    assert (cutout.format, cutout.mode, cutout.size) == ("PNG", "RGBA", (40, 30))
    assert (cutout.getpixel((0, 0))[3], cutout.getpixel((39, 0))[3]) == (255, 0)


def test_the_result_url_names_the_host_that_the_client_used(start):
    """A client may reach the sandbox by another name, such as a container's."""
    sandbox = start()
    answer = client.post(sandbox.base_url.replace("127.0.0.1", "localhost"))
    assert answer.json()["data"]["imageUrl"].startswith("http://localhost:")


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_of_pixels_becomes_an_rgba_cutout(start, name):
    assert client.download(client.post(start().base_url, PICTURES[name])).mode == "RGBA"


def test_an_orientation_tag_is_left_alone(start):
    """What the vendor does with it is not documented, so the pixels are taken as they are stored."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = client.picture(40, 30, file_format="JPEG", exif=exif)
    cutout = client.download(client.post(start().base_url, data))
    assert cutout.size == (40, 30)
    assert 0x0112 not in cutout.getexif()


def test_a_colour_profile_does_not_reach_the_result(start):
    """The pixels may have been converted, so a profile of the upload would be wrong for them."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = client.picture(file_format="JPEG", icc_profile=profile)
    assert "icc_profile" not in client.download(client.post(start().base_url, data)).info


def test_a_call_costs_one_credit_and_is_written_down(start, fake_time):
    sandbox = start(credits_of={"bgeraser": Decimal(15)})
    data = client.picture()
    client.post(sandbox.base_url, data)
    assert client.ledger(sandbox.base_url) == {
        "charges": [
            {
                "provider": "bgeraser",
                "endpoint": "/api/tools/bg-removal",
                "sha256": hashlib.sha256(data).hexdigest(),
                "credits": 1,
                "time": "2023-11-14T22:13:20+00:00",
            }
        ],
        "requests": 1,
        "faults": {},
    }
    assert client.account(sandbox.base_url).json() == {
        "success": True,
        "data": {"plan": "sandbox", "credits": {"remaining": 14, "total": 15}},
    }


@pytest.mark.parametrize("field", ["image_file", "image", "file"])
def test_each_likely_name_of_the_file_field_works(start, field):
    assert client.post(start().base_url, field=field).status_code == 200


@pytest.mark.parametrize(
    "files",
    [
        pytest.param([("image_file", ("a", b"1")), ("image", ("b", b"2"))], id="two names"),
        pytest.param([("image", ("a", b"1")), ("image", ("b", b"2"))], id="one name twice"),
        pytest.param([("picture", ("a", client.picture()))], id="unknown name"),
        pytest.param([("image_file", (None, b"text"))], id="text where a file belongs"),
        pytest.param([("image_file", ("a.png", b"not an image"))], id="not an image"),
        pytest.param([("image_file", ("a.png", b""))], id="empty file"),
        pytest.param([("image_file", ("a.png", client.picture()[:-40]))], id="cut short"),
    ],
)
def test_an_upload_that_is_not_exactly_one_image_is_refused_free_of_charge(start, files):
    sandbox = start()
    answer = client.post_files(sandbox.base_url, files)
    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert answer.json()["error"].keys() == {"code", "message"}
    assert client.ledger(sandbox.base_url) == {"charges": [], "requests": 1, "faults": {}}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"--x\r\nrubbish", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data"),
        (b"{}", "application/json"),
    ],
    ids=["malformed", "no boundary", "json"],
)
def test_a_body_that_is_no_form_is_refused(start, body, content_type):
    headers = {"Authorization": "Bearer k", "Content-Type": content_type}
    url = f"{start().base_url}/api/tools/bg-removal"
    assert requests.post(url, data=body, headers=headers, timeout=client.TIMEOUT_S).status_code == 400


def test_a_chunked_upload_works(start):
    """Some clients stream and send no Content-Length."""
    url = f"{start().base_url}/api/tools/bg-removal"
    prepared = requests.Request("POST", url, files={"image_file": ("a.png", client.picture())}).prepare()
    headers = {"Authorization": "Bearer k", "Content-Type": prepared.headers["Content-Type"]}
    chunks = iter([prepared.body[:100], prepared.body[100:]])
    assert requests.post(url, data=chunks, headers=headers, timeout=client.TIMEOUT_S).status_code == 200


@pytest.mark.parametrize("key", [None, "", " "])
def test_a_missing_key_is_refused(start, key):
    sandbox = start()
    answer = client.post(sandbox.base_url, key=key)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "UNAUTHORIZED"
    assert client.ledger(sandbox.base_url) == {"charges": [], "requests": 1, "faults": {}}


def test_a_key_in_another_scheme_is_refused(start):
    headers = {"X-Api-Key": "k", "Authorization": "Basic k"}
    url = f"{start().base_url}/api/tools/bg-removal"
    files = {"image_file": client.picture()}
    assert requests.post(url, files=files, headers=headers, timeout=client.TIMEOUT_S).status_code == 401


@pytest.mark.parametrize(("key", "status"), [("good", 200), ("bad", 401)])
def test_a_sandbox_with_keys_accepts_no_others(start, key, status):
    sandbox = start(keys=frozenset({"good"}))
    assert client.post(sandbox.base_url, key=key).status_code == status
    assert client.account(sandbox.base_url, key).status_code == status


def test_an_upload_is_read_to_its_end_before_it_is_refused(start):
    """A server that answers and closes early makes clients report a broken pipe in place of the 401."""
    base_url = start().base_url
    address = urlsplit(base_url)
    with socket.create_connection((address.hostname, address.port), client.TIMEOUT_S) as connection:
        connection.sendall(b"POST /api/tools/bg-removal HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        client.ledger(base_url)  # by the time of this answer, a hasty 401 would be there too
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
        connection.settimeout(client.TIMEOUT_S)
        connection.sendall(b"def")
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_an_empty_account_is_refused_and_works_again_after_a_top_up(start):
    sandbox = start(credits_of={"bgeraser": Decimal(1)})
    assert client.post(sandbox.base_url).status_code == 200
    refused = client.post(sandbox.base_url)
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "INSUFFICIENT_CREDITS")
    client.put_state(sandbox.base_url, {"credits": {"bgeraser": 5}})
    assert client.post(sandbox.base_url).status_code == 200
    assert client.remaining(sandbox.base_url) == 4


def test_a_result_can_be_fetched_until_its_url_expires(start, fake_time):
    sandbox = start(url_ttl_s=60)
    url = client.post(sandbox.base_url).json()["data"]["imageUrl"]
    fake_time.now_s += 59
    assert Image.open(io.BytesIO(requests.get(url, timeout=client.TIMEOUT_S).content)).format == "PNG"
    fake_time.now_s += 1
    assert requests.get(url, timeout=client.TIMEOUT_S).status_code == 404


def test_a_made_up_result_url_is_not_found(start):
    assert requests.get(f"{start().base_url}/files/guess.png", timeout=client.TIMEOUT_S).status_code == 404


def test_a_cut_that_fails_gives_the_credit_back(start, caplog):
    def broken(image):
        raise RuntimeError("no cut today")

    sandbox = start(cut=broken, credits_of={"bgeraser": Decimal(1)})
    assert client.post(sandbox.base_url).status_code == 500
    assert client.remaining(sandbox.base_url) == 1
    assert client.ledger(sandbox.base_url)["charges"] == []


@pytest.mark.parametrize(
    ("tool", "size", "box"),
    [
        ("upscale", (80, 60), (0, 0, 80, 60)),
        ("generative-expand", (60, 44), (10, 7, 50, 37)),
        ("generative-fill", (40, 30), (0, 0, 40, 30)),
        ("crop", (40, 30), (0, 0, 40, 30)),
        ("magic-select", (40, 30), (0, 0, 20, 30)),
        ("brush", (40, 30), (0, 0, 40, 30)),
    ],
)
def test_every_tool_costs_one_credit_and_answers_in_the_same_way(shared, tool, size, box):
    answer = client.post(shared.base_url, client.picture(40, 30), tool=tool)
    assert (answer.json()["data"]["width"], answer.json()["data"]["height"]) == size
    result = client.download(answer)
    assert (result.size, result.getchannel("A").getbbox()) == (size, box)
    charge = client.ledger(shared.base_url)["charges"][-1]
    assert (charge["endpoint"], charge["credits"]) == (f"/api/tools/{tool}", 1)


def test_the_crop_tool_keeps_the_subject_of_a_cutout(shared):
    cutout = client.get(client.post(shared.base_url).json()["data"]["imageUrl"]).content
    assert client.download(client.post(shared.base_url, cutout, tool="crop")).size == (20, 30)


def test_the_v1_api_answers_as_remove_bg_does_at_one_credit_a_call(shared):
    for size, width in (("preview", "577"), ("auto", "800")):
        answer = client.removebg(shared.base_url, client.picture(800, 600), path="/v1/removebg", size=size)
        assert (answer.headers["X-Credits-Charged"], answer.headers["X-Width"]) == ("1", width)
    charge = client.ledger(shared.base_url)["charges"][-1]
    assert (charge["provider"], charge["endpoint"]) == ("bgeraser", "/v1/removebg")
    refused = client.removebg(shared.base_url, path="/v1/removebg", size="huge")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "invalid_size")


def test_both_apis_draw_on_one_balance(start):
    base_url = start(credits_of={"bgeraser": Decimal(1)}).base_url
    assert client.post(base_url).status_code == 200
    refused = client.removebg(base_url, path="/v1/removebg")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (402, "insufficient_credits")


def test_the_v1_account_is_bgerasers_for_its_keys(start):
    """Photoroom has the same path."""
    base_url = start(keys=frozenset({"bge_any"}), credits_of={"bgeraser": Decimal(7)}).base_url
    found = client.get(f"{base_url}/v1/account", "bge_any").json()
    assert found["data"]["attributes"]["credits"]["total"] == 7
    assert client.get(f"{base_url}/v1/account", "bge_another").status_code == 403
