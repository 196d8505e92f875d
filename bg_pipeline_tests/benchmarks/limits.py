"""
Services whose limits the client does not know, over real sockets in real time, beside the vendor's own recipe.

    python -m bg_pipeline_tests.benchmarks limits [--virtual]

All scenarios run side by side, each client in a process of its own with a sandbox of its own; with `--virtual` they
run in virtual time and take seconds. What is allowed is what a client gets in virtual time that knows the limits; over
sockets it is held against one that needs no time to send and receive.
"""

import logging
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

from bg_pipeline.core.claims import Claim
from bg_pipeline.core.credits import Rules
from bg_pipeline.core.records import Observation
from bg_pipeline.core.retry import MAX_RETRIES, MAX_WAIT_S
from bg_pipeline.errors import BgPipelineError, RateLimited, Stopped
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.gates import SqlGates
from bg_pipeline.ports.purchasing import CutReply, CutRequest, Gates, Remover
from bg_pipeline.purchasing.compose import Time, purchasing
from bg_pipeline.purchasing.wrapper import Wrapper
from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import Limits, SandboxState
from bg_pipeline.vendors.bgeraser.client import Bgeraser
from bg_pipeline.vendors.registry import plugin
from bg_pipeline_tests.benchmarks.scenarios import MAX_REFUSED, MIN_SHARE, SCENARIOS, WARM_UP_S, Allowed, Scenario
from bg_pipeline_tests.benchmarks.simulation import Adaptive, Counts, Guide, Oracle, simulate
from bg_pipeline_tests.benchmarks.tables import compare, show, verdict
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import cut_middle, product

CLIENTS = ("ours", "guide")
KEY = "c/a.png"


def main(arguments: Sequence[str]) -> bool:
    """Whether our client met the line in every scenario."""
    if arguments[:1] == ["--one"]:
        logging.disable(logging.WARNING)  # each 429 would be a line
        counts = _run(SCENARIOS[int(arguments[1])], arguments[2])
        print(counts.good, counts.refused, counts.given_up)
        return True
    virtual = "--virtual" in arguments
    if virtual:
        found = {(n, "ours"): simulate(Adaptive, s).counts for n, s in enumerate(SCENARIOS)}
        found |= {(n, "guide"): simulate(Guide, s).counts for n, s in enumerate(SCENARIOS)}
    else:
        print(f"{max(s.seconds for s in SCENARIOS) / 60:.0f} minutes …", flush=True)
        found = _in_processes()
    rows, all_met = [], True
    for number, scenario in enumerate(SCENARIOS):
        allowed = simulate(Oracle if virtual else _Ideal, scenario).counts.good
        ours, guide = (100 * found[number, client].refused_share for client in CLIENTS)
        compare(f"requests refused, {scenario.name}", "% of answers", ours, "the vendor's own recipe", guide)
        for client in CLIENTS:
            counts = found[number, client]
            met = counts.good >= MIN_SHARE * allowed and counts.refused_share <= MAX_REFUSED
            all_met &= met or client != "ours"
            rows.append(
                [
                    f"{scenario.name}: {client}",
                    str(counts.good),
                    str(allowed),
                    f"{counts.good / allowed:.3f}",
                    f"{100 * counts.refused_share:.2f} %",
                    str(counts.given_up),
                    verdict(met),
                ]
            )
    show(["after the first minute", "done", "allowed", "ratio", "429", "given up", ""], rows)
    print(f"line: ratio >= {MIN_SHARE}, 429 <= {100 * MAX_REFUSED:.0f} %: {verdict(all_met)}")
    return all_met


class _Ideal(Oracle):
    travel_s = (0.0, 0.0)


def _in_processes() -> dict[tuple[int, str], Counts]:
    started = {
        (number, client): subprocess.Popen(
            [sys.executable, "-m", "bg_pipeline_tests.benchmarks", "limits", "--one", str(number), client],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(len(SCENARIOS))
        for client in CLIENTS
    }
    return {name: Counts(*map(int, process.communicate()[0].split())) for name, process in started.items()}


class _Counting(Wrapper):
    """Counts the answers after the warm-up."""

    def __init__(self, inner: Remover) -> None:
        super().__init__(inner)
        self.counts = Counts()
        self.started = time.monotonic()
        self._lock = threading.Lock()

    def cut(self, request: CutRequest) -> CutReply:
        try:
            reply = self._inner.cut(request)
        except RateLimited:
            self._count(refused=1)
            raise
        self._count(good=1)
        return reply

    def _count(self, good: int = 0, refused: int = 0, given_up: int = 0) -> None:
        if time.monotonic() - self.started >= WARM_UP_S:
            with self._lock:
                old = self.counts
                self.counts = Counts(old.good + good, old.refused + refused, old.given_up + given_up)

    def give_up(self) -> None:
        self._count(given_up=1)


def _run(scenario: Scenario, client: str) -> Counts:
    state = SandboxState(
        {"bgeraser": Decimal(1_000_000)}, latency_s=scenario.latency_s, limits=_sandbox_limits(scenario.first)
    )
    stop = threading.Event()
    with running_sandbox(state, cut_middle) as sandbox, tempfile.TemporaryDirectory() as folder:
        counting = _Counting(
            Bgeraser(
                "key",
                base_url=sandbox.base_url,
                path="/api/tools/bg-removal",
                account_path="/api/account",
                auth="bearer",
                file_field="image_file",
            )
        )
        database = Database(f"sqlite:///{Path(folder)}/manifest.db")
        graph = Graph()
        graph.observations.observe([Observation(KEY, "c", "", "", 1, "image/png")])
        claim = graph.claim(KEY)
        cut, lanes = (
            (_ours(counting, graph, SqlGates(database), scenario, stop), 2 * scenario.ceiling)
            if client == "ours"
            else (_guide(counting, stop), 8)
        )
        threads = [threading.Thread(target=_work, args=(cut, claim, counting, stop), daemon=True) for _ in range(lanes)]
        for thread in threads:
            thread.start()
        time.sleep(scenario.seconds / 2)
        state.limits = _sandbox_limits(scenario.then)
        time.sleep(scenario.seconds / 2)
        counts = counting.counts
        stop.set()
        for thread in threads:
            thread.join()
        database.close()
    return counts


def _work(cut: Callable[[CutRequest], CutReply], claim: Claim, counting: _Counting, stop: threading.Event) -> None:
    picture = product(1, size=(64, 64))
    while not stop.is_set():
        purchase_id = secrets.token_hex(32)
        try:
            cut(CutRequest(purchase_id, KEY, picture, "image/png", 64, 64, {}, Decimal(1), claim))
        except RateLimited:
            counting.give_up()
        except Stopped:
            return
        except BgPipelineError as error:
            print(error, file=sys.stderr)


def _ours(
    inner: Remover, graph: Graph, gates: Gates, scenario: Scenario, stop: threading.Event
) -> Callable[[CutRequest], CutReply]:
    """Only the limits lie in a database: with ledger and masters too, all processes would wait for one disk."""
    return purchasing(
        inner,
        "bgeraser",
        plugin("bgeraser").vendor,
        ledger=graph.ledger,
        gates=gates,
        spool=graph.accounts.answers,
        rules=Rules(graph.thresholds),
        ceiling=scenario.ceiling,
        report=lambda _error: None,
        time=Time(time.time, stop.wait, random.random, stop),
    ).cut


def _guide(inner: Remover, stop: threading.Event) -> Callable[[CutRequest], CutReply]:
    """Eight threads, and 1, 2, 4 … s after a refusal: see `simulation.Guide`."""

    def cut(request: CutRequest) -> CutReply:
        for retry in range(MAX_RETRIES):
            try:
                return inner.cut(request)
            except RateLimited:
                stop.wait(min(MAX_WAIT_S, 2.0**retry))
        return inner.cut(request)

    return cut


def _sandbox_limits(allowed: Allowed) -> Limits:
    return Limits(concurrent=allowed.concurrent, per_minute=allowed.per_minute)
