"""The object graph, built from settings: the only place that chooses implementations."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from bg_pipeline.alerts.apprise import AppriseSink
from bg_pipeline.alerts.settings import AlertSettings
from bg_pipeline.core.alerts import AlertCheck
from bg_pipeline.core.export import Naming
from bg_pipeline.core.night_window import Night
from bg_pipeline.errors import BgPipelineError, ConfigurationError
from bg_pipeline.imaging.workers import Workers
from bg_pipeline.manifest.backup import backup
from bg_pipeline.manifest.catalogues import KnownAccount, catalogue_id, ensure_accounts
from bg_pipeline.manifest.clock import DatabaseClock
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.deltas import SqlDeltas
from bg_pipeline.manifest.erasures import SqlErasures
from bg_pipeline.manifest.failures import SqlFailures
from bg_pipeline.manifest.gates import SqlGates
from bg_pipeline.manifest.hosts import SqlHosts
from bg_pipeline.manifest.identity import identity_of
from bg_pipeline.manifest.items import SqlItems
from bg_pipeline.manifest.leases import SqlLeases
from bg_pipeline.manifest.ledger import SqlLedger
from bg_pipeline.manifest.observations import SqlObservations
from bg_pipeline.manifest.outbox import SqlOutbox
from bg_pipeline.manifest.previous import SqlPreviousOutputs, SqlReversions
from bg_pipeline.manifest.purchases import SqlPurchases
from bg_pipeline.manifest.queue import SqlWorkQueue
from bg_pipeline.manifest.retention import SqlRetention
from bg_pipeline.manifest.reviews import SqlReviews
from bg_pipeline.manifest.runlog import SqlRunLog
from bg_pipeline.manifest.stops import SqlStops
from bg_pipeline.manifest.trash import SqlTrash
from bg_pipeline.pipeline.alerting.find import find_alerts
from bg_pipeline.pipeline.alerting.runs import find_alerts_despite
from bg_pipeline.ports.context import (
    Accounts,
    Alerting,
    Catalogue,
    Export,
    Identity,
    MarkedStore,
    Monitor,
    Pipeline,
    Policy,
    Run,
    RunName,
    stoppable,
)
from bg_pipeline.ports.running import BYTES_PER_DECODER, ByteBudget, Now, Progress, Silent
from bg_pipeline.ports.stores import BlobStore
from bg_pipeline.purchasing.answers import SpooledAnswers
from bg_pipeline.purchasing.compose import Time, purchasing
from bg_pipeline.purchasing.gate import report_answer
from bg_pipeline.purchasing.settings import StateSettings
from bg_pipeline.settings.logs import LogSettings, log_as_json, logged_about
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.stores.locations import location_of, open_blobs
from bg_pipeline.vendors.plugin import KeyedSettings, VendorSettings
from bg_pipeline.wiring.hosts import require_agreement
from bg_pipeline.wiring.settings import Settings, accounts_elsewhere, catalogue_names, choose


@contextmanager
def open_pipeline(
    settings: Settings,
    name: RunName | None = None,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
) -> Iterator[Pipeline]:
    """
    Open all objects that the use cases need, and close them at the end.

    Args:
        settings: all settings.
        name: name of the run; None if nothing is logged or claimed.
        stop: event that the caller sets to end gracefully.
        progress: shows the progress to a person; None for no display.

    Raises:
        ConfigurationError, StateError: the objects cannot be built.
    """
    log_as_json(settings.logs)
    run_fields = {"catalogue": settings.catalogue_name, "run_id": name.run_id} if name else {}
    database = Database(settings.purchasing.state.get_secret_value())
    try:
        clock = DatabaseClock(database, time.time)
        stops = SqlStops(database, clock)
        stop, name = stop or threading.Event(), name or RunName()
        with (
            Workers(limits=settings.decoder.limits) as workers,
            logged_about(**run_fields),
            stoppable(stop, partial(stops.asked_by, name.run_id)) if name.run_id else nullcontext(),
        ):
            run = Run(
                name=name,
                now=clock,
                stop=stop,
                call=workers.call,
                progress=progress or Silent(),
                bytes=ByteBudget(workers.count * BYTES_PER_DECODER),
                wait=stop.wait,
            )
            catalogue, accounts = _catalogue(settings, database, run.now), _accounts(settings, database, run)
            yield Pipeline(
                catalogue=catalogue,
                accounts=accounts,
                policy=_policy(settings),
                run=run,
                alerting=_alerting(settings.raw, settings.catalogue_name, database, run.now),
                stops=stops,
                identity=_identity(settings, database, catalogue, accounts),
                export=_export(settings),
                back_up=lambda: backup(database, run.now()),
                agree=lambda purpose: require_agreement(
                    settings,
                    SqlHosts(database, catalogue_id(database, settings.catalogue_name), clock),
                    identity_of(database),
                    purpose,
                ),
                clock_ahead=lambda: clock.ahead_s,
            )
    finally:
        database.close()


@contextmanager
def open_monitor(raw: RawSettings, catalogue: str | None = None) -> Iterator[Monitor]:
    """
    Open the part that reports failures, whatever else is wrong with the settings, and close it at the end.

    Args:
        raw: the settings as written.
        catalogue: name of the catalogue; None for the only one.

    Raises:
        ConfigurationError, StateError: a setting of the alerts or BG_STATE is wrong, or the manifest cannot be used.
    """
    log_as_json(raw.part(LogSettings))
    state, name = raw.part(StateSettings).state, choose(raw, catalogue)
    database = Database(state.get_secret_value())
    try:
        clock = DatabaseClock(database, time.time)
        number = catalogue_id(database, name)
        yield Monitor(
            run_log=SqlRunLog(database, number, clock),
            queue=SqlWorkQueue(database, number, clock),
            leases=SqlLeases(database, number, clock),
            alerting=_alerting(raw, name, database, clock),
            stops=SqlStops(database, clock),
            now=clock,
        )
    finally:
        database.close()


def check_alerts(
    load: Callable[[], Settings],
    monitor: Monitor,
    due_at: Sequence[float],
    night_of: Callable[[float], Night | None],
) -> AlertCheck:
    """
    Find all alerts of one catalogue; if its settings are wrong, those that can be found without them.

    Args:
        load: returns the settings of the catalogue.
        monitor: see `open_monitor`.
        due_at: see `find_alerts`.
        night_of: see `find_alerts`.
    """
    with ExitStack() as stack:
        try:
            pipeline = stack.enter_context(open_pipeline(load()))
        except ConfigurationError as error:
            return find_alerts_despite(error, monitor, due_at)
        return find_alerts(pipeline, due_at, night_of)


def _alerting(raw: RawSettings, catalogue: str, database: Database, now: Now) -> Alerting:
    settings = raw.part(AlertSettings)
    return Alerting(
        SqlOutbox(database, catalogue_id(database, catalogue), now),
        AppriseSink(settings.urls),
        settings.alert_failure_rate,
        settings.dagster_url,
        settings.review_url,
        settings.operating_url,
        catalogue if len(catalogue_names(raw)) > 1 else "",
        accounts_elsewhere(raw, catalogue),
    )


def _catalogue(settings: Settings, database: Database, now: Now) -> Catalogue:
    catalogue = catalogue_id(database, settings.catalogue_name)
    return Catalogue(
        name=settings.catalogue_name,
        source=settings.catalogue.open_source(settings.raw),
        outputs=settings.catalogue.open_output(settings.raw),
        observations=SqlObservations(database, catalogue, now),
        deltas=SqlDeltas(database, catalogue, now),
        queue=SqlWorkQueue(database, catalogue, now),
        items=SqlItems(database, catalogue, now),
        failures=SqlFailures(database, catalogue, now),
        trash=SqlTrash(database, catalogue, now),
        leases=SqlLeases(database, catalogue, now),
        run_log=SqlRunLog(database, catalogue, now),
        erasures=SqlErasures(database, catalogue, now),
        reviews=SqlReviews(database, catalogue, now),
        previous=SqlPreviousOutputs(database, catalogue, now),
        reversions=SqlReversions(database, catalogue, now),
    )


def _accounts(settings: Settings, database: Database, run: Run) -> Accounts:
    known = {
        account.name: KnownAccount(account.vendor.name, _key_of(account.settings)) for account in settings.accounts
    }
    ensure_accounts(database, known, run.now())
    masters = settings.masters.open_masters(settings.raw)
    spool = open_blobs(settings.spool, settings.raw, masters=True, profile=settings.masters.masters_profile)
    ledger, purchases, gates = (
        SqlLedger(database, run.now),
        SqlPurchases(database, run.now),
        SqlGates(database, run.now),
    )
    clients = {account.name: account.plugin.client(account.settings, run.call) for account in settings.accounts}

    def report(account: str, error: BgPipelineError | None) -> None:
        report_answer(gates, account, error, run.now)

    answers = SpooledAnswers(
        clients=clients,
        ledger=ledger,
        purchases=purchases,
        masters=masters,
        spool=spool,
        call=run.call,
        report=report,
        sleep=run.stop.wait,
        now=run.now,
        slots=_concurrency(settings),
        checks=settings.checks.limits,
    )
    removers = {
        account.name: purchasing(
            clients[account.name],
            account.name,
            account.vendor,
            ledger=ledger,
            gates=gates,
            spool=answers,
            rules=settings.rules(account),
            ceiling=account.limits.concurrency,
            report=partial(report, account.name),
            time=Time(run.now, time.monotonic, run.stop.wait, random.random, run.stop),
        )
        for account in settings.accounts
    }
    retention = SqlRetention(database, run.now)
    return Accounts(removers, answers, spool, masters, purchases, ledger, gates, retention)


def _identity(settings: Settings, database: Database, catalogue: Catalogue, accounts: Accounts) -> Identity:
    stores = (
        MarkedStore("BG_OUTPUT", settings.catalogue.output, catalogue.outputs),
        MarkedStore("BG_MASTERS", settings.masters.masters, accounts.masters),
        MarkedStore("BG_SPOOL", settings.spool, accounts.spool),
    )
    return Identity(identity_of(database), database.name, stores)


def _export(settings: Settings) -> Export:
    naming = Naming(
        settings.catalogue_name, next(iter(settings.renditions)), partial(location_of, settings.catalogue.output)
    )
    return Export(naming, settings.catalogue.table_format)


def _concurrency(settings: Settings) -> int:
    return max(account.limits.concurrency for account in settings.accounts)


def _key_of(settings: VendorSettings) -> str:
    return settings.key if isinstance(settings, KeyedSettings) else ""


def _policy(settings: Settings) -> Policy:
    return Policy(
        recipes=settings.recipes,
        thresholds={account.name: account.limits.thresholds for account in settings.accounts},
        vendors={account.name: account.vendor for account in settings.accounts},
        concurrency=_concurrency(settings),
        collection_depth=settings.catalogue.collection_depth,
        hold_in_doubt=settings.purchasing.in_doubt == "hold",
        rehash_nights=settings.catalogue.rehash_nights,
        reads_at_once=settings.catalogue.reads_at_once,
        deletes=settings.catalogue.deletes,
        filter=settings.catalogue.filter,
        animated=settings.catalogue.animated,
        keep_masters_days=settings.purchasing.masters_keep_days,
        order=settings.catalogue.order,
        golden=settings.catalogue.golden,
        keep_previous_days=settings.catalogue.keep_previous_days,
        checks=settings.checks.limits,
    )


def folder_of(folder: Path) -> BlobStore:
    """Return a folder as a store, independent of the settings."""
    return open_blobs(str(folder), RawSettings())
