"""Calls of remove.bg, and what is wrong with them."""

import requests

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
