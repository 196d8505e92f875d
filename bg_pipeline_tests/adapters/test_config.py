"""Settings: where they come from, and what is said about wrong ones."""

from decimal import Decimal
from pathlib import Path

import pytest

from bg_pipeline.config import load_night, load_settings
from bg_pipeline.errors import ConfigurationError


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
        ({"BG_SOURCE": "s3://bucket"}, "BG_SOURCE"),
        ({"BGERASER_BASE_URL": "http://bgeraser.ink"}, "https"),
        ({"BGERASER_BASE_URL": "bgeraser.ink"}, "BGERASER_BASE_URL"),
        ({"BG_TIMEZONE": "Mars/Olympus"}, "BG_TIMEZONE"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, names: dict[str, str], said: str) -> None:
    for name, value in names.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=said):
        load_settings()


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
