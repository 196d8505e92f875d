"""A PostgreSQL server that is killed under a running sync, and a pooler between the two."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from bg_pipeline_tests.e2e.shop import Shop
from bg_pipeline_tests.pictures import product
from bg_pipeline_tests.postgres import PostgresServer, own_postgres

PICTURES = 45


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with own_postgres(tmp_path_factory.mktemp("runtime")) as made:
        yield made


@pytest.mark.processes
def test_a_server_that_is_killed_and_comes_back_ends_no_sync_and_costs_nothing(
    shop: Shop, server: PostgresServer
) -> None:
    kill_under_a_sync(shop, server, server.url)


def kill_under_a_sync(shop: Shop, server: PostgresServer, url: str) -> None:
    for n in range(PICTURES - 5):
        shop.put(f"hats/{n}.png", product(100 + n))
    shop.vendor.latency_s = 0.3
    shop.env |= {"BG_CONCURRENCY": "4", "BG_STATE": url}
    process = shop.start("sync", "--json")
    for charges in (6, 20):
        while len(shop.vendor.ledger.charges()) < charges:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        server.kill()
        time.sleep(2)
        server.start()
    out, err = shop.end(process)

    assert process.returncode == 0, (out, err)
    done = json.loads(out.splitlines()[-1])
    assert (done["published"], done["in_doubt"]) == (PICTURES, 0)
    assert len(shop.vendor.ledger.charges()) == PICTURES
    ends = [attempt["became"] for attempt in shop.json("ledger")["attempts"]]
    assert ends == ["charged"] * PICTURES


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def pooled(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a pooler that gives each transaction another session of the server."""
    program = shutil.which("pgbouncer")
    assert program, "pgbouncer is not installed: make test-pgbouncer installs it"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    socket_folder = make_url(server.url).query["host"]
    with tempfile.TemporaryDirectory(prefix="bgp-pgbouncer-") as folder:
        settings = Path(folder) / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host={socket_folder} user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            "pool_mode = transaction\nserver_login_retry = 1\nmin_pool_size = 4\nserver_round_robin = 1\n"
        )
        Path(folder).chmod(0o755)
        # It refuses to run as root, and the socket is in a folder of the server's user.
        as_another = ["-u", server.folder.owner()] if os.geteuid() == 0 else []
        process = subprocess.Popen([program, "-q", *as_another, str(settings)])
        until = time.monotonic() + 30
        while not answers(port) and time.monotonic() < until:
            time.sleep(0.05)
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        process.terminate()
        process.wait(30)


@pytest.mark.pgbouncer
def test_behind_a_pooler_of_transactions_two_syncs_buy_each_picture_once(shop: Shop, pooled: str) -> None:
    for n in range(PICTURES - 5):
        shop.put(f"hats/{n}.png", product(100 + n))
    shop.vendor.latency_s = 0.1
    shop.env |= {"BG_CONCURRENCY": "4", "BG_STATE": pooled}
    shop.run("sync", "--max-credits", "0", code=4)
    ended = [(*shop.end(each), each.returncode) for each in [shop.start("sync") for _ in range(2)]]

    assert [code for _, _, code in ended] == [0, 0], ended
    assert len(shop.vendor.ledger.charges()) == PICTURES


@pytest.mark.pgbouncer
def test_a_server_that_is_killed_behind_a_pooler_ends_no_sync(shop: Shop, server: PostgresServer, pooled: str) -> None:
    kill_under_a_sync(shop, server, pooled)
