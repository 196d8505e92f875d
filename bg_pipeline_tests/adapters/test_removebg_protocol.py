"""Services that keep remove.bg's protocol, each a vendor by configuration."""

from decimal import Decimal
from typing import Any

import pytest

from bg_pipeline.core.credits import NO_BALANCE
from bg_pipeline.core.prices import credits_for, quote
from bg_pipeline.errors import AccountError, ConfigurationError, NoCredits, QualityDropped
from bg_pipeline.ports.purchasing import Remover
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.wiring.accounts import Account
from bg_pipeline.wiring.settings import compose
from bg_pipeline_tests.adapters.clients import KEY, bought, request
from bg_pipeline_tests.adapters.server import Vendor
from bg_pipeline_tests.graph import call_here
from bg_pipeline_tests.pictures import cutout_of, opened


def table(**more: Any) -> dict[str, Any]:
    return {"vendor": "removebg_protocol", "base_url": "https://a.example", "api_key": KEY, **more}


def accounts(**tables: dict[str, Any]) -> tuple[Account, ...]:
    return compose(RawSettings(tables={"account": tables})).accounts


def client_of(account: Account) -> Remover:
    return account.plugin.client(account.settings, call_here)


def test_several_services_stand_in_a_fallback_order_each_with_its_price() -> None:
    first, second = accounts(
        first=table(usd_per_credit="0.05", credits_per_call="2"),
        second=table(base_url="https://b.example", usd_per_credit="0.1", account_path="/v1.0/account"),
    )

    assert [first.name, second.name] == ["first", "second"]
    assert [first.vendor.title, second.vendor.title] == ["a.example", "b.example"]
    assert [credits_for(each.vendor, each.cut, None) for each in (first, second)] == [2, 1]
    assert quote(first.vendor, first.cut, 10, None, Decimal(0))["money_usd"] == 1.0
    assert (first.vendor.has_balance, second.vendor.has_balance) == (False, True)
    assert first.cut.digest != second.cut.digest


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (table(), True),
        (table(api_key="another", usd_per_credit="7", auth="bearer", account_path="/account"), True),
        (table(base_url="https://a.example/v1.0", path="/removebg"), True),
        (table(base_url="https://b.example"), False),
        (table(base_url="https://a.example/cutouts"), False),
        (table(base_url="https://a.example:8443"), False),
        (table(path="/v2/removebg"), False),
        (table(params="type=product"), False),
    ],
)
def test_a_purchase_is_named_by_the_service_and_not_by_the_account(other: dict[str, Any], is_same: bool) -> None:
    (one,) = accounts(one=table())
    (renamed,) = accounts(renamed=other)

    assert (one.cut.digest == renamed.cut.digest) is is_same


def test_what_a_service_makes_is_not_taken_for_remove_bgs_own() -> None:
    (own,) = accounts(removebg={"vendor": "removebg", "api_key": KEY, "params": "format=png"})
    (other,) = accounts(other=table(base_url="https://api.remove.bg"))

    assert own.cut.digest != other.cut.digest


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"base_url": ""}, r"\[account.one\] base_url must be set: \[account.one\] api_key is sent there"),
        ({"base_url": "http://a.example"}, "must start with https://"),
        ({"base_url": "https://a.example?key=1"}, "must be a URL"),
        ({"path": "removebg"}, "begins with a slash"),
        ({"balance_field": "data..total"}, "balance_field: must be names with points"),
        ({"auth": "basic"}, "one of x-api-key, bearer"),
        ({"credits_per_call": "0"}, "credits_per_call"),
        ({"params": "size=hd"}, "REMOVEBG_PROTOCOL_SIZE sets it"),
        ({"params": "shadow_typ=drop"}, "a.example has no parameter shadow_typ; did you mean shadow_type"),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        accounts(one=table(**wrong))


def test_a_service_without_a_key_or_an_address_is_named_before_anything_is_bought() -> None:
    with pytest.raises(ConfigurationError, match="BG_PROVIDER=removebg_protocol needs REMOVEBG_PROTOCOL_BASE_URL"):
        compose(RawSettings({"bg_provider": "removebg_protocol"}))
    with pytest.raises(ConfigurationError, match="needs REMOVEBG_PROTOCOL_API_KEY: create a key in the dashboard"):
        compose(RawSettings({"bg_provider": "removebg_protocol", "removebg_protocol_base_url": "https://a.example"}))


@pytest.mark.parametrize(
    ("auth", "header"), [("x-api-key", ("X-Api-Key", KEY)), ("bearer", ("Authorization", f"Bearer {KEY}"))]
)
def test_the_call_goes_below_the_base_url_with_the_key_as_the_service_wants_it(
    vendor: Vendor, auth: str, header: tuple[str, str]
) -> None:
    (account,) = accounts(
        one=table(base_url=f"{vendor.base_url}/cutouts", auth=auth, params="type=product", params_unchecked="test=true")
    )
    sent = request(params=account.cut.params)
    vendor.say("/cutouts/v1.0/removebg", body=cutout_of(sent.image), headers={"X-Credits-Charged": "1"})

    assert opened(bought(client_of(account), sent)).size == (48, 32)
    (seen,) = vendor.seen
    assert seen.headers[header[0]] == header[1]
    assert {"X-Api-Key", "Authorization"} & seen.headers.keys() == {header[0]}
    assert seen.form == {
        "format": b"png",
        "size": b"full",
        "type": b"product",
        "test": b"true",
        "image_file": sent.image,
    }


def test_a_service_without_a_balance_is_never_asked_for_one(vendor: Vendor) -> None:
    (account,) = accounts(one=table(base_url=vendor.base_url))

    assert client_of(account).balance() is None
    assert vendor.seen == []
    assert "no balance can be read" in NO_BALANCE


def test_a_balance_is_read_where_the_settings_say(vendor: Vendor) -> None:
    (account,) = accounts(one=table(base_url=vendor.base_url, account_path="/api/credits", balance_field="plan.left"))
    vendor.say("/api/credits", body=b'{"plan": {"left": 12.5}}')

    assert client_of(account).balance() == Decimal("12.5")


@pytest.mark.parametrize(("status", "error"), [(402, NoCredits), (403, AccountError), (401, AccountError)])
def test_a_refusal_is_told_with_the_name_of_the_service(vendor: Vendor, status: int, error: type[Exception]) -> None:
    (account,) = accounts(one=table(base_url=vendor.base_url))
    vendor.say("/v1.0/removebg", status, b'{"errors": [{"title": "no"}]}')

    with pytest.raises(error, match=r"^127\.0\.0\.1 answered") as caught:
        client_of(account).cut(request())
    assert KEY not in str(caught.value)


def test_less_than_was_paid_for_is_told_apart(vendor: Vendor) -> None:
    (account,) = accounts(one=table(base_url=vendor.base_url))
    sent = request((1000, 800))
    vendor.say("/v1.0/removebg", body=cutout_of(sent.image), headers={"X-Width": "500", "X-Height": "400"})

    with pytest.raises(QualityDropped, match=r"127\.0\.0\.1 delivered less"):
        client_of(account).cut(sent)
