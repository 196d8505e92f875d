"""A manifest in PostgreSQL and masters that come back from backups of different hours."""

import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from bg_pipeline_tests.e2e.shop import Shop, ShopInHere
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.stub_vendor import StubVendor
from bg_pipeline_tests.upgrade.shops import PG_BIN

pytestmark = pytest.mark.processes

FIRST, LATER = 4, 3


def libpq(url: str) -> str:
    return url.replace("+psycopg", "")


def dump(url: str, file: Path) -> None:
    subprocess.run([PG_BIN / "pg_dump", "-Fc", "-f", file, libpq(url)], check=True)


@pytest.fixture
def restored(postgres_server: str) -> Callable[[Path], str]:
    """Restores a dump into a new database on the server; returns its URL."""

    def restore(file: Path) -> str:
        name = f"restored_{uuid.uuid4().hex}"
        subprocess.run([PG_BIN / "psql", "-qc", f"CREATE DATABASE {name}", libpq(postgres_server)], check=True)
        url = sa.make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
        subprocess.run([PG_BIN / "pg_restore", "--exit-on-error", "-d", libpq(url), file], check=True)
        return url

    return restore


@pytest.fixture
def shop(tmp_path: Path, vendor: StubVendor, postgres_url: str) -> Shop:
    made = ShopInHere(tmp_path, vendor, vendor.base_url)  # type: ignore[arg-type]
    made.env["BG_STATE"] = postgres_url
    for n in range(FIRST):
        made.put(f"bags/{n}.png", product(n))
    assert made.json("sync")["published"] == FIRST
    return made


def more(shop: Shop) -> None:
    """Two more pictures, and another one under a known name."""
    for n in range(LATER - 1):
        shop.put(f"hats/{n}.png", product(50 + n))
    shop.put("bags/0.png", product(60))


def outputs(shop: Shop) -> dict[str, bytes]:
    folder = shop.home / "cutouts"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("[!.]*/*.png")}


@pytest.mark.parametrize("outputs_too", [False, True])
def test_a_manifest_from_the_middle_of_a_run_finds_all_that_was_bought_since(
    shop: Shop, vendor: StubVendor, restored: Callable[[Path], str], tmp_path: Path, outputs_too: bool
) -> None:
    """The dump has requests in flight, whose answers came after it."""
    more(shop)
    vendor.latency_s = 3.0
    running = Shop.start(shop, "sync")
    until = time.monotonic() + 60
    while attempts(shop.env["BG_STATE"], "intent") < LATER:
        assert time.monotonic() < until
        time.sleep(0.05)
    dump(shop.env["BG_STATE"], tmp_path / "manifest.dump")
    running.communicate(timeout=120)
    assert running.returncode == 0
    after, vendor.latency_s = outputs(shop), 0.0
    shop.env["BG_STATE"] = restored(tmp_path / "manifest.dump")
    if outputs_too:
        shutil.rmtree(shop.home / "cutouts")
    vendor.sold.clear()
    forget_claims_of_the_dead(shop.env["BG_STATE"])
    done = shop.json("sync")

    assert (done["purchases"], vendor.sold) == (0, [])
    assert outputs(shop) == after
    assert attempts(shop.env["BG_STATE"], "charged") == FIRST + LATER
    assert shop.json("sync")["published"] == 0
    assert shop.json("check", "--masters")["damaged_masters"] == []


def attempts(url: str, state: str) -> int:
    engine = sa.create_engine(url)
    with engine.connect() as conn:
        query = sa.text("SELECT count(*) FROM attempts WHERE state = :state")
        found = conn.execute(query, {"state": state}).scalar_one()
    engine.dispose()
    return int(found)


def forget_claims_of_the_dead(url: str) -> None:
    """As time does: hours are between a backup and its restoration."""
    engine = sa.create_engine(url)
    with engine.begin() as conn:
        conn.execute(sa.text("UPDATE leases SET ends_at = 1"))
        conn.execute(sa.text("UPDATE claims SET ends_at = 1"))
    engine.dispose()


def test_masters_of_an_earlier_hour_are_told_of_and_bought_again_only_on_request(
    shop: Shop, vendor: StubVendor, restored: Callable[[Path], str], tmp_path: Path
) -> None:
    for store in ("cutouts", ".bg_pipeline/masters"):
        shutil.copytree(shop.home / store, tmp_path / "earlier" / store)
    more(shop)
    assert shop.json("sync")["purchases"] == LATER
    after = outputs(shop)
    dump(shop.env["BG_STATE"], tmp_path / "manifest.dump")
    shutil.copytree(shop.home / ".bg_pipeline" / "masters", tmp_path / "lost")
    for store in ("cutouts", ".bg_pipeline/masters"):
        shutil.rmtree(shop.home / store)
        shutil.copytree(tmp_path / "earlier" / store, shop.home / store)
    shop.env["BG_STATE"] = restored(tmp_path / "manifest.dump")
    vendor.sold.clear()

    told = shop.json("check", "--masters", code=1)
    assert {each["key"] for each in told["damaged"]} == {"bags/0.png", "hats/0.png", "hats/1.png"}
    assert [each["problem"] for each in told["damaged_masters"]] == ["missing"] * LATER
    assert shop.json("sync", code=1)["pending"] == LATER - 1
    waiting = {each["key"]: each["why"] for each in shop.json("failures")}
    assert waiting.keys() == {"hats/0.png", "hats/1.png"}
    assert all("restore the file from a backup of BG_MASTERS" in why for why in waiting.values())
    assert vendor.sold == []

    shop.run("review", "redo", "hats/0.png")
    assert shop.json("sync", code=1)["purchases"] == len(vendor.sold) == 1
    shutil.copytree(tmp_path / "lost", shop.home / ".bg_pipeline" / "masters", dirs_exist_ok=True)
    assert shop.json("check", code=1)["damaged"][0]["then"].startswith("the next sync renders it again")
    assert shop.json("sync")["published"] == LATER - 1
    assert len(vendor.sold) == 1
    assert outputs(shop) == after
