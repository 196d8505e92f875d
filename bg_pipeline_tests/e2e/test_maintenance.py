"""Upkeep by the command line: pictures of products, real parts, and a sandbox that counts every charge."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageChops, ImageStat

from bg_pipeline.cli.main import main
from bg_pipeline.demo.products import COLOURS, STYLES, shoot
from bg_pipeline.manifest.backup import refuse_damaged
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.pictures import encoded, opened


class ShopInHere(Shop):
    """Runs its commands in this process: starting a new one for each would take most of the time."""

    def run(self, *words: str, code: int = 0) -> str:
        refuse_damaged.cache_clear()
        done = CliRunner(env=self.env).invoke(main, words)
        assert done.exit_code == code, (done.exit_code, done.output, done.exception)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        self.err = done.stderr
        return done.stdout


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop of products, and a folder in which another tool left their cutouts."""
    vendor = SandboxState()
    shots: list[tuple[Image.Image, Image.Image]] = []

    def cut(image: Image.Image) -> Image.Image:
        if image.width == 90:
            return Image.new("L", image.size, 255)
        return min(shots, key=lambda shot: sum(ImageStat.Stat(ImageChops.difference(image, shot[0])).mean))[1]

    with running_sandbox(vendor, cut) as running:
        made = ShopInHere(tmp_path, vendor, running.base_url)
        rng = np.random.default_rng(3)
        for (family, (_, styles)), colour in zip(STYLES.items(), COLOURS, strict=False):
            picture, alpha = shoot(family, colour, styles[0], (240, 200), rng)
            shots.append((picture, alpha))
            made.put(f"{family}/{colour}.jpg", encoded(picture.convert("RGB"), "JPEG", quality=92))
            cutout = picture.convert("RGB")
            cutout.putalpha(alpha.convert("L"))
            (tmp_path / "old").mkdir(exist_ok=True)
            (tmp_path / "old" / f"{colour}.png").write_bytes(encoded(cutout))
        yield made


def outputs(shop: Shop) -> dict[str, bytes]:
    folder = shop.home / "cutouts"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}


def charges(shop: Shop) -> int:
    return len(shop.vendor.ledger.charges())


def test_a_deleted_manifest_is_rebuilt_and_the_vendor_never_hears_of_it(shop: Shop) -> None:
    count = shop.json("sync")["published"]
    before, paid = outputs(shop), charges(shop)
    for file in (shop.home / ".bg_pipeline").glob("manifest.db*"):
        file.unlink()
    found = shop.json("rebuild")
    assert (found["masters_taken_in"], found["damaged_masters"]) == (count, [])
    assert found["next_sync"] == {"purchases": 0, "credits": 0.0}

    assert shop.json("sync")["published"] == count
    assert outputs(shop) == before
    assert charges(shop) == paid == count
    assert shop.json("sync")["published"] == 0
    assert f"0 added, {count} known before" in shop.run("rebuild")


def test_a_lost_manifest_without_masters_is_rebuilt_from_the_outputs(shop: Shop) -> None:
    count = shop.json("sync")["published"]
    shutil.rmtree(shop.home / ".bg_pipeline")
    assert len(shop.json("rebuild")["adopted"]) == count

    assert shop.json("sync")["purchases"] == 0
    assert charges(shop) == count


def test_a_damaged_manifest_is_refused_before_anything_is_bought(shop: Shop) -> None:
    shop.run("plan")
    file = shop.home / ".bg_pipeline" / "manifest.db"
    with sqlite3.connect(file) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()
    data = bytearray(file.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 16] = b"\xa5" * 16
    file.write_bytes(data)
    shop.run("sync", code=7)
    assert "damaged" in shop.err
    assert "bg-pipeline rebuild" in shop.err
    assert charges(shop) == 0

    for part in file.parent.glob("manifest.db*"):
        part.unlink()
    shop.run("rebuild")
    assert shop.json("sync")["pending"] == 0


def test_a_folder_of_another_tool_is_taken_over_and_left_as_it_was(shop: Shop) -> None:
    count = len(STYLES)
    first, second = list(COLOURS)[:2]
    shutil.copyfile(shop.home / "old" / f"{second}.png", shop.home / "old" / f"{first}.png")
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (shop.home / "old").iterdir()}
    told = shop.json("adopt", "--from", "old", "--dry-run")
    assert (len(told["adopted"]), len(told["refused"]), told["next_sync"]) == (count - 1, 1, None)
    assert not (shop.home / ".bg_pipeline" / "masters").exists()

    said = shop.run("adopt", "--from", "old")
    assert f"adopted: {count - 1}; refused: 1" in said
    assert "another picture" in said
    assert "the next sync buys 1 for 1 credits" in said
    done = shop.json("sync")
    assert (done["published"], done["purchases"], charges(shop)) == (count, 1, 1)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (shop.home / "old").iterdir()} == before
    shop.run("adopt", "--from", "nowhere", code=2)


def test_cutouts_that_lie_in_the_output_already_are_adopted_from_there(shop: Shop) -> None:
    shutil.copytree(shop.home / "old", shop.home / "cutouts")

    assert len(shop.json("adopt")["adopted"]) == len(STYLES)
    assert shop.json("sync")["purchases"] == 0


def test_check_finds_what_was_altered_or_lost_and_the_next_sync_mends_it_for_nothing(shop: Shop) -> None:
    shop.run("sync")
    before, paid = outputs(shop), charges(shop)
    assert shop.json("check", "--masters") == {
        "outputs": len(before),
        "masters": len(before),
        "damaged": [],
        "damaged_masters": [],
        "exit": {"code": 0, "name": "done", "reason": "no file is damaged"},
    }
    assert sum(shop.json("check", "--subset", f"{n}/3")["outputs"] for n in (1, 2, 3)) == len(before)

    altered, missing = sorted(before)[:2]
    (shop.home / "cutouts" / altered).write_bytes(before[altered][:-1] + b"\0")
    (shop.home / "cutouts" / missing).unlink()
    found = shop.json("check", code=1)["damaged"]
    assert [(d["output"], d["problem"]) for d in found] == [(altered, "altered"), (missing, "missing")]
    assert "2 damaged" in shop.run("check", code=1)
    assert shop.json("sync")["purchases"] == 0
    assert outputs(shop) == before
    assert charges(shop) == paid
    shop.run("check")


def test_a_part_that_is_none_is_explained(shop: Shop) -> None:
    for subset in ("0/7", "8/7", "1", "1/0", "a/b", "-1/7"):
        shop.run("check", "--subset", subset, code=2)
        assert "such as 1/7" in shop.err


def test_a_person_decides_about_a_suspicious_result(shop: Shop) -> None:
    for n in range(2):
        shop.put(f"odd/{n}.png", encoded(Image.new("RGB", (90, 60), (40, 90, 50 + n))))
    assert shop.json("sync", code=1)["quarantined"] == 2
    first, second = shop.json("review")
    assert (first["key"], first["page"]) == ("odd/0.png", None)
    assert "nothing was removed" in first["why"]
    assert opened((shop.home / first["master"]).read_bytes()).size == (90, 60)
    assert "odd/1.png" in shop.run("review", "list")

    paid = charges(shop)
    approved = shop.json("review", "approve", "odd/0.png")
    assert (approved["decision"], approved["keys"]) == ("approve", ["odd/0.png"])
    assert "until its picture changes" in shop.run("review", "reject", second["key"], "--why", "empty")
    assert shop.json("sync")["published"] == 1
    assert (shop.home / "cutouts/odd/0.png").exists()
    assert shop.json("failures", "--accepted") == []
    (made,) = shop.json("why", "odd/1.png")["decisions"]
    assert (made["decision"], made["reason"]) == ("reject", "empty")
    assert charges(shop) == paid
    assert "no item waits" in shop.run("review")
    for words in (
        ["approve"],
        ["list", "odd/0.png"],
        ["approve", "odd/none.png"],
        ["--serve", "--pages"],
        ["--serve", "--json"],
        ["--pages", "approve", "odd/0.png"],
        ["--port", "1"],
        ["--collection", "odd"],
        ["--why", "x"],
        ["--pages", "--collection", "none"],
    ):
        shop.run("review", *words, code=2)
