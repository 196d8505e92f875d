"""The review pages as files: one for each collection, and the thumbnails that they share."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from bg_pipeline.core.keys import gallery_page, thumbnail_name
from bg_pipeline.errors import ItemError, SourceUnreadable, StoreError
from bg_pipeline.imaging.pictures import display
from bg_pipeline.pipeline.gallery import Picture, pictures_of, read_picture
from bg_pipeline.pipeline.review import ReviewItem, items_to_review
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.ports.stores import BlobStore
from bg_pipeline.web.page import data_of, static_page

THUMBNAIL_PX = 640
"""Longest side of a thumbnail."""


def write_page(
    pipeline: Pipeline, pages: BlobStore, collection: str, *, share: float, most_new: int | None = None
) -> list[ReviewItem]:
    """
    Write the page of a collection, and the thumbnails that are missing; return its items.

    Args:
        pipeline: the whole pipeline.
        pages: the gallery.
        collection: the collection.
        share: share of the published items to look at.
        most_new: most items that get new thumbnails; the first of the page come first. None for all.

    Raises:
        ItemError, StoreError: the page cannot be written.
    """
    catalogue, accounts, policy, _ = pipeline.context
    items = items_to_review(catalogue, accounts, policy, collection, share=share)
    stored = set(pages.list())
    missing = (
        each for each in map(list, map(pictures_of, items)) if any(thumbnail_name(p.digest) not in stored for p in each)
    )
    wanted = {picture.digest: picture for each in islice(missing, most_new) for picture in each}
    new = [picture for picture in wanted.values() if thumbnail_name(picture.digest) not in stored]
    with ThreadPoolExecutor(policy.concurrency, thread_name_prefix="gallery") as pool:
        made = pool.map(lambda picture: _thumbnail(pipeline, pages, picture), new)
        stored.update(name for name in made if name)
    title = f"Cutouts: {collection or 'top folder'}"
    html = static_page(title, data_of(items, _digests(items, stored))).html
    pages.write(gallery_page(collection), html.encode())
    return items


def _thumbnail(pipeline: Pipeline, pages: BlobStore, picture: Picture) -> str:
    """Store the thumbnail of a picture; return its name, or nothing if there is none: the page is still of use."""
    catalogue, accounts, _, run = pipeline.context
    name = thumbnail_name(picture.digest)
    try:
        pages.write(name, run.call(display, read_picture(catalogue, accounts, picture), THUMBNAIL_PX))
    except (ItemError, SourceUnreadable, StoreError):
        return ""
    return name


def _digests(items: Iterable[ReviewItem], stored: set[str]) -> frozenset[str]:
    digests = (picture.digest for item in items for picture in pictures_of(item))
    return frozenset(digest for digest in digests if thumbnail_name(digest) in stored)
