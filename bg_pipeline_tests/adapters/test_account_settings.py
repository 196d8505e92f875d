"""Settings of vendor accounts: which are tried, in which order, and what their cuts are called."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from bg_pipeline.core.recipe import Cut, Tool
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.vendors.bgeraser.vendor import BgeraserSettings, Endpoint
from bg_pipeline.vendors.registry import OURS, plugin
from bg_pipeline_tests.adapters.made_settings import BGERASER, PHOTOROOM, REMOVEBG, offer_of, settings_of
from bg_pipeline_tests.graph import call_here


def test_vendors_are_tried_in_the_order_in_which_they_are_named() -> None:
    settings = settings_of(
        **{**REMOVEBG, **BGERASER, "BG_PROVIDER": "bgeraser, removebg,local"},
        BGERASER_TOOLS="upscale?factor=2, generative-expand",
    )
    first, second, third = settings.recipe.cuts

    assert [account.name for account in settings.accounts] == ["bgeraser", "removebg", "local"]
    assert (first.provider, second.provider, third.provider) == ("bgeraser", "removebg", "local")
    assert first.tools == (Tool("upscale", {"factor": "2"}), Tool("generative-expand"))
    assert second.tools == third.tools == ()
    assert len({cut.digest for cut in settings.recipe.cuts}) == 3


def test_parameters_are_the_first_accounts_and_part_of_its_cut() -> None:
    plain = offer_of("removebg", **REMOVEBG).cut
    cut = offer_of("removebg", **REMOVEBG, BG_PARAMS="type=product&roi=0%25+0%25+90%25+90%25").cut

    assert cut.params == {"size": "full", "type": "product", "roi": "0% 0% 90% 90%"}
    assert cut.digest != plain.digest
    assert offer_of("photoroom", **REMOVEBG, BG_PARAMS="type=product").cut.params == {"size": "full"}


@pytest.mark.parametrize(
    ("vendor", "names", "variant", "endpoint", "params", "max_side_px", "pixels"),
    [
        ("bgeraser", {}, "tools", "", {}, 9000, 0),
        ("bgeraser", {"BGERASER_API": "v1"}, "v1", "", {"size": "full", "format": "png"}, 9000, 10_000_000),
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
    vendor: str,
    names: dict[str, str],
    variant: str,
    endpoint: str,
    params: dict[str, str],
    max_side_px: int,
    pixels: int,
) -> None:
    cut = offer_of(vendor, BG_MAX_PIXELS_SENT="9000", **names).cut

    assert (cut.max_side_px, cut.max_pixels) == (max_side_px, pixels)
    assert replace(cut, vendor_side_px=0, max_pixels=0, former=None) == Cut(vendor, 9000, endpoint, variant, params)


def test_a_watermarked_cutout_is_not_taken_for_bought() -> None:
    real = offer_of("photoroom", **PHOTOROOM).cut

    assert offer_of("photoroom", PHOTOROOM_API_KEY="sandbox_k").cut.digest != real.digest


def test_each_api_of_bgeraser_has_its_own_defaults_and_all_can_be_set() -> None:
    assert BgeraserSettings().endpoint == Endpoint(
        "https://bgeraser.ink", "/api/tools/bg-removal", "/api/account", "bearer"
    )
    v1 = BgeraserSettings(api="v1")
    assert v1.endpoint == Endpoint("https://api.bgeraser.ink", "/v1/removebg", "/v1/account", "x-api-key")
    own = BgeraserSettings(api="v1", base_url="https://a.example", path="/b", account_path="/c", auth="bearer")
    assert own.endpoint == Endpoint("https://a.example", "/b", "/c", "bearer")


def test_a_key_with_a_line_break_behind_it_is_the_key() -> None:
    (account,) = settings_of(BG_PROVIDER="removebg", REMOVEBG_API_KEY=" key\n").accounts

    assert account.settings.key == "key"  # type: ignore[attr-defined]


@pytest.mark.parametrize("vendor", ["local", "bgeraser", "removebg", "photoroom"])
def test_every_vendor_of_the_list_can_be_made(vendor: str) -> None:
    found = plugin(vendor)
    keys = {"api_key": SecretStr("k")} if "api_key" in found.settings.model_fields else {}

    assert found.client(found.settings(**keys), call_here)


@pytest.mark.parametrize("vendor", OURS)
def test_a_vendor_is_called_like_its_folder_and_its_variables_begin_so(vendor: str) -> None:
    found = plugin(vendor)

    # Of an engine here, variables begin with BG_: those of rembg itself begin with its name.
    prefix = f"bg_{vendor}" if vendor == "rembg" else vendor
    assert (found.vendor.name, found.settings.prefix) == (vendor, prefix)


def test_what_a_sandbox_cut_is_not_taken_for_bought() -> None:
    real = settings_of(**BGERASER).recipe.cut.digest

    assert settings_of(**BGERASER, BGERASER_BASE_URL="http://127.0.0.1:8787").recipe.cut.digest != real


@pytest.mark.parametrize("name", ["BGERASER_PATH", "BGERASER_ACCOUNT_PATH"])
@pytest.mark.parametrize("path", ["@host/x", "api/x", "/a@b", "//\tx", "/x\n", "/x?key=1", ":1/x"])
def test_a_path_cannot_lead_the_key_to_another_host(name: str, path: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}: must be a path that begins with a slash"):
        settings_of(**BGERASER, **{name: path})


@pytest.mark.parametrize(
    ("accounts", "passed_on"),
    [("local, removebg", 1), ("local,rembg,removebg", 2), ("local,rembg", 1), ("local,removebg,bgeraser", 1)],
)
def test_suspicious_results_of_engines_are_passed_on_if_asked(accounts: str, passed_on: int) -> None:
    names = {**REMOVEBG, **BGERASER, "BG_PROVIDER": accounts}

    assert settings_of(**names, BG_SUSPICIOUS="next").recipe.passed_on == passed_on
    assert settings_of(**names).recipe.passed_on == 0


@pytest.mark.parametrize("accounts", ["local", "removebg", "removebg,local"])
def test_an_order_in_which_nothing_can_be_passed_on_is_explained(accounts: str) -> None:
    with pytest.raises(ConfigurationError, match="BG_SUSPICIOUS=next: begin BG_PROVIDER with an engine"):
        settings_of(**{**REMOVEBG, "BG_PROVIDER": accounts}, BG_SUSPICIOUS="next")
