"""A catalogue in an S3 bucket."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from bg_pipeline.core.blocks import ROWS, Block, divided_parts, rows_before
from bg_pipeline.core.records import Listed
from bg_pipeline.errors import ItemChanged, ItemUnreadable, SourceUnreadable
from bg_pipeline.ports.source import SplitPoints, no_split_points
from bg_pipeline.stores.s3.buckets import RANGE_KEYS, BucketError, NoObject, ObjectRefused, Objects
from bg_pipeline.stores.s3.location import Bucket
from bg_pipeline.stores.s3.page import Rows, digest_of_rows


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
        with _errors():
            yield from self._listed(self._objects.list(split_points(RANGE_KEYS)))

    def blocks(self, starts: Sequence[str]) -> Iterator[Block]:
        with _errors():
            pages = self._objects.list(starts[RANGE_KEYS // ROWS - 1 :: RANGE_KEYS // ROWS])
            for parts in divided_parts(pages, starts, first_of=_first, rows_of=len, cut=_cut):
                yield Block(parts[0].keys[0], digest_of_rows(parts), partial(self._rows, parts))

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

    def _rows(self, parts: Sequence[Rows]) -> Iterator[Listed]:
        with _errors():
            yield from self._listed(parts)

    def _listed(self, parts: Iterable[Rows]) -> Iterator[Listed]:
        for row in self._objects.objects(parts):
            # An ETag is not a hash: for multipart uploads and encrypted objects it is not computed from the bytes.
            yield Listed(row.key, f"{row.size_bytes}:{row.etag}:{row.modified}", row.size_bytes)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except BucketError as error:
        raise SourceUnreadable(f"{error}. Nothing was changed or deleted") from error


def _first(rows: Rows) -> str:
    return rows.keys[0]


def _cut(rows: Rows, bound: bytes | None, room: int) -> tuple[Rows, Rows | None]:
    end = rows_before(rows.keys, bound, room)
    return (rows, None) if end == len(rows) else (rows.part(0, end), rows.part(end, None))
