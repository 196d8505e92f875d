"""Hold what is on show against what the manifest says of it."""

import random
from itertools import islice

from bg_pipeline.core.recipe import digest_of
from bg_pipeline.errors import StoreError
from bg_pipeline.steps.parts import Parts


def sample(parts: Parts, count: int) -> dict[str, str]:
    """Read that many published outputs, drawn at random; returns what is wrong with which key."""
    drawn: list[str] = []
    # Reservoir sampling: every key has the same chance, and the names are never all in memory.
    for seen, (_, key) in enumerate(parts.manifest.published_names()):
        if seen < count:
            drawn.append(key)
        elif (place := random.randrange(seen + 1)) < count:  # noqa: S311  not a secret
            drawn[place] = key
    return {key: why for key in islice(drawn, count) if (why := _wrong(parts, key))}


def _wrong(parts: Parts, key: str) -> str:
    entry = parts.manifest.entry(key)
    if entry is None or entry.published is None:
        return ""
    try:
        data = parts.outputs.read(entry.published.output_name)
    except StoreError as error:
        return str(error)
    if data is None:
        return f"{entry.published.output_name} is missing; the next sync makes it again, free"
    if digest_of(data) != entry.published.output_digest:
        return f"{entry.published.output_name} was changed; delete it, and the next sync makes it again, free"
    return ""
