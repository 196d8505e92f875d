"""Catalogues and accounts as components: side by side, without secrets, and each alone with what is wrong in it."""

import json
import logging
import os
import traceback
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from bg_pipeline.components import Account, Catalogue
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.orchestration.attributes import explain_load, require_no_secret
from bg_pipeline.pipeline.settings import CatalogueSettings, ScheduleSettings
from bg_pipeline_tests.orchestration.conftest import Shop
from bg_pipeline_tests.orchestration.project import ACCOUNT, Project, catalogue
from bg_pipeline_tests.pictures import product

pytestmark = [
    pytest.mark.filterwarnings(f"ignore::dagster_shared.utils.warnings.{each}")
    for each in ("BetaWarning", "PreviewWarning")
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = Project(tmp_path / "project")
    monkeypatch.syspath_prepend(str(made.folder / "src"))
    return made


def names(defs: dg.Definitions) -> list[str]:
    repository = defs.get_repository_def()
    return sorted(
        [
            *repository.job_names,
            *(each.name for each in (*repository.schedule_defs, *repository.sensor_defs)),
            *(key.to_user_string() for key in repository.assets_defs_by_key),
        ]
    )


def run(defs: dg.Definitions, instance: dg.DagsterInstance, job: str) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False)


def why(result: dg.ExecuteInProcessResult) -> str:
    (failed, *_) = [event for event in result.all_events if event.is_step_failure]
    said = failed.step_failure_data.user_failure_data
    assert said is not None
    return str(said.description)


def refused(project: Project) -> str:
    """Why the location does not load: all that Dagster shows."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  Dagster has a class for each place
        project.load()
    return "".join(traceback.format_exception(caught.value))


@pytest.fixture
def brands(shop: Shop, project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two catalogues and an account, whose key is in a variable that is no setting."""
    base_url = os.environ["BGERASER_BASE_URL"]
    for name in ("BG_PROVIDER", "BG_STABLE_S", "BGERASER_API_KEY", "BGERASER_BASE_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHOP_KEY", "canary-key")
    project.add("Account", {**ACCOUNT, "options": {"base_url": base_url}})
    for name, shade in (("brand_a", 1), ("brand_b", 2)):
        project.add("Catalogue", catalogue(name))
        file = project.folder / name / "images" / "shoes" / "1.png"
        file.parent.mkdir(parents=True)
        file.write_bytes(product(shade))
    return project


def test_a_night_of_a_component_buys_with_the_key_of_the_variable_and_stores_it_nowhere(
    brands: Project, shop: Shop, instance: dg.DagsterInstance
) -> None:
    defs = brands.load()
    assert run(defs, instance, "brand_a_detect_delta").success
    assert run(defs, instance, "brand_a_process_pending").success

    assert (brands.folder / "brand_a" / "cutouts" / "shoes" / "1.png").is_file()
    assert len(shop.vendor.ledger.charges()) == 1
    snapshots = [instance.get_job_snapshot(str(r.job_snapshot_id)) for r in instance.get_runs() if r.job_snapshot_id]
    events = [entry for r in instance.get_runs() for entry in instance.all_logs(r.run_id)]
    assert "canary-key" not in repr(snapshots) + repr(events)


WRONG: dict[str, Any] = {
    "collection_depth": "many",
    "exclude": 5,
    "recipe": "padded",
    "output": ["cutouts"],
    "start": "maybe",
    "nightly_cron": "every night",
    "timezone": "Mars/Olympus",
    "source": "{{ env('NOT_THERE') }}",
    "group": "two words",
    "source_env": "NOT_THERE",
    "run_days": 0,
}


@pytest.mark.parametrize("attribute", WRONG)
def test_a_wrong_value_fails_the_runs_of_its_catalogue_alone_which_keeps_every_name(
    attribute: str, brands: Project, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    complete = names(brands.load())
    brands.add("Catalogue", {**catalogue("brand_b"), attribute: WRONG[attribute]})
    with caplog.at_level(logging.WARNING, "bg_pipeline"):
        defs = brands.load()

    assert names(defs) == complete
    result = run(defs, instance, "brand_b_detect_delta")
    assert not result.success
    said = why(result)
    assert "brand_b" in said
    assert {"source": "NOT_THERE", "source_env": "NOT_THERE"}.get(attribute, attribute) in said
    assert any("brand_b" in record.message for record in caplog.records)
    assert not any("brand_a" in record.message for record in caplog.records)


def test_beside_a_wrong_one_a_catalogue_works(brands: Project, instance: dg.DagsterInstance) -> None:
    # As `dg scaffold` writes it: within the folder that is the default of a catalogue.
    brands.add("Catalogue", catalogue("brand_a", output="cutouts/brand_a"))
    brands.add("Catalogue", catalogue("brand_b", collection_depth="many"))

    assert run(brands.load(), instance, "brand_a_detect_delta").success


def test_a_wrong_attribute_is_an_alert_of_its_catalogue(
    brands: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_ALERT_URLS", "json://127.0.0.1:9/")
    told: list[str] = []
    monkeypatch.setattr(
        "bg_pipeline.alerts.apprise.AppriseSink.send", lambda _, __, each: told.append(each.title) or ""
    )
    brands.add("Catalogue", catalogue("brand_b", collection_depth="many"))
    defs = brands.load()
    alerts = defs.get_repository_def().get_sensor_def("brand_b_alerts")
    alerts.evaluate_tick(dg.build_sensor_context(instance, definitions=defs))

    assert any("[catalogue.brand_b] collection_depth: must be" in title for title in told)


@pytest.mark.parametrize("variable", ["BGERASER_API_KEY", "BGERASER_KEY_OF_MAIN"])
def test_a_variable_that_a_component_names_may_be_called_like_a_setting(
    variable: str, brands: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = yaml.safe_load((brands.defs / "account_main" / "defs.yaml").read_text())["attributes"]
    brands.add("Account", account | {"key_env": variable})
    (brands.folder / ".env").write_text(f"{variable}=canary-key\n")

    assert run(brands.load(), instance, "brand_a_detect_delta").success


def test_without_its_key_each_run_names_the_variable_and_the_schedule_is_as_written(
    brands: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    brands.add("Catalogue", catalogue("brand_b", nightly_cron="30 4 * * *"))
    monkeypatch.delenv("SHOP_KEY")
    defs = brands.load()
    result = run(defs, instance, "brand_b_detect_delta")

    assert "SHOP_KEY is not set, which the account main names for api_key" in why(result)
    assert defs.get_repository_def().get_schedule_def("brand_b_nightly_delta_sync").cron_schedule == "30 4 * * *"


def test_a_variable_that_is_set_counts_at_the_next_run_without_a_reload(
    brands: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_KEY")
    defs = brands.load()
    assert not run(defs, instance, "brand_a_detect_delta").success
    (brands.folder / ".env").write_text("SHOP_KEY=canary-key\n")

    assert run(defs, instance, "brand_a_detect_delta").success


def test_an_account_that_is_not_there_is_named_with_those_that_are(
    brands: Project, instance: dg.DagsterInstance
) -> None:
    brands.add("Catalogue", {**catalogue("brand_b"), "account": "mian"})

    said = why(run(brands.load(), instance, "brand_b_detect_delta"))
    assert said == "the catalogue brand_b: account: there is no such component; there are: main"


def test_a_catalogue_whose_settings_are_in_the_file_needs_only_its_name_and_its_account(
    brands: Project, instance: dg.DagsterInstance
) -> None:
    brands.add("Catalogue", {"name": "brand_b", "account": "main"})
    file = brands.folder / "bg_pipeline.toml"
    settings = ['source = "brand_b/images"', 'output = "brand_b/cutouts"', 'accounts = ["main"]', "stable_s = 0"]
    table = "\n".join(["[catalogue.brand_b]", *settings])
    file.write_text(table)
    defs = brands.load()
    assert run(defs, instance, "brand_b_detect_delta").success

    file.write_text(table.replace('"main"', '"local"'))
    said = why(run(defs, instance, "brand_b_detect_delta"))
    assert said == "the catalogue brand_b buys at local, and its component has main"


def test_one_catalogue_in_the_file_and_in_a_component_is_refused(brands: Project, instance: dg.DagsterInstance) -> None:
    (brands.folder / "bg_pipeline.toml").write_text('[catalogue.brand_b]\nsource = "elsewhere"\n')

    said = why(run(brands.load(), instance, "brand_b_detect_delta"))
    assert said == "[catalogue.brand_b] is set in bg_pipeline.toml and in a component: keep one of them"


def test_two_components_of_one_name_are_refused_by_it(brands: Project) -> None:
    brands.add("Catalogue", catalogue("brand_a"), path="another")
    assert "two components Catalogue have the name brand_a" in refused(brands)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"wher": "x"}, "wher"),
        ({"account": None}, "account"),
    ],
)
def test_an_unknown_or_a_missing_attribute_fails_the_location(
    brands: Project, attributes: dict[str, Any], said: str
) -> None:
    written = {name: value for name, value in (catalogue("brand_b") | attributes).items() if value is not None}
    brands.add("Catalogue", written)
    assert said in refused(brands)


@pytest.mark.parametrize("start", [True, False])
def test_what_leads_to_purchases_is_off_until_somebody_switches_it_on(brands: Project, start: bool) -> None:
    for name in ("brand_a", "brand_b"):
        brands.add("Catalogue", catalogue(name, **({"start": True} if start else {})))
    repository = brands.load().get_repository_def()
    off = {each.name for each in repository.sensor_defs if each.default_status is dg.DefaultSensorStatus.STOPPED}

    assert off == (set() if start else {"brand_a_delta_dispatch", "brand_b_delta_dispatch"})
    assert {each.default_status.value for each in repository.schedule_defs} == {"RUNNING" if start else "STOPPED"}


def test_a_catalogue_that_is_wrong_is_as_switched_on_as_before(brands: Project) -> None:
    brands.add("Catalogue", catalogue("brand_b", start=True, collection_depth="many"))
    schedule = brands.load().get_repository_def().get_schedule_def("brand_b_nightly_delta_sync")

    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


@pytest.mark.parametrize(
    "attributes",
    [
        {"key_env": "sk-live-0123456789"},
        {"source_env": "https://shop:canary-key@host/x"},
        {"source": "https://shop:canary-key@host/x"},
        {"source": "postgresql://shop:canary-key@host/x"},
        {"options": {"base_url": "https://shop:canary-key@host/x"}},
        {"output": "s3://bucket/x?secret=canary-key"},
        {"recipe": [{"params": "form?token=canary-key"}]},
    ],
)
def test_a_secret_is_refused_as_an_attribute_and_not_quoted(attributes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        require_no_secret(attributes)

    (name,) = attributes
    assert str(caught.value).startswith(name)
    for secret in ("canary-key", "0123456789"):
        assert secret not in str(caught.value)


def test_a_key_among_the_options_of_an_account_is_refused(brands: Project, instance: dg.DagsterInstance) -> None:
    brands.add("Account", {"name": "main", "vendor": "bgeraser", "options": {"api_key": "canary-key"}})
    said = why(run(brands.load(), instance, "brand_a_detect_delta"))

    assert "api_key" in said
    assert "key_env" in said
    assert "canary-key" not in said


def test_every_attribute_is_described_and_is_a_setting_or_explained_here() -> None:
    for component in (Account, Catalogue):
        assert [name for name, field in component.model_fields.items() if not field.description] == []
    settings = {*CatalogueSettings.model_fields, *ScheduleSettings.model_fields} - {"accounts"}
    assert set(Catalogue.model_fields) - settings == {"name", "account", "group", "start", "source_env"}
    assert "SecretStr" not in json.dumps(Catalogue.model_json_schema())


def test_a_template_that_fails_is_told_in_one_line() -> None:
    assert explain_load(RuntimeError("first\n\n  the cause  \n")) == "the cause"
