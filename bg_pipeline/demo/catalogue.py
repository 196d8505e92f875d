"""The demo's catalogue of simulated product pictures, with the true alpha of each, and its changes overnight."""

import hashlib
import io
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image

from bg_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np

_SHELVES: Mapping[str, Mapping[str, int]] = {
    "fashion": {"satchel": 5, "sneaker": 6, "tote": 6},
    "home": {"lamp": 7, "vase": 9},
    "kitchen": {"bottle": 7, "mug": 9},
}
"""Number of pictures by collection and family."""

_SUFFIXES = (".jpg", ".jpg", ".png", ".jpg", ".webp")
_SIZES = {
    "satchel": (760, 660),
    "sneaker": (820, 580),
    "tote": (600, 760),
    "lamp": (620, 800),
    "vase": (580, 740),
    "bottle": (520, 760),
    "mug": (680, 600),
}
_ROTATED = 6
"""EXIF orientation of a picture that must be displayed a quarter turn clockwise."""

_NOT_FOUND = b"""<!DOCTYPE html>
<html><head><title>404 Not Found</title></head>
<body><h1>Not Found</h1><p>The requested picture was not found on this server.</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Files written by `make_catalogue`; each name is a key, a path relative to the folder with `/` as separator."""

    keys: tuple[str, ...]
    """All files, including the special ones, sorted."""
    duplicates: Mapping[str, str]
    """Byte-identical copies: copy to original."""
    renamed_copy: str
    """Another byte-identical copy, as editors leave behind; its original is in the catalogue too."""
    rotated: str
    """A JPEG stored on its side, with EXIF orientation 6."""
    corrupt: str
    """A JPEG that ends in the middle; it has no true alpha."""
    not_a_picture: str
    """An HTML page named `.jpg`; it has no true alpha."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Keys that `change_catalogue` changed."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    """Files with new bytes under the old name."""
    renamed: Mapping[str, str]
    """Old key to new."""
    deleted: tuple[str, ...]
    touched: tuple[str, ...]
    """Files with the old bytes and a newer modification time."""


def truth_path(truth: Path, key: str) -> Path:
    """Return the path of a picture's true alpha: L mode, as displayed (after EXIF orientation)."""
    return truth / f"{key}.png"


def make_catalogue(folder: Path, truth: Path, *, seed: int = 7) -> Catalogue:
    """
    Write 54 files in three collections below `folder`, and their true alphas below `truth`.

    49 are different pictures, 3 are copies, one is truncated and one is no picture. The same seed gives the same
    bytes with the same versions of Pillow and numpy.

    Raises:
        ConfigurationError: numpy is not installed.
    """
    rng = _random_generator(seed)
    numbers: Counter[str] = Counter()
    shot = {
        family: [_photograph(folder, truth, shelf, family, numbers, rng) for _ in range(count)]
        for shelf, families in _SHELVES.items()
        for family, count in families.items()
    }
    rotated = next(key for key in shot["lamp"] if key.endswith(".jpg"))
    _store_on_its_side(folder / rotated)

    duplicates = {
        "home/gift-idea-for-coffee-lovers.jpg": next(key for key in shot["mug"] if key.endswith(".jpg")),
        "fashion/copy-of-" + shot["tote"][0].removeprefix("fashion/"): shot["tote"][0],
    }
    source = next(key for key in reversed(shot["mug"]) if key.endswith(".jpg"))
    renamed_copy = "kitchen/mug-12-final-RENAMED.jpg"
    for copy, original in {**duplicates, renamed_copy: source}.items():
        shutil.copyfile(folder / original, folder / copy)
        shutil.copyfile(truth_path(truth, original), truth_path(truth, copy))

    corrupt = "home/vase-upload-interrupted.jpg"
    whole = (folder / next(key for key in shot["vase"] if key.endswith(".jpg"))).read_bytes()
    (folder / corrupt).write_bytes(whole[: len(whole) // 2])
    not_a_picture = "fashion/sneaker-campaign-banner.jpg"
    (folder / not_a_picture).write_bytes(_NOT_FOUND)

    keys = [key for family in shot.values() for key in family]
    keys += [*duplicates, renamed_copy, corrupt, not_a_picture]
    return Catalogue(tuple(sorted(keys)), duplicates, renamed_copy, rotated, corrupt, not_a_picture)


def change_catalogue(folder: Path, truth: Path, *, seed: int) -> Changes:
    """
    Simulate the next day: add 4 pictures, photograph 2 again, rename 1, delete 1, and only touch 1.

    The special files of `Catalogue` and their originals stay unchanged. `truth` is updated. Deterministic for a seed
    and a state of the folder, so several days can follow each other.

    Raises:
        ConfigurationError: numpy is not installed.
    """
    rng = _random_generator(seed)
    keys = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    numbers = Counter(key.rpartition("/")[2].partition("-")[0] for key in keys)
    ordinary = _ordinary(folder, keys)
    first, second, old, deleted, touched = (ordinary[i] for i in rng.choice(len(ordinary), 5, replace=False))
    for key in (first, second):
        _write(folder, truth, key, rng)

    shelf, _, name = old.rpartition("/")
    new = f"{shelf}/{name.partition('.')[0]}-new-name.{name.partition('.')[2]}"
    (folder / old).replace(folder / new)
    truth_path(truth, old).replace(truth_path(truth, new))
    (folder / deleted).unlink()
    truth_path(truth, deleted).unlink()

    times = (folder / touched).stat()
    os.utime(folder / touched, ns=(times.st_atime_ns, times.st_mtime_ns + 3_600_000_000_000))

    families = [(shelf, family) for shelf, families in _SHELVES.items() for family in families]
    picked = [families[i] for i in rng.choice(len(families), 4, replace=False)]
    added = [_photograph(folder, truth, shelf, family, numbers, rng) for shelf, family in picked]
    return Changes(tuple(added), (first, second), {old: new}, (deleted,), (touched,))


def _random_generator(seed: int) -> "np.random.Generator":
    if find_spec("numpy") is None:
        raise ConfigurationError("the sample catalogue needs an extra: pip install 'bg-pipeline[local]'")
    import numpy as np  # noqa: PLC0415  an optional dependency

    return np.random.default_rng(seed)


def _photograph(
    folder: Path, truth: Path, shelf: str, family: str, numbers: Counter[str], rng: "np.random.Generator"
) -> str:
    """Add one picture of a family under an unused name; return its key."""
    from bg_pipeline.demo.products import COLOURS, STYLES  # noqa: PLC0415  needs numpy

    numbers[family] += 1
    number = numbers[family]
    position = list(STYLES).index(family)
    # A stride that shares no factor with the number of colours uses all of them before one repeats.
    colour = list(COLOURS)[(number * 5 + position * 3) % len(COLOURS)]
    styles = STYLES[family][1]
    style = styles[number % len(styles)]
    suffix = _SUFFIXES[(number + position) % len(_SUFFIXES)]
    key = f"{shelf}/{family}-{colour}-{style}-{number:02d}{suffix}"
    _write(folder, truth, key, rng)
    return key


def _write(folder: Path, truth: Path, key: str, rng: "np.random.Generator") -> None:
    """Photograph the product of this key, and store the picture and its true alpha."""
    from bg_pipeline.demo.products import shoot  # noqa: PLC0415  needs numpy

    family, colour, style = key.rpartition("/")[2].split("-")[:3]
    width, height = _SIZES[family]
    scale = rng.uniform(0.86, 1.1)
    picture, alpha = shoot(family, colour, style, (round(width * scale), round(height * scale)), rng)
    path, alpha_path = folder / key, truth_path(truth, key)
    for parent in (path.parent, alpha_path.parent):
        parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, dict[str, Any]] = {
        ".jpg": {"quality": int(rng.integers(88, 95)), "subsampling": 0},
        ".png": {"compress_level": 3},
        ".webp": {"quality": 90, "method": 2},
    }
    picture.save(path, **options[path.suffix])
    alpha.save(alpha_path, compress_level=3)


def _store_on_its_side(path: Path) -> None:
    """Turn the stored pixels a quarter anticlockwise and set EXIF accordingly: the picture looks as before."""
    with Image.open(path) as upright:
        turned = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = _ROTATED
    turned.save(path, "JPEG", quality=92, subsampling=0, exif=exif)


def _ordinary(folder: Path, keys: list[str]) -> list[str]:
    """Return keys of complete, upright pictures whose bytes no other file has."""
    contents = {key: (folder / key).read_bytes() for key in keys}
    digests = {key: hashlib.sha256(content).digest() for key, content in contents.items()}
    copies = Counter(digests.values())
    return [key for key in keys if copies[digests[key]] == 1 and _is_upright(contents[key])]


def _is_upright(content: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            return int(image.getexif().get(ExifTags.Base.Orientation, 1)) == 1
    except OSError:
        return False
