"""A bucket's listing, page by page, of which nothing is read but where the next page begins: see `listing`."""

import os
import re
import time
from typing import Any

import boto3

_TOKEN = re.compile(rb"<NextContinuationToken>([^<]*)<")


def _keep_the_token(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    token = _TOKEN.search(response_dict["body"])
    customized_response_dict["Token"] = token[1].decode() if token else ""
    response_dict["body"] = b""


def main() -> None:
    begun_at = time.perf_counter()
    client = boto3.client("s3", endpoint_url=os.environ["BG_S3_ENDPOINT"])
    client.meta.events.register("before-parse.*.ListObjectsV2", _keep_the_token)
    bucket, pages, after = os.environ["BG_SOURCE"].removeprefix("s3://").partition("/")[0], 0, dict[str, str]()
    while not pages or after["ContinuationToken"]:
        answer: Any = client.list_objects_v2(Bucket=bucket, EncodingType="url", **after)
        pages, after = pages + 1, {"ContinuationToken": answer["Token"]}
    print(f"{pages} pages in {time.perf_counter() - begun_at:.3f} s")


if __name__ == "__main__":
    main()
