"""Objects below a prefix of an S3 bucket, on AWS or any server that speaks S3."""

import hashlib
import mimetypes
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice, pairwise
from operator import lt
from types import MappingProxyType
from typing import Any

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

from bg_pipeline.core.keys import key_bytes
from bg_pipeline.core.media import sniff
from bg_pipeline.core.sources import read_source, require_size
from bg_pipeline.errors import ItemUnreadable
from bg_pipeline.net.fetch import host_of
from bg_pipeline.net.prefetch import prefetch
from bg_pipeline.stores.s3.client import ATTEMPTS, open_client
from bg_pipeline.stores.s3.location import Bucket
from bg_pipeline.stores.s3.page import ListedObject, Page, Rows

MAX_KEY_BYTES = 1024
"""Longest key (docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html, read 2026-11)."""

RANGE_KEYS = 10_000
"""Keys per range: ten pages. More take more memory; fewer mean more half-filled pages after keys were added."""

_MOST_PAGES = RANGE_KEYS // 1000 + 1
"""Most pages prefetched of each range; if many keys were added, further pages are fetched in order."""

_AT_ONCE = 4
_REFUSED_KEYS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed"}
)


class BucketError(Exception):
    """A failed request, with the reason in a sentence; source and store convert it to their own errors."""


class NoObject(BucketError):
    """No object has this name."""


class ObjectRefused(BucketError):
    """The server refuses this one object; others may be fine."""


class Objects:
    """
    The objects below a prefix of one bucket.

    Credentials and region come from the standard AWS configuration. Requests are tried up to five times (botocore's
    standard retries).

    Args:
        bucket: bucket and prefix of the objects.
        endpoint: URL of an S3-compatible server; empty for that of the profile, the value of AWS_ENDPOINT_URL, or AWS.
        profile: of the AWS configuration, with credentials, region and endpoint; empty for the default.
    """

    def __init__(self, bucket: Bucket, endpoint: str = "", profile: str = "") -> None:
        self._bucket = bucket
        self._client = open_client(endpoint, profile)

    def list(self, split_points: Sequence[str] = ()) -> Iterator[Rows]:
        """
        Yield every object, in ascending order of `key_bytes`, with exactly one request per page.

        Keys that end in a slash are left out: they stand for folders.

        Args:
            split_points: keys in order, ideally `RANGE_KEYS` apart. A parallel request may start after each.

        Raises:
            BucketError: the listing is incomplete or contradicts itself.
        """
        prefix, last = self._bucket.prefix, ""
        for page in self._pages_between(split_points):
            keys = [last, *page.rows.keys]
            names = list(map(key_bytes, keys))
            if not all(map(lt, names, names[1:])):
                one, other = next((a, b) for a, b in pairwise(keys) if key_bytes(b) <= key_bytes(a))
                raise self._broken(f"{other!r} came after {key_bytes(one).decode(errors='replace')!r}")
            if outside := [key for key in page.rows.keys if not key.startswith(prefix)]:
                raise self._broken(f"{outside[0]!r} is outside the prefix")
            last = keys[-1]
            if rows := page.rows.below(prefix):
                yield rows

    def objects(self, rows: Iterable[Rows]) -> Iterator[ListedObject]:
        """
        Parse rows of a listing.

        Raises:
            BucketError: one is malformed.
        """
        for part in rows:
            try:
                yield from part.objects()
            except ValueError as error:
                raise self._broken(str(error)) from error

    def get(self, key: str) -> bytes:
        """
        Return the bytes of one object, verified by its checksum where the server sends one.

        Raises:
            NoObject: it does not exist.
            ObjectRefused: this object cannot be read.
            BucketError: no object can be read.
        """
        with self._errors("s3:GetObject"):
            for retries_left in reversed(range(ATTEMPTS)):
                response = self._client.get_object(
                    Bucket=self._bucket.name, Key=self._bucket.prefix + key, ChecksumMode="ENABLED"
                )
                try:
                    require_size(response.get("ContentLength", 0))
                    data = read_source(response["Body"].read)
                except (HTTPClientError, IncompleteReadError, FlexibleChecksumError):
                    if not retries_left:  # botocore retries only until the response begins
                        raise
                else:
                    break
        return data

    def has(self, key: str) -> bool:
        """
        Return True if an object exists. Not by HEAD: its 404 is the same for a missing object and a missing bucket.

        Raises:
            BucketError: it cannot be determined.
        """
        name = self._bucket.prefix + key
        with suppress(NoObject), self._errors("s3:GetObject"):
            try:
                self._client.get_object(Bucket=self._bucket.name, Key=name, Range="bytes=0-0")["Body"].read()
            except ClientError as error:
                if error.response["Error"].get("Code") != "InvalidRange":  # it exists and is empty
                    raise
            return True
        return False

    def put(
        self, key: str, data: bytes, options: Mapping[str, str] = MappingProxyType({}), *, once: bool = False
    ) -> None:
        """
        Store one object with one request, and verify that the server received what was sent.

        Args:
            key: its name below the prefix.
            data: its bytes.
            options: further parameters of PutObject.
            once: write only if there is no such object. An existing one is compared, and replaced only if it
                differs. A server without conditional writes gets a plain one.

        Raises:
            BucketError: it cannot be written, or arrived damaged.
        """
        checksum = b64encode(hashlib.sha256(data).digest()).decode()
        sent = {
            "Bucket": self._bucket.name,
            "Key": self._bucket.prefix + key,
            "Body": data,
            "ContentType": sniff(data) or mimetypes.guess_type(key)[0] or "application/octet-stream",
            "ChecksumSHA256": checksum,
            **options,
        }

        def is_intact(answer: dict[str, Any]) -> bool:
            if stored := answer.get("ChecksumSHA256"):
                return bool(stored == checksum)
            return bool(answer.get("ETag", "").strip('"') == hashlib.md5(data, usedforsecurity=False).hexdigest())

        with self._errors("s3:PutObject"):
            answer = self._put_new(sent) if once else None
            if answer is None or not is_intact(answer):
                answer = self._client.put_object(**sent)
        # Without a checksum, and where encryption makes the ETag not an MD5, only reading the bytes can verify.
        if not is_intact(answer) and self.get(key) != data:
            raise BucketError(f"{self._bucket}{key} arrived damaged: the stored bytes differ from those sent")

    def delete(self, key: str) -> None:
        """
        Remove one object, if it exists.

        Raises:
            BucketError: it cannot be removed.
        """
        with self._errors("s3:DeleteObject"):
            self._client.delete_object(Bucket=self._bucket.name, Key=self._bucket.prefix + key)

    def _put_new(self, sent: dict[str, Any]) -> dict[str, Any] | None:
        """Return the server's response for the object, stored now or before; None if it has no conditional writes."""
        try:
            answer: dict[str, Any] = self._client.put_object(**sent, IfNoneMatch="*")
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status not in {409, 412, 501}:
                raise
            if status != 412:  # another writer is active, or not implemented
                return None
            answer = self._client.head_object(Bucket=sent["Bucket"], Key=sent["Key"], ChecksumMode="ENABLED")
        return answer

    def _pages_between(self, split_points: Sequence[str]) -> Iterator[Page]:
        """Yield all pages in order, while the pages after the next split points are fetched."""
        # The last listing may be of another source, with keys that no bucket can have.
        ends = [f"{self._bucket.prefix}{key}" for key in split_points if key.isprintable()]

        def begin(bounds: tuple[str, str]) -> tuple[Sequence[Page], Iterator[Page]]:
            pages = self._pages(*bounds)
            return [*islice(pages, _MOST_PAGES if ends else 1)], pages

        for first, rest in prefetch(begin, pairwise(["", *ends, ""]), threads=_AT_ONCE, waiting=_AT_ONCE):
            yield from first
            yield from rest

    def _pages(self, after: str, until: str) -> Iterator[Page]:
        """Yield the pages with keys after `after` and up to `until`; empty for no bound."""
        seen: set[str] = set()
        page_start = {"StartAfter": after} if after else {}
        last = key_bytes(until)
        while True:
            page = self._page(**page_start)
            if page.count not in {-1, len(page.rows)}:
                raise self._broken(f"a page announced {page.count} keys and had {len(page.rows)}")
            if until and page.rows and key_bytes(page.rows.keys[-1]) >= last:
                here = [n for n, key in enumerate(page.rows.keys) if key_bytes(key) <= last]
                yield replace(page, rows=page.rows.part(0, len(here)))
                return
            if page.truncated == "false" and not page.token:
                yield page
                return
            if page.truncated != "true" or not page.token:
                raise self._broken("a page does not say whether more follow")
            if page.token in seen:
                raise self._broken("a page came twice")
            seen.add(page.token)
            page_start = {"ContinuationToken": page.token}
            yield page

    def _page(self, **page_start: str) -> Page:
        with self._errors("s3:ListBucket"):
            answer = self._client.list_objects_v2(
                Bucket=self._bucket.name, Prefix=self._bucket.prefix, EncodingType="url", **page_start
            )
        if "Page" not in answer:
            raise self._broken("the answer is not a listing")
        page: Page = answer["Page"]
        return page

    def _broken(self, why: str) -> BucketError:
        return BucketError(f"the listing of {self._bucket} cannot be trusted: {why}")

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
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
                f"{self._host} cannot be reached for {self._bucket} ({type(error).__name__}); check BG_S3_ENDPOINT"
            ) from error
        except ValueError as error:
            raise self._broken(str(error)) from error
        except ItemUnreadable as error:
            raise ObjectRefused(str(error)) from error
        except FlexibleChecksumError as error:
            raise ObjectRefused(f"{self._bucket} sent bytes that do not match their checksum") from error
        except BotoCoreError as error:
            raise BucketError(f"{self._bucket}: {error}") from error

    def _refusal(self, error: ClientError, action: str) -> BucketError:
        code = error.response["Error"].get("Code", "")
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        message = f"{status} {code} {error.response['Error'].get('Message', '')}"[:200]
        if code == "NoSuchBucket":
            return BucketError(f"there is no bucket {self._bucket.name} at {self._host}")
        if code in _REFUSED_KEYS:
            return BucketError(f"the credentials for {self._bucket} are refused ({code}); check AWS_ACCESS_KEY_ID")
        if code == "RequestTimeTooSkewed":
            return BucketError(f"{self._host} refuses all requests: the clock of this machine is wrong; correct it")
        if code == "NoSuchKey":
            return NoObject(f"{self._bucket} has no such object")
        if code in {"AccessDenied", "403"}:
            return ObjectRefused(f"{action} is not allowed on {self._bucket}: the credentials lack that permission")
        # At a wrong endpoint, a server that does not speak S3 answers 404 too.
        kind = ObjectRefused if 400 <= status < 500 and status not in {404, 429} else BucketError
        return kind(f"{self._bucket} answered {action} with {message.strip()}")

    @property
    def _host(self) -> str:
        return host_of(self._client.meta.endpoint_url)
