"""Settings: where they come from, and what is said about wrong ones."""

from decimal import Decimal
from pathlib import Path

import pytest

from bg_pipeline.config import Surface, load_night, load_settings
from bg_pipeline.core.recipe import Cut, Step
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.wiring import masters_of, outputs_of, remover, source_of
from bg_pipeline_tests.graph import call_here

REMOVEBG = {"BG_PROVIDER": "removebg", "REMOVEBG_API_KEY": "k"}
BGERASER = {"BG_PROVIDER": "bgeraser", "BGERASER_API_KEY": "k"}
PHOTOROOM = {"BG_PROVIDER": "photoroom", "PHOTOROOM_API_KEY": "k"}


def cut_of(monkeypatch: pytest.MonkeyPatch, provider: str, **names: str) -> Cut:
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    return load_settings().cut(provider)


def test_nothing_has_to_be_set() -> None:
    settings = load_settings()

    assert (settings.bg_provider, settings.thresholds.low, settings.thresholds.resume) == ("local", 50, 100)


def test_the_environment_wins_over_dotenv_and_that_over_toml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bg_pipeline.toml").write_text('bg_format = "webp"\nbg_concurrency = 3\nbg_padding = 0.1\n')
    (tmp_path / ".env").write_text("BG_FORMAT=jpg\nBG_BACKGROUND=white\nBG_CONCURRENCY=4\n")
    monkeypatch.setenv("BG_CONCURRENCY", "5")
    settings = load_settings()

    assert (settings.bg_padding, settings.bg_format, settings.bg_concurrency) == (0.1, "jpg", 5)


def test_an_empty_value_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BG_MAX_CREDITS_PER_RUN", "")

    assert load_settings().bg_max_credits_per_run is None


def test_the_upper_threshold_follows_a_large_lower_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BG_LOW_CREDITS", "1000")

    assert load_settings().thresholds.resume == Decimal(1100)


def test_a_rendition_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BG_CANVAS", "800x600")

    assert load_settings().recipe.rendition.canvas == (800, 600)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"BG_PROVIDER": "bgeraser"}, "BGERASER_API_KEY"),
        ({"BG_PROVIDER": "photoshop"}, "BG_PROVIDER"),
        ({"BG_FORMAT": "jpg"}, "BG_BACKGROUND"),
        ({"BG_BACKGROUND": "nocolour"}, "BG_BACKGROUND"),
        ({"BG_CANVAS": "big"}, "BG_CANVAS"),
        ({"BG_CONCURRENCY": "0"}, "BG_CONCURRENCY"),
        ({"BG_CONCURRENCY": "many"}, "BG_CONCURRENCY"),
        ({"BG_LOW_CREDITS": "100", "BG_RESUME_CREDITS": "50"}, "flap"),
        ({"BG_OUTPUT": "./images"}, "must not lie in each other"),
        ({"BG_OUTPUT": "./images/cutouts"}, "must not lie in each other"),
        ({"BG_SOURCE": "."}, "must not lie in each other"),
        ({"BG_MASTERS": "./cutouts/masters"}, "must not lie in each other"),
        ({"BG_SOURCE": "s3://"}, "BG_SOURCE: must be s3://BUCKET"),
        ({"BG_SOURCE": "gs://bucket/images"}, "BG_SOURCE: must be a folder, s3://BUCKET/PREFIX, or"),
        ({"BG_OUTPUT": "sqlite:///shop.db"}, "BG_OUTPUT: must be a folder or s3://"),
        ({"BG_MASTERS": "https://shop.example.com"}, "BG_MASTERS"),
        ({"BG_SOURCE": "s3://shop/img", "BG_OUTPUT": "s3://shop/img/cut"}, "must not lie in each other"),
        ({"BG_SOURCE": "s3://shop/img", "BG_OUTPUT": "s3://shop"}, "must not lie in each other"),
        ({"BG_SOURCE": "s3://shop", "BG_MASTERS": "s3://shop/masters"}, "BG_MASTERS and BG_SOURCE"),
        ({"BG_OUTPUT": "s3://shop/cut", "BG_MASTERS": "s3://shop/cut/"}, "BG_MASTERS and BG_OUTPUT"),
        ({"BG_SOURCE": "sqlite:///shop.db"}, "BG_SOURCE_QUERY"),
        ({"BG_SOURCE_QUERY": "SELECT key, image FROM items"}, "BG_SOURCE_QUERY"),
        ({"BG_S3_ENDPOINT": "s3.example.com"}, "BG_S3_ENDPOINT"),
        ({"BG_S3_ENDPOINT": "https://me:secret@s3.example.com"}, "BG_S3_ENDPOINT"),
        ({"BG_SETTLE_S": "-1"}, "BG_SETTLE_S"),
        ({"BGERASER_BASE_URL": "http://bgeraser.ink"}, "https"),
        ({"BGERASER_BASE_URL": "bgeraser.ink"}, "BGERASER_BASE_URL"),
        ({"BG_TIMEZONE": "Mars/Olympus"}, "BG_TIMEZONE"),
        ({"BG_PROVIDER": "removebg"}, "REMOVEBG_API_KEY"),
        ({"BG_PROVIDER": "photoroom"}, "PHOTOROOM_API_KEY"),
        ({"BG_PROVIDER": "bgeraser,removebg", "BGERASER_API_KEY": "k"}, "REMOVEBG_API_KEY"),
        ({"BG_PROVIDER": "local,local"}, "once each"),
        ({"BG_PROVIDER": "local,"}, "BG_PROVIDER"),
        ({"REMOVEBG_API_KEY": "two words"}, "copy it again"),
        ({"REMOVEBG_API_KEY": "schlüssel"}, "copy it again"),
        ({"REMOVEBG_BASE_URL": "http://api.remove.bg"}, "https"),
        ({"PHOTOROOM_BASE_URL": "https://key@host"}, "PHOTOROOM_BASE_URL"),
        ({"PHOTOROOM_BASE_URL": "https://host:99999"}, "PHOTOROOM_BASE_URL"),
        ({"PHOTOROOM_BASE_URL": "https://host?a=b"}, "PHOTOROOM_BASE_URL"),
        ({"REMOVEBG_SIZE": "huge"}, "REMOVEBG_SIZE"),
        ({"BG_PARAMS": "type=product"}, "local takes no parameters"),
        ({**REMOVEBG, "BG_PARAMS": "type"}, "as in a URL"),
        ({**REMOVEBG, "BG_PARAMS": "type=car&type=person"}, "twice"),
        ({**REMOVEBG, "BG_PARAMS": "size=preview"}, "REMOVEBG_SIZE sets it"),
        ({**REMOVEBG, "BG_PARAMS": "crop=true"}, "crop cannot be passed.*BG_CANVAS"),
        ({**REMOVEBG, "BG_PARAMS": "format=jpg"}, "transparency"),
        ({**REMOVEBG, "BG_STEPS": "upscale"}, "BG_STEPS"),
        ({**BGERASER, "BG_STEPS": "upscale", "BGERASER_SURFACE": "v1"}, "BGERASER_SURFACE=tools"),
        ({**BGERASER, "BG_STEPS": "../upscale"}, "BG_STEPS"),
        ({**BGERASER, "BG_STEPS": "bg-removal"}, "BG_STEPS"),
        ({**BGERASER, "BG_STEPS": "upscale?factor"}, "as in a URL"),
        ({**BGERASER, "BG_STEPS": "upscale?image_file=x"}, "the client sets it"),
        ({**BGERASER, "BG_STEPS": "upscale?photo=x", "BGERASER_FILE_FIELD": "photo"}, "the picture"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, names: dict[str, str], said: str) -> None:
    for name, value in names.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=said):
        load_settings()


@pytest.mark.parametrize(
    "places",
    [
        ("s3://shop/img", "s3://shop/cut", "s3://shop/masters"),
        ("s3://shop/img", "s3://shop/img-cut", ".bg_pipeline/masters"),
        ("./images", "s3://shop", "s3://masters"),
        ("s3://shop", "./cutouts", ".bg_pipeline/masters"),
    ],
)
def test_places_of_every_kind_go_together(places: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, place in zip(("BG_SOURCE", "BG_OUTPUT", "BG_MASTERS"), places, strict=True):
        monkeypatch.setenv(name, place)

    settings = load_settings()
    assert (settings.source_name, settings.bg_output, settings.bg_masters) == places


def test_an_endpoint_of_our_own_wins_over_that_of_every_aws_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().s3_endpoint == ""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://all.example.com")
    assert load_settings().s3_endpoint == "https://all.example.com"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.com")
    assert load_settings().s3_endpoint == "https://s3.example.com"
    monkeypatch.setenv("BG_S3_ENDPOINT", "http://127.0.0.1:9000")
    assert load_settings().s3_endpoint == "http://127.0.0.1:9000"


def test_a_database_is_shown_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BG_SOURCE", "postgresql+psycopg://me:canary-1@host/shop?password=canary-2")
    monkeypatch.setenv("BG_SOURCE_QUERY", "SELECT key, image FROM items")
    settings = load_settings()

    assert settings.source_name == "postgresql+psycopg://me:***@host/shop"
    assert "canary" not in repr(settings)


def test_a_wrong_toml_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bg_pipeline.toml").write_text("this is not toml")

    with pytest.raises(ConfigurationError, match=r"bg_pipeline\.toml"):
        load_settings()


def test_no_secret_is_quoted_or_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGERASER_API_KEY", "canary-key")
    monkeypatch.setenv("BG_STATE", "postgresql+psycopg://me:canary-password@host/db")
    assert "canary" not in repr(load_settings())

    monkeypatch.setenv("BG_CONCURRENCY", "canary-number")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "canary" not in str(caught.value)


def test_providers_are_tried_in_the_order_in_which_they_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**REMOVEBG, **BGERASER, "BG_PROVIDER": "bgeraser, removebg,local"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BG_STEPS", "upscale?factor=2, generative-expand")
    settings = load_settings()
    first, second, third = settings.recipe.cuts

    assert (first.provider, second.provider, third.provider) == settings.providers == ("bgeraser", "removebg", "local")
    assert first.steps == (Step("upscale", {"factor": "2"}), Step("generative-expand"))
    assert second.steps == third.steps == ()
    assert len({cut.hash for cut in settings.recipe.cuts}) == 3


def test_parameters_are_the_first_providers_and_part_of_its_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = cut_of(monkeypatch, "removebg", **REMOVEBG)
    cut = cut_of(monkeypatch, "removebg", BG_PARAMS="type=product&roi=0%25+0%25+90%25+90%25")

    assert cut.params == {"size": "full", "type": "product", "roi": "0% 0% 90% 90%"}
    assert cut.hash != plain.hash
    assert load_settings().cut("photoroom").params == {"size": "full"}


@pytest.mark.parametrize(
    ("provider", "names", "surface", "endpoint", "params", "max_side_px", "pixels"),
    [
        ("bgeraser", {}, "tools", "", {}, 9000, 0),
        ("bgeraser", {"BGERASER_SURFACE": "v1"}, "v1", "", {"size": "full", "format": "png"}, 9000, 10_000_000),
        ("bgeraser", {"BGERASER_BASE_URL": "https://bgeraser.ink/"}, "tools", "", {}, 9000, 0),
        ("bgeraser", {"BGERASER_BASE_URL": "http://127.0.0.1:1"}, "tools", "127.0.0.1", {}, 9000, 0),
        ("removebg", {}, "", "", {"size": "full"}, 9000, 25_000_000),
        ("removebg", {"REMOVEBG_BASE_URL": "http://127.0.0.1:1"}, "", "127.0.0.1", {"size": "full"}, 9000, 25_000_000),
        ("removebg", {"REMOVEBG_SIZE": "preview"}, "", "", {"size": "preview"}, 9000, 250_000),
        ("photoroom", {}, "basic", "", {"size": "full"}, 6000, 36_000_000),
        ("photoroom", {"PHOTOROOM_PLAN": "plus"}, "plus", "", {}, 6000, 0),
        ("photoroom", {"PHOTOROOM_API_KEY": "sandbox_k"}, "basic sandbox", "", {"size": "full"}, 6000, 36_000_000),
        (
            "photoroom",
            {"PHOTOROOM_BASE_URL": "http://127.0.0.1:1"},
            "basic",
            "127.0.0.1",
            {"size": "full"},
            6000,
            36_000_000,
        ),
        ("local", {}, "", "", {}, 9000, 0),
    ],
)
def test_a_cut_says_all_that_alters_what_comes_back(
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    names: dict[str, str],
    surface: str,
    endpoint: str,
    params: dict[str, str],
    max_side_px: int,
    pixels: int,
) -> None:
    cut = cut_of(monkeypatch, provider, BG_MAX_PIXELS_SENT="9000", **names)

    assert cut == Cut(provider, max_side_px, pixels, endpoint, surface, params)


def test_a_watermarked_cutout_is_not_taken_for_bought(monkeypatch: pytest.MonkeyPatch) -> None:
    real = cut_of(monkeypatch, "photoroom", **PHOTOROOM)

    assert cut_of(monkeypatch, "photoroom", PHOTOROOM_API_KEY="sandbox_k").hash != real.hash


def test_each_surface_of_bgeraser_has_its_own_defaults_and_all_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().bgeraser == Surface(
        "https://bgeraser.ink", "/api/tools/bg-removal", "/api/account", "bearer"
    )
    monkeypatch.setenv("BGERASER_SURFACE", "v1")
    assert load_settings().bgeraser == Surface("https://api.bgeraser.ink", "/v1/removebg", "/v1/account", "x-api-key")
    for name, value in {"BASE_URL": "https://a.example", "PATH": "/b", "ACCOUNT_PATH": "/c", "AUTH": "bearer"}.items():
        monkeypatch.setenv(f"BGERASER_{name}", value)
    assert load_settings().bgeraser == Surface("https://a.example", "/b", "/c", "bearer")


def test_a_key_with_a_line_break_behind_it_is_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMOVEBG_API_KEY", " key\n")
    key = load_settings().removebg_api_key

    assert key is not None
    assert key.get_secret_value() == "key"


@pytest.mark.parametrize("provider", ["local", "bgeraser", "removebg", "photoroom"])
def test_every_provider_of_the_list_can_be_made(monkeypatch: pytest.MonkeyPatch, provider: str) -> None:
    for name, value in {**REMOVEBG, **BGERASER, **PHOTOROOM, "BG_PROVIDER": "bgeraser,removebg,photoroom"}.items():
        monkeypatch.setenv(name, value)

    assert remover(load_settings(), provider, call_here)


def test_what_a_sandbox_cut_is_not_taken_for_bought(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BG_PROVIDER", "bgeraser")
    monkeypatch.setenv("BGERASER_API_KEY", "any")
    real = load_settings().recipe.cut.hash
    monkeypatch.setenv("BGERASER_BASE_URL", "http://127.0.0.1:8787")

    assert load_settings().recipe.cut.hash != real


def test_the_night_needs_neither_key_nor_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster loads the code location before anything is set up."""
    monkeypatch.setenv("BG_PROVIDER", "bgeraser")
    monkeypatch.setenv("BG_NIGHTLY_CRON", "30 1 * * *")

    assert load_night().bg_nightly_cron == "30 1 * * *"


@pytest.mark.parametrize(
    ("place", "kind"),
    [("./images", "FolderSource"), ("s3://shop/img", "S3Source"), ("sqlite:///shop.db", "SqlSource")],
)
def test_a_source_is_chosen_by_how_its_place_is_written(place: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BG_SOURCE", place)
    if kind == "SqlSource":
        monkeypatch.setenv("BG_SOURCE_QUERY", "SELECT key, image FROM items")

    assert type(source_of(load_settings())).__name__ == kind


def test_stores_are_chosen_by_how_their_places_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BG_OUTPUT", "s3://shop/cut")

    assert type(outputs_of(load_settings())).__name__ == "S3Store"
    assert type(masters_of(load_settings())).__name__ == "FolderStore"
