"""The three vendors' clients as tests make them, and the answers that were recorded or documented."""

import base64
import io
import json
import zipfile
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bg_pipeline import errors
from bg_pipeline.core.claims import Ask, AskedBy, Claim
from bg_pipeline.core.credits import Budget
from bg_pipeline.core.records import RateFacts
from bg_pipeline.net.settings import Access
from bg_pipeline.ports.purchasing import CutRequest, Remover
from bg_pipeline.vendors.bgeraser.client import Bgeraser
from bg_pipeline.vendors.photoroom.client import PhotoRoom
from bg_pipeline.vendors.removebg.client import RemoveBg, Service
from bg_pipeline_tests.adapters.server import Vendor
from bg_pipeline_tests.graph import call_here
from bg_pipeline_tests.pictures import cutout_of, encoded, product

KEY = "bge_canary/key+of=vendor"
"""Holds what URLs and JSON would encode; the prefix is bgeraser's."""

SURFACES = {
    "tools": {"path": "/api/tools/bg-removal", "account_path": "/api/account", "auth": "bearer"},
    "v1": {"path": "/v1/removebg", "account_path": "/v1/account", "auth": "x-api-key"},
}


def bgeraser(base_url: str, *, surface: str = "tools", **settings: str) -> Bgeraser:
    return Bgeraser(Access(KEY), base_url=base_url, **{"file_field": "image_file", **SURFACES[surface], **settings})


def removebg(base_url: str) -> RemoveBg:
    return RemoveBg(Access(KEY), Service(base_url), call_here)


def removebg_protocol(base_url: str) -> RemoveBg:
    return RemoveBg(Access(KEY), Service(base_url, name="cutouts.example", is_bearer=True), call_here)


def photoroom(base_url: str, *, plan: str = "basic", key: str = KEY) -> PhotoRoom:
    return PhotoRoom(Access(key), plan=plan, base_url=base_url)


CLIENTS: dict[str, tuple[Callable[[str], Remover], str, str]] = {
    "bgeraser tools": (bgeraser, "/api/tools/bg-removal", "/api/account"),
    "bgeraser v1": (partial(bgeraser, surface="v1"), "/v1/removebg", "/v1/account"),
    "removebg": (removebg, "/v1.0/removebg", "/v1.0/account"),
    "removebg protocol": (removebg_protocol, "/v1.0/removebg", "/v1.0/account"),
    "photoroom basic": (photoroom, "/v1/segment", "/v2/account"),
    "photoroom plus": (partial(photoroom, plan="plus"), "/v2/edit", "/v2/account"),
}
"""Client, path of the call, path of the balance."""


def request(size: tuple[int, int] = (48, 32), **values: Any) -> CutRequest:
    usual: dict[str, Any] = {
        "purchase_id": "w",
        "item_key": "c/a.jpg",
        "image": product(1, size=size, kind="JPEG"),
        "media_type": "image/jpeg",
        "width_px": size[0],
        "height_px": size[1],
        "params": {},
        "credits_expected": Decimal(1),
        "claim": Claim(1, "a test", Ask(AskedBy.SYNC, Budget("a test"))),
    }
    return CutRequest(**{**usual, **values})


def bought(client: Remover, sent: CutRequest) -> bytes:
    """The picture that a client brings."""
    return client.open_answer(client.cut(sent).answer)


def zipped(cutout: bytes, **entries: bytes | None) -> bytes:
    """remove.bg's ZIP of a cutout; `entries` replace (`color_jpg`), add, or with None leave out."""
    with Image.open(io.BytesIO(cutout)) as image:
        usual = {"color.jpg": encoded(image.convert("RGB"), "JPEG"), "alpha.png": encoded(image.getchannel("A"))}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in {**usual, **{n.replace("_", "."): d for n, d in entries.items()}}.items():
            if data is not None:
                archive.writestr(name, data)
    return out.getvalue()


def examples(vendor: str) -> Any:
    """A parameter for each of a vendor's examples."""
    found = json.loads((Path(__file__).parent / "examples" / f"{vendor}.json").read_text(encoding="utf-8"))
    return pytest.mark.parametrize("example", [pytest.param(e, id=e["name"]) for e in found])


def replay(example: dict[str, Any], vendor: Vendor, client: Remover, path: str) -> None:
    """Have the vendor answer as in an example, and hold what the client makes of it against what is expected."""
    size = tuple(example.get("size", (48, 32)))
    sent = request(size, params=example.get("params", {}))
    cutout = cutout_of(sent.image)
    bodies = {
        "<png>": cutout,
        "<zip>": zipped(cutout),
        "<base64>": json.dumps({"base64img": base64.b64encode(cutout).decode()}).encode(),
    }
    body = example["body"]
    raw = json.dumps(body).replace("<url>", f"{vendor.base_url}/result.png").encode() if isinstance(body, dict) else b""
    vendor.say(path, example["status"], raw or bodies.get(body) or body.encode(), example["headers"])
    vendor.say("/result.png", body=cutout)
    expected = example["expect"]
    if "error" in expected:
        with pytest.raises(errors.BgPipelineError) as caught:
            client.cut(sent) if example["call"] == "cut" else client.balance()
        assert type(caught.value).__name__ == expected["error"]
        assert all(text in str(caught.value) for text in expected.get("text", []))
        assert all(text in caught.value.answer for text in expected.get("answer", []))
        assert "retry_after_s" not in expected or caught.value.retry_after_s == expected["retry_after_s"]  # type: ignore[attr-defined]
    elif example["call"] == "balance":
        assert client.balance() == Decimal(expected["balance"])
    else:
        reply = client.cut(sent)
        with Image.open(io.BytesIO(client.open_answer(reply.answer))) as image:
            assert image.size == size
        assert reply.credits_charged == Decimal(expected["charged"])
        assert reply.rate == (RateFacts(*map(float, expected["rate"])) if "rate" in expected else None)
