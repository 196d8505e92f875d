"""Error answers, as in the OpenAPI description."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from bg_pipeline.sandbox.faults import FaultKind
from bg_pipeline.sandbox.pictures import Flaw, UnreadablePicture
from bg_pipeline.sandbox.removebg.prices import MAX_INPUT_MB, MAX_INPUT_PIXELS

_MULTIPLE = "Multiple {} sources given: Please provide either the {} parameter."
NO_FOREGROUND = (
    "Could not identify foreground in image. "
    "For details and recommendations see https://www.remove.bg/supported-images."
)
_TITLES: Mapping[str, tuple[str, str]] = {
    "missing_source": (
        "No image given",
        "Please provide the source image in the image_url, image_file or image_file_b64 parameter.",
    ),
    "multiple_sources": (_MULTIPLE.format("image", "image_url, image_file or image_file_b64"), ""),
    "multiple_bg_sources": (
        _MULTIPLE.format("background", "bg_color, the bg_image_url or the bg_image_file"),
        "",
    ),
    "file_too_large": ("File too large", f"File exceeds limit of {MAX_INPUT_MB}MB"),
    "invalid_file_type": ("Invalid file type", "Expected jpg/png/webp"),
    "failed_to_read_image": ("There was an error reading the image.", ""),
    "unknown_foreground": (NO_FOREGROUND, ""),
    "invalid_image_url": ("Invalid image_url: Please provide a valid URL.", ""),
    "invalid_bg_image_url": ("Invalid bg_image_url: Please provide a valid URL.", ""),
    "roi_exceeds_bounds": (
        "ROI exceeds image bounds",
        "The given roi parameter defines a region that exceeds the image bounds",
    ),
    "roi_region_empty": ("ROI region is empty", "The given roi parameter defines an empty region"),
    **{f"invalid_{name}": (f"Invalid value for parameter '{name}'", "") for name in ("size", "channels")},
    **{
        f"invalid_{name}": (f"Invalid {name} parameter given", "")
        for name in (
            *("format", "bg_color", "crop_margin", "position", "roi", "scale", "semitransparency"),
            *("shadow_type", "shadow_opacity"),
        )
    },
}
"""Title and detail by code, as in the OpenAPI description."""

ERRORS: Mapping[FaultKind, tuple[int, str, str]] = {
    FaultKind.INTERNAL_ERROR: (500, "internal_error", "Something went wrong"),
    FaultKind.UNAVAILABLE: (503, "service_unavailable", "Service unavailable"),
    FaultKind.TOO_MANY_REQUESTS: (429, "rate_limit_exceeded", "Rate limit exceeded"),
    FaultKind.NO_CREDITS: (402, "insufficient_credits", "Insufficient credits"),
    FaultKind.BAD_KEY: (403, "auth_failed", "API Key invalid"),
    FaultKind.SUCCESS_ERROR: (200, "unknown_foreground", NO_FOREGROUND),
}

CORS_HEADERS = {"Access-Control-Allow-Origin": "*"}
"""Header of every recorded answer, errors included (the Ruby client's recordings, 2020-06)."""


class InvalidParameter(Exception):
    """A parameter that does not match the documentation, with the code of the error."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def unreadable(error: UnreadablePicture) -> Response:
    if error.flaw is Flaw.TOO_MANY_PIXELS:
        have = round(error.size[0] * error.size[1] / 1e6) or "too many"
        most = MAX_INPUT_PIXELS // 1_000_000
        detail = f"Input image has {have} megapixels, maximum supported input resolution is {most} megapixels"
        return errors(400, "resolution_too_high", "Image resolution too high", detail)
    return bad_request("invalid_file_type" if error.flaw is Flaw.NO_PICTURE else "failed_to_read_image")


def bad_request(code: str) -> Response:
    return errors(400, code, *_TITLES[code])


def errors(status: int, code: str, title: str, detail: str = "") -> Response:
    error = {"title": title, "code": code} | ({"detail": detail} if detail else {})
    return json_answer({"errors": [error]}, status)


def json_answer(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status, CORS_HEADERS, "application/json; charset=utf-8")
