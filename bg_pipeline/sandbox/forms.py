"""Read forms of all kinds, and download pictures that a request names by URL."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

_TIMEOUT_S = 10.0

_LARGEST_TEXT_BYTES = 64 << 20
"""Largest text field in a multipart form; it may be a picture in base64."""


@dataclass(frozen=True, slots=True)
class Form:
    """Texts by name (the last of several, none that is empty), and files in order of arrival."""

    texts: Mapping[str, str] = field(default_factory=dict)
    files: tuple[tuple[str, bytes], ...] = ()

    def file(self, name: str) -> bytes | None:
        """Return the last file of that name."""
        return next((content for field_name, content in reversed(self.files) if field_name == name), None)


async def read_form(request: Request) -> Form:
    """Read a multipart, urlencoded or JSON body; any other or malformed body gives an empty form."""
    if request.headers.get("Content-Type", "").startswith("application/json"):
        return Form(_texts_of_json(await request.body()))
    try:
        async with request.form(max_part_size=_LARGEST_TEXT_BYTES) as form:
            return await _read(form)
    except HTTPException:  # Starlette's error for a malformed form
        return Form()


async def _read(form: FormData) -> Form:
    texts: dict[str, str] = {}
    files: list[tuple[str, bytes]] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            # Browsers send a file without a name and content for a field that was left empty.
            if value.filename or value.size:
                files.append((name, await value.read()))
        elif value:
            texts[name] = value
    return Form(texts, tuple(files))


def _texts_of_json(body: bytes) -> dict[str, str]:
    try:
        fields = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(fields, dict):
        return {}
    texts = {name: _text(value) for name, value in fields.items()}
    return {name: text for name, text in texts.items() if text}


def _text(value: Any) -> str:
    """Convert a JSON value to form text; empty for other types."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


async def fetch(url: str, max_bytes: int) -> bytes | None:
    """Return the bytes at an http(s) URL; None if they are not available, or more than `max_bytes`."""
    return await asyncio.to_thread(_fetch, url, max_bytes)


def _fetch(url: str, max_bytes: int) -> bytes | None:
    try:
        with requests.get(url, timeout=_TIMEOUT_S, stream=True) as answer:
            answer.raise_for_status()
            content = b""
            for chunk in answer.iter_content(1 << 16):
                content += chunk
                if len(content) > max_bytes:
                    return None
            return content
    except requests.RequestException:
        return None
