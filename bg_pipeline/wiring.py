"""Settings to object graph: the one place that picks implementations."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from bg_pipeline.config import Settings
from bg_pipeline.core.credits import PRICES
from bg_pipeline.core.places import bucket_of
from bg_pipeline.core.records import Entry
from bg_pipeline.imaging.pictures import Checked, Prepared, check
from bg_pipeline.imaging.workers import Workers
from bg_pipeline.manifest.control import SqlControl
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.items import SqlManifest
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.outputs.folder import FolderStore
from bg_pipeline.ports import BlobStore, Call, CutReply, CutRequest, ImageSource, Remover
from bg_pipeline.providers.bgeraser import Bgeraser
from bg_pipeline.providers.limited import Limited
from bg_pipeline.providers.local import GrabCutEngine, RembgEngine
from bg_pipeline.providers.metered import Metered
from bg_pipeline.providers.retrying import Retrying
from bg_pipeline.sources.folder import FolderSource
from bg_pipeline.sources.sql import SqlSource
from bg_pipeline.steps.gate import require_open
from bg_pipeline.steps.parts import Parts


@contextmanager
def opened(settings: Settings, stop: threading.Event | None = None) -> Iterator[Parts]:
    """
    Everything that the steps need, and its orderly end.

    Args:
        settings: what to use.
        stop: set by the caller to end gracefully.

    Raises:
        ConfigurationError, StateError: it cannot be put together.
    """
    stop = stop or threading.Event()
    database = Database(settings.bg_state.get_secret_value())
    try:
        with Workers() as workers:
            ledger = SqlLedger(database)
            masters = masters_of(settings)
            call: Call = workers.call
            price = PRICES[settings.bg_provider].credits

            def checked(reply: CutReply, request: CutRequest) -> Checked:
                sent = Prepared(request.image, request.media_type, request.width_px, request.height_px)
                return call(check, reply.image, sent)

            control = SqlControl(database)

            def ask_gate() -> None:
                require_open(control, settings.bg_provider, settings.thresholds)

            client = Limited(remover(settings, call), settings.bg_concurrency)
            metered = Metered(client, settings.bg_provider, ledger, masters, checked, ask_gate)

            def priced(_entry: Entry) -> Decimal:
                return price

            yield Parts(
                source=source_of(settings),
                outputs=outputs_of(settings),
                masters=masters,
                manifest=SqlManifest(database),
                ledger=ledger,
                control=control,
                remover=Retrying(metered, sleep=stop.wait, jitter=random.random),
                call=call,
                recipe=settings.recipe,
                thresholds=settings.thresholds,
                collection_depth=settings.bg_collection_depth,
                concurrency=settings.bg_concurrency,
                price=priced,
                now=time.time,
                stop=stop,
            )
    finally:
        database.close()


def source_of(settings: Settings) -> ImageSource:
    """The catalogue that BG_SOURCE names."""
    place = settings.bg_source.get_secret_value()
    if settings.is_database:
        return SqlSource(place, settings.bg_source_query)
    if bucket := bucket_of(place):
        from bg_pipeline.sources.s3 import S3Source  # noqa: PLC0415  boto3 takes half a second

        return S3Source(bucket, settings.s3_endpoint)
    return FolderSource(Path(place), settle_s=settings.bg_settle_s, follow_links=settings.bg_follow_links)


def outputs_of(settings: Settings) -> BlobStore:
    """Where BG_OUTPUT says that cutouts go."""
    return _store_of(settings.bg_output, settings.s3_endpoint)


def masters_of(settings: Settings) -> BlobStore:
    """Where BG_MASTERS says that paid results go."""
    return _store_of(settings.bg_masters, settings.s3_endpoint, masters=True)


def _store_of(place: str, endpoint: str, *, masters: bool = False) -> BlobStore:
    if bucket := bucket_of(place):
        from bg_pipeline.outputs.s3 import S3Store  # noqa: PLC0415  boto3 takes half a second

        return S3Store(bucket, endpoint, write_once=masters)
    # Paid results are nobody else's business until they are published.
    return FolderStore(Path(place), mode=0o600 if masters else 0o644)


def remover(settings: Settings, call: Call) -> Remover:
    """The provider by itself, without limits and ledger."""
    if settings.bg_provider == "bgeraser":
        assert settings.bgeraser_api_key is not None
        return Bgeraser(
            settings.bgeraser_api_key.get_secret_value(),
            base_url=settings.bgeraser_base_url,
            path=settings.bgeraser_path,
            account_path=settings.bgeraser_account_path,
            auth=settings.bgeraser_auth,
            file_field=settings.bgeraser_file_field,
        )
    engines: dict[str, Any] = {"local": lambda: GrabCutEngine(call), "rembg": RembgEngine}
    made: Remover = engines[settings.bg_provider]()
    return made
