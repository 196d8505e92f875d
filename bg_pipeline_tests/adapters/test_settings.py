"""Settings: where they come from, what they mean, and what is said about wrong ones."""

from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest
from PIL import Image

from bg_pipeline.core.media import Animated
from bg_pipeline.errors import ConfigurationError, ItemUnreadable
from bg_pipeline.imaging.pictures import prepare
from bg_pipeline.orchestration.backfills import CutoutsConfig
from bg_pipeline.settings.part import absolute
from bg_pipeline.settings.reader import read
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_schedule, load_settings
from bg_pipeline_tests.adapters.made_settings import BGERASER, PHOTOROOM, REMOVEBG, settings_of
from bg_pipeline_tests.pictures import encoded


def write(text: str) -> None:
    Path("bg_pipeline.toml").write_text(text)


def test_nothing_has_to_be_set() -> None:
    settings = load_settings()
    thresholds = settings.purchasing.thresholds

    assert [(account.name, account.vendor.name) for account in settings.accounts] == [("local", "local")]
    assert (thresholds.low, thresholds.resume) == (5, 10)
    assert settings.catalogue_name == "default"


def test_the_environment_wins_over_dotenv_and_that_over_toml(monkeypatch: pytest.MonkeyPatch) -> None:
    write('bg_format = "webp"\nbg_concurrency = 3\nbg_padding = 0.1\nbg_canvas = "90x90"\n')
    Path(".env").write_text("BG_FORMAT=jpg\nBG_BACKGROUND=white\nBG_CONCURRENCY=4\n")
    monkeypatch.setenv("BG_CONCURRENCY", "5")
    settings = load_settings()

    assert (settings.recipe.rendition.padding, settings.recipe.rendition.format, settings.purchasing.concurrency) == (
        0.1,
        "jpg",
        5,
    )


def test_an_empty_value_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("BG_MAX_CREDITS_PER_RUN=7\n")
    monkeypatch.setenv("BG_MAX_CREDITS_PER_RUN", "")
    monkeypatch.setenv("BG_MAX_CREDITS_PER_DAY", "")
    settings = load_settings()

    assert (settings.schedule.max_credits_per_run, settings.purchasing.max_credits_per_day) == (7, None)


def test_a_variable_may_be_written_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("bg_concurrency", "3")

    assert load_settings().purchasing.concurrency == 3


def test_the_upper_threshold_follows_a_large_lower_one() -> None:
    assert settings_of(BG_LOW_CREDITS="1000").purchasing.thresholds.resume == Decimal(1100)


@pytest.mark.parametrize("credits_", ["nan", "inf", "-inf", "-1", "1e30", "many"])
@pytest.mark.parametrize(
    "name", ["BG_LOW_CREDITS", "BG_RESUME_CREDITS", "BG_MAX_CREDITS_PER_RUN", "BG_MAX_CREDITS_PER_DAY"]
)
def test_what_is_no_number_of_credits_is_refused_with_the_name_of_its_setting(name: str, credits_: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}: must be a number from 0 to 1,000,000,000"):
        settings_of(**{name: credits_})


@pytest.mark.parametrize("credits_", [float("nan"), float("inf"), -1.0, 1e30])
def test_the_cap_of_a_backfill_is_a_number_of_credits(credits_: float) -> None:
    with pytest.raises(dg.Failure, match="max_credits: must be a number from 0 to 1,000,000,000"):
        CutoutsConfig(max_credits=credits_)


def test_a_rendition_is_read() -> None:
    assert settings_of(BG_CANVAS="800x600").recipe.rendition.canvas == (800, 600)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"BG_PROVIDER": "bgeraser"}, "BG_PROVIDER=bgeraser needs BGERASER_API_KEY"),
        ({"BG_PROVIDER": "photoshop"}, "BG_PROVIDER: must be one of local, rembg, bgeraser"),
        ({"BG_FORMAT": "jpg"}, "BG_FORMAT=jpg cannot be transparent: set BG_BACKGROUND"),
        ({"BG_BACKGROUND": "nocolour"}, "BG_BACKGROUND: must be"),
        ({"BG_CANVAS": "big"}, "BG_CANVAS: must be"),
        ({"BG_CANVAS": "10000x5001"}, "BG_CANVAS=10000x5001: a canvas has at most 50 megapixels"),
        ({"BG_MAX_PIXELS_SENT": "1000000000"}, "BG_MAX_PIXELS_SENT"),
        ({"BG_STABLE_S": "inf"}, "BG_STABLE_S"),
        ({"BG_STABLE_S": "1e9"}, "BG_STABLE_S"),
        ({"BG_PADDING": "nan"}, "BG_PADDING"),
        ({"BG_ALERT_FAILURE_RATE": "nan"}, "BG_ALERT_FAILURE_RATE"),
        ({"BG_RUN_DAYS": "1000000000"}, "BG_RUN_DAYS"),
        ({"BG_GALLERY": "sqlite:///pages.db"}, "BG_GALLERY: must be a folder"),
        (
            {"BG_GALLERY": "./cutouts/pages"},
            "BG_GALLERY and BG_OUTPUT must not overlap",
        ),
        ({"BG_SOURCE": "mysql://u:p@ss@host/db", "BG_SOURCE_QUERY": "q"}, "BG_SOURCE: must have one @"),
        ({"BGERASER_FILE_FIELD": "a b"}, "BGERASER_FILE_FIELD: must be the name"),
        ({"BG_CANVAS": "100x16384", "BG_FORMAT": "webp"}, "BG_CANVAS=100x16384: a webp has at most 16,383 pixels"),
        ({"BG_CONCURRENCY": "0"}, "BG_CONCURRENCY: "),
        ({"BG_CONCURRENCY": "many"}, "BG_CONCURRENCY: "),
        ({"BG_LOW_CREDITS": "100", "BG_RESUME_CREDITS": "50"}, "BG_RESUME_CREDITS must not be below BG_LOW_CREDITS"),
        ({"BG_OUTPUT": "./images"}, "must not overlap"),
        ({"BG_SOURCE": "s3://"}, "BG_SOURCE: must be s3://BUCKET"),
        ({"BG_STABLE_S": "-1"}, "BG_STABLE_S"),
        ({"BG_EXCLUDE": "*.gif, !"}, "BG_EXCLUDE: pattern 2 is not"),
        ({"BG_INCLUDE": "*.{jpg,png}"}, "BG_INCLUDE: pattern 1 has a brace"),
        ({"BGERASER_BASE_URL": "http://bgeraser.ink"}, "https"),
        ({"BGERASER_BASE_URL": "bgeraser.ink"}, "BGERASER_BASE_URL"),
        ({"BG_TIMEZONE": "Mars/Olympus"}, "BG_TIMEZONE"),
        ({"BG_PROVIDER": "removebg"}, "REMOVEBG_API_KEY"),
        ({"BG_PROVIDER": "photoroom"}, "PHOTOROOM_API_KEY"),
        ({"BG_PROVIDER": "bgeraser,removebg", "BGERASER_API_KEY": "k"}, "REMOVEBG_API_KEY"),
        ({"BG_PROVIDER": "local,local"}, "once"),
        ({"BG_PROVIDER": "local,"}, "BG_PROVIDER: must be one of"),
        ({"REMOVEBG_API_KEY": "two words"}, "REMOVEBG_API_KEY: .*copy it again"),
        ({"REMOVEBG_API_KEY": "schlüssel"}, "copy it again"),
        ({"REMOVEBG_BASE_URL": "http://api.remove.bg"}, "https"),
        ({"PHOTOROOM_BASE_URL": "https://key@host"}, "PHOTOROOM_BASE_URL"),
        ({"PHOTOROOM_BASE_URL": "https://host:99999"}, "PHOTOROOM_BASE_URL"),
        ({"PHOTOROOM_BASE_URL": "https://host?a=b"}, "PHOTOROOM_BASE_URL"),
        ({"REMOVEBG_SIZE": "huge"}, "REMOVEBG_SIZE"),
        ({"BG_PARAMS": "type=product"}, "BG_PARAMS: local takes no parameters"),
        ({**REMOVEBG, "BG_PARAMS": "type"}, "BG_PARAMS: .*as in a URL"),
        ({**REMOVEBG, "BG_PARAMS": "type=car&type=person"}, "twice"),
        ({**REMOVEBG, "BG_PARAMS": "size=preview"}, "REMOVEBG_SIZE sets it"),
        (
            {**REMOVEBG, "BG_PARAMS": "shadow_typ=drop"},
            "remove.bg has no parameter shadow_typ; did you mean shadow_type",
        ),
        ({**REMOVEBG, "BG_PARAMS": "shadow_type=3d"}, "shadow_type=3d is not accepted: .*none, auto, car, drop, 3D"),
        ({**REMOVEBG, "BG_PARAMS": "shadow_opacity=60"}, "shadow_opacity does nothing without shadow_type"),
        ({**REMOVEBG, "BG_PARAMS": "type=car", "BG_PARAMS_UNCHECKED": "type=bus"}, "BG_PARAMS and BG_PARAMS_UNCHECKED"),
        ({**BGERASER, "BGERASER_TOOLS": "upscal"}, "no tool upscal; it has upscale, generative-fill"),
        ({**BGERASER, "BGERASER_TOOLS_ONLY": "true"}, "BGERASER_TOOLS_ONLY needs BGERASER_TOOLS"),
        (
            {**PHOTOROOM, "PHOTOROOM_PLAN": "plus", "BG_PARAMS": "upscale.mode=ai.slow"},
            "upscale.mode=ai.slow takes pictures of at most 512 px: set BG_MAX_PIXELS_SENT=512",
        ),
        ({**REMOVEBG, "BG_PARAMS": "format=jpg"}, "transparency"),
        ({**BGERASER, "BGERASER_TOOLS": "upscale", "BGERASER_API": "v1"}, "BGERASER_TOOLS .*BGERASER_API=tools"),
        ({**BGERASER, "BGERASER_TOOLS": "../upscale"}, "BGERASER_TOOLS"),
        ({**BGERASER, "BGERASER_TOOLS": "bg-removal"}, "BGERASER_TOOLS"),
        ({**BGERASER, "BGERASER_TOOLS": "upscale?factor"}, "BGERASER_TOOLS .*as in a URL"),
        ({**BGERASER, "BGERASER_TOOLS": "upscale?image_file=x"}, "the client sets it"),
        ({**BGERASER, "BGERASER_TOOLS": "upscale?photo=x", "BGERASER_FILE_FIELD": "photo"}, "the picture"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, names: dict[str, str], said: str) -> None:
    for name, value in names.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=said):
        load_settings()


def test_every_wrong_setting_of_a_part_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"BG_PADDING: .*; BG_CANVAS: |BG_CANVAS: .*; BG_PADDING: "):
        settings_of(BG_CANVAS="big", BG_PADDING="2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("this is not toml", r"bg_pipeline\.toml cannot be read"),
        ("[acount.main]\napi_key = 'k'", r"\[acount\] is not a known table; known are \[account.NAME\]"),
        ("[account]\nvendor = 'local'", r"\[account\] is not a known table"),
        ("[catalogue.shop]\nsuorce = 'images'", r"\[catalogue.shop\] suorce: unknown setting; known are .*source"),
        ("[account.main]\nvendor = 'removebg'\nsiez = 'full'", r"\[account.main\] siez: unknown setting"),
        ("[account.main]\nvendor = 'acme'", "there is no vendor acme, only local"),
        ("[account.main]\napi_key = 'k'", "there is no vendor main"),
        ("[account.main]\nvendor = 'removebg'", r"needs REMOVEBG_API_KEY"),
        ("[account.main]\nvendor = 'removebg'\napi_key = 'two words'", r"\[account.main\] api_key: must be one word"),
        ("[catalogue.shop]\noutput = 'sqlite:///shop.db'", r"\[catalogue.shop\] output: must be a folder"),
        ("[catalogue.shop]\n[catalogue.outlet]", "several catalogues; choose one: --catalogue shop or outlet"),
        ("[rendition.web]\n[rendition.print]", "BG_RENDITION: there are several renditions: name web or print"),
        ("[rendition.web]\nformat = 'jpg'", r"\[rendition.web\] format=jpg cannot be transparent: set BG_BACKGROUND"),
        (
            "[catalogue.shop]\naccounts = ['gone']",
            r"\[catalogue.shop\] accounts: must be one of local",
        ),
        (
            "bg_output = 'a'\n[catalogue.shop]\noutput = 'b'",
            r"BG_OUTPUT and \[catalogue.shop\] output are the same setting: keep one",
        ),
        (
            "bg_provider = 'local'\n[catalogue.shop]\naccounts = ['local']",
            r"BG_PROVIDER and \[catalogue.shop\] accounts are the same setting",
        ),
        (
            "bg_params = 'type=car'\n[account.main]\nvendor = 'removebg'\napi_key = 'k'\nparams = 'type=person'",
            r"BG_PARAMS and \[account.main\] params are the same setting",
        ),
        (
            "removebg_api_key = 'k'\n[account.a]\nvendor = 'removebg'\n[account.b]\nvendor = 'removebg'",
            r"REMOVEBG_API_KEY: removebg has several accounts: set api_key in \[account.a\] or \[account.b\]",
        ),
        (
            "bg_provider = 'removebg'\n[account.a]\nvendor = 'removebg'\n[account.b]\nvendor = 'removebg'",
            "BG_PROVIDER: removebg has several accounts: name a or b",
        ),
        (
            "bg_provider = 'local'\n[account.spare]\nvendor = 'removebg'\nsize = 'huge'",
            r"\[account.spare\] size: ",
        ),
    ],
)
def test_a_wrong_table_is_named(text: str, said: str) -> None:
    write(text)

    with pytest.raises(ConfigurationError, match=said):
        load_settings()


def test_a_tree_says_all_that_variables_can() -> None:
    write(
        """
        bg_low_credits = 5

        [account.main]
        vendor = "removebg"
        api_key = "k1"
        size = "hd"
        params = "type=product"

        [account.spare]
        vendor = "bgeraser"
        api_key = "k2"

        [catalogue.shop]
        source = "pictures"
        output = "out"
        collection_depth = 2
        delete_policy = "trash"
        accounts = ["spare", "main", "local"]

        [rendition.web]
        format = "webp"
        canvas = "800x600"
        """
    )
    settings = load_settings()
    cuts = settings.recipe.cuts

    assert [(a.name, a.vendor.name) for a in settings.accounts] == [
        ("spare", "bgeraser"),
        ("main", "removebg"),
        ("local", "local"),
    ]
    assert [cut.provider for cut in cuts] == ["bgeraser", "removebg", "local"]
    assert cuts[1].params == {"size": "hd", "type": "product"}
    assert (settings.catalogue_name, settings.catalogue.collection_depth) == ("shop", 2)
    assert settings.catalogue.deletes.trash
    assert settings.recipe.rendition.canvas == (800, 600)
    assert settings.purchasing.low_credits == 5


def test_a_tree_and_variables_of_the_same_meaning_are_the_same() -> None:
    write("[account.removebg]\napi_key = 'k'\nsize = 'hd'\n[catalogue.default]\nsource = 'pictures'\n")
    tree = load_settings()
    flat = settings_of(**REMOVEBG, REMOVEBG_SIZE="hd", BG_SOURCE="pictures")

    assert (tree.recipe, tree.catalogue_name) == (flat.recipe, flat.catalogue_name)
    assert [account.name for account in tree.accounts] == [account.name for account in flat.accounts]


def test_a_variable_is_a_field_of_the_only_table_of_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a key need not be in the file."""
    write("[account.main]\nvendor = 'removebg'\nsize = 'hd'\n[catalogue.shop]\nsource = 'pictures'\n")
    monkeypatch.setenv("REMOVEBG_API_KEY", "k")
    monkeypatch.setenv("BG_PROVIDER", "removebg")
    monkeypatch.setenv("BG_OUTPUT", "out")
    settings = load_settings()

    assert [account.name for account in settings.accounts] == ["main"]
    assert settings.accounts[0].settings.key == "k"  # type: ignore[attr-defined]
    assert (Path(settings.catalogue.source_name).name, Path(settings.catalogue.output).name) == ("pictures", "out")


@pytest.mark.parametrize("file", ["bg_pipeline.toml", ".env"])
def test_relative_paths_start_at_the_folder_with_the_settings_wherever_a_command_starts(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / file).write_text("BG_SOURCE='pictures'\nBG_GALLERY='./pages'\n")
    (tmp_path / "scripts" / "nightly").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "scripts" / "nightly")
    monkeypatch.setenv("BG_MASTERS", "../paid")
    settings = load_settings()

    assert (settings.catalogue.source_name, settings.catalogue.output) == (
        f"{tmp_path}/pictures",
        f"{tmp_path}/cutouts",
    )
    assert (settings.masters.masters, settings.catalogue.gallery) == (f"{tmp_path}/../paid", f"{tmp_path}/pages")
    assert settings.purchasing.state.get_secret_value() == f"sqlite:///{tmp_path}/.bg_pipeline/manifest.db"
    assert settings.spool == f"{tmp_path}/.bg_pipeline/spool"
    monkeypatch.setenv("BG_STATE", "postgresql+psycopg://me@host/db")
    assert load_settings().spool == f"{tmp_path}/.bg_pipeline/spool"


def test_without_a_file_of_settings_relative_paths_start_where_the_command_does(tmp_path: Path) -> None:
    assert load_settings().catalogue.output == f"{tmp_path}/cutouts"


def test_the_nearest_file_of_settings_counts_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("bg_concurrency = 3\nbg_format = 'webp'\n")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / ".env").write_text("BG_CONCURRENCY=4\n")
    monkeypatch.chdir(tmp_path / "shop")
    settings = load_settings()

    assert (settings.purchasing.concurrency, settings.recipe.rendition.format) == (4, "png")
    assert settings.catalogue.output == f"{tmp_path}/shop/cutouts"


def test_settings_in_a_folder_of_everybody_count_only_where_the_command_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In /tmp, anybody could leave a file that sends the key of another person to a server of his own."""
    (tmp_path / ".env").write_text("BG_CONCURRENCY=4\n")
    (tmp_path / "shop").mkdir()
    tmp_path.chmod(0o1777)
    assert load_settings().purchasing.concurrency == 4

    monkeypatch.chdir(tmp_path / "shop")
    assert load_settings().purchasing.concurrency == 8


@pytest.mark.parametrize(
    ("location", "meant"),
    [
        ("pictures", "/shop/pictures"),
        ("./a/../b", "/shop/a/../b"),
        ("/srv/pictures", "/srv/pictures"),
        ("file:///srv/pictures", "file:///srv/pictures"),
        ("s3://shop/pictures", "s3://shop/pictures"),
        ("sqlite:///shop.db", "sqlite:////shop/shop.db"),
        ("sqlite+pysqlite:///./shop.db?timeout=5", "sqlite+pysqlite:////shop/shop.db?timeout=5"),
        ("sqlite:////srv/shop.db", "sqlite:////srv/shop.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
        ("postgresql+psycopg://me@host/shop", "postgresql+psycopg://me@host/shop"),
        ("", ""),
    ],
)
def test_a_path_is_made_absolute_and_no_other_location_is(location: str, meant: str) -> None:
    assert absolute(location, Path("/shop")) == meant
    assert absolute(location, None) == location


def test_two_accounts_at_one_vendor_are_tried_in_the_order_of_the_file() -> None:
    table = "[account.{}]\nvendor = 'removebg'\napi_key = '{}'\n"
    write(table.format("b", "k1") + table.format("a", "k2"))
    accounts = load_settings().accounts

    assert [(account.name, account.settings.key) for account in accounts] == [("b", "k1"), ("a", "k2")]  # type: ignore[attr-defined]
    assert accounts[0].cut == accounts[1].cut


def test_no_secret_is_quoted_or_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGERASER_API_KEY", "canary-key")
    monkeypatch.setenv("BG_STATE", "postgresql+psycopg://me:canary-password@host/db")
    write("[account.main]\nvendor = 'removebg'\napi_key = 'canary-main'\n")
    assert "canary" not in repr(load_settings()) + repr(read())

    monkeypatch.setenv("BGERASER_API_KEY", "canary key")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "canary" not in str(caught.value)
    monkeypatch.setenv("BGERASER_API_KEY", "any")
    monkeypatch.setenv("BG_CONCURRENCY", "canary-in-the-wrong-line")
    with pytest.raises(ConfigurationError, match=r"BG_CONCURRENCY: must be a whole number from 1 to 64$") as caught:
        load_settings()
    assert "canary" not in str(caught.value)


def test_the_schedule_needs_neither_key_nor_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster loads the code location before anything is set up."""
    monkeypatch.setenv("BG_PROVIDER", "bgeraser")
    monkeypatch.setenv("BG_NIGHTLY_CRON", "30 1 * * *")

    assert load_schedule().nightly_cron == "30 1 * * *"


def test_the_intake_of_pictures_follows_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().decoder.limits.max_pixels == 120_000_000
    Path("images").mkdir()
    for name, value in {"SOURCE": "images", "OUTPUT": "out", "ANIMATED": "skip", "MAX_MEGAPIXELS": "1"}.items():
        monkeypatch.setenv(f"BG_{name}", value)
    with open_pipeline(load_settings()) as pipeline:
        assert pipeline.policy.animated is Animated.SKIP
        with pytest.raises(ItemUnreadable, match="BG_MAX_MEGAPIXELS is 1"):
            pipeline.run.call(prepare, encoded(Image.new("L", (2000, 1000))), 100)


@pytest.mark.parametrize("value", ["0", "1001", "many"])
def test_a_wrong_limit_of_pixels_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("BG_MAX_MEGAPIXELS", value)
    with pytest.raises(ConfigurationError, match="BG_MAX_MEGAPIXELS"):
        load_settings()
