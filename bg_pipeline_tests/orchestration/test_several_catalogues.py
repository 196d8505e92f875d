"""Several catalogues in one code location, beside what other people have in the same instance."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.orchestration.balance import AccountOpener
from bg_pipeline.orchestration.build import build, build_all, openers
from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.orchestration.names import AccountNames, Names
from bg_pipeline.orchestration.pool import pause_pool, resume_pool
from bg_pipeline.orchestration.retention import delete_old
from bg_pipeline.orchestration.schedule import loaded_schedule
from bg_pipeline.orchestration.waiting import WAITS_FOR, show_waiting_runs
from bg_pipeline.pipeline.settings import ScheduleSettings
from bg_pipeline.settings.reader import read, written_names
from bg_pipeline.wiring import open_monitor
from bg_pipeline_tests.deployment import ROOT
from bg_pipeline_tests.e2e.two_shops import TABLES
from bg_pipeline_tests.orchestration.conftest import Shop
from bg_pipeline_tests.orchestration.runs import checks_of
from bg_pipeline_tests.pictures import product

TWO = TABLES.format(settings="", account="", brand_b="")


@pytest.fixture
def brands(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Two catalogues that buy at one account; the picture of each collection of the second is in the first too."""
    for name in ("BG_PROVIDER", "BG_STABLE_S"):
        monkeypatch.delenv(name)
    (shop.home / "bg_pipeline.toml").write_text(TWO)
    for key, shade in {"a/images/shoes/1.png": 1, "a/images/bags/2.png": 2, "b/images/hats/3.png": 1}.items():
        file = shop.home / key
        file.parent.mkdir(parents=True)
        file.write_bytes(product(shade))
    return shop


def outputs(shop: Shop, catalogue: str) -> list[str]:
    folder = shop.home / catalogue / "cutouts"
    return sorted(file.relative_to(folder).as_posix() for file in folder.glob("*/*.png"))


def test_two_catalogues_have_their_own_nights_and_share_what_is_paid_for(
    brands: Shop, instance: dg.DagsterInstance
) -> None:
    both = build("brand_a", "brand_b")

    def run(job: str) -> dg.ExecuteInProcessResult:
        return both.resolve_job_def(job).execute_in_process(instance=instance)

    run("brand_a_detect_delta")
    run("brand_b_detect_delta")
    assert instance.get_dynamic_partitions("brand_a_collections") == ["bags", "shoes"]
    assert instance.get_dynamic_partitions("brand_b_collections") == ["hats"]

    assert checks_of(run("brand_a_process_pending"))["spend"]
    run("brand_b_process_pending")
    assert outputs(brands, "a") == ["bags/2.png", "shoes/1.png"]
    assert outputs(brands, "b") == ["hats/3.png"]
    assert instance.get_materialized_partitions(dg.AssetKey(["brand_a", "cutouts"])) == {"bags", "shoes"}
    assert instance.get_materialized_partitions(dg.AssetKey(["brand_b", "cutouts"])) == {"hats"}
    # The same picture is in both.
    assert len(brands.vendor.ledger.charges()) == 2
    assert instance.get_latest_materialization_event(dg.AssetKey(["main", "credit_balance"])) is not None


def test_every_name_of_a_catalogue_begins_with_its_own(brands: Shop) -> None:
    repository = build("brand_a", "brand_b").get_repository_def()
    partitioned = [asset for asset in repository.assets_defs_by_key.values() if asset.partitions_def]
    names = [
        *(name for name in repository.job_names if name != "__ASSET_JOB"),
        *(each.name for each in (*repository.schedule_defs, *repository.sensor_defs)),
        *(key.path[0] + "_" for key in repository.assets_defs_by_key),
        *(str(asset.partitions_def.name) for asset in partitioned),
    ]

    assert all(name.startswith(("brand_a_", "brand_b_", "main_")) for name in names), names
    assert {name.partition("_")[2] for name in names if name.startswith("main_")} == {"", "low_credit_sensor"}


@pytest.mark.parametrize("start", [True, False])
def test_what_leads_to_purchases_runs_by_itself_only_where_somebody_asked_for_it(brands: Shop, start: bool) -> None:
    repository = build("brand_a", "brand_b", start=start).get_repository_def()
    off = {each.name for each in repository.sensor_defs if each.default_status is dg.DefaultSensorStatus.STOPPED}
    nights = {schedule.default_status for schedule in repository.schedule_defs}

    assert off == (set() if start else {"brand_a_delta_dispatch", "brand_b_delta_dispatch"})
    assert nights == {dg.DefaultScheduleStatus.RUNNING if start else dg.DefaultScheduleStatus.STOPPED}


def test_definitions_of_other_people_can_be_merged_whatever_their_executor_and_their_resources(brands: Shop) -> None:
    @dg.asset(deps=[dg.AssetKey(["brand_a", "cutouts"])], required_resource_keys={"pipeline"})
    def manifest() -> None: ...

    theirs = dg.Definitions(
        assets=[manifest], resources={"pipeline": object()}, executor=dg.multiprocess_executor, sensors=[]
    )
    merged = dg.Definitions.merge(build("brand_a", "brand_b"), theirs)
    dg.Definitions.validate_loadable(merged)
    for job in ("brand_a_detect_delta", "brand_b_retry_failed"):
        assert merged.resolve_job_def(job).executor_def.name == "in_process"


def test_a_wrong_schedule_of_one_catalogue_is_the_default_of_that_one_alone(brands: Shop) -> None:
    (brands.home / "bg_pipeline.toml").write_text(
        TWO.replace('output = "a/cutouts"', 'output = "a/cutouts"\nnightly_cron = "30 3 * * *"')
        + 'nightly_cron = "every night"\n'
    )
    good, wrong = (loaded_schedule(opener.schedule) for opener in openers(["brand_a", "brand_b"], read))

    assert (good.settings.nightly_cron, good.problem) == ("30 3 * * *", "")
    assert wrong.settings == ScheduleSettings()
    assert wrong.problem.startswith("[catalogue.brand_b] nightly_cron: must be five fields")


def test_an_account_is_read_while_one_of_its_catalogues_is_wrong(brands: Shop) -> None:
    file = brands.home / "bg_pipeline.toml"
    both = openers(["brand_a", "brand_b"], read)
    file.write_text(TWO.replace('source = "a/images"', "collection_depth = 0"))
    with pytest.raises(ConfigurationError):
        both[0].settings()

    with AccountOpener(AccountNames("main"), both).open() as services:
        assert services.policy.accounts == ("main",)


NAMES = """
from bg_pipeline.orchestration.definitions import defs
repository = defs.get_repository_def()
print(sorted(repository.job_names))
print([s.name for s in repository.schedule_defs], sorted(s.name for s in repository.sensor_defs if "low" not in s.name))
print(sorted(key.to_user_string() for key in repository.assets_defs_by_key if "credit" not in key.path[-1]))
"""


def test_a_file_that_cannot_be_read_takes_no_name_of_a_catalogue_away(brands: Shop) -> None:
    def names() -> str:
        done = subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    complete = names()
    assert "brand_a_nightly_delta_sync" in complete
    (brands.home / "bg_pipeline.toml").write_text(f"{TWO}\nthis is = no = TOML\n")
    assert names() == complete


def test_two_names_that_are_one_in_dagster_take_no_other_catalogue_away(brands: Shop) -> None:
    twin = '[catalogue.brand-b]\nsource = "c/images"\noutput = "c/cutouts"\n'
    (brands.home / "bg_pipeline.toml").write_text(f"{TWO}\n{twin}")
    made = openers(["brand_a", "brand_b", "brand-b"], read)
    build("brand_a", "brand_b", "brand-b").get_repository_def()

    assert [opener.names.catalogue for opener in made] == ["brand_a", "brand_b"]
    assert made[0].settings().catalogue_name == "brand_a"
    with pytest.raises(ConfigurationError, match="differ only in case, - or _"):
        made[1].settings()


def test_the_names_of_tables_are_those_of_catalogues_alone() -> None:
    lines = ['  [catalogue."one"]', "[catalogue. two ] # the second", "[[catalogue.two.recipe]]", "[catalogue.two.x]"]
    Path("bg_pipeline.toml").write_text("\n".join([*lines, "# [catalogue.off]", "[account.main]", "= wrong"]))

    assert written_names("catalogue") == ("one", "two")


def test_a_pool_is_closed_and_opened_without_another_one(instance: dg.DagsterInstance) -> None:
    def limits() -> dict[str, int]:
        return {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}

    for pool, limit in {"bg_one": 2, "bg_two": 5}.items():
        instance.event_log_storage.set_concurrency_slots(pool, limit)
    pause_pool(instance, "bg_one")
    pause_pool(instance, "bg_two")
    resume_pool(instance, "bg_two")
    assert limits() == {"bg_one": 0, "bg_two": 5}
    resume_pool(instance, "bg_one")
    assert limits() == {"bg_one": 2, "bg_two": 5}


def test_what_waits_for_one_pool_is_not_told_by_the_reader_of_another(instance: dg.DagsterInstance) -> None:
    for pool in ("bg_one", "bg_two"):
        instance.event_log_storage.set_concurrency_slots(pool, 1)
    instance.event_log_storage.claim_concurrency_slot("bg_one", "0123456789", "step")
    run = instance.create_run_for_job(defs.resolve_job_def("retry_failed"), status=dg.DagsterRunStatus.STARTED)
    instance.event_log_storage.claim_concurrency_slot("bg_one", run.run_id, "step")

    def said() -> str:
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        return str(found.tags.get(WAITS_FOR))

    for pool in ("bg_one", "bg_two"):
        show_waiting_runs(instance, pool, "", 0.0)
    assert said() == "a slot of the pool bg_one: run 01234567 holds all 1"


OURS, THEIRS = dg.AssetKey("cutouts"), dg.AssetKey("web_pages")
HERE, THERE = ({".dagster/repository": f"__repository__@{name}"} for name in ("bg_pipeline", "their_own"))


@dg.asset(key=THEIRS)
def web_pages() -> None: ...


@dg.op
def theirs() -> None: ...


@dg.job(name="retry_failed")
def their_job_of_the_same_name() -> None:
    theirs()


def start_runs(instance: dg.DagsterInstance) -> dict[str, str]:
    """Runs of ours and of others, by what they are; all of them started."""
    both = dg.Definitions.merge(defs, dg.Definitions(assets=[web_pages]))
    by_hand = both.resolve_implicit_global_asset_job_def()
    jobs = {
        "a night": (defs.resolve_job_def("process_pending"), None, HERE),
        "a night of a command": (defs.resolve_job_def("process_pending"), None, {}),
        "ours by hand": (by_hand, {OURS}, HERE),
        "theirs by hand": (by_hand, {THEIRS}, HERE),
        "both by hand": (by_hand, {OURS, THEIRS}, HERE),
        "their job of the same name": (their_job_of_the_same_name, None, THERE),
    }
    started = {}
    for what, (job, selection, tags) in jobs.items():
        run = instance.create_run_for_job(
            job,
            asset_selection=frozenset(selection) if selection else None,
            tags=tags,
            status=dg.DagsterRunStatus.STARTING,
        )
        event = dg.DagsterEvent(event_type_value="PIPELINE_START", job_name=job.name)
        instance.report_dagster_event(event, run.run_id)
        started[run.run_id] = what
    return started


OWN = {"a night", "a night of a command", "ours by hand"}


def located(instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorEvaluationContext:
    """A tick of the daemon, which knows the code location."""
    from dagster._core.remote_origin import RegisteredCodeLocationOrigin

    made = dg.build_sensor_context(instance, cursor=cursor, definitions=defs)
    made._code_location_origin = RegisteredCodeLocationOrigin("bg_pipeline")
    return made


def test_runs_of_others_are_never_marked_as_lost(
    shop: Shop, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bg_pipeline.orchestration.runs.GRACE_S", -1.0)
    started = start_runs(instance)
    lost = defs.get_repository_def().get_sensor_def("lost_runs")
    suspects = lost.evaluate_tick(located(instance)).cursor
    lost.evaluate_tick(located(instance, suspects))
    failed = {run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))}

    assert {started[run_id] for run_id in json.loads(suspects or "[]")} == OWN
    assert {started[run_id] for run_id in failed} == OWN


def test_old_runs_of_others_stay(instance: dg.DagsterInstance) -> None:
    started = start_runs(instance)
    for run in instance.get_runs():
        instance.report_run_canceled(run)
    gone = delete_old(instance, datetime.now(UTC) + timedelta(minutes=1), Names(), "bg_pipeline")

    assert {started[run_id] for run_id in gone} == OWN
    assert instance.get_runs_count() == len(started) - len(OWN)


def test_failures_of_others_are_no_failures_of_the_catalogue(shop: Shop, instance: dg.DagsterInstance) -> None:
    from bg_pipeline.core.runlog import FailureRecord

    telling = defs.get_repository_def().get_sensor_def("failed_runs")
    started = start_runs(instance)
    for run_id in started:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        event = instance.report_run_failed(run, "its process is gone")
        status = dg.build_run_status_sensor_context(
            "failed_runs", dagster_instance=instance, dagster_run=run, dagster_event=event
        )
        telling(status.for_run_failure())
    with open_monitor(read()) as monitor:
        told = {started[record.run_id] for record in monitor.run_log.read(FailureRecord, limit=99)}

    # A run of both works for the catalogue too.
    assert told - {"their job of the same name"} == OWN | {"both by hand"}


@pytest.mark.parametrize("catalogue", [None, "brand_a"])
def test_a_run_by_hand_is_one_of_the_catalogue_only_by_its_own_assets(catalogue: str | None) -> None:
    names, others = Names(catalogue), Names("other")

    def by_hand(*keys: dg.AssetKey) -> dg.DagsterRun:
        return dg.DagsterRun("__ASSET_JOB", asset_selection=frozenset(keys) or None)

    assert names.owns(by_hand(names.key("cutouts"), names.key("review_gallery")))
    assert not names.owns(by_hand(names.key("cutouts"), others.key("cutouts")))
    assert not names.owns(by_hand())
    assert not names.owns(dg.DagsterRun(others.name("detect_delta")))
    assert names.owns(dg.DagsterRun(names.name("detect_delta")))


def test_a_failed_step_of_others_is_no_failure_of_a_catalogue_in_the_same_run() -> None:
    run = dg.DagsterRun("__ASSET_JOB", asset_selection=frozenset({OURS, THEIRS}))

    assert Names().fails_with(run, ["cutouts"])
    assert Names().fails_with(run, [])
    assert not Names().fails_with(run, ["web_pages"])


def test_the_catalogue_default_keeps_its_names_when_a_second_one_comes() -> None:
    Path("bg_pipeline.toml").write_text(TWO.replace("catalogue.brand_a", "catalogue.default"))
    alone, both = defs.get_repository_def(), build("default", "brand_b").get_repository_def()

    def of_account(name: str) -> bool:
        return "credit" in name

    for names in (
        lambda each: set(each.job_names),
        lambda each: {schedule.name for schedule in each.schedule_defs},
        lambda each: {sensor.name for sensor in each.sensor_defs if not of_account(sensor.name)},
        lambda each: {key for key in each.assets_defs_by_key if not of_account(key.path[-1])},
    ):
        assert names(alone) < names(both)


@pytest.mark.parametrize(
    ("file", "language", "catalogues"),
    [(".env", "ini", ["default"]), ("bg_pipeline.toml", "toml", ["brand_a", "brand_b"])],
)
def test_the_settings_on_the_page_of_catalogues_make_definitions(
    file: str, language: str, catalogues: list[str]
) -> None:
    page = (ROOT / "docs" / "catalogues.md").read_text()
    Path(file).write_text(page.split(f"```{language}\n")[1].split("```")[0])
    made = openers(catalogues if len(catalogues) > 1 else [], read)

    assert [opener.settings().catalogue_name for opener in made] == catalogues
    assert {account.name for opener in made for account in opener.settings().accounts} <= {"main", "removebg"}
    dg.Definitions.validate_loadable(build_all(made, start=False))


def test_a_name_that_dagster_does_not_allow_is_written_in_what_it_allows() -> None:
    assert Names("brand-a.x").name("alerts") == "brand_a_x_alerts"
    assert AccountNames("main-eu").pool == "bg_main_eu"
