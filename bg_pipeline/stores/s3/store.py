"""S3 buckets as sources and stores: `s3://BUCKET` or `s3://BUCKET/PREFIX`."""

from bg_pipeline.ports.source import ImageSource
from bg_pipeline.ports.stores import BlobStore, StoreKind
from bg_pipeline.stores.s3.location import bucket_of
from bg_pipeline.stores.s3.settings import S3Settings


def _validate(location: str) -> None:
    bucket_of(location)


def _overlaps(one: str, other: str) -> bool:
    return bucket_of(one).overlaps(bucket_of(other))


def _open_source(location: str, settings: S3Settings) -> ImageSource:
    from bg_pipeline.stores.s3.source import S3Source  # noqa: PLC0415  boto3 takes half a second

    return S3Source(bucket_of(location), settings.s3_endpoint, settings.s3_profile)


def _open_blobs(location: str, settings: S3Settings, masters: bool) -> BlobStore:
    from bg_pipeline.stores.s3.blobs import S3Store  # noqa: PLC0415  boto3 takes half a second

    return S3Store(
        bucket_of(location),
        settings.s3_endpoint,
        settings.s3_profile,
        write_once=masters,
        options=settings.options(outputs=not masters),
        hidden_options=settings.options(outputs=False),
    )


S3 = StoreKind(
    schemes=("s3",),
    example="s3://BUCKET/PREFIX",
    validate=_validate,
    overlaps=_overlaps,
    settings=S3Settings,
    open_source=_open_source,
    open_blobs=_open_blobs,
)
