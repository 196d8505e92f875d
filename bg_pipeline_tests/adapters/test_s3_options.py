"""Outputs in a bucket carry what a shop asks for."""

import pytest

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.stores.locations import open_blobs
from bg_pipeline.stores.s3.settings import S3Settings
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.s3 import S3Server

OPTIONS = {
    "bg_s3_cache_control": "public, max-age=86400",
    "bg_s3_acl": "public-read",
    "bg_s3_storage_class": "STANDARD_IA",
    "bg_s3_encryption": "aws:kms",
    "bg_s3_kms_key": "1234abcd-12ab-34cd-56ef-1234567890ab",
}
EVERYONE = "http://acs.amazonaws.com/groups/global/AllUsers"


def write(s3: S3Server, *, masters: bool, **options: str) -> tuple[dict[str, object], set[str]]:
    """Headers of an object that was written, and to whom it is granted."""
    bucket = s3.new_bucket("p/")
    raw = RawSettings({"bg_s3_endpoint": s3.endpoint, **options})
    store = open_blobs(str(bucket), raw, masters=masters)
    store.write("a.png", product(1))
    assert store.read("a.png") == product(1)
    grants = s3.client.get_object_acl(Bucket=bucket.name, Key="p/a.png")["Grants"]
    head = s3.client.head_object(Bucket=bucket.name, Key="p/a.png")
    return head, {grant["Grantee"].get("URI", "") for grant in grants}


def test_a_cutout_has_all_options(s3: S3Server) -> None:
    head, readers = write(s3, masters=False, **OPTIONS)

    assert head["CacheControl"] == "public, max-age=86400"
    assert head["StorageClass"] == "STANDARD_IA"
    assert head["ServerSideEncryption"] == "aws:kms"
    assert str(head["SSEKMSKeyId"]).endswith(OPTIONS["bg_s3_kms_key"])
    assert head["ContentType"] == "image/png"
    assert EVERYONE in readers


def test_a_paid_result_is_encrypted_and_never_public(s3: S3Server) -> None:
    head, readers = write(s3, masters=True, **OPTIONS)

    assert head["ServerSideEncryption"] == "aws:kms"
    assert "CacheControl" not in head
    assert "StorageClass" not in head
    assert EVERYONE not in readers


@pytest.mark.radosgw
def test_another_server_takes_those_that_it_knows(radosgw: S3Server) -> None:
    options = {name: OPTIONS[name] for name in ("bg_s3_cache_control", "bg_s3_acl")}
    head, readers = write(radosgw, masters=False, bg_s3_storage_class="STANDARD", **options)

    assert head["CacheControl"] == "public, max-age=86400"
    assert EVERYONE in readers


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("bg_s3_acl", "public", "BG_S3_ACL: must be one of private, public-read"),
        ("bg_s3_storage_class", "COLD", "BG_S3_STORAGE_CLASS: must be one of STANDARD"),
        ("bg_s3_storage_class", "GLACIER", "BG_S3_STORAGE_CLASS: must be one of"),
        ("bg_s3_encryption", "yes", "BG_S3_ENCRYPTION: must be one of AES256"),
        ("bg_s3_kms_key", "k", "BG_S3_KMS_KEY needs BG_S3_ENCRYPTION=aws:kms"),
        ("bg_s3_cache_control", "no-cache\r\nx-amz-acl: public-read", "BG_S3_CACHE_CONTROL: must be plain"),
    ],
)
def test_a_value_that_the_api_does_not_know_is_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        RawSettings({name: value}).part(S3Settings)


def test_credentials_in_the_endpoint_of_aws_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:canary@127.0.0.1:1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL must be a URL without credentials"):
        open_blobs("s3://bucket", RawSettings())
