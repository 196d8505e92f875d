"""Every vendor's client against the sandbox, through the command line: what is bought, and what is paid for it."""

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from bg_pipeline.core.gate import GateState, by_hand
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.gates import SqlGates
from bg_pipeline.sandbox.faults import Chance, FaultKind
from bg_pipeline.sandbox.ledger import Vendor
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import Plan, SandboxState
from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.pictures import cut_middle, opened, product

WAIT_FOR_THE_CLIENT = {FaultKind.HANG, FaultKind.SLOW_LORIS}
"""They end after a minute or two; the clients' own tests have them."""

CALLS = 150
"""More than a soak makes."""


def ends_soon(seed: int) -> bool:
    chance = Chance(rate=0.1, seed=seed)
    return not any(
        fault and fault.kind in WAIT_FOR_THE_CLIENT for fault in (chance.fault(n, 0.0) for n in range(CALLS))
    )


SEED = next(filter(ends_soon, itertools.count()))


@contextmanager
def a_shop(home: Path, vendor: SandboxState, pictures: int = 4, **settings: str) -> Iterator[Shop]:
    with running_sandbox(vendor, cut_middle) as running:
        shop = Shop(home, vendor, running.base_url)
        for name in ("REMOVEBG", "PHOTOROOM"):
            shop.env |= {f"{name}_API_KEY": "canary-key", f"{name}_BASE_URL": running.base_url}
        shop.env |= settings
        for n in range(pictures):
            shop.put(f"hats/{n}.png", product(n))
        yield shop


def paid(shop: Shop) -> dict[str, float]:
    """Credits by vendor, as the sandbox took them."""
    found: Counter[str] = Counter()
    for charge in shop.vendor.ledger.charges():
        found[charge.vendor] += float(charge.credits)  # type: ignore[assignment]
    return dict(found)


def on_our_ledger(shop: Shop) -> dict[str, float]:
    sums = shop.json("ledger")["providers"]
    return {provider: found["charged"] for provider, found in sums.items() if found["charged"]}


PREVIEW = {"BG_PROVIDER": "removebg", "REMOVEBG_SIZE": "preview", "BG_LOW_CREDITS": "1"}
SETTINGS: dict[str, dict[str, str]] = {
    "bgeraser v1": {"BG_PROVIDER": "bgeraser", "BGERASER_API": "v1", "BGERASER_API_KEY": "bge_canary-key"},
    "removebg": {"BG_PROVIDER": "removebg"},
    "removebg preview": PREVIEW,
    "photoroom basic": {"BG_PROVIDER": "photoroom"},
    "photoroom plus": {"BG_PROVIDER": "photoroom", "PHOTOROOM_PLAN": "plus"},
}
"""bgeraser's tools are what `test_cli.py` buys."""


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_sync_publishes_all_and_both_ledgers_agree(settings: dict[str, str], tmp_path: Path) -> None:
    plan: Plan = "plus" if settings.get("PHOTOROOM_PLAN") == "plus" else "basic"
    with a_shop(tmp_path, SandboxState(photoroom_plan=plan), **settings) as shop:
        assert shop.json("sync")["published"] == 4

        assert paid(shop) == on_our_ledger(shop)
        price = 0.25 if settings is PREVIEW else 1.0
        assert paid(shop) == {settings["BG_PROVIDER"]: 4 * price}


def test_an_account_of_another_plan_stops_before_anything_is_bought(tmp_path: Path) -> None:
    with a_shop(tmp_path, SandboxState(photoroom_plan="basic"), **SETTINGS["photoroom plus"]) as shop:
        shop.run("sync", code=2)

        assert "the account has the plan basic, where each edit is charged as five images" in shop.err
        assert paid(shop) == {}


SERVICE = """
[account.{name}]
vendor = "removebg_protocol"
api_key = "canary-key"
base_url = "{url}"
{more}
"""


@pytest.mark.processes
def test_two_services_with_one_protocol_are_vendors_of_their_own(tmp_path: Path) -> None:
    """The first has two credits and no balance that can be read: its refusal is what sends the rest to the second."""
    short = SandboxState({"removebg": Decimal(2)})
    with (
        running_sandbox(short, cut_middle) as first,
        a_shop(tmp_path, SandboxState(), BG_PROVIDER="", BG_CONCURRENCY="1") as shop,
    ):
        second = SERVICE.format(name="second", url=shop.env["REMOVEBG_BASE_URL"], more="account_path = '/v1.0/account'")
        (tmp_path / "bg_pipeline.toml").write_text(
            SERVICE.format(name="first", url=first.base_url, more="auth = 'bearer'") + second
        )
        assert shop.json("sync")["bought_from"] == {"first": 2, "second": 2}
        assert on_our_ledger(shop) == {"first": 2.0, "second": 2.0}
        gates = {gate["provider"]: gate for gate in shop.json("gate")}
        assert (gates["first"]["reason"], gates["second"]["state"]) == ("no_credits", "open")

        shop.run("gate", "open", "first")
        assert "no balance can be read: only the caps limit what is spent" in shop.run("gate")
        told = {each["check"]: each["detail"] for each in shop.json("doctor")}
        assert "no balance can be read" in told["account first"]
        assert "credits" in told["account second"]


@pytest.mark.processes
def test_a_cap_holds_where_no_balance_can_be_read(tmp_path: Path) -> None:
    with a_shop(tmp_path, SandboxState(), BG_PROVIDER="removebg_protocol") as shop:
        shop.env |= {
            "REMOVEBG_PROTOCOL_API_KEY": "canary-key",
            "REMOVEBG_PROTOCOL_BASE_URL": shop.env["REMOVEBG_BASE_URL"],
        }
        shop.run("sync", "--max-credits", "3", code=4)

        assert paid(shop) == {"removebg": 3.0}
        shop.env["BG_MAX_CREDITS_PER_DAY"] = "3"
        shop.run("sync", code=4)
        assert paid(shop) == {"removebg": 3.0}


def test_free_calls_are_counted(tmp_path: Path) -> None:
    with a_shop(tmp_path, SandboxState(), 2, BG_PROVIDER="photoroom", PHOTOROOM_API_KEY="sandbox_canary-key") as shop:
        assert shop.json("sync", code=1)["quarantined"] == 2  # for their watermark
        told = {each["check"]: each["detail"] for each in shop.json("doctor")}

        assert "free calls: 2 of 100 in 24 hours, 2 of 1,000 in 30 days" in told["account photoroom"]


def test_an_empty_account_falls_over_to_the_next_vendor(tmp_path: Path) -> None:
    vendor = SandboxState({"bgeraser": Decimal(0)})
    with a_shop(tmp_path, vendor, BG_PROVIDER="bgeraser,removebg") as shop:
        assert shop.json("sync")["bought_from"] == {"removebg": 4}
        assert paid(shop) == on_our_ledger(shop) == {"removebg": 4.0}


def test_accounts_keep_their_own_names_in_gates_and_ledger(tmp_path: Path) -> None:
    """The cut keeps the name of its vendor: what was bought on one account is not bought again on another."""
    tables = "[account.{}]\nvendor = 'bgeraser'\n[account.{}]\nvendor = 'removebg'\n"
    (tmp_path / "bg_pipeline.toml").write_text(tables.format("first", "second"))
    with a_shop(tmp_path, SandboxState({"bgeraser": Decimal(2)}), BG_PROVIDER="", BG_LOW_CREDITS="0") as shop:
        assert shop.json("sync")["bought_from"] == {"first": 2, "second": 2}
        assert paid(shop) == {"bgeraser": 2.0, "removebg": 2.0}
        assert on_our_ledger(shop) == {"first": 2.0, "second": 2.0}
        assert {gate["provider"]: gate["state"] for gate in shop.json("gate")} == {"first": "closed", "second": "open"}
        shop.run("gate", "open", "first")

        (tmp_path / "bg_pipeline.toml").write_text(tables.format("renamed", "second"))
        assert shop.json("sync")["purchases"] == 0
        assert set(shop.json("plan")["providers"]) >= {"renamed", "second", "local", "photoroom"}


@pytest.mark.parametrize(
    ("settings", "size", "is_opaque"),
    [
        ({"BG_PROVIDER": "removebg", "BG_PARAMS": "crop=true&crop_margin=2px"}, (29, 21), False),
        ({"BG_PROVIDER": "removebg", "BG_PARAMS": "bg_color=white"}, (48, 32), True),
        (
            {"BG_PROVIDER": "photoroom", "PHOTOROOM_PLAN": "plus", "BG_PARAMS": "outputSize=80x80&padding=10%25"},
            (80, 80),
            False,
        ),
        ({"BGERASER_TOOLS": "upscale", "BGERASER_TOOLS_ONLY": "true"}, (96, 64), True),
    ],
    ids=["crop", "background", "frame", "tool alone"],
)
def test_a_finished_picture_is_published_as_the_vendor_made_it(
    settings: dict[str, str], size: tuple[int, int], is_opaque: bool, tmp_path: Path
) -> None:
    with a_shop(tmp_path, SandboxState(photoroom_plan="plus"), 1, **settings) as shop:
        assert shop.json("sync")["published"] == 1
        image = opened((tmp_path / "cutouts/hats/0.png").read_bytes())

        assert abs(image.width - size[0]) + abs(image.height - size[1]) <= 4
        assert (image.convert("RGBA").getchannel("A").getextrema()[0] == 255) is is_opaque
        assert sum(paid(shop).values()) == 1


def test_a_further_step_is_a_second_credit_that_is_paid_once(tmp_path: Path) -> None:
    with a_shop(tmp_path, SandboxState(), BGERASER_TOOLS="upscale") as shop:
        assert shop.json("sync")["published"] == 4
        assert shop.json("sync")["purchases"] == 0
        assert paid(shop) == on_our_ledger(shop) == {"bgeraser": 8.0}
        assert opened((tmp_path / "cutouts/hats/0.png").read_bytes()).size == (96, 64)


def test_an_auto_size_that_drops_to_previews_stops_before_one_is_published(tmp_path: Path) -> None:
    settings = {"BG_PROVIDER": "removebg", "REMOVEBG_SIZE": "auto", "BG_LOW_CREDITS": "0", "BG_CONCURRENCY": "1"}
    with a_shop(tmp_path, SandboxState({"removebg": Decimal("2.75")}), 0, **settings) as shop:
        for n in range(5):
            shop.put(f"hats/{n}.jpg", product(n, size=(800, 600), kind="JPEG"))
        shop.run("sync", code=3)

        (gate,) = shop.json("gate")
        assert (gate["state"], gate["reason"]) == ("closed", "quality")
        cutouts = list((tmp_path / "cutouts").rglob("*.png"))
        assert [opened(path.read_bytes()).size for path in cutouts] == [(800, 600)] * 2
        assert paid(shop) == on_our_ledger(shop) == {"removebg": 2.25}


@pytest.mark.processes
@pytest.mark.parametrize("name", ["bgeraser", "removebg", "photoroom"])
def test_a_bad_day_at_a_vendor_loses_nothing_and_overcharges_no_account(name: Vendor, tmp_path: Path) -> None:
    vendor = SandboxState(chance=Chance(rate=0.1, seed=SEED))
    with a_shop(tmp_path, vendor, 60, BG_PROVIDER=name) as shop:
        for _ in range(8):
            shop.end(shop.start("sync"))
            items = shop.json("status")["items"]
            # An answer that is not ready, or a charge that only a later balance tells of.
            waits = {a["item"] for a in shop.json("ledger")["attempts"] if a["became"] in {"answered", "in_doubt"}}
            ended = sum(items.get(state, 0) for state in ("published", "failed", "quarantined"))
            if ended + min(items.get("pending", 0), len(waits)) == 60:
                break
            with_open_gate(tmp_path, name)

        assert vendor.faults.done()
        assert ended + min(items.get("pending", 0), len(waits)) == 60, items
        cutouts = list((tmp_path / "cutouts").rglob("*.png"))
        assert len(cutouts) == items["published"]
        assert {opened(path.read_bytes()).size for path in cutouts} == {(48, 32)}
        maybe = [
            a for a in shop.json("ledger")["attempts"] if a["became"] in {"charged", "unusable", "in_doubt", "answered"}
        ]
        assert len(vendor.ledger.charges()) <= len(maybe)
        assert max(Counter(a["purchase_id"] for a in maybe).values()) <= 3
        assert max(Counter(charge.sha256 for charge in vendor.ledger.charges()).values()) <= 3


def with_open_gate(home: Path, provider: str) -> None:
    """As a person opens it who knows that the vendor is well again."""
    database = Database(f"sqlite:///{home}/.bg_pipeline/manifest.db")
    SqlGates(database).change_gate(provider, lambda gate: by_hand(gate, GateState.OPEN, "", gate.since))
    database.close()
