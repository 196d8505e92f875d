"""Settings of several catalogues: what each has of its own, what all share, and what is said about wrong ones."""

from decimal import Decimal
from pathlib import Path

import pytest

from bg_pipeline.core.credits import DayCap
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.settings.reader import read
from bg_pipeline.wiring.settings import accounts_elsewhere, catalogue_names, load_schedule, load_settings, settings_of

TWO = """
bg_low_credits = 7
bg_timezone = "Asia/Tokyo"
bg_max_credits_per_day = 100

[catalogue.brand_a]
source = "a/images"
output = "a/cutouts"
accounts = ["main"]
nightly_cron = "0 1 * * *"
timezone = "Europe/Paris"
max_credits_per_run = 3

[catalogue.brand_b]
source = "b/images"
output = "b/cutouts"
accounts = ["main", "spare"]
renditions = ["web"]

[account.main]
vendor = "removebg"
api_key = "k1"
concurrency = 5
low_credits = 20
max_credits_per_day = 40
timezone = "America/New_York"

[account.spare]
vendor = "bgeraser"
api_key = "k2"

[rendition.web]
format = "webp"

[rendition.brand_a]
format = "jpg"
background = "white"
"""


@pytest.fixture(autouse=True)
def _two() -> None:
    write(TWO)


def write(text: str) -> None:
    Path("bg_pipeline.toml").write_text(text)


def test_each_catalogue_has_its_own_source_output_rendition_accounts_night_and_gallery(tmp_path: Path) -> None:
    a, b = load_settings("brand_a"), load_settings("brand_b")

    assert catalogue_names(read()) == ("brand_a", "brand_b")
    assert [(each.catalogue.source_name, each.catalogue.output) for each in (a, b)] == [
        (f"{tmp_path}/a/images", f"{tmp_path}/a/cutouts"),
        (f"{tmp_path}/b/images", f"{tmp_path}/b/cutouts"),
    ]
    assert [(next(iter(each.renditions)), each.recipe.rendition.format) for each in (a, b)] == [
        ("brand_a", "jpg"),
        ("web", "webp"),
    ]
    assert [[account.name for account in each.accounts] for each in (a, b)] == [["main"], ["main", "spare"]]
    assert (a.schedule.nightly_cron, a.schedule.timezone, a.schedule.max_credits_per_run) == (
        "0 1 * * *",
        "Europe/Paris",
        3,
    )
    assert load_schedule("brand_a") == a.schedule
    assert a.catalogue.gallery != b.catalogue.gallery


def test_a_global_variable_is_the_default_of_every_catalogue_and_account() -> None:
    b = load_settings("brand_b")
    main, spare = b.accounts

    assert (b.schedule.nightly_cron, b.schedule.timezone) == ("0 2 * * *", "Asia/Tokyo")
    assert (main.limits.thresholds.low, spare.limits.thresholds.low) == (20, 7)
    assert (main.limits.concurrency, spare.limits.concurrency) == (5, 8)
    assert (main.limits.timezone, spare.limits.timezone) == ("America/New_York", "Asia/Tokyo")


def test_the_rules_of_an_account_are_the_same_whichever_catalogue_buys() -> None:
    rules = [settings.rules(settings.accounts[0]) for settings in map(load_settings, ("brand_a", "brand_b"))]

    assert rules[0] == rules[1]
    assert rules[0].day_caps == (
        DayCap(Decimal(100), "Asia/Tokyo"),
        DayCap(Decimal(40), "America/New_York", "main"),
    )


def test_without_a_name_the_catalogues_are_listed_and_a_variable_may_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    for load in (load_settings, load_schedule):
        with pytest.raises(ConfigurationError, match="choose one: --catalogue brand_a or brand_b"):
            load()
    with pytest.raises(ConfigurationError, match="there is no catalogue 'brand_c'; there are: brand_a, brand_b"):
        load_settings("brand_c")
    monkeypatch.setenv("BG_CATALOGUE", "brand_b")
    assert load_settings().catalogue_name == "brand_b"
    assert load_settings("brand_a").catalogue_name == "brand_a"


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("BG_SOURCE", r"BG_SOURCE: there are several catalogues: set source in \[catalogue.brand_a\] or"),
        ("BG_PROVIDER", r"BG_PROVIDER: there are several catalogues: set accounts in \[catalogue.brand_a\] or"),
        ("BG_FORMAT", r"BG_FORMAT: there are several renditions: set format in \[rendition.web\] or"),
    ],
)
def test_a_variable_that_could_mean_any_of_several_tables_is_refused(
    variable: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "webp")

    with pytest.raises(ConfigurationError, match=said):
        load_settings("brand_b")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('source = "a/images"', 'suorce = "a/images"'),
        ('source = "a/images"', 'source = "none://such"'),
        ('nightly_cron = "0 1 * * *"', "collection_depth = 99"),
        ('accounts = ["main"]', 'accounts = ["gone"]'),
        ('format = "jpg"', 'format = "gif"'),
    ],
)
def test_a_wrong_table_of_one_catalogue_stops_no_other(old: str, new: str) -> None:
    write(TWO.replace(old, new))

    assert load_settings("brand_b").catalogue_name == "brand_b"
    with pytest.raises(ConfigurationError):
        load_settings("brand_a")


def test_a_wrong_account_of_one_catalogue_stops_no_other() -> None:
    write(TWO.replace('vendor = "bgeraser"', 'vendor = "bgeraser"\napi = "v9"'))

    assert load_settings("brand_a").accounts[0].name == "main"
    with pytest.raises(ConfigurationError, match=r"\[account.spare\] api"):
        load_settings("brand_b")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("b/cutouts", "a/cutouts", r"\[catalogue.brand_.\] output and \[catalogue.brand_.\] output must not overlap"),
        ("b/cutouts", "a/cutouts/b", r"\[catalogue.brand_.\] output and \[catalogue.brand_.\] output must not overlap"),
        ("b/cutouts", "a/images/cutouts", r"\[catalogue.brand_b\] output and \[catalogue.brand_a\] source must not"),
        ("b/images", "a/cutouts", r"\[catalogue.brand_a\] output and \[catalogue.brand_b\] source must not"),
        ("b/cutouts", ".bg_pipeline/masters", r"BG_MASTERS and \[catalogue.brand_b\] output must not overlap"),
    ],
)
def test_what_one_catalogue_writes_is_not_where_another_reads_or_writes(old: str, new: str, said: str) -> None:
    write(TWO.replace(old, new))

    for name in ("brand_a", "brand_b"):
        with pytest.raises(ConfigurationError, match=said):
            load_settings(name)


def test_two_catalogues_may_read_the_same_source() -> None:
    write(TWO.replace("b/images", "a/images"))

    assert load_settings("brand_a").catalogue.source_name == load_settings("brand_b").catalogue.source_name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('renditions = ["web"]', 'renditions = ["print"]', r"there is no \[rendition.print\]; there are: web, brand_a"),
        ('renditions = ["web"]', "", r"\[catalogue.brand_b\] renditions: there are several renditions: name web or"),
        ("catalogue.brand_b", 'catalogue."b/b"', r"one of several catalogues has a name of at most 60 letters"),
        ("catalogue.brand_b", "catalogue.Brand_A", "the names differ only in case"),
        (
            'renditions = ["web"]',
            'renditions = ["web"]\ngallery = ".bg_pipeline/gallery/brand_a"',
            "must not be the same",
        ),
    ],
)
def test_what_cannot_be_two_catalogues_is_named(old: str, new: str, said: str) -> None:
    write(TWO.replace(old, new))

    with pytest.raises(ConfigurationError, match=said):
        load_settings(catalogue_names(read())[1])


def test_tables_from_elsewhere_are_tables_of_the_file_and_none_replaces_one() -> None:
    write("[account.main]\nvendor = 'removebg'\napi_key = 'k'\n")
    raw = read().with_tables({"catalogue": {"brand_c": {"output": "c"}, "brand_d": {"output": "d"}}})

    assert catalogue_names(raw) == ("brand_c", "brand_d")
    assert settings_of(raw, "brand_d").accounts[0].name == "main"
    with pytest.raises(ConfigurationError, match=r"\[account.main\] is set in bg_pipeline.toml and in defs/shop"):
        read().with_tables({"account": {"main": {}}}, "defs/shop")


def test_one_catalogue_needs_no_name_and_its_night_may_be_in_its_table() -> None:
    write("bg_timezone = 'Asia/Tokyo'\n[catalogue.shop]\ntimezone = 'Europe/Paris'\n")

    assert (load_settings().catalogue_name, load_schedule().timezone) == ("shop", "Europe/Paris")


def test_one_key_is_one_account() -> None:
    write(TWO.replace('vendor = "bgeraser"', 'vendor = "removebg"').replace('"k2"', '" k1"'))

    with pytest.raises(ConfigurationError, match=r"\[account.main\] and \[account.spare\] have the same api_key"):
        load_settings("brand_a")
    write(TWO.replace('"k2"', '"k1"'))
    assert load_settings("brand_a").accounts[0].name == "main"


@pytest.mark.parametrize(
    ("catalogue", "broken", "elsewhere"),
    [("brand_a", "", {"spare"}), ("brand_b", "", set()), ("brand_b", "collection_depth = 99", {"main", "spare"})],
)
def test_the_accounts_of_others_are_those_that_this_catalogue_does_not_use(
    catalogue: str, broken: str, elsewhere: set[str]
) -> None:
    write(TWO.replace('renditions = ["web"]', f'renditions = ["web"]\n{broken}'))

    assert accounts_elsewhere(read(), catalogue) == elsewhere


def test_the_only_catalogue_sees_all_accounts() -> None:
    write("[catalogue.shop]\naccounts = ['main']\n[account.main]\nvendor = 'local'\n[account.old]\nvendor = 'local'")

    assert accounts_elsewhere(read(), "shop") == frozenset()


RECIPES = """
[account.main]
vendor = "removebg"
api_key = "k"
params = "type=product"

[catalogue.shop]

[[catalogue.shop.recipe]]
match = ["cars"]
params = "type=car&shadow_type=car"

[[catalogue.shop.recipe]]
match = "rings, *-ring.jpg"
renditions = ["padded"]

[rendition.main]
format = "webp"

[rendition.padded]
padding = 0.2
canvas = "90x90"
"""


def test_a_table_of_a_recipe_changes_cut_or_rendition_for_the_keys_that_it_matches() -> None:
    write(RECIPES)
    recipes = load_settings().recipes
    car, ring, shoe = (recipes.of(key) for key in ("cars/1.jpg", "gold/2-ring.jpg", "shoes/1.jpg"))

    assert car.cut.params == {"size": "full", "type": "car", "shadow_type": "car"}
    assert ring.cut == shoe.cut == recipes.default.cut
    assert (car.rendition, ring.rendition.padding) == (shoe.rendition, 0.2)
    assert [recipes.name_of(key) for key in ("cars/1.jpg", "rings/1.jpg", "shoes/1.jpg")] == [
        *("cars", "rings, *-ring.jpg", "")
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('match = ["cars"]', "", r"\[catalogue.shop.recipe.1\] match: "),
        ('match = ["cars"]', "match = []", r"\[catalogue.shop.recipe.1\] match: "),
        ('match = ["cars"]', 'match = ["!cars"]', r"\[catalogue.shop.recipe.1\] match: pattern 1 begins with !"),
        (
            'match = ["cars"]',
            'match = ["cars"]\nformat = "png"',
            r"\[catalogue.shop.recipe.1\] format: unknown setting",
        ),
        (
            'renditions = ["padded"]',
            'renditions = ["gone"]',
            r"\[catalogue.shop.recipe.2\] renditions: there is no \[rendition",
        ),
        ("type=car&shadow_type=car", "type", r"\[catalogue.shop.recipe.1\] params: must be written as in a URL"),
        ("type=car&shadow_type=car", "size=huge", r"\[catalogue.shop.recipe.1\] params: "),
    ],
)
def test_a_wrong_table_of_a_recipe_is_named(old: str, new: str, said: str) -> None:
    write(RECIPES.replace(old, new))

    with pytest.raises(ConfigurationError, match=said):
        load_settings()
