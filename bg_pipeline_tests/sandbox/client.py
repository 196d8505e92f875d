"""Plain clients of the vendors, and the pictures they send."""

import io
from typing import Any

import requests
from PIL import Image

TIMEOUT_S = 30
"""So that a sandbox that hangs fails the test; no test waits for it."""


def picture(width: int = 40, height: int = 30, mode: str = "RGB", file_format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert(mode).save(buffer, file_format, **options)
    return buffer.getvalue()


def cut_left_half(image: Image.Image) -> Image.Image:
    alpha = Image.new("L", image.size, 0)
    alpha.paste(255, (0, 0, image.width // 2, image.height))
    return alpha


def post(
    base_url: str,
    data: bytes | None = None,
    *,
    field: str = "image_file",
    key: str | None = "k",
    tool: str = "bg-removal",
) -> requests.Response:
    content = picture() if data is None else data
    return post_files(base_url, [(field, ("a.png", content, "image/png"))], key=key, tool=tool)


def post_files(base_url: str, files: Any, *, key: str | None = "k", tool: str = "bg-removal") -> requests.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return requests.post(f"{base_url}/api/tools/{tool}", files=files, headers=headers, timeout=TIMEOUT_S)


def removebg(
    base_url: str, data: bytes | None = None, *, path: str = "/v1.0/removebg", key: str = "k", **parameters: Any
) -> requests.Response:
    content = picture() if data is None else data
    headers = {"X-Api-Key": key} if key else {}
    files = {"image_file": ("a.png", content, "image/png")}
    return requests.post(f"{base_url}{path}", files=files, data=parameters, headers=headers, timeout=TIMEOUT_S)


def segment(base_url: str, data: bytes | None = None, *, key: str = "k", **parameters: Any) -> requests.Response:
    return removebg(base_url, data, path="/v1/segment", key=key, **parameters)


def edit(base_url: str, data: bytes | None = None, *, key: str = "k", **parameters: Any) -> requests.Response:
    """Parameters are written with `_` for the dots of their names."""
    content = picture() if data is None else data
    names = {name.replace("_", "."): value for name, value in parameters.items()}
    headers = {"x-api-key": key} if key else {}
    files = {"imageFile": ("a.png", content, "image/png")}
    return requests.post(f"{base_url}/v2/edit", files=files, data=names, headers=headers, timeout=TIMEOUT_S)


def get(url: str, key: str = "k") -> requests.Response:
    return requests.get(url, headers={"X-Api-Key": key} if key else {}, timeout=TIMEOUT_S)


def opened(answer: requests.Response) -> Image.Image:
    answer.raise_for_status()
    return Image.open(io.BytesIO(answer.content))


def download(answer: requests.Response) -> Image.Image:
    found = requests.get(answer.json()["data"]["imageUrl"], timeout=TIMEOUT_S)
    found.raise_for_status()
    return Image.open(io.BytesIO(found.content))


def account(base_url: str, key: str = "k") -> requests.Response:
    return requests.get(f"{base_url}/api/account", headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_S)


def remaining(base_url: str) -> float:
    return account(base_url).json()["data"]["credits"]["remaining"]


def ledger(base_url: str) -> dict[str, Any]:
    return requests.get(f"{base_url}/_sandbox/ledger", timeout=TIMEOUT_S).json()


def state(base_url: str) -> dict[str, Any]:
    return requests.get(f"{base_url}/_sandbox/state", timeout=TIMEOUT_S).json()


def put_state(base_url: str, changes: Any) -> requests.Response:
    return requests.put(f"{base_url}/_sandbox/state", json=changes, timeout=TIMEOUT_S)
