"""
A second S3 server, written by others in another language: Ceph's radosgw, from Debian's packages.

It checks signatures and MD5 sums, which moto does not, and writes pages of its own kind.
"""

import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from bg_pipeline_tests.s3 import S3Server

PROGRAMS = ("ceph", "ceph-authtool", "monmaptool", "ceph-mon", "ceph-osd", "radosgw", "radosgw-admin")
_START_S = 90

_CONF = """
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon_port}
public addr = 127.0.0.1
ms bind msgr2 = false
keyring = {folder}/keyring
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
crash dir = {folder}
mon data = {folder}/mon
mon allow pool size one = true
mon warn on pool no redundancy = false
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 8589934592
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
rgw data = {folder}/rgw
rgw frontends = beast endpoint={address}:{rgw_port} tcp_nodelay=1
rgw enable usage log = false
rgw enable ops log = false
debug ms = 0

rgw bucket quota ttl = 0
"""
_CAPS = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *", "mgr": "allow *"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
    "client.rgw": {"mon": "allow rw", "osd": "allow rwx"},
}


def missing() -> list[str]:
    """Programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


@contextmanager
def radosgw(folder: Path, address: str = "127.0.0.1") -> Iterator[S3Server]:
    """A running server with one account; all it stores is in memory, and gone at the end."""
    mon_port, rgw_port = _free_port(), _free_port()
    fsid, conf, keyring = str(uuid.uuid4()), folder / "ceph.conf", folder / "keyring"
    conf.write_text(_CONF.format(fsid=fsid, folder=folder, mon_port=mon_port, rgw_port=rgw_port, address=address))
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()
    _run("ceph-authtool", str(keyring), "--create-keyring")
    for entity, caps in _CAPS.items():
        granted = [word for what, may in caps.items() for word in ("--cap", what, may)]
        _run("ceph-authtool", str(keyring), "--gen-key", "-n", entity, *granted)
    server = S3Server(f"http://{address}:{rgw_port}")
    with ExitStack() as stack:
        monmap = str(folder / "monmap")
        _run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v1:127.0.0.1:{mon_port}]", monmap)
        _run("ceph-mon", "-c", str(conf), "-i", "a", "--mkfs", "--monmap", monmap, "--keyring", str(keyring))
        stack.enter_context(_daemon(folder, "ceph-mon", "-f", "-c", str(conf), "-i", "a"))
        _run("ceph", "-c", str(conf), "osd", "new", fsid, "0")
        _run("ceph-osd", "-c", str(conf), "-i", "0", "--mkfs", "--osd-uuid", fsid)
        stack.enter_context(_daemon(folder, "ceph-osd", "-f", "-c", str(conf), "-i", "0"))
        stack.enter_context(_daemon(folder, "radosgw", "-f", "-c", str(conf), "-n", "client.rgw"))
        _wait_for(server.endpoint, folder)
        user = ("--uid", "test", "--display-name", "test", "--access-key", server.access_key)
        _run("radosgw-admin", "-c", str(conf), "user", "create", *user, "--secret-key", server.secret_key)
        yield RadosGateway(server.endpoint, conf=conf)


@dataclass
class RadosGateway(S3Server):
    """The server, and what its operator can do."""

    conf: Path = Path()

    @contextmanager
    def quota(self, size_bytes: int) -> Iterator[None]:
        """Limit the bytes of each bucket, until the end of the block."""
        scope = ("--quota-scope=bucket", "--uid", "test")
        admin = ("radosgw-admin", "-c", str(self.conf), "quota")
        _run(*admin, "set", *scope, f"--max-size={size_bytes}")
        _run(*admin, "enable", *scope)
        try:
            yield
        finally:
            _run(*admin, "disable", *scope)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_START_S, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr[-500:]}"


@contextmanager
def _daemon(folder: Path, *command: str) -> Iterator[None]:
    with (folder / f"{command[0]}.out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            yield
        finally:
            process.kill()
            process.wait()


def _wait_for(url: str, folder: Path) -> None:
    ends_at = time.monotonic() + _START_S
    while time.monotonic() < ends_at:
        try:
            requests.get(url, timeout=5)
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"radosgw did not come up: {(folder / 'radosgw.out').read_text()[-500:]}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
