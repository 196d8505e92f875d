"""Which bucket a setting names, and which server is asked for it."""

import pytest

from bg_pipeline.errors import ItemChanged
from bg_pipeline.stores.s3.location import Bucket, bucket_of
from bg_pipeline.stores.s3.source import S3Source
from bg_pipeline_tests.adapters.test_s3 import BUCKET
from bg_pipeline_tests.s3 import answer_instead, error_body


@pytest.mark.parametrize(
    ("location", "bucket"),
    [
        ("s3://shop", Bucket("shop", "")),
        ("s3://shop/", Bucket("shop", "")),
        ("s3://shop/img", Bucket("shop", "img/")),
        ("s3://shop/img/new/", Bucket("shop", "img/new/")),
    ],
)
def test_a_location_names_its_bucket(location: str, bucket: Bucket) -> None:
    assert bucket_of(location) == bucket


@pytest.mark.parametrize("location", ["s3://", "s3:///img", "s3://sh op", "s3://user:pass@shop"])
def test_a_location_that_can_be_no_bucket_is_refused(location: str) -> None:
    with pytest.raises(ValueError, match="s3://BUCKET"):
        bucket_of(location)


@pytest.mark.parametrize(
    ("setting", "environment", "asked"),
    [
        ("", {}, "https://shop.s3.eu-west-1.amazonaws.com/a.jpg"),
        ("", {"AWS_ENDPOINT_URL": "http://all.test"}, "http://all.test/shop/a.jpg"),
        (
            "",
            {"AWS_ENDPOINT_URL": "http://all.test", "AWS_ENDPOINT_URL_S3": "http://s3.test"},
            "http://s3.test/shop/a.jpg",
        ),
        ("http://own.test", {"AWS_ENDPOINT_URL_S3": "http://s3.test"}, "http://own.test/shop/a.jpg"),
    ],
)
def test_an_endpoint_of_our_own_wins_over_that_of_every_aws_tool(
    setting: str, environment: dict[str, str], asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only AWS has a host name for each bucket."""
    environment = {
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_DEFAULT_REGION": "eu-west-1",
        **environment,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    source = S3Source(BUCKET, setting)
    urls: list[str] = []
    answer_instead(source._objects, "GetObject", 404, error_body("NoSuchKey"), lambda url: not urls.append(url))
    with pytest.raises(ItemChanged):
        source.read("a.jpg")

    assert urls == [asked]
