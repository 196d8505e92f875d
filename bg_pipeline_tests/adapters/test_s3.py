"""S3: what is asked, what is believed, and what is said when it goes wrong."""

import base64
import hashlib
import logging
import types
from collections.abc import Callable, Iterator

import pytest

from bg_pipeline.core.report import Exit
from bg_pipeline.errors import ItemBlocked, ItemChanged, ItemError, ItemUnreadable, SourceUnreadable, StoreError
from bg_pipeline.ports.single import one_blob, one_picture
from bg_pipeline.stores.s3.blobs import S3Store
from bg_pipeline.stores.s3.location import Bucket, bucket_of
from bg_pipeline.stores.s3.page import parse_page
from bg_pipeline.stores.s3.source import S3Source
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.s3 import S3Server, ScriptedS3, answer_instead, error_body, page

BUCKET = Bucket("shop", "")
KEYS = [f"img-{number:05}.jpg" for number in range(2500)]
Script = Callable[..., ScriptedS3]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """Starts a server with these answers; retries do not wait."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test-access-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    monkeypatch.setattr("botocore.endpoint.time", types.SimpleNamespace(sleep=lambda _s: None))
    running = []

    def start(*answers: tuple[int, bytes] | bytes) -> ScriptedS3:
        server = ScriptedS3([(200, a) if isinstance(a, bytes) else a for a in answers])
        running.append(server.running())
        return running[-1].__enter__()

    yield start
    for server in running:
        server.__exit__(None, None, None)


def test_a_listing_is_one_request_a_page_and_nothing_else(script: Script) -> None:
    server = script(
        page(KEYS[:1000], token="t1"), page(KEYS[1000:2000], token="t2"), page([], token="t3"), page(KEYS[2000:])
    )

    assert [listed.key for listed in S3Source(BUCKET, server.endpoint).list()] == KEYS
    assert [method for method, _, _ in server.asked] == ["GET"] * 4
    assert all("list-type=2" in target for _, target, _ in server.asked)
    assert ["continuation-token" in target for _, target, _ in server.asked] == [False, True, True, True]


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([page(KEYS[:5], truncated=True)], "whether more follow"),
        ([page(KEYS[:5], token="t1", truncated=False)], "whether more follow"),
        ([page(KEYS[:5]).replace(b"<IsTruncated>false</IsTruncated>", b"")], "whether more follow"),
        ([page(KEYS[:5], token="t1"), page(KEYS[:5], token="t2")], "came after"),
        ([page(KEYS[:5], token="t1"), page([], token="t1")], "twice"),
        ([page(["b", "a"])], "'a' came after 'b'"),
        ([page(["a", "a"])], "'a' came after 'a'"),
        ([page(["\U0001f45f", "\uffff"])], "came after"),
        ([page(KEYS[:5], count=6)], "announced 6 keys"),
        ([page(KEYS[:5], token="t1"), (403, error_body("AccessDenied"))], "s3:ListBucket is not allowed"),
        ([page(KEYS[:5], token="t1"), (500, error_body("InternalError", "later"))], "500 InternalError later"),
        ([page(KEYS[:5])[:-40]], "500 Internal Server Error"),
        ([b""], "cannot be trusted"),
        ([b"<html>hello</html>"], "not a listing"),
        ([page(["a"], head='<!DOCTYPE x [<!ENTITY a "aaaa">]>')], "document type"),
        ([page(["a"]).replace(b"<Size>7</Size>", b"")], "cannot be trusted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_listing_that_is_not_whole_or_in_order_is_refused(
    answers: list[bytes | tuple[int, bytes]], why: str, script: Script
) -> None:
    """Believed, what it lacks would look deleted."""
    with pytest.raises(SourceUnreadable, match=why):
        list(S3Source(BUCKET, script(*answers).endpoint).list())


def test_a_listing_of_another_prefix_is_refused(script: Script) -> None:
    with pytest.raises(SourceUnreadable, match="is outside the prefix"):
        list(S3Source(Bucket("shop", "img/"), script(page(["other/a.jpg"])).endpoint).list())


def test_an_entity_in_another_encoding_is_not_expanded() -> None:
    bomb = page(["a"], head='<!DOCTYPE x [<!ENTITY a "aaaa">]>').decode().replace("UTF-8", "UTF-16").encode("utf-16")

    with pytest.raises(ValueError, match="document type"):
        parse_page(bomb)


def test_a_server_that_stumbles_is_asked_again(script: Script) -> None:
    server = script((503, error_body("SlowDown")), (200, error_body("InternalError")), page(KEYS[:5]))

    assert len(list(S3Source(BUCKET, server.endpoint).list())) == 5
    assert len(server.asked) == 3


def test_folders_are_left_out_and_empty_objects_are_not(s3: S3Server) -> None:
    bucket = s3.new_bucket("img/")
    for key in ("", "shoes/", "shoes/a.jpg", "empty.jpg"):
        s3.put(bucket, key, b"")

    assert [(f.key, f.size_bytes) for f in S3Source(bucket, s3.endpoint).list()] == [
        ("empty.jpg", 0),
        ("shoes/a.jpg", 0),
    ]


def test_a_prefix_is_a_folder_and_no_beginning_of_a_name(s3: S3Server) -> None:
    bucket = s3.new_bucket()
    for key in ("img/a.jpg", "img-old/b.jpg", "img"):
        s3.put(bucket, key, b"1")

    location = bucket_of(f"s3://{bucket.name}/img")
    assert location is not None
    assert [listed.key for listed in S3Source(location, s3.endpoint).list()] == ["a.jpg"]


def test_a_versioned_bucket_shows_its_newest_versions(s3: S3Server) -> None:
    bucket = s3.new_bucket()
    s3.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    source = S3Source(bucket, s3.endpoint)
    s3.put(bucket, "a.jpg", b"old")
    before = next(source.list())
    s3.put(bucket, "a.jpg", b"new")
    s3.put(bucket, "gone.jpg", b"1")
    s3.remove(bucket, "gone.jpg")

    (listed,) = source.list()
    assert listed.fingerprint != before.fingerprint
    assert source.read("a.jpg") == b"new"
    with pytest.raises(ItemChanged):
        source.read("gone.jpg")


def test_an_object_that_arrives_damaged_is_asked_for_again_and_never_taken(script: Script) -> None:
    whole = base64.b64encode(hashlib.sha256(b"intact!").digest()).decode()
    said = {"x-amz-checksum-sha256": whole, "x-amz-checksum-type": "FULL_OBJECT"}
    headers = dict.fromkeys(range(9), said)
    server = script(b"damaged", b"intact!")
    server.answer_headers = headers
    assert S3Source(BUCKET, server.endpoint).read("a.jpg") == b"intact!"

    server = script(b"damaged")
    server.answer_headers = headers
    with pytest.raises(ItemUnreadable, match="checksum"):
        S3Source(BUCKET, server.endpoint).read("a.jpg")


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ((404, error_body("NoSuchKey")), ItemChanged, "not there any more"),
        ((403, error_body("AccessDenied")), ItemUnreadable, "s3:GetObject is not allowed"),
        ((403, error_body("InvalidObjectState", "archived")), ItemUnreadable, "archived"),
        ((404, error_body("NoSuchBucket")), SourceUnreadable, "no bucket shop"),
        ((404, b"<html>nothing here</html>"), SourceUnreadable, "404"),
        ((403, error_body("SignatureDoesNotMatch")), SourceUnreadable, "AWS_ACCESS_KEY_ID"),
        ((403, error_body("InvalidAccessKeyId")), SourceUnreadable, "AWS_ACCESS_KEY_ID"),
        ((403, error_body("RequestTimeTooSkewed")), SourceUnreadable, "the clock of this machine is wrong"),
        ((503, error_body("SlowDown")), SourceUnreadable, "503 SlowDown"),
    ],
    ids=lambda value: "",
)
def test_only_what_is_wrong_with_one_object_is_blamed_on_it(
    answer: tuple[int, bytes], error: type[Exception], said: str, script: Script
) -> None:
    with pytest.raises(error, match=said):
        S3Source(BUCKET, script(answer).endpoint).read("a.jpg")


CUT_OFF = {"Content-Length": "100", "Connection": "close"}


@pytest.mark.parametrize(
    ("headers", "answer"), [({}, (503, error_body("SlowDown"))), ({}, (500, b"")), (CUT_OFF, (200, b"half"))]
)
def test_an_object_that_is_always_cut_off_or_refused_is_told_from_a_bucket_that_is_away(
    headers: dict[str, str], answer: tuple[int, bytes], script: Script
) -> None:
    """Five tries, then the bucket is listed."""
    for listing, error in (((200, page(KEYS[:5])), ItemBlocked), ((503, error_body("SlowDown")), SourceUnreadable)):
        server = script(*[answer] * 5, listing)
        server.answer_headers = dict.fromkeys(range(5), headers)
        source = S3Source(BUCKET, server.endpoint)
        with pytest.raises(error), one_picture(source):
            source.read("a.jpg")
        assert ["list-type" in target for _, target, _ in server.asked[:6]] == [False] * 5 + [True]


@pytest.mark.parametrize(("operation", "use"), [("GetObject", "read"), ("PutObject", "write")])
def test_a_stored_object_that_is_always_refused_is_told_from_a_bucket_that_is_away(
    operation: str, use: str, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.endpoint.time", types.SimpleNamespace(sleep=lambda _s: None))
    store = S3Store(s3.new_bucket("cut/"), s3.endpoint)
    data = [b"1"] if use == "write" else []
    refused = error_body("SlowDown")
    answer_instead(store._objects, operation, 503, refused, lambda url: url.endswith("a.png"))

    for _ in range(2):
        with pytest.raises(ItemBlocked, match="503"), one_blob(store):
            getattr(store, use)("a.png", *data)
    with one_blob(store):
        getattr(store, use)("b.png", *data)

    answer_instead(store._objects, "PutObject", 503, refused, lambda _url: True)
    with pytest.raises(StoreError), one_blob(store):
        getattr(store, use)("a.png", *data)


@pytest.mark.parametrize("answer", [(404, b""), (404, error_body("NoSuchBucket")), (403, error_body("AccessDenied"))])
def test_only_a_server_that_knows_says_that_an_object_is_gone(answer: tuple[int, bytes], script: Script) -> None:
    with pytest.raises(SourceUnreadable):
        S3Source(BUCKET, script(answer).endpoint).exists("a.jpg")


def test_a_server_that_is_not_there_is_named(script: Script) -> None:
    server = script(b"")
    store = S3Store(BUCKET, "http://127.0.0.1:1")

    with pytest.raises(StoreError, match=r"127\.0\.0\.1:1 cannot be reached .* BG_S3_ENDPOINT"):
        store.read("a.png")
    assert server.asked == []


def test_missing_credentials_are_asked_for(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(SourceUnreadable, match="AWS_ACCESS_KEY_ID"):
        list(S3Source(BUCKET, s3.endpoint).list())


def test_a_write_is_one_request_with_checksum_and_type(script: Script) -> None:
    data = b"\x89PNG\r\n\x1a\n..."
    server = script(b"")
    server.answer_headers[0] = {"ETag": f'"{hashlib.md5(data).hexdigest()}"'}
    S3Store(BUCKET, server.endpoint).write("a.png", data)

    ((method, target, headers),) = server.asked
    assert (method, target) == ("PUT", "/shop/a.png")
    assert headers["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert headers["X-Amz-Content-SHA256"] == hashlib.sha256(data).hexdigest()
    assert headers["Content-Type"] == "image/png"


@pytest.mark.parametrize("header", ["ETag", "x-amz-checksum-sha256", "none"])
def test_a_write_that_arrives_damaged_fails(header: str, script: Script) -> None:
    server = script(b"", b"damaged")
    server.answer_headers[0] = {header: '"d41d8cd98f00b204e9800998ecf8427e"'}

    with pytest.raises(StoreError, match="damaged"):
        S3Store(BUCKET, server.endpoint).write("a.png", b"intact!")


def test_a_server_without_checksums_is_asked_for_the_bytes(script: Script) -> None:
    server = script(b"", b"intact!")
    S3Store(BUCKET, server.endpoint).write("a.png", b"intact!")

    assert [method for method, _, _ in server.asked] == ["PUT", "GET"]


@pytest.mark.parametrize("code", ["NotImplemented", "ConditionalRequestConflict"])
def test_a_master_is_written_where_the_server_knows_no_conditions(code: str, script: Script) -> None:
    etag = {"ETag": f'"{hashlib.md5(b"1").hexdigest()}"'}
    server = script((501 if code == "NotImplemented" else 409, error_body(code)), b"")
    server.answer_headers = dict.fromkeys(range(1, 9), etag)
    S3Store(BUCKET, server.endpoint, write_once=True).write("ab/abc", b"1")

    assert ["If-None-Match" in headers for _, _, headers in server.asked][-1] is False
    assert [method for method, _, _ in server.asked][-1] == "PUT"


def test_a_master_that_is_there_is_compared_and_not_sent_again(s3: S3Server) -> None:
    bucket = s3.new_bucket()
    s3.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    store = S3Store(bucket, s3.endpoint, write_once=True)
    for data in (b"1", b"1", b"damaged", b"1"):
        store.write("ab/abc", data)

    assert len(s3.client.list_object_versions(Bucket=bucket.name)["Versions"]) == 3
    assert store.read("ab/abc") == b"1"


def test_hidden_names_and_folders_are_not_listed(s3: S3Server) -> None:
    bucket = s3.new_bucket("cutouts/")
    for key in ("", "shoes/", "shoes/a.png", ".trash/a.png", "shoes/.b.png"):
        s3.put(bucket, key, b"1")

    assert list(S3Store(bucket, s3.endpoint).list()) == ["shoes/a.png"]


def test_a_store_that_may_not_remove_can_be_probed(s3: S3Server) -> None:
    store = S3Store(s3.new_bucket(), s3.endpoint)
    answer_instead(store._objects, "DeleteObject", 403, error_body("AccessDenied"), lambda _url: True)

    store.probe()
    assert list(store.list()) == []


def test_a_probe_says_what_is_missing(s3: S3Server) -> None:
    with pytest.raises(StoreError, match="no bucket no-such-bucket at 127"):
        S3Store(Bucket("no-such-bucket", ""), s3.endpoint).probe()

    store = S3Store(s3.new_bucket(), s3.endpoint)
    answer_instead(store._objects, "PutObject", 403, error_body("AccessDenied"), lambda _url: True)
    with pytest.raises(StoreError, match="s3:PutObject is not allowed"):
        store.probe()


def test_a_name_that_is_too_long_stops_no_other(s3: S3Server) -> None:
    store = S3Store(s3.new_bucket("cutouts/"), s3.endpoint)
    store.write("x" * (1024 - len("cutouts/")), b"1")

    with pytest.raises(ItemError, match="1025 bytes"):
        store.write("x" * (1025 - len("cutouts/")), b"1")


def test_no_secret_and_no_signature_is_said_or_logged(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        source = S3Source(BUCKET, script((403, error_body("AccessDenied"))).endpoint)
        with pytest.raises(SourceUnreadable) as caught:
            list(source.list())

    said = f"{caught.value!r} {source!r} {caplog.text}"
    assert "canary" not in said
    assert "Signature" not in said


def test_an_archived_picture_is_a_failure_every_night_until_it_is_restored(s3: S3Server) -> None:
    bucket = s3.new_bucket()
    for n in range(2):
        s3.put(bucket, f"shoes/{n}.png", product(n))
    archived = "shoes/archived.png"
    s3.client.put_object(Bucket=bucket.name, Key=archived, Body=product(7), StorageClass="GLACIER")
    graph = Graph(source=S3Source(bucket, s3.endpoint))  # type: ignore[arg-type]
    for _ in range(2):
        done = graph.sync()
        assert (done.summary.exit_code, done.summary.standing) == (Exit.SOME_FAILED, 1)
    (failure,) = graph.failures.standing()
    assert (failure.key, "InvalidObjectState" in failure.why) == (archived, True)

    s3.put(bucket, archived, product(7))
    done = graph.sync()
    assert (done.summary.exit_code, done.summary.published) == (Exit.DONE, 1)


def test_a_picture_without_rights_keeps_its_cutout_and_is_a_failure(s3: S3Server) -> None:
    bucket = s3.new_bucket()
    for n in range(2):
        s3.put(bucket, f"shoes/{n}.png", product(n))
    source = S3Source(bucket, s3.endpoint)
    graph = Graph(source=source)  # type: ignore[arg-type]
    graph.sync()
    s3.put(bucket, "shoes/0.png", product(7))
    answer_instead(source._objects, "GetObject", 403, error_body("AccessDenied"), lambda url: "0.png" in url)
    done = graph.sync()

    assert (done.summary.exit_code, done.summary.standing, len(graph.outputs.blobs)) == (Exit.SOME_FAILED, 1, 2)
    assert "s3:GetObject is not allowed" in graph.failures.standing()[0].why
