"""The pictures that items use, over all catalogues."""

from sqlalchemy import Select, and_, not_, or_, select

from bg_pipeline.core.records import State
from bg_pipeline.manifest.schema import items, publications

_ITEM, _SHOWN = items.c, publications.c

WITH_PUBLICATIONS = items.outerjoin(
    publications, and_(_SHOWN.catalogue_id == _ITEM.catalogue_id, _SHOWN.key == _ITEM.key)
)
"""Items of all catalogues, each with its publications in all renditions."""

USES_ITS_PICTURE = and_(
    _ITEM.state != State.FORGOTTEN,
    or_(not_(_ITEM.absent), _SHOWN.output_name.is_not(None), _SHOWN.trash_name.is_not(None)),
)
"""Condition for items that are listed, or whose cutout is published or in the trash."""


def used_pictures() -> tuple[Select[tuple[str]], Select[tuple[str]]]:
    """Return queries of content hashes: the pictures of such items, and those that they are published from."""
    pictures = select(_ITEM.content_hash).select_from(WITH_PUBLICATIONS).where(USES_ITS_PICTURE)
    published = select(_SHOWN.content_hash).select_from(WITH_PUBLICATIONS)
    return pictures, published.where(USES_ITS_PICTURE, _SHOWN.content_hash.is_not(None))
