"""Settings as people write them: slips in names, odd files, and where each value comes from."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.settings import reader
from bg_pipeline.settings.reader import note_dotenv, read
from bg_pipeline.wiring import settings as wired
from bg_pipeline.wiring.settings import load_settings
from bg_pipeline.wiring.written import values
from bg_pipeline_tests.adapters.made_settings import settings_of
from bg_pipeline_tests.plugin import plugin, plugin_site  # noqa: F401  fixtures


@pytest.mark.parametrize("file", [".env", "bg_pipeline.toml"])
@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("BG_MAX_CREDIT_PER_RUN", "BG_MAX_CREDITS_PER_RUN"),
        ("BG_PROVDER", "BG_PROVIDER"),
        ("REMOVEBG_APIKEY", "REMOVEBG_API_KEY"),
        ("bg_sorce", "BG_SOURCE"),
    ],
)
def test_a_slip_in_the_name_of_a_setting_is_an_error_in_a_file(file: str, slip: str, meant: str) -> None:
    Path(file).write_text(f"{slip}='3'\n")

    with pytest.raises(ConfigurationError, match=rf"{slip.upper()} in .*{file} is no setting; did you mean {meant}\?"):
        load_settings()


def test_a_slip_counts_also_where_it_has_no_value() -> None:
    Path(".env").write_text("BG_MAX_CREDIT_PER_RUN=\n")

    with pytest.raises(ConfigurationError, match="BG_MAX_CREDIT_PER_RUN"):
        load_settings()


def test_a_slip_in_the_environment_is_a_warning_once_in_a_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wired._warn.cache_clear()
    monkeypatch.setenv("BG_PROVDER", "removebg")
    with caplog.at_level(logging.WARNING, logger="bg_pipeline.wiring.settings"):
        load_settings()
        load_settings()

    (told,) = [record.getMessage() for record in caplog.records]
    assert told == "BG_PROVDER in the environment is no setting; did you mean BG_PROVIDER?"


def test_names_of_other_programs_are_no_slips_in_dotenv() -> None:
    Path(".env").write_text("COMPOSE_PROJECT_NAME=shop\nLOCAL_UID=1000\nBGP=1\nAWS_REGION=eu\n")

    assert load_settings()


def test_every_name_in_our_own_file_has_to_be_a_setting() -> None:
    Path("bg_pipeline.toml").write_text("max_credits_per_run = 3\n")

    with pytest.raises(ConfigurationError, match=r"did you mean BG_MAX_CREDITS_PER_RUN\?"):
        load_settings()


@pytest.mark.usefixtures("plugin")
def test_names_of_the_vendors_and_stores_of_packages_are_known_and_slips_in_them_are_told() -> None:
    Path(".env").write_text("SCISSORS_BALANCE=3\nSHELF_WAIT_S=1\n")
    assert load_settings()

    Path(".env").write_text("SCISSORS_BALANC=3\n")
    with pytest.raises(ConfigurationError, match=r"SCISSORS_BALANC .*did you mean SCISSORS_BALANCE\?"):
        load_settings()
    Path(".env").write_text("SHELF_WAIT=3\n")
    with pytest.raises(ConfigurationError, match=r"SHELF_WAIT .*did you mean SHELF_WAIT_S\?"):
        load_settings()


@pytest.mark.parametrize("line", ["BG_MAX_CREDITS_PER_RUN 3", "BG_MAX_CREDITS_PER_RUN: 3"])
def test_a_line_of_dotenv_that_sets_nothing_is_an_error_with_its_number_and_without_its_text(line: str) -> None:
    Path(".env").write_text(f"# caps\nBG_FORMAT=webp\n{line}\n")

    with pytest.raises(ConfigurationError, match=r"\.env, line 3: write it as NAME=value") as caught:
        load_settings()
    assert "CREDITS" not in str(caught.value)


@pytest.mark.parametrize("file", [".env", "bg_pipeline.toml"])
def test_a_byte_order_mark_is_read_over_and_another_encoding_is_refused(file: str) -> None:
    Path(file).write_bytes("BG_CONCURRENCY='3'\n".encode("utf-8-sig"))
    assert load_settings().purchasing.concurrency == 3

    for encoding in ("utf-16", "latin-1"):
        Path(file).write_bytes("BG_CONCURRENCY='3' # für\n".encode(encoding))
        with pytest.raises(ConfigurationError, match=rf"{file} cannot be read: .*save it as UTF-8"):
            load_settings()


@pytest.mark.parametrize("file", [".env", "bg_pipeline.toml"])
def test_a_folder_with_the_name_of_a_file_of_settings_is_told(file: str) -> None:
    Path(file).mkdir()

    with pytest.raises(ConfigurationError, match=rf"{file} cannot be read: Is a directory"):
        load_settings()


def test_the_home_folder_and_variables_are_replaced_in_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    Path("bg_pipeline.toml").write_text(
        "bg_source = '~/pictures'\nbg_output = '${HOME}/out'\nbg_state = 'sqlite:///~/m.db'\nbg_gallery = './~/pages'\n"
    )
    settings = load_settings()

    assert (settings.catalogue.source_name, settings.catalogue.output) == ("/home/ana/pictures", "/home/ana/out")
    assert settings.purchasing.state.get_secret_value() == "sqlite:////home/ana/m.db"
    assert settings.catalogue.gallery == f"{tmp_path}/~/pages"


@pytest.mark.parametrize(
    ("path", "said"),
    [("$CUTOTS/x", r"the variable \$CUTOTS is not set"), ("~no-such-user/x", "there is no user ~no-such-user")],
)
def test_no_folder_is_made_of_a_variable_or_a_user_that_does_not_exist(path: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"BG_OUTPUT: {said}"):
        settings_of(BG_OUTPUT=path)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BG_CONCURRENCY", "many", "must be a whole number from 1 to 64 (it is 'many')"),
        ("BG_CONCURRENCY", "65", "must be a whole number from 1 to 64 (it is '65')"),
        ("BG_PADDING", "wide", "must be a number from 0 to 0.45 (it is 'wide')"),
        ("BG_STABLE_S", "-1", "must be a number from 0 to 600 (it is '-1')"),
        ("BG_FOLLOW_LINKS", "maybe", "must be `true` or `false` (it is 'maybe')"),
        ("BG_DELETE_POLICY", "bin", "must be one of keep, trash (it is 'bin')"),
        ("BG_FORMAT", "gif", "must be one of png, webp, jpg, avif (it is 'gif')"),
        ("BG_MAX_CREDITS_PER_DAY", "a few", "must be a number from 0 to 1,000,000,000 (it is 'a few')"),
        ("BG_CANVAS", "big", "must be WIDTHxHEIGHT in pixels, such as 2000x2000 (it is 'big')"),
        ("REMOVEBG_SIZE", "huge", "must be one of preview, medium, hd, full, 50MP, auto (it is 'huge')"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings_of(**{name: value})

    assert str(caught.value) == f"{name}: {said}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REMOVEBG_API_KEY", "canary key"),
        ("BG_ALERT_URLS", "canary"),
        ("BG_STATE", "sqlite:///$canary"),
        ("BG_SOURCE", "canary://x"),
    ],
)
def test_no_wrong_secret_is_quoted(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}: ") as caught:
        settings_of(**{name: value})

    assert "(it is" not in str(caught.value)


def test_each_setting_is_listed_with_its_value_and_its_origin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Path("bg_pipeline.toml").write_text(
        "bg_padding = 0.1\nbg_canvas = '9x9'\nbg_format = 'jpg'\n[catalogue.shop]\nsource = 'pictures'\n"
    )
    Path(".env").write_text(
        "BG_FORMAT=webp\nREMOVEBG_API_KEY=canary\nBG_ALERT_URLS=json://canary\n"
        "BG_STATE=postgresql+psycopg://me:canary@host/db\n"
    )
    monkeypatch.setenv("BG_CONCURRENCY", "many")
    listed = {value.name: (value.text, value.origin) for value in values(read())}

    assert listed["BG_CONCURRENCY"] == ("set", "environment")
    assert listed["BG_FORMAT"] == ("webp", f"{tmp_path}/.env")
    assert listed["BG_PADDING"] == ("0.1", f"{tmp_path}/bg_pipeline.toml")
    assert listed["[catalogue.shop] source"] == (f"{tmp_path}/pictures", f"{tmp_path}/bg_pipeline.toml")
    assert listed["BG_OUTPUT"] == (f"{tmp_path}/cutouts", "default")
    assert listed["REMOVEBG_API_KEY"] == ("set (secret)", f"{tmp_path}/.env")
    assert listed["BG_STATE"] == ("postgresql+psycopg://… (secret)", f"{tmp_path}/.env")
    assert "canary" not in str(listed)


def test_a_value_that_dagster_took_from_dotenv_follows_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster writes the file over its environment when it starts, and its runs inherit that."""
    Path(".env").write_text("BG_MAX_CREDITS_PER_RUN=10\nBG_FORMAT=webp\n")
    monkeypatch.setenv("BG_MAX_CREDITS_PER_RUN", "10")
    monkeypatch.setenv("BG_FORMAT", "webp")
    monkeypatch.setenv("BG_CONCURRENCY", "3")
    monkeypatch.setenv(reader._FROM_DOTENV, "")
    note_dotenv()
    Path(".env").write_text("BG_MAX_CREDITS_PER_RUN=2\n")
    settings = load_settings()

    assert (settings.schedule.max_credits_per_run, settings.recipe.rendition.format) == (2, "png")
    assert settings.purchasing.concurrency == 3


def test_a_run_of_dagster_knows_what_its_code_server_took_from_dotenv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("BG_MAX_CREDITS_PER_RUN=10\n")
    child = (
        "import bg_pipeline.orchestration; from bg_pipeline.wiring.settings import load_settings;"
        "print(load_settings().schedule.max_credits_per_run)"
    )
    server = (
        "import subprocess, sys, pathlib, bg_pipeline.orchestration; pathlib.Path('.env').write_text('');"
        f"subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    )
    monkeypatch.setenv("BG_MAX_CREDITS_PER_RUN", "10")
    done = subprocess.run([sys.executable, "-c", server], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "None"
