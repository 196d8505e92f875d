"""The image, without an engine: the commands of the Dockerfile, each in a clean system of its own."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bg_pipeline_tests.deployment import ROOT

pytestmark = pytest.mark.image

_DOCKERFILE = ROOT / "deploy" / "Dockerfile"

_DECODE = """
import os
from bg_pipeline.imaging.workers import Workers
with Workers(1) as workers:
    assert workers.call(os.getpid) != os.getpid()
"""


@dataclass
class Stage:
    """A system, and how commands are run in it."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/"})
    folder: str = "/"
    user: str = "root"

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [
                "/usr/sbin/chroot",
                f"--userspec={self.user}",
                self.root,
                "/bin/sh",
                "-c",
                f"cd {self.folder} && {shlex.join(command)}",
            ],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def path(self, name: str) -> Path:
        return self.root / (Path(self.folder) / name).relative_to("/")


@contextmanager
def started(base: Path, root: Path) -> Iterator[Stage]:
    """A copy of a system, which reaches the network as this one does."""
    subprocess.run(["cp", "-a", base, root], check=True)
    stage = Stage(root)
    shutil.copy("/etc/resolv.conf", root / "etc")
    if authorities := os.environ.get("SSL_CERT_FILE"):
        shutil.copy(authorities, root / "authorities.pem")
        stage.env |= dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT"), "/authorities.pem")
    with ExitStack() as mounted:
        for name in ("proc", "dev"):
            subprocess.run(["mount", "--rbind", "--make-rslave", f"/{name}", root / name], check=True)
            mounted.callback(subprocess.run, ["umount", "--lazy", root / name], check=True)
        yield stage


def instructions() -> Iterator[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", _DOCKERFILE.read_text().replace("\\\n", " "), flags=re.MULTILINE)
    for line in filter(None, text.splitlines()):
        name, _, rest = line.partition(" ")
        yield name, rest


def follow(stage: Stage, stages: dict[str, Stage], name: str, rest: str) -> None:
    if name == "RUN":
        stage.run("/bin/sh", "-c", rest)
    elif name == "COPY":
        *names, target = rest.split()
        source = ROOT
        if names[0].startswith("--from="):
            source = stages[names.pop(0).partition("=")[2]].root
        for each in names:
            copied, to = source / each.lstrip("/"), stage.path(target)
            to.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", copied, to / "" if target == "./" else to], check=True)
    elif name == "ENV":
        stage.env |= dict(each.split("=", 1) for each in shlex.split(rest))
    elif name == "WORKDIR":
        stage.folder = rest
        stage.path("").mkdir(parents=True, exist_ok=True)
    elif name == "USER":
        stage.user = rest
        (line,) = [line for line in (stage.root / "etc/passwd").read_text().splitlines() if line.startswith(f"{rest}:")]
        stage.env["HOME"] = line.split(":")[5]
    elif name == "CMD":
        assert (stage.root / f"opt/bg-pipeline/bin/{json.loads(rest)[0]}").exists()
    else:
        assert name == "EXPOSE", name


def test_the_image_is_built_from_the_lock_file_and_works_as_its_user(tmp_path: Path) -> None:
    base = tmp_path / "debian"
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", base], check=True, capture_output=True)
    stages: dict[str, Stage] = {}
    with ExitStack() as opened:
        for name, rest in instructions():
            if name == "FROM":
                assert rest.startswith("debian:bookworm-slim")
                called = rest.partition(" AS ")[2]
                stage = stages[called] = opened.enter_context(started(base, tmp_path / (called or "image")))
            else:
                follow(stage, stages, name, rest)
        image = stages[""]
        assert image.user != "root"
        assert "bg-pipeline" in image.run("bg-pipeline", "--version")
        validated = ("dagster", "definitions", "validate", "-m", "bg_pipeline.orchestration.definitions")
        image.run(*validated)
        image.run("python", "-c", "import dagster_aws, dagster_celery, dagster_docker, dagster_k8s, dagster_postgres")
        image.run("python", "-c", _DECODE)
