"""The table beside the cutouts of a bucket, and what else is stored there that is no cutout."""

import csv
import io

import pytest

from bg_pipeline.core.credits import Budget
from bg_pipeline.core.export import FOLDER
from bg_pipeline.core.ownership import MARK
from bg_pipeline.pipeline.night import SyncResult, sync
from bg_pipeline.ports.context import RunName
from bg_pipeline.stores.s3.location import Bucket
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings
from bg_pipeline_tests.orchestration.conftest import Shop, shop  # noqa: F401  a fixture
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.s3 import S3Server

TABLE = f"out/{FOLDER}/cutouts.csv"
EVERYONE = "http://acs.amazonaws.com/groups/global/AllUsers"


@pytest.fixture
def bucket(shop: Shop, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: F811
    made = s3.new_bucket("out/")
    monkeypatch.setenv("BG_OUTPUT", str(made))
    monkeypatch.setenv("BG_S3_ENDPOINT", s3.endpoint)
    monkeypatch.setenv("BG_S3_ACL", "public-read")
    monkeypatch.setenv("BG_S3_CACHE_CONTROL", "public, max-age=86400")
    monkeypatch.setenv("BG_EXPORT", "csv")
    return made.name


def one_night(number: int) -> SyncResult:
    name = f"night {number}"
    with open_pipeline(load_settings(), RunName(name, "sync", "a test")) as pipeline:
        return sync(pipeline, Budget(name))


def test_the_table_in_a_bucket_names_each_cutout_by_its_url(bucket: str, s3: S3Server, shop: Shop) -> None:  # noqa: F811
    done = one_night(1)
    assert done.work.table is not None
    assert (done.work.table.location, done.work.table.problem) == (f"s3://{bucket}/{TABLE}", "")
    first = s3.client.get_object(Bucket=bucket, Key=TABLE)
    rows = list(csv.DictReader(io.StringIO(first["Body"].read().decode())))
    assert [(row["key"], row["location"]) for row in rows] == [
        (key, f"s3://{bucket}/out/{key}") for key in ("bags/9.png", "shoes/0.png", "shoes/1.png")
    ]

    s3.client.put_object(Bucket=bucket, Key=TABLE, Body=b"of another program")
    one_night(2)
    assert s3.client.get_object(Bucket=bucket, Key=TABLE)["Body"].read() == b"of another program"
    shop.put("shoes/2.png", product(2))
    one_night(3)
    assert s3.client.get_object(Bucket=bucket, Key=TABLE)["Body"].read().count(b",published,") == 4


def test_only_cutouts_are_given_to_everyone_and_kept_by_caches(bucket: str, s3: S3Server) -> None:
    one_night(1)
    public, cached = set(), set()
    for key in s3.keys(Bucket(bucket, "")):
        grants = s3.client.get_object_acl(Bucket=bucket, Key=key)["Grants"]
        if EVERYONE in {grant["Grantee"].get("URI", "") for grant in grants}:
            public.add(key)
        if "CacheControl" in s3.client.head_object(Bucket=bucket, Key=key):
            cached.add(key)

    assert public == cached == {"out/bags/9.png", "out/shoes/0.png", "out/shoes/1.png"}
    assert {TABLE, f"out/{MARK}"} < set(s3.keys(Bucket(bucket, "")))


def test_a_bucket_that_takes_no_table_ends_no_night(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one_night(1)
    monkeypatch.setenv("BG_EXPORT", "jsonl")
    monkeypatch.setattr("bg_pipeline.pipeline.export.FOLDER", "x" * 1100)
    done = one_night(2)

    assert done.work.table is not None
    assert "its name is too long" in done.work.table.problem
