"""Settings to object graph: the one place that picks implementations."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from pydantic import SecretStr

from bg_pipeline.alerts.apprise import AppriseSink
from bg_pipeline.config import Settings
from bg_pipeline.core.places import bucket_of
from bg_pipeline.core.prices import credits_for, credits_for_stage
from bg_pipeline.errors import BgPipelineError
from bg_pipeline.imaging.pictures import Checked, Prepared, check, inspect
from bg_pipeline.imaging.workers import Workers
from bg_pipeline.manifest.backup import backup
from bg_pipeline.manifest.control import SqlControl
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.items import SqlManifest
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.manifest.outbox import SqlOutbox
from bg_pipeline.outputs.folder import FolderStore
from bg_pipeline.ports import BlobStore, Call, CutReply, CutRequest, ImageSource, Remover
from bg_pipeline.providers.bgeraser import Bgeraser
from bg_pipeline.providers.limited import Limited, Limiter
from bg_pipeline.providers.local import GrabCutEngine, RembgEngine
from bg_pipeline.providers.metered import Kept, Metered
from bg_pipeline.providers.photoroom import PhotoRoom
from bg_pipeline.providers.removebg import RemoveBg
from bg_pipeline.providers.retrying import Retrying
from bg_pipeline.sources.folder import FolderSource
from bg_pipeline.sources.sql import SqlSource
from bg_pipeline.steps.gate import report
from bg_pipeline.steps.parts import ROOM_BYTES, Alerting, Parts, Room


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
            control = SqlControl(database)
            masters = masters_of(settings)
            call: Call = workers.call

            def checked(reply: CutReply, request: CutRequest) -> Checked:
                sent = Prepared(request.image, request.media_type, request.width_px, request.height_px)
                return call(inspect, reply.image) if request.tool else call(check, reply.image, sent)

            def wrapped(provider: str) -> Remover:
                def told(error: BgPipelineError | None) -> None:
                    report(control, provider, error, time.time)

                metered = Metered(remover(settings, provider, call), provider, ledger, settings.rules, told)
                limiter = Limiter(control, provider, settings.bg_concurrency, time.time, stop)
                kept = Kept(Limited(metered, limiter), ledger, masters, checked, told)
                return Retrying(kept, stop.wait, random.random, time.time, lambda: control.gate(provider).trips)

            recipe = settings.recipe
            yield Parts(
                source=source_of(settings),
                outputs=outputs_of(settings),
                masters=masters,
                manifest=SqlManifest(database),
                ledger=ledger,
                control=control,
                removers={cut.provider: wrapped(cut.provider) for cut in recipe.cuts},
                call=call,
                recipe=recipe,
                thresholds=settings.thresholds,
                collection_depth=settings.bg_collection_depth,
                concurrency=settings.bg_concurrency,
                price=lambda _entry: credits_for(recipe.cut, None),
                stage_price=credits_for_stage,
                hold_in_doubt=settings.bg_in_doubt == "hold",
                now=time.time,
                stop=stop,
                alerting=Alerting(
                    SqlOutbox(database),
                    AppriseSink(settings.alert_urls),
                    settings.bg_alert_failure_rate,
                    settings.bg_dagster_url,
                ),
                rehash_nights=settings.bg_rehash_nights,
                deletes=settings.deletes,
                room=Room(workers.count * ROOM_BYTES),
                back_up=lambda: backup(database, time.time()),
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


def remover(settings: Settings, provider: str, call: Call) -> Remover:
    """A provider by itself, without limits and ledger."""
    make: dict[str, Callable[[], Remover]] = {
        "local": lambda: GrabCutEngine(call),
        "rembg": RembgEngine,
        "bgeraser": lambda: Bgeraser(
            _key(settings.bgeraser_api_key), file_field=settings.bgeraser_file_field, **asdict(settings.bgeraser)
        ),
        "removebg": lambda: RemoveBg(_key(settings.removebg_api_key), base_url=settings.removebg_base_url, call=call),
        "photoroom": lambda: PhotoRoom(
            _key(settings.photoroom_api_key), plan=settings.photoroom_plan, base_url=settings.photoroom_base_url
        ),
    }
    return make[provider]()


def _key(setting: SecretStr | None) -> str:
    assert setting is not None  # `Settings` made sure of it
    return setting.get_secret_value()
