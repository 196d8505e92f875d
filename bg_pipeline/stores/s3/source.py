"""A catalogue in an S3 bucket."""

from collections.abc import Iterator, Sequence

from bg_pipeline.core.blocks import ROWS, Block, divided
from bg_pipeline.core.records import Listed
from bg_pipeline.errors import ItemChanged, ItemUnreadable, SourceUnreadable
from bg_pipeline.ports.source import SplitPoints, no_split_points
from bg_pipeline.stores.s3.buckets import RANGE_KEYS, BucketError, NoObject, ObjectRefused, Objects
from bg_pipeline.stores.s3.location import Bucket


class S3Source:
    """
    `ports.ImageSource` over the objects below a prefix.

    Args:
        bucket: bucket and prefix of the pictures.
        endpoint: URL of an S3-compatible server; empty for that of the profile, or AWS.
        profile: see `Objects`.
    """

    def __init__(self, bucket: Bucket, endpoint: str = "", profile: str = "") -> None:
        self._objects = Objects(bucket, endpoint, profile)

    @property
    def listing_is_proof(self) -> bool:
        return True  # each write has a time of the server's, and an ETag

    @property
    def reads_at_once(self) -> int:
        return 32  # most of a read is waiting: `benchmarks.reading`

    def list(self, split_points: SplitPoints = no_split_points) -> Iterator[Listed]:
        try:
            for row in self._objects.list(split_points(RANGE_KEYS)):
                # An ETag is not a hash: for multipart uploads and encrypted objects it is not computed from the bytes.
                yield Listed(row.key, f"{row.size_bytes}:{row.etag}:{row.modified}", row.size_bytes)
        except BucketError as error:
            raise SourceUnreadable(f"{error}. Nothing was changed or deleted") from error

    def blocks(self, starts: Sequence[str]) -> Iterator[Block]:
        return divided(self.list(lambda every: starts[every // ROWS - 1 :: every // ROWS]), starts)

    def read(self, key: str) -> bytes:
        try:
            return self._objects.get(key)
        except NoObject as error:
            raise ItemChanged(f"{key} is not there any more") from error
        except ObjectRefused as error:
            raise ItemUnreadable(f"cannot be read: {error}") from error
        except BucketError as error:  # not the fault of a single picture
            raise SourceUnreadable(str(error)) from error

    def exists(self, key: str) -> bool:
        try:
            return self._objects.has(key)
        except BucketError as error:
            raise SourceUnreadable(str(error)) from error
