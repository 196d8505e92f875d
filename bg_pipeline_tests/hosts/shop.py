"""One catalogue of two hosts: its database, its buckets and its vendor, with what is counted from outside."""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from bg_pipeline.core.limits import Limits as LearnedLimits
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.gates import SqlGates
from bg_pipeline.sandbox.serve import RunningSandbox
from bg_pipeline.sandbox.state import Limits, SandboxState
from bg_pipeline_tests.e2e.shop import COMMAND
from bg_pipeline_tests.hosts.database import DatabaseMachine
from bg_pipeline_tests.hosts.machines import HERE, Machine, Process, end
from bg_pipeline_tests.pictures import cut_middle, product
from bg_pipeline_tests.s3 import S3Server

VENDOR_PORT = 8787
PATIENCE_S = 240.0


class Vendor(SandboxState):
    """The simulated vendor; it knows how many requests it has at once."""

    def __init__(self, latency_s: float, limits: Limits) -> None:
        super().__init__({"bgeraser": Decimal(10**6)}, latency_s=latency_s, limits=limits)
        self.in_flight = self.peak = 0

    async def wait_out_latency(self, started_at: float) -> None:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await super().wait_out_latency(started_at)
        finally:
            self.in_flight -= 1


@dataclass
class Ended:
    """A sync that ended."""

    code: int
    published: int
    text: str


@dataclass
class Shop:
    """
    One catalogue, with a database and a bucket of its own.

    Args:
        name: of its database.
        folder: where hosts work, and write what they say.
        database: the server.
        s3: the server.
        slots: BG_CONCURRENCY.
        more: further settings.
    """

    name: str
    folder: Path
    database: DatabaseMachine
    s3: S3Server
    vendor: Vendor
    slots: int
    more: Mapping[str, str] = field(default_factory=dict)
    fell_back: set[str] = field(default_factory=set)
    """Keys that were published, and then pending."""
    begun: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.bucket = self.s3.new_bucket("images/")
        with closing(self.database.connect()) as conn:
            conn.execute(f"CREATE DATABASE {self.name}")
        of_bucket = {f"BG_{use.upper()}": f"s3://{self.bucket.name}/{use}" for use in ("output", "masters", "spool")}
        self.env = {
            "HOME": str(self.folder),
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "BG_PROVIDER": "bgeraser",
            "BGERASER_API_KEY": "hosts-key",
            "BGERASER_BASE_URL": f"http://127.0.0.1:{VENDOR_PORT}",
            "BG_STABLE_S": "0",
            "BG_LOW_CREDITS": "0",
            "BG_CONCURRENCY": str(self.slots),
            "BG_STATE": self.database.url(self.name),
            "BG_SOURCE": f"s3://{self.bucket.name}/images",
            **of_bucket,
            "BG_S3_ENDPOINT": self.s3.endpoint,
            "AWS_ACCESS_KEY_ID": self.s3.access_key,
            "AWS_SECRET_ACCESS_KEY": self.s3.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            **self.more,
        }

    def put(self, pictures: int, collections: int) -> None:
        def put(number: int) -> None:
            # A thousand shades differ.
            picture = product(number, (48 + number // 1000, 32))
            self.s3.put(self.bucket, f"c{number % collections:02}/{number:04}.png", picture)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, range(pictures)))

    def knows_its_limits(self) -> None:
        """The account has been used before: all its slots are known to be good."""
        manifest = Database(self.database.url(self.name))
        known = LearnedLimits(width=self.slots, base=self.slots, reached=self.slots)
        SqlGates(manifest).change_limits("bgeraser", lambda _: known.as_json())
        manifest.close()

    def start(self, host: Machine, *words: str, **env: str) -> Process:
        process = host.popen(COMMAND, *(words or ("sync",)), "--json", env={**self.env, **env}, cwd=self.folder)
        self.begun.append(process)
        return process

    def ended(self, processes: Sequence[Process]) -> list[Ended]:
        ends = []
        for process in processes:
            out, _ = process.communicate(timeout=PATIENCE_S)
            last = json.loads(out.splitlines()[-1]) if out else {}
            ends.append(Ended(process.returncode, last.get("published", 0), str(last.get("exit", ""))))
        return ends

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(self.database.connect(self.name)) as conn:
            return conn.execute(query, values or None).fetchall()

    def published(self) -> int:
        return int(self.rows("SELECT count(*) FROM items WHERE state = 'published'")[0][0])

    def bought(self) -> int:
        return len(self.vendor.ledger.charges())

    def twice(self) -> int:
        """Purchases beyond one a picture."""
        return self.bought() - len({charge.sha256 for charge in self.vendor.ledger.charges()})

    def refused(self) -> int:
        return self.vendor.ledger.requests - self.bought()

    def until(self, what: str, reached: Any, timeout_s: float = PATIENCE_S) -> float:
        """Seconds until something is so."""
        began = time.monotonic()
        while not reached():
            assert time.monotonic() - began < timeout_s, f"{self.name}: waited in vain until {what}"
            time.sleep(0.05)
        return time.monotonic() - began

    @contextmanager
    def open(self) -> "Iterator[Shop]":
        """Until the end, the vendor serves, and the states of all items are watched."""
        sandbox = RunningSandbox(self.vendor, cut_middle, VENDOR_PORT, HERE)
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,))
        watcher.start()
        try:
            yield self
        finally:
            for process in self.begun:
                if process.poll() is None:
                    end(process)
            done.set()
            watcher.join()
            sandbox.stop()

    def _watch(self, done: threading.Event) -> None:
        were: set[str] = set()
        while not done.wait(0.1):
            try:
                rows = self.rows("SELECT encode(key, 'escape'), state FROM items")
            except psycopg.Error:
                continue  # there are no tables yet, or the server is away
            published = {key for key, state in rows if state == "published"}
            self.fell_back |= {key for key, state in rows if state == "pending"} & were
            were |= published
