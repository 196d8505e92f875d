"""A second S3 server, which checks signatures and checksums."""

import pytest
from botocore.exceptions import ClientError

from bg_pipeline.errors import SourceUnreadable, StoreError
from bg_pipeline.stores.s3.blobs import S3Store
from bg_pipeline.stores.s3.location import Bucket
from bg_pipeline.stores.s3.source import S3Source
from bg_pipeline_tests.radosgw import RadosGateway
from bg_pipeline_tests.s3 import S3Server


@pytest.mark.radosgw
def test_a_wrong_secret_is_refused_by_a_server_that_checks(radosgw: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    with pytest.raises(SourceUnreadable, match="SignatureDoesNotMatch"):
        list(S3Source(radosgw.new_bucket(), radosgw.endpoint).list())


@pytest.mark.radosgw
def test_bytes_that_are_altered_on_the_way_are_refused_by_a_server_that_checks(radosgw: S3Server) -> None:
    bucket = radosgw.new_bucket()
    store = S3Store(bucket, radosgw.endpoint)

    def alter(request: object, **_: object) -> None:
        request.body = b"altered"  # type: ignore[attr-defined]

    store._objects._client.meta.events.register("before-send.s3.PutObject", alter)
    with pytest.raises(StoreError, match="XAmzContentSHA256Mismatch"):
        store.write("a.png", b"intact!")
    assert radosgw.keys(bucket) == []


@pytest.mark.radosgw
def test_pages_of_another_server_make_one_listing(radosgw: S3Server) -> None:
    bucket = radosgw.new_bucket()
    names = [f"{number:04}.jpg" for number in range(1100)]
    for name in names:
        radosgw.put(bucket, name, b"")

    assert [listed.key for listed in S3Source(bucket, radosgw.endpoint).list()] == names


@pytest.mark.radosgw
def test_an_unknown_bucket_is_told_from_an_empty_one(radosgw: S3Server) -> None:
    assert list(S3Source(radosgw.new_bucket(), radosgw.endpoint).list()) == []
    with pytest.raises(SourceUnreadable, match="no bucket"):
        list(S3Source(Bucket("no-such-bucket", ""), radosgw.endpoint).list())
    with pytest.raises(ClientError):
        radosgw.client.head_bucket(Bucket="no-such-bucket")


@pytest.mark.radosgw
def test_a_probe_finds_a_quota_that_a_small_object_does_not_reach(radosgw: RadosGateway) -> None:
    store = S3Store(radosgw.new_bucket(), radosgw.endpoint)
    with radosgw.quota(4 << 20):
        store.probe()
        with pytest.raises(StoreError, match="QuotaExceeded"):
            store.probe(8 << 20)
    store.probe(8 << 20)
