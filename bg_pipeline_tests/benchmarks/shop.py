"""A whole sync over a catalogue of any size, most of which has not changed, beside a service of any speed."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path

from sqlalchemy import insert

from bg_pipeline.core.credits import Budget
from bg_pipeline.core.recipe import digest_of, purchase_id
from bg_pipeline.core.records import MAIN
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.schema import items as item_rows
from bg_pipeline.manifest.schema import publications
from bg_pipeline.pipeline.night import sync
from bg_pipeline.ports.context import RunName
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import Limits, SandboxState
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import Settings, compose
from bg_pipeline_tests.benchmarks.measuring import make_tree
from bg_pipeline_tests.pictures import cut_middle, product

_SIZE = (1000, 800)
_PER_FOLDER = 500
_BATCH = 5_000
_TIMES = 3
_WARM = 700
"""Shade of the first picture of the small sync; `product` has a thousand."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What one sync did, and how long it took."""

    seconds: float
    purchases: int


def synced(
    folder: Path,
    *,
    items: int,
    pictures: int,
    latency_s: float,
    slots: int,
    stores: str = "",
    limits_known: bool = True,
    ready: Callable[[], object] = lambda: None,
) -> Synced:
    """
    Sync a catalogue of unchanged items, and of new pictures that are bought.

    Without new pictures the fastest of three.

    Args:
        folder: takes all files.
        items: number of unchanged ones.
        pictures: number of new ones.
        latency_s: what the service takes for each.
        slots: how many it takes at once.
        stores: prefix of the locations of source, outputs and masters, such as `s3://bucket/`; empty for the folder.
        limits_known: a small sync goes before, as on every night but the first.
        ready: called before the sync that counts.
    """
    state = SandboxState({"bgeraser": Decimal(10**6)}, latency_s=latency_s, limits=Limits(concurrent=slots))
    with running_sandbox(state, cut_middle) as sandbox:
        settings = _settings(folder, sandbox.base_url, slots, stores or f"{folder}/")
        if limits_known:
            put_pictures(settings, "warm", range(_WARM, _WARM + 3 * slots))
            _sync(settings)
        if items:
            _fill(settings, folder, items)
            _sync(settings)  # what was written within the last seconds is hashed once more
        if not pictures:
            return min((_sync(settings) for _ in range(_TIMES)), key=lambda done: done.seconds)
        put_pictures(settings, "new", range(pictures))
        ready()
        done = _sync(settings)
        assert done.purchases == pictures, done
        return done


def put_pictures(settings: Settings, collection: str, shades: range) -> None:
    source = settings.catalogue.source.get_secret_value()
    if source.startswith("s3://"):
        import boto3

        bucket, _, prefix = source.removeprefix("s3://").partition("/")
        client = boto3.client("s3", endpoint_url=os.environ["BG_S3_ENDPOINT"])
        for shade in shades:
            key = f"{prefix}/{collection}/{shade:06}.png"
            client.put_object(Bucket=bucket, Key=key, Body=product(shade, _SIZE))
        return
    folder = Path(source) / collection
    folder.mkdir(parents=True, exist_ok=True)
    for shade in shades:
        (folder / f"{shade:06}.png").write_bytes(product(shade, _SIZE))


def _settings(folder: Path, base_url: str, slots: int, stores: str) -> Settings:
    return compose(
        RawSettings(
            {
                "bg_source": f"{stores}images",
                "bg_output": f"{stores}cutouts",
                "bg_masters": f"{stores}masters",
                "bg_spool": f"{folder}/spool",
                "bg_state": f"sqlite:///{folder}/manifest.db",
                "bg_provider": "bgeraser",
                "bgeraser_api_key": "key",
                "bgeraser_base_url": base_url,
                "bg_concurrency": slots,
                "bg_stable_s": 0,
                **({"bg_s3_endpoint": os.environ["BG_S3_ENDPOINT"]} if stores.startswith("s3://") else {}),
            }
        )
    )


def _sync(settings: Settings) -> Synced:
    name = RunName("a benchmark", "sync", "a benchmark")
    started = time.monotonic()
    with open_pipeline(settings, name) as pipeline:
        summary = sync(pipeline, Budget(name.run_id)).work.summary
    assert not summary.failures, summary.failures[:3]
    return Synced(time.monotonic() - started, summary.purchases)


def _fill(settings: Settings, folder: Path, count: int) -> None:
    """Make items as a night leaves them: files, their outputs, and both on record."""
    for where, names in (("images", "old"), ("cutouts", "old")):
        make_tree(folder / where / names, count // _PER_FOLDER, _PER_FOLDER)
    recipe = settings.recipe
    cut, rendition = recipe.cut.digest, recipe.rendition.digest
    database = Database(settings.purchasing.state.get_secret_value())
    number = catalogue_id(database, settings.catalogue_name)
    listed = (each for each in settings.catalogue.open_source(settings.raw).list() if each.key.startswith("old/"))
    while batch := list(islice(listed, _BATCH)):
        with database.write() as conn:
            shared = [
                {"catalogue_id": number, "key": each.key, "content_hash": digest_of(each.key.encode())}
                for each in batch
            ]
            for row in shared:
                row["purchase_id"] = purchase_id(str(row["content_hash"]), cut)
            conn.execute(
                insert(item_rows),
                [
                    row
                    | {
                        "collection": "old",
                        "fingerprint": each.fingerprint,
                        "size_bytes": each.size_bytes,
                        "media_type": "image/png",
                        "absent": False,
                        "state": "published",
                        "reason": "new",
                        "changed_at": 1.0,
                        "stem": each.key.removesuffix(".png"),
                        "stem_fold": each.key.removesuffix(".png"),
                    }
                    for row, each in zip(shared, batch, strict=True)
                ],
            )
            conn.execute(
                insert(publications),
                [
                    row
                    | {
                        "rendition": MAIN,
                        "cut_digest": cut,
                        "rendition_digest": rendition,
                        "output_name": row["key"],
                        "output_digest": row["content_hash"],
                        "published_at": 1.0,
                    }
                    for row in shared
                ],
            )
    database.close()
