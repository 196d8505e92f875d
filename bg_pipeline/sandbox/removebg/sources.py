"""Read the picture and the background of a call: uploaded, in base64 or by URL."""

import asyncio
import base64
import binascii
import re

from PIL import Image

from bg_pipeline.sandbox.forms import Form, fetch
from bg_pipeline.sandbox.paid_endpoint import Refused
from bg_pipeline.sandbox.pictures import Colour, colour, decode
from bg_pipeline.sandbox.removebg.errors import InvalidParameter, errors
from bg_pipeline.sandbox.removebg.prices import MAX_INPUT_MB, MAX_INPUT_PIXELS


async def read_source(form: Form) -> bytes:
    upload = form.file("image_file")
    text, url = form.texts.get("image_file_b64"), form.texts.get("image_url")
    if sum(source is not None for source in (upload, text, url)) > 1:
        raise InvalidParameter("multiple_sources")
    if url is not None:
        return await _downloaded(url, "image")
    if text is not None:
        upload = _from_base64(text)
    if upload is None:
        raise InvalidParameter("missing_source")
    return _not_too_large(upload)


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error as error:
        raise InvalidParameter("failed_to_read_image") from error


def _not_too_large(upload: bytes) -> bytes:
    if len(upload) > MAX_INPUT_MB * 1_000_000:
        raise InvalidParameter("file_too_large")
    return upload


async def _downloaded(url: str, kind: str) -> bytes:
    """Download a picture; `kind` is image or bg, as in the error codes."""
    if not re.match("https?://[^/]", url):
        raise InvalidParameter("invalid_image_url" if kind == "image" else "invalid_bg_image_url")
    content = await fetch(url, MAX_INPUT_MB * 1_000_000)
    if content is None:
        what = "image" if kind == "image" else "background image"
        raise Refused(errors(400, f"failed_{kind}_download", f"Failed to download {what} from given image_url: {url}"))
    return content


async def read_background(form: Form) -> Colour | Image.Image | None:
    file = form.file("bg_image_file")
    name, url = form.texts.get("bg_color"), form.texts.get("bg_image_url")
    if sum(source is not None for source in (file, name, url)) > 1:
        raise InvalidParameter("multiple_bg_sources")
    if name is not None:
        if (background := colour(name)) is None:
            raise InvalidParameter("invalid_bg_color")
        return background
    if url is not None:
        file = await _downloaded(url, "bg")
    return None if file is None else await asyncio.to_thread(decode, file, MAX_INPUT_PIXELS)
