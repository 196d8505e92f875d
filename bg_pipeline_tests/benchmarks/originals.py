"""
What 24-megapixel originals cost: memory and processor time of the client, and bytes on the wire.

    python -m bg_pipeline_tests.benchmarks originals [pictures] [small pictures]

A whole `bg-pipeline sync` as a process, against a sandbox in this one. Memory is that of the process and its decoders
together, read twenty times a second. Said beforehand: at most 600 MB at 8 in flight, and flat over many pictures.
"""

import io
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from PIL import Image

from bg_pipeline.imaging.pictures import prepare
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.benchmarks.tables import compare, verdict

COMMAND = str(Path(sys.executable).parent / "bg-pipeline")
SIZE = (6000, 4000)
MOST_MB = 600
MOST_GROWTH = 1.1


@dataclass
class Measured:
    """One sync."""

    facts: dict[str, Any]
    cpu_s: float
    peak_mb: float
    early_mb: float
    """The most in the second fifth of the time, when everything has been loaded once."""
    late_mb: float
    """The most in the last fifth."""


def main(arguments: Sequence[str]) -> bool:
    """Whether memory stayed within both lines."""
    pictures, small = map(int, [*arguments, *("40", "5000")[len(arguments) :]])
    with tempfile.TemporaryDirectory() as folder:
        shrunk = measure(Path(folder) / "shrunk", originals(pictures), latency_s=2.0)
        many = measure(Path(folder) / "many", thumbnails(small), latency_s=0.05)
    one = next(originals(1))[1]
    sent, whole = (len(prepare(one, longest).image) / 1e6 for longest in (2500, 10_000))
    print(f"{'client CPU a picture of 24 MP':<38}{shrunk.cpu_s / pictures:8.2f} s")
    met = [
        within(f"peak MB, {pictures} of 24 MP, 8 in flight", shrunk.peak_mb, MOST_MB),
        within(f"memory after {small} small ones, to before", many.late_mb / many.early_mb, MOST_GROWTH),
    ]
    print(f"{'MB sent a picture, shrunk and whole':<38}{sent:8.2f} {whole:.2f}   ratio {sent / whole:.2f}")
    return all(met)


def within(what: str, value: float, most: float) -> bool:
    compare(what, "", value, "the line", most)
    print(f"{what:<38}{value:8.2f}   at most {most:g}: {verdict(value <= most)}")
    return value <= most


def originals(count: int) -> Iterator[tuple[str, bytes]]:
    """Photograph-like: smooth with some grain, about 5 MB each."""
    grain = Image.effect_noise((SIZE[0] // 4, SIZE[1] // 4), 40).resize(SIZE)
    base = Image.merge("RGB", [grain, grain.point(lambda v: v // 2 + 60), grain.point(lambda v: 255 - v)])
    for n in range(count):
        base.paste((n * 29 % 200, n * 53 % 200, 90), (1500, 1000, 4500 - 7 * n, 3000))
        out = io.BytesIO()
        base.save(out, "JPEG", quality=85)
        yield f"c{n % 4}/{n}.jpg", out.getvalue()


def thumbnails(count: int) -> Iterator[tuple[str, bytes]]:
    draw = random.Random(0)
    for n in range(count):
        image = Image.new("RGB", (64 + n % 61, 64 + n // 61), (235, 235, 235))
        image.paste(tuple(draw.randrange(200) for _ in range(3)), (16, 16, 48, 48))
        out = io.BytesIO()
        image.save(out, "PNG")
        yield f"c{n % 10}/{n}.png", out.getvalue()


def measure(home: Path, pictures: Iterator[tuple[str, bytes]], latency_s: float, **settings: str) -> Measured:
    for key, data in pictures:
        (home / "images" / key).parent.mkdir(parents=True, exist_ok=True)
        (home / "images" / key).write_bytes(data)
    vendor = SandboxState({"bgeraser": Decimal(100_000)}, latency_s=latency_s)
    with running_sandbox(vendor, cut=lambda rgb: Image.new("L", rgb.size, 128)) as sandbox:
        env = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "BG_PROVIDER": "bgeraser",
            "BGERASER_API_KEY": "any",
            "BGERASER_BASE_URL": sandbox.base_url,
            "BG_STABLE_S": "0",
            "BG_FORMAT": "jpg",
            "BG_BACKGROUND": "white",
            **settings,
        }
        process = subprocess.Popen([COMMAND, "sync", "--json"], cwd=home, env=env, stdout=subprocess.PIPE, text=True)
        readings: list[float] = []
        cpu_s: dict[int, float] = {}
        watcher = threading.Thread(target=_watch, args=(process, readings, cpu_s))
        watcher.start()
        out, _ = process.communicate()
        watcher.join()
    fifth = max(1, len(readings) // 5)
    facts = json.loads(out.splitlines()[-1])
    early, late = max(readings[fifth : 2 * fifth]), max(readings[-fifth:])
    return Measured(facts, sum(cpu_s.values()), max(readings), early, late)


def _watch(process: "subprocess.Popen[str]", readings: list[float], cpu_s: dict[int, float]) -> None:
    while process.poll() is None:
        family = _family(process.pid)
        readings.append(sum(map(_resident_mb, family)))
        # The end of a grandchild is told to no process, so the last reading counts.
        cpu_s |= {pid: spent for pid in family if (spent := _cpu_s(pid))}
        time.sleep(0.05)


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in task.read_text().split():
                found += _family(int(child))
        except OSError:
            continue
    return found


def _resident_mb(pid: int) -> float:
    """Its own share: pages that processes have in common are counted once."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
