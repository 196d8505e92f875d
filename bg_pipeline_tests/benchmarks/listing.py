"""
Benchmark: 100,000 objects on an S3 server, nothing changed.

    python -m bg_pipeline_tests.benchmarks.listing [--objects N]

Each contestant is a process that compares the bucket with what it knows: ours with its manifest, the others with a
folder. One only asks for all pages, one after the other, and parses nothing. Ours is timed with and without the start
of Python, which a nightly run in Dagster shares with all its steps.
Requests are counted in the server's own log. Needs radosgw and rclone; s5cmd and aws take part if they are there.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import islice
from pathlib import Path

from bg_pipeline.core.records import Observation
from bg_pipeline.stores.s3.location import Bucket
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings
from bg_pipeline_tests.benchmarks.tables import compare
from bg_pipeline_tests.radosgw import radosgw
from bg_pipeline_tests.s3 import S3Server

OURS = "bg_pipeline"
STARTED = "bg_pipeline, once it is started"
PAGES = "LIST that parses nothing, started"
_ROUNDS = 3
_BATCH = 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=100_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bgp-listing-") as folder, radosgw(Path(folder)) as server:
        race(server, Path(folder), wanted.objects)


def learn() -> None:
    """Write down all objects as if they had been hashed."""
    with open_pipeline(load_settings()) as pipeline:
        listed = pipeline.catalogue.source.list()
        while batch := list(islice(listed, _BATCH)):
            pipeline.catalogue.observations.observe(
                [Observation(a.key, a.key.split("/")[0], a.fingerprint, "0" * 64, a.size_bytes, "") for a in batch]
            )


def race(server: S3Server, folder: Path, objects: int) -> None:
    bucket = server.new_bucket()
    files = folder / "files"
    for number in range(objects):
        file = files / f"{number // 1000:03}" / f"picture-{number:06}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * 1000)
    for name in [name for name in os.environ if name.startswith(("AWS_", "BG_"))]:
        del os.environ[name]
    os.environ.update(_environment(server, bucket, folder))
    print(f"uploading {objects} objects …", flush=True)
    _timed(
        ["rclone", "copy", "--transfers", "32", "--no-check-dest", "--s3-no-head", str(files), f"bench:{bucket.name}"]
    )
    for file in files.rglob("*.jpg"):
        os.utime(file)  # newer than the object: no contestant has a reason to copy it
    learn()
    log = folder / "client.rgw.log"
    contestants = _contestants(server, bucket, files)
    seconds: dict[str, list[float]] = {name: [] for name in (STARTED, *contestants)}
    requests: dict[str, Counter[str]] = {}
    for _ in range(_ROUNDS):
        for name, command in contestants.items():
            start = log.stat().st_size
            taken, said = _timed(command)
            seconds[name].append(float(said.split()[-2]) if name == PAGES else taken)
            if name == OURS:
                assert said.startswith(f"{objects} listed, 0 hashed"), said
                seconds[STARTED].append(float(said.split()[-2]))
            time.sleep(1)  # the log is written behind
            requests[name] = _requests(log, start)
    ours = statistics.median(seconds[STARTED])
    for name, taken in seconds.items():
        median = statistics.median(taken)
        if name not in {STARTED, OURS}:
            compare(f"a bucket of {objects:,} unchanged objects", "s", ours, name, median)
        print(f"{name:<34} {median:7.2f} s  {median / ours:5.2f} ×  {dict(requests.get(name, {}))}")


def _contestants(server: S3Server, bucket: Bucket, files: Path) -> dict[str, list[str]]:
    there, here = f"s3://{bucket.name}/", f"{files}/"
    others = {
        "rclone sync --fast-list --size-only": [
            "rclone",
            "sync",
            "--fast-list",
            "--size-only",
            f"bench:{bucket.name}",
            here,
        ],
        "s5cmd sync --size-only": [
            "s5cmd",
            "--endpoint-url",
            server.endpoint,
            "sync",
            "--size-only",
            f"{there}*",
            here,
        ],
        "aws s3 sync --size-only": ["aws", "--endpoint-url", server.endpoint, "s3", "sync", "--size-only", there, here],
    }
    look, pages = ([sys.executable, "-m", f"bg_pipeline_tests.benchmarks.{name}"] for name in ("look", "pages"))
    return {OURS: look, PAGES: pages} | {name: c for name, c in others.items() if shutil.which(c[0])}


def _environment(server: S3Server, bucket: Bucket, folder: Path) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_REGION": "us-east-1",
        "BG_SOURCE": str(bucket),
        "BG_S3_ENDPOINT": server.endpoint,
        "BG_STATE": f"sqlite:///{folder}/manifest.db",
        "BG_OUTPUT": f"{folder}/cutouts",
        "BG_MASTERS": f"{folder}/masters",
        "BG_PROVIDER": "local",
        "RCLONE_CONFIG_BENCH_TYPE": "s3",
        "RCLONE_CONFIG_BENCH_PROVIDER": "Ceph",
        "RCLONE_CONFIG_BENCH_ENV_AUTH": "true",
        "RCLONE_CONFIG_BENCH_ENDPOINT": server.endpoint,
    }


def _timed(command: list[str]) -> tuple[float, str]:
    """Seconds and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr[-800:]}"
    return time.perf_counter() - start, done.stdout


def _requests(log: Path, start: int) -> Counter[str]:
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace")
    found: Counter[str] = Counter()
    for method, target in re.findall(r'"(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP', lines):
        found[
            "LIST" if method == "GET" and re.search(r"[?&](list-type|prefix|max-keys|delimiter)", target) else method
        ] += 1
    return found


if __name__ == "__main__":
    main()
