"""
The neural models that the package rembg publishes, and where their weights are.

Names, files, checksums and preparation of the pictures are those of rembg 2.0.86 (github.com/danielgatis/rembg), read
2026-11. Weights that rembg downloaded are used as they are.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bg_pipeline.imaging.tensors import Normalization

_RELEASE = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"

IMAGENET = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CENTRED = Normalization((0.5, 0.5, 0.5), (1.0, 1.0, 1.0))

_U2NET = "Apache-2.0 (github.com/xuebinqin/U-2-Net)"
_ISNET = "Apache-2.0 (github.com/xuebinqin/DIS; its training pictures have terms of their own)"
_BIREFNET = "MIT (github.com/ZhengPeng7/BiRefNet)"


@dataclass(frozen=True, slots=True)
class Model:
    """One published model."""

    file: str
    """Name of its weights in rembg's release."""
    md5: str
    normalization: Normalization
    licence: str
    """Its licence, as its authors state it."""
    about: str
    """Size of its weights, and what it is for."""

    @property
    def url(self) -> str:
        return f"{_RELEASE}/{self.file}"


DEFAULT = "u2net"

MODELS: Mapping[str, Model] = {
    "u2netp": Model("u2netp.onnx", "8e83ca70e441ab06c318d82300c84806", IMAGENET, _U2NET, "5 MB, fast"),
    DEFAULT: Model("u2net.onnx", "60024c5c889badc19c04ad937298a77b", IMAGENET, _U2NET, "176 MB, any subject"),
    "u2net_human_seg": Model(
        "u2net_human_seg.onnx", "c09ddc2e0104f800e3e1bb4652583d1f", IMAGENET, _U2NET, "176 MB, people"
    ),
    "isnet-general-use": Model(
        "isnet-general-use.onnx", "fc16ebd8b0c10d971d3513d564d01e29", CENTRED, _ISNET, "179 MB, finer outlines"
    ),
    "birefnet-general-lite": Model(
        "BiRefNet-general-bb_swin_v1_tiny-epoch_232.onnx",
        "4fab47adc4ff364be1713e97b7e66334",
        IMAGENET,
        _BIREFNET,
        "224 MB, fine outlines, slow without a graphics card",
    ),
    "birefnet-general": Model(
        "BiRefNet-general-epoch_244.onnx",
        "7a35a0141cbbc80de11d9c9a28f52697",
        IMAGENET,
        _BIREFNET,
        "970 MB, finest outlines, very slow without a graphics card",
    ),
    "birefnet-portrait": Model(
        "BiRefNet-portrait-epoch_150.onnx",
        "c3a64a6abf20250d090cd055f12a3b67",
        IMAGENET,
        _BIREFNET,
        "970 MB, people, very slow without a graphics card",
    ),
}
"""By rembg's name. Its default, bria-rmbg, is left out: commercial use of it needs a contract with its authors."""


def home() -> Path:
    """Return the folder in which rembg keeps weights, and where downloads go."""
    named = os.environ.get("U2NET_HOME") or os.environ.get("REMBG_HOME")
    data = os.environ.get("XDG_DATA_HOME")
    return Path(named or (f"{data}/rembg" if data else "~/.rembg")).expanduser()


def folder_of(name: str) -> Path:
    """Return the folder to which the weights of a model are downloaded."""
    return home() / "models" / name


def stored(name: str) -> Path | None:
    """Return the weights of a model on this machine; None if they are not here yet."""
    return next((path for path in _places(name) if path.is_file()), None)


def _places(name: str) -> Iterator[Path]:
    file = f"{name}.onnx"
    yield folder_of(name) / file
    yield home() / file
    yield Path("~/.u2net").expanduser() / file  # of older versions


def is_path(model: str) -> bool:
    """Return True if the setting names a file instead of a model."""
    return model.endswith(".onnx") or "/" in model


def identity(model: str) -> str:
    """
    Return the name of a model in the names of cuts; files count by their content.

    Raises:
        OSError: the file cannot be read.
    """
    if not is_path(model):
        return model
    status = Path(model).stat()
    return f"sha256:{_digest(model, status.st_size, status.st_mtime_ns)[:16]}"


@lru_cache
def _digest(path: str, _size: int, _changed_at: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def normalization(model: str, side_px: int) -> Normalization:
    """
    Return how pictures are prepared for a model.

    A file counts as the model that its name begins with; otherwise by its input: u2net takes 320 px, ISNet 1024 px.
    """
    if not is_path(model):
        return MODELS[model].normalization
    stem = Path(model).stem.lower()
    families = {"u2net": IMAGENET, "isnet": CENTRED, "birefnet": IMAGENET}
    by_name = next((each for family, each in families.items() if stem.startswith(family)), None)
    return by_name or (CENTRED if side_px == 1024 else IMAGENET)
