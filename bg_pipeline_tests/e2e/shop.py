"""A folder with a catalogue, its vendor, and the command line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bg_pipeline.cli.main import main
from bg_pipeline.manifest.backup import refuse_damaged
from bg_pipeline.sandbox.state import SandboxState

COMMAND = str(Path(sys.executable).parent / "bg-pipeline")


class Shop:
    """A folder with a catalogue, its vendor, and the command line."""

    def __init__(self, home: Path, vendor: SandboxState, base_url: str) -> None:
        self.home = home
        self.vendor = vendor
        self.env = {
            "PATH": os.environ["PATH"],
            "BG_PROVIDER": "bgeraser",
            "BG_LOW_CREDITS": "50",
            "BGERASER_API_KEY": "canary-key",
            "BGERASER_BASE_URL": base_url,
            "BG_STABLE_S": "0",
            "PYTHONFAULTHANDLER": "1",
        }

    def put(self, key: str, data: bytes) -> None:
        (self.home / "images" / key).parent.mkdir(parents=True, exist_ok=True)
        (self.home / "images" / key).write_bytes(data)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [COMMAND, *words],
            cwd=self.home,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: "subprocess.Popen[str]", within_s: float = 120) -> tuple[str, str]:
        """Standard output and error of a process; one that hangs fails with the stacks of its threads."""
        try:
            return process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            out, err = process.communicate()
            pytest.fail(f"{process.args} hangs\n{out}\n{err}", pytrace=False)

    def run(self, *words: str, code: int = 0) -> str:
        """Standard output; the exit code is checked, and no traceback and no key is shown."""
        process = self.start(*words)
        out, err = self.end(process)
        assert process.returncode == code, (process.returncode, out, err)
        assert "Traceback" not in err, err
        assert "canary-key" not in out + err
        self.err = err
        return out

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", code=code).splitlines()[-1])


class ShopInHere(Shop):
    """Runs its commands in this process, and answers their question."""

    def run(self, *words: str, code: int = 0, answer: str = "") -> str:
        refuse_damaged.cache_clear()
        done = CliRunner(env=self.env).invoke(main, words, input=answer)
        assert done.exit_code == code, (done.exit_code, done.output, done.exception)
        self.err = done.stderr
        return done.stdout
