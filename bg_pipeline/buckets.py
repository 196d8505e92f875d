"""Objects below a prefix of an S3 bucket, on AWS or any server that speaks S3."""

import hashlib
import logging
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Any, NamedTuple
from urllib.parse import unquote_plus, urlsplit
from xml.etree import ElementTree as ET

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004  botocore's own
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)

from bg_pipeline.ahead import ahead
from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.media import sniff
from bg_pipeline.core.places import Bucket

MAX_KEY_BYTES = 1024
"""docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html, read 2026-11."""

_ATTEMPTS, _CONNECT_S, _READ_S = 5, 10, 60
_CONNECTIONS = 64

RANGE_KEYS = 10_000
"""Ten pages. More in a row would be more in memory; fewer, more pages that end in the middle once keys were added."""

_MOST_PAGES = RANGE_KEYS // 1000 + 1
"""Fetched ahead; where many keys were added, the others when it is their turn."""

_AT_ONCE = 4
_REFUSED_KEYS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed"}
)


class BucketError(Exception):
    """What went wrong, in a sentence; source and store each make it an error of their own."""


class NoObject(BucketError):
    """There is no object of this name."""


class ObjectRefused(BucketError):
    """The server refuses this one object; others may be fine."""


class Found(NamedTuple):
    """One line of a listing."""

    key: str
    size_bytes: int
    etag: str
    modified: str
    """As the server writes it."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to ListObjectsV2."""

    rows: tuple[Found, ...]
    """Their keys still with the prefix."""
    truncated: str
    token: str
    """As the server writes these two; empty where it does not."""
    count: int
    """How many it says they are; -1 where it does not."""


class Objects:
    """
    The objects below a prefix of one bucket.

    Credentials and region come from where every AWS tool looks for them. Requests are tried up to five times
    (botocore's standard retries).

    Args:
        bucket: where they lie.
        endpoint: URL of an S3-compatible server; empty for AWS, or what AWS_ENDPOINT_URL says.
    """

    def __init__(self, bucket: Bucket, endpoint: str = "") -> None:
        self._bucket = bucket
        self._client = _client(endpoint)

    def list(self, landmarks: Sequence[str] = ()) -> Iterator[Found]:
        """
        Every object, in ascending order of `key_bytes`, with one request a page and none besides.

        Keys that end in a slash are left out: they stand for folders.

        Args:
            landmarks: keys in order, best of all `RANGE_KEYS` apart, behind each of which another request may begin.

        Raises:
            BucketError: it is not complete, or not what a whole listing looks like.
        """
        prefix = self._bucket.prefix
        last = b""
        for page in self._pages_between(landmarks):
            for found in page.rows:
                this = key_bytes(found.key)
                if this <= last:
                    raise self._broken(f"{found.key!r} came after {last.decode(errors='replace')!r}")
                if not found.key.startswith(prefix):
                    raise self._broken(f"{found.key!r} does not lie there")
                last = this
                if found.key.endswith("/"):
                    continue
                yield found._replace(key=found.key[len(prefix) :]) if prefix else found

    def get(self, key: str) -> bytes:
        """
        The bytes of one object, whole, and as its checksum says where the server sends one.

        Raises:
            NoObject: it is not there.
            ObjectRefused: this one cannot be read.
            BucketError: nothing can.
        """
        with self._told("s3:GetObject"):
            for left in reversed(range(_ATTEMPTS)):
                found = self._client.get_object(
                    Bucket=self._bucket.name, Key=self._bucket.prefix + key, ChecksumMode="ENABLED"
                )
                try:
                    data: bytes = found["Body"].read()
                except (HTTPClientError, IncompleteReadError, FlexibleChecksumError):
                    if not left:  # botocore tries again only until the answer begins
                        raise
                else:
                    break
        return data

    def has(self, key: str) -> bool:
        """
        Whether an object is there. Not by HEAD, whose 404 does not tell a missing object from a missing bucket.

        Raises:
            BucketError: nobody can tell.
        """
        name = self._bucket.prefix + key
        with suppress(NoObject), self._told("s3:GetObject"):
            try:
                self._client.get_object(Bucket=self._bucket.name, Key=name, Range="bytes=0-0")["Body"].read()
            except ClientError as error:
                if error.response["Error"].get("Code") != "InvalidRange":  # there, and empty
                    raise
            return True
        return False

    def put(self, key: str, data: bytes, *, once: bool = False) -> None:
        """
        Store one object with one request, and see that what arrived is what was sent.

        Args:
            once: to be written only if there is none. One that is there is compared, and replaced only if it
                differs. A server that cannot tell is asked without the condition.

        Raises:
            BucketError: it cannot be written, or arrived damaged.
        """
        checksum = b64encode(hashlib.sha256(data).digest()).decode()
        sent = {
            "Bucket": self._bucket.name,
            "Key": self._bucket.prefix + key,
            "Body": data,
            "ContentType": sniff(data) or "application/octet-stream",
            "ChecksumSHA256": checksum,
        }

        def intact(answer: dict[str, Any]) -> bool:
            if stored := answer.get("ChecksumSHA256"):
                return bool(stored == checksum)
            return bool(answer.get("ETag", "").strip('"') == hashlib.md5(data, usedforsecurity=False).hexdigest())

        with self._told("s3:PutObject"):
            answer = self._put_new(sent) if once else None
            if answer is None or not intact(answer):
                answer = self._client.put_object(**sent)
        # A server without checksums whose ETag is no MD5, because it encrypts, can only be asked for the bytes.
        if not intact(answer) and self.get(key) != data:
            raise BucketError(f"{self._bucket}{key} arrived damaged: what is stored is not what was sent")

    def delete(self, key: str) -> None:
        """
        Remove one object, if it is there.

        Raises:
            BucketError: it cannot be removed.
        """
        with self._told("s3:DeleteObject"):
            self._client.delete_object(Bucket=self._bucket.name, Key=self._bucket.prefix + key)

    def _put_new(self, sent: dict[str, Any]) -> dict[str, Any] | None:
        """What the server says of the object, stored now or before; None where it cannot tell."""
        try:
            answer: dict[str, Any] = self._client.put_object(**sent, IfNoneMatch="*")
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status not in {409, 412, 501}:
                raise
            if status != 412:  # another one at work, or not implemented
                return None
            answer = self._client.head_object(Bucket=sent["Bucket"], Key=sent["Key"], ChecksumMode="ENABLED")
        return answer

    def _pages_between(self, landmarks: Sequence[str]) -> Iterator[Page]:
        """All pages, in order, while those behind the next landmarks are fetched."""
        # Another source may have left keys that no bucket can have.
        ends = [f"{self._bucket.prefix}{key}" for key in landmarks if key.isprintable()]

        def begin(bounds: tuple[str, str]) -> tuple[Sequence[Page], Iterator[Page]]:
            pages = self._pages(*bounds)
            return [*islice(pages, _MOST_PAGES if ends else 1)], pages

        for first, rest in ahead(begin, pairwise(["", *ends, ""]), threads=_AT_ONCE, waiting=_AT_ONCE):
            yield from first
            yield from rest

    def _pages(self, after: str, until: str) -> Iterator[Page]:
        """The pages with keys beyond the one and up to the other; empty for no bound."""
        seen: set[str] = set()
        place = {"StartAfter": after} if after else {}
        last = key_bytes(until)
        while True:
            page = self._page(**place)
            if page.count not in {-1, len(page.rows)}:
                raise self._broken(f"a page announced {page.count} keys and had {len(page.rows)}")
            if until and page.rows and key_bytes(page.rows[-1].key) >= last:
                yield replace(page, rows=tuple(row for row in page.rows if key_bytes(row.key) <= last))
                return
            if page.truncated == "false" and not page.token:
                yield page
                return
            if page.truncated != "true" or not page.token:
                raise self._broken("it does not say whether it ends here")
            if page.token in seen:
                raise self._broken("a page came twice")
            seen.add(page.token)
            place = {"ContinuationToken": page.token}
            yield page

    def _page(self, **place: str) -> Page:
        with self._told("s3:ListBucket"):
            answer = self._client.list_objects_v2(
                Bucket=self._bucket.name, Prefix=self._bucket.prefix, EncodingType="url", **place
            )
        if "Page" not in answer:
            raise self._broken("the answer is no listing")
        page: Page = answer["Page"]
        return page

    def _broken(self, why: str) -> BucketError:
        return BucketError(f"the listing of {self._bucket} cannot be trusted: {why}")

    @contextmanager
    def _told(self, action: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._refusal(error, action) from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise BucketError(
                f"{self._bucket} needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile"
            ) from error
        except (ConnectionError, HTTPClientError) as error:  # its own text quotes the whole URL
            raise BucketError(
                f"{self._host} cannot be reached for {self._bucket} ({type(error).__name__}); see BG_S3_ENDPOINT"
            ) from error
        except ValueError as error:
            raise self._broken(str(error)) from error
        except FlexibleChecksumError as error:
            raise ObjectRefused(f"{self._bucket} has bytes that do not fit their checksum") from error
        except BotoCoreError as error:
            raise BucketError(f"{self._bucket}: {error}") from error

    def _refusal(self, error: ClientError, action: str) -> BucketError:
        code = error.response["Error"].get("Code", "")
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        message = f"{status} {code} {error.response['Error'].get('Message', '')}"[:200]
        if code == "NoSuchBucket":
            return BucketError(f"there is no bucket {self._bucket.name} at {self._host}")
        if code in _REFUSED_KEYS:
            return BucketError(f"the credentials for {self._bucket} are refused ({code}); see AWS_ACCESS_KEY_ID")
        if code == "NoSuchKey":
            return NoObject(f"{self._bucket} has no such object")
        if code in {"AccessDenied", "403"}:
            return ObjectRefused(f"{action} is not allowed on {self._bucket}: the credentials lack that permission")
        # What is no S3 server, at a wrong endpoint, answers 404 too.
        kind = ObjectRefused if 400 <= status < 500 and status not in {404, 429} else BucketError
        return kind(f"{self._bucket} answered to {action}: {message.strip()}")

    @property
    def _host(self) -> str:
        return str(urlsplit(self._client.meta.endpoint_url).netloc)


def _client(endpoint: str) -> Any:
    for name in ("boto3", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)  # below that they write down signed requests
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint or None,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            max_pool_connections=_CONNECTIONS,
            # Servers of one's own rarely have a name for each bucket.
            s3={"addressing_style": "path" if endpoint else "auto", "payload_signing_enabled": True},
            # The checksum that is sent is chosen here; older servers refuse the trailing ones that boto3 adds.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    # With this star it is called before botocore's own look at the body, which parses it all once more.
    client.meta.events.register("before-parse.*.ListObjectsV2", _parse_page)
    return client


def _parse_page(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """
    Take a listing out of botocore's hands, whose parser needs twenty times as long.

    All else stays botocore's: signing, retries, errors.
    """
    if response_dict["status_code"] == 200 and (page := parse_page(response_dict["body"])):
        customized_response_dict["Page"] = page
        response_dict["body"] = b""


def parse_page(body: bytes) -> Page | None:
    """
    One page of ListObjectsV2; None for anything else, such as an error that comes as a success.

    Raises:
        ValueError: it is one that cannot be read, or must not be.
    """
    if b"<!DOCTYPE" in body or b"\0" in body:  # UTF-16 could hide one, but not its zero bytes
        raise ValueError("a listing with a document type is not read")
    # The encoding is not the answer's to choose. defusedxml would do the same in Python, too slowly.
    parser = ET.XMLParser(encoding="utf-8")  # noqa: S314
    try:
        parser.feed(body)
        root = parser.close()
    except ET.ParseError:  # broken off; botocore tries again
        return None
    space, _, name = root.tag.rpartition("}")
    space += "}" if space else ""
    if name != "ListBucketResult":
        return None
    url_encoded = root.findtext(f"{space}EncodingType") == "url"
    key, size, etag, modified = (f"{space}{tag}" for tag in ("Key", "Size", "ETag", "LastModified"))
    return Page(
        tuple(
            Found(
                _decoded(found.findtext(key, ""), url_encoded),
                int(found.findtext(size, "")),
                found.findtext(etag, ""),
                found.findtext(modified, ""),
            )
            for found in root.iterfind(f"{space}Contents")
        ),
        truncated=root.findtext(f"{space}IsTruncated", ""),
        token=root.findtext(f"{space}NextContinuationToken", ""),
        count=int(root.findtext(f"{space}KeyCount", "-1")),
    )


def _decoded(key: str, url_encoded: bool) -> str:
    return unquote_plus(key, errors="surrogateescape") if url_encoded and ("%" in key or "+" in key) else key
