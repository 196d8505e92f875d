"""Settings of a rendition: presets, and what makes no sense."""

from pathlib import Path
from typing import Any

import pytest

from bg_pipeline.core.formats import Alignment, Format, Metadata
from bg_pipeline.core.presets import PRESETS
from bg_pipeline.core.recipe import Rendition
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.imaging.rendition_settings import RenditionSettings
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.wiring.settings import Settings, load_settings
from bg_pipeline_tests.pictures import product


def made(**written: Any) -> Rendition:
    """From the table `[rendition.main]`."""
    return RawSettings(tables={"rendition": {"main": written}}).part(RenditionSettings, "rendition", "main").rendition()


def test_every_field_reaches_the_rendition(tmp_path: Path) -> None:
    backdrop = tmp_path / "wall.jpg"
    backdrop.write_bytes(product(1, kind="JPEG"))
    everything = made(
        format="avif",
        quality=70,
        background_image=str(backdrop),
        canvas="800x600",
        fill=0.8,
        alignment="bottom",
        upscale=False,
        shadow=0.3,
        metadata="copyright",
        output_name="{stem}-x",
    )

    assert everything == Rendition(
        Format.AVIF,
        canvas=(800, 600),
        padding=0.1,
        background_image=product(1, kind="JPEG"),
        alignment=Alignment.BOTTOM,
        upscale=False,
        shadow=0.3,
        quality=70,
        metadata=Metadata.COPYRIGHT,
        output_name="{stem}-x",
    )
    assert made(longest_side=400).longest_side == 400
    assert made() == Rendition()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"format": "gif"}, "format: must be one of png, webp, jpg, avif"),
        (
            {"format": "jpg"},
            "[rendition.main] format=jpg cannot be transparent: set BG_BACKGROUND, such as white, or",
        ),
        ({"format": "png", "quality": 90}, "quality has no effect on [rendition.main] format=png"),
        ({"format": "webp", "quality": 0}, "quality: must be a whole number from 1 to 100"),
        ({"canvas": "90x90", "longest_side": 90}, "longest_side exclude each other"),
        ({"canvas": "90x90", "padding": 0.1, "fill": 0.5}, "fill exclude each other"),
        ({"padding": 0.1}, "padding needs a BG_CANVAS"),
        ({"fill": 0.5, "longest_side": 90}, "fill needs a BG_CANVAS"),
        ({"alignment": "bottom"}, "alignment needs a BG_CANVAS"),
        ({"alignment": "top", "canvas": "90x90"}, "alignment: must be one of center, bottom"),
        ({"upscale": False}, "upscale=false needs a BG_CANVAS or a BG_LONGEST_SIDE"),
        (
            {"shadow": 0.3, "canvas": "90x90"},
            "set BG_PADDING to 0.05 or more, or BG_FILL to 0.9",
        ),
        ({"shadow": 2}, "shadow: must be a number from 0 to 1"),
        ({"metadata": "all"}, "metadata: must be one of none, copyright, all_but_gps"),
        ({"background_image": "/no/such/file.png"}, "background_image: cannot be read: No such file"),
        ({"background_image": "s3://bucket/a.png"}, "background_image: must be a file on this machine"),
        ({"background_image": __file__}, "background_image: is no picture"),
        ({"format": "avif", "canvas": "40000x10"}, "a avif has at most 32,768 pixels a side"),
        ({"output_name": "thumb"}, "output_name: must have {stem} once"),
        ({"preset": "ebay"}, "preset: must be one of amazon-main, google-merchant, shopify"),
        ({"preset": "amazon-main", "background": ""}, "BG_FORMAT=jpg cannot be transparent"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(written: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        made(**written)

    assert said in str(error.value)


def test_a_background_is_a_colour_or_a_picture(tmp_path: Path) -> None:
    backdrop = tmp_path / "wall.png"
    backdrop.write_bytes(product(1))
    with pytest.raises(ConfigurationError, match="background_image exclude each other"):
        made(background="white", background_image=str(backdrop))


def test_another_picture_behind_the_subject_is_another_rendition(tmp_path: Path) -> None:
    backdrop = tmp_path / "wall.png"
    digests = []
    for shade in (1, 2, 1):
        backdrop.write_bytes(product(shade))
        digests.append(made(background_image=str(backdrop)).digest)

    assert digests[0] == digests[2] != digests[1]


def test_two_ways_to_write_one_rendition_give_one_name() -> None:
    assert made(canvas="90x90", fill=0.85).digest == made(canvas="90x90", padding=0.075).digest


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_makes_a_rendition(name: str) -> None:
    assert made(preset=name).canvas


def test_the_presets_are_within_what_their_marketplaces_publish() -> None:
    amazon, google, shopify = (made(preset=name) for name in ("amazon-main", "google-merchant", "shopify"))

    assert (amazon.format, amazon.background, amazon.shadow) == (Format.JPG, "#ffffff", 0.0)
    assert 1 - 2 * amazon.padding >= 0.85
    assert 1000 <= min(amazon.canvas or ()) <= max(amazon.canvas or ()) <= 10_000
    assert 0.75 <= 1 - 2 * google.padding <= 0.9
    assert min(google.canvas or ()) >= 1500
    assert not google.upscale
    assert shopify.canvas == (2048, 2048)


def test_a_field_that_is_set_replaces_that_of_the_preset_and_the_other_way_to_say_it() -> None:
    chosen = made(preset="amazon-main", canvas="3000x3000", padding=0.05, background="#f0f0f0")

    assert (chosen.canvas, chosen.padding, chosen.background) == ((3000, 3000), 0.05, "#f0f0f0")
    assert made(preset="shopify", format="png").format is Format.PNG


def test_a_preset_can_be_a_variable() -> None:
    settings = RawSettings({"bg_preset": "google-merchant", "bg_fill": "0.8"}).part(
        RenditionSettings, "rendition", "main"
    )

    assert settings.rendition() == made(preset="google-merchant", fill=0.8)


SEVERAL = """
[catalogue.shop]
source = "a"
output = "b"
renditions = ["large", "thumb"]
[rendition.large]
format = "webp"
[rendition.thumb]
longest_side = 400
[[catalogue.shop.recipe]]
match = ["rings"]
renditions = ["thumb"]
"""


def settings_in(folder: Path, text: str = SEVERAL) -> Settings:
    (folder / "bg_pipeline.toml").write_text(text)
    return load_settings()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_catalogue_names_several_renditions_the_first_is_the_main_one(folder: Path) -> None:
    settings = settings_in(folder)
    recipe = settings.recipe

    assert (list(settings.renditions), list(recipe.others)) == (["large", "thumb"], ["thumb"])
    assert (recipe.rendition.format, recipe.rendition.output_name) == (Format.WEBP, "{stem}")
    assert (recipe.others["thumb"].longest_side, recipe.others["thumb"].output_name) == (400, "{stem}.thumb")
    rings = settings.recipes.of("rings/a.jpg")
    assert (rings.rendition.longest_side, rings.rendition.output_name, rings.others) == (400, "{stem}", {})


def test_a_variable_names_several_renditions_by_commas(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BG_SOURCE", "a"), ("BG_OUTPUT", "b"), ("BG_RENDITION", "thumb, large")):
        monkeypatch.setenv(name, value)
    tables = "[rendition.large]\n[rendition.thumb]\nlongest_side = 400\n"

    assert list(settings_in(folder, tables).renditions) == ["thumb", "large"]


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        (
            '"thumb"]\n[rendition.l',
            '"gone"]\n[rendition.l',
            "[catalogue.shop] renditions: there is no",
        ),
        ('"large", "thumb"', '"large", "large"', "large is named twice"),
        ("thumb", "main", "of several renditions, 'main' can only be the first"),
        ("thumb", '"a b"', "'a b' needs a name of at most 60 letters"),
        ("longest_side = 400", 'output_name = "{folder}/{stem}"\nformat = "webp"', "give their outputs one name"),
        (
            'gs"]\nrenditions = ["thumb"]',
            'gs"]\nrenditions = ["x"]',
            "recipe.1] renditions: there is no",
        ),
    ],
)
def test_renditions_that_cannot_stand_side_by_side_are_refused(
    folder: Path, written: str, instead: str, said: str
) -> None:
    text = SEVERAL.replace(written, instead).replace('""a b""', '"a b"')
    with pytest.raises(ConfigurationError) as error:
        settings_in(folder, text)

    assert said in str(error.value)
