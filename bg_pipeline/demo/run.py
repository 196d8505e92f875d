"""The demo: an invented shop, a sandbox instead of a vendor, and two real nightly runs of Dagster."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import click
from PIL import Image, ImageChops, ImageStat
from rich.console import Console

from bg_pipeline.cli import render
from bg_pipeline.cli.progress import Bars
from bg_pipeline.core.records import State
from bg_pipeline.core.report import Summary
from bg_pipeline.core.runlog import DetectRecord, ProcessRecord
from bg_pipeline.demo.catalogue import change_catalogue, make_catalogue
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.imaging.page import sheet_html
from bg_pipeline.imaging.sheet import sheet_png
from bg_pipeline.pipeline.gallery import make_pairs
from bg_pipeline.ports.context import Catalogue
from bg_pipeline.sandbox.serve import RunningSandbox, running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import Settings, load_settings

_MARK = ".bg-pipeline-demo"
_CREDITS = Decimal(500)
_SHEET_PAIRS = 24
_SEED = 7

_ENV = """\
# Settings of the demo. Everything that runs in this folder uses them.
BG_SOURCE=./images
BG_OUTPUT=./cutouts
BG_PROVIDER=bgeraser
BGERASER_API_KEY=play-money
BGERASER_BASE_URL={base_url}
"""


@click.command()
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Keep everything in DIR.")
def demo(keep: Path | None) -> None:
    """Run the whole pipeline on sample pictures; no key needed."""
    run_demo(keep)


def run_demo(keep: Path | None) -> None:
    """
    Run two nights of a small shop, in `keep` or in a new temporary folder.

    Raises:
        ConfigurationError: `keep` holds files of no earlier demo.
    """
    out = render.console()
    home = _prepare_folder(keep)
    started = time.monotonic()
    catalogue = make_catalogue(home / "images", home / "truth", seed=_SEED)
    out.print(f"A catalogue of {len(catalogue.keys)} files in {home / 'images'}")
    with running_sandbox(SandboxState({"bgeraser": _CREDITS})) as sandbox, _inside(home, sandbox):
        out.print(f"A simulated bgeraser at {sandbox.base_url}, {_CREDITS} credits of play money\n")
        settings = load_settings()
        out.print("── First night " + "─" * 50)
        _run_night(out, settings, home)
        changes = change_catalogue(home / "images", home / "truth", seed=_SEED)
        out.print(
            f"\n── The next day: {len(changes.added)} pictures added, {len(changes.changed)} shot again, "
            f"{len(changes.renamed)} renamed, {len(changes.deleted)} deleted, {len(changes.touched)} touched"
        )
        out.print("── Second night " + "─" * 49)
        _run_night(out, settings, home)
        _show_results(out, settings, home, sandbox, time.monotonic() - started)


def _prepare_folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="bg-pipeline-demo-")).resolve()
    if keep.exists() and any(keep.iterdir()):
        if not (keep / _MARK).exists():
            raise ConfigurationError(f"{keep} is not empty and holds no earlier demo: choose another folder for --keep")
        shutil.rmtree(keep)
    keep.mkdir(parents=True, exist_ok=True)
    (keep / _MARK).touch()
    return keep.resolve()


@contextmanager
def _inside(home: Path, sandbox: RunningSandbox) -> Iterator[None]:
    """Work in the demo's folder, with the demo's settings only."""
    (home / ".env").write_text(_ENV.format(base_url=sandbox.base_url))
    (home / "dagster").mkdir()
    for file in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(Path(__file__).parent.parent / "orchestration" / file, home / "dagster" / file)
    before, saved = Path.cwd(), dict(os.environ)
    for name in [n for n in os.environ if n.startswith(("BG_", "BGERASER_", "REMOVEBG_", "PHOTOROOM_"))]:
        del os.environ[name]
    os.chdir(home)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.update(saved)


def _run_night(out: Console, settings: Settings, home: Path) -> None:
    started_at = time.time()
    with open_pipeline(settings) as pipeline:
        with (home / "dagster.log").open("a") as log:
            run = subprocess.Popen(
                [sys.executable, "-m", "bg_pipeline.orchestration.night"],
                env=os.environ | {"DAGSTER_HOME": str(home / "dagster")},
                stdout=log,
                stderr=log,
            )
        _watch(run, pipeline.catalogue, started_at)
        if run.returncode:
            raise ConfigurationError(f"the Dagster run failed; {home / 'dagster.log'} says why")
        (detected,) = pipeline.catalogue.run_log.read(DetectRecord, started_at)
        total = Summary()
        for record in pipeline.catalogue.run_log.read(ProcessRecord, started_at, limit=1000):
            total.add(record.summary)
    render.show_rows(out, detected.rows)
    out.print(f"unchanged: {detected.counts['unchanged']}\n")
    render.show_summary(out, total)
    if total.failed:
        out.print("what to do: replace the damaged files, or `bg-pipeline retry`; nothing was paid for them")


def _watch(run: "subprocess.Popen[bytes]", catalogue: Catalogue, started_at: float) -> None:
    with Bars() as bars:
        bars.start("Dagster lists and hashes", None)
        done = 0
        working = False
        while run.poll() is None:
            time.sleep(0.25)
            detected = catalogue.run_log.read(DetectRecord, started_at)
            if detected and not working:
                working = True
                bars.done()
                bars.start("Dagster cuts out", detected[0].work)
            if working:
                now_done = detected[0].work - sum(catalogue.queue.pending().values())
                bars.advance(now_done - done)
                done = now_done
        bars.done()


def _show_results(out: Console, settings: Settings, home: Path, sandbox: RunningSandbox, seconds: float) -> None:
    with open_pipeline(settings) as pipeline:
        items = pipeline.catalogue.items
        entries = [e for e in items.entries() if e.state is State.PUBLISHED and not e.absent]
        overlaps = [
            _compute_overlap(Path(settings.catalogue.output, e.published.output_name), home / "truth" / f"{e.key}.png")
            for e in entries
            if e.published
        ]
        failed = items.in_state(State.FAILED)
        step = max(1, len(entries) // _SHEET_PAIRS)
        shown = [e.key for e in entries[::step]][: _SHEET_PAIRS - len(failed)] + [e.key for e in failed]
        sheet = make_pairs(*pipeline.context, shown, 320)
        spent = pipeline.accounts.ledger.spent(0)
    facts = [
        ("pictures published", str(len(entries))),
        ("credits paid", render.number(spent)),
        ("overlap with the true outline", f"{sum(overlaps) / len(overlaps):.3f} (1 is perfect)"),
    ]
    (home / "before-after.png").write_bytes(sheet_png(sheet))
    (home / "before-after.html").write_text(sheet_html(sheet, title="bg-pipeline demo", facts=facts), encoding="utf-8")
    out.print("\n── Results " + "─" * 54)
    for name, value in facts:
        out.print(f"{name}: {value}")
    out.print(f"charges on the vendor's own ledger: {len(sandbox.state.ledger.charges())}; took {seconds:.0f} s\n")
    out.print(f"Before and after:  {home / 'before-after.png'}\n                   {home / 'before-after.html'}")
    bin_folder = Path(sys.executable).parent
    port = sandbox.base_url.rpartition(":")[2]
    out.print(
        "\nTo see these runs in Dagster's UI:\n"
        f"  cd {home} && DAGSTER_HOME={home / 'dagster'} \\\n"
        f"    {bin_folder / 'dagster'} dev -w dagster/workspace.yaml\n"
        "then open http://127.0.0.1:3000. To cut out more there, start the simulated vendor again:\n"
        f"  {bin_folder / 'bg-pipeline'} sandbox --port {port}"
    )


def _compute_overlap(cutout: Path, truth: Path) -> float:
    """Compute the intersection over union of the subject in both, 0 to 1."""
    with Image.open(cutout) as made, Image.open(truth) as drawn:
        cut_mask = made.convert("RGBA").getchannel("A").point(lambda a: 255 if a > 127 else 0)
        true_mask = drawn.convert("L").point(lambda a: 255 if a > 127 else 0)
    both, either = ImageChops.darker(cut_mask, true_mask), ImageChops.lighter(cut_mask, true_mask)
    return ImageStat.Stat(both).sum[0] / max(1, ImageStat.Stat(either).sum[0])
