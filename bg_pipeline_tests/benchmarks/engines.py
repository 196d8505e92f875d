"""
The engines on this machine, held against true alphas.

    python -m bg_pipeline_tests.benchmarks.engines
    python -m bg_pipeline_tests.benchmarks.engines --pictures FOLDER --model isnet.onnx

Without a folder, the subjects are the demo's products before generated backdrops. A folder holds pictures with a true
alpha, which are put before plain, textured and its own photographic backdrops, and photos with their alphas in
`truth`. IoU is that of what is opaque by more than a half.
"""

import argparse
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from bg_pipeline.demo.catalogue import make_catalogue, truth_path
from bg_pipeline.vendors.local.engine import GrabCutEngine
from bg_pipeline.vendors.rembg.engine import RembgEngine
from bg_pipeline_tests.adapters.clients import request
from bg_pipeline_tests.benchmarks.measuring import measured
from bg_pipeline_tests.benchmarks.tables import compare
from bg_pipeline_tests.graph import call_here
from bg_pipeline_tests.pictures import encoded, opened
from bg_pipeline_tests.weights import u2netp

SIDE_PX = 1000
KINDS = ("plain", "texture", "photo", "real")


class Sample(NamedTuple):
    """A picture and its true alpha."""

    kind: str
    picture: bytes
    truth: bytes


def generated() -> Iterator[Sample]:
    """The demo's products before plain, textured and blurred backdrops."""
    with tempfile.TemporaryDirectory() as folder:
        pictures, truth = Path(folder) / "pictures", Path(folder) / "truth"
        catalogue = make_catalogue(pictures, truth)
        good = [key for key in catalogue.keys if truth_path(truth, key).exists() and key != catalogue.rotated]
        for number, key in enumerate(good[::4]):
            picture, alpha = (Image.open(path) for path in (pictures / key, truth_path(truth, key)))
            yield from _composites(picture.convert("RGB"), alpha.convert("L"), _scene(number))


def of_folder(folder: Path) -> Iterator[Sample]:
    """Pictures of a folder whose truth is known."""
    readable = [picture for path in sorted(folder.iterdir()) if (picture := _read(path))]
    photos = [picture for picture in readable if picture.mode == "RGB" and min(picture.size) >= 400]
    for number, picture in enumerate(readable):
        if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (0, 255):
            subject = _shrunk(picture.copy())
            yield from _composites(subject.convert("RGB"), subject.getchannel("A"), photos[number % len(photos)])
    for truth in sorted((folder / "truth").glob("*.png")):
        name = truth.name.partition(".")[0]
        with Image.open(truth) as answer, Image.open(next(folder.glob(f"{name}.*"))) as photo:
            alpha = answer.getchannel("A") if answer.mode == "RGBA" else answer.convert("L")
            yield Sample("real", encoded(_shrunk(photo.convert("RGB"))), encoded(_shrunk(alpha)))


def _read(path: Path) -> Image.Image | None:
    """Return a picture; None for a folder and for the damaged ones."""
    try:
        return opened(path.read_bytes())
    except (OSError, SyntaxError, Image.DecompressionBombError):
        return None


def _shrunk(picture: Image.Image) -> Image.Image:
    picture.thumbnail((SIDE_PX, SIDE_PX))
    return picture


def _scene(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(20, 240, (7, 9, 3), np.uint8)
    sharp = Image.fromarray(coarse).resize((900, 700), Image.Resampling.BICUBIC)
    return sharp.filter(ImageFilter.GaussianBlur(8))


def _composites(subject: Image.Image, alpha: Image.Image, photo: Image.Image) -> Iterator[Sample]:
    rng = np.random.default_rng(1)
    grain = Image.fromarray(rng.integers(90, 200, (subject.height // 6, subject.width // 6), np.uint8))
    backdrops = {
        "plain": Image.new("RGB", subject.size, (236, 234, 230)),
        "texture": grain.resize(subject.size, Image.Resampling.BICUBIC).convert("RGB"),
        "photo": photo.resize(subject.size).filter(ImageFilter.GaussianBlur(3)),
    }
    for kind, backdrop in backdrops.items():
        yield Sample(kind, encoded(Image.composite(subject, backdrop, alpha)), encoded(alpha))


def scores(engine: str, weights: str, samples: list[Sample]) -> list[float]:
    """IoU of each sample."""
    remover = GrabCutEngine(call_here) if engine == "GrabCut" else RembgEngine(call_here, weights)
    return [_iou(opened(remover.cut(request(image=each.picture)).answer), each.truth) for each in samples]


def _iou(answer: Image.Image, truth: bytes) -> float:
    cut, real = np.asarray(answer.getchannel("A")) > 127, np.asarray(Image.open(io.BytesIO(truth))) > 127
    return float((cut & real).sum() / max(1, (cut | real).sum()))


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--model", type=Path, action="append", default=[], help="further weights, as ONNX files")
    options = parser.parse_args()
    samples = list(of_folder(options.pictures) if options.pictures else generated())
    with tempfile.TemporaryDirectory() as folder:
        engines = {"GrabCut": "", "u2netp": str(u2netp(Path(folder)))}
        engines |= {path.stem: str(path) for path in options.model}
        kinds = [kind for kind in KINDS if any(each.kind == kind for each in samples)]
        print(f"| mean IoU of {len(samples)} | {' | '.join(kinds)} | at least 0.9 | CPU s a picture | memory |")
        print(f"|---{'|---' * len(kinds)}|---|---|---|")
        for name, weights in engines.items():
            run = measured(scores, name, weights, samples)
            by_kind = (
                mean(s for s, each in zip(run.result, samples, strict=True) if each.kind == kind) for kind in kinds
            )
            good = sum(score >= 0.9 for score in run.result)
            cells = " | ".join(f"{score:.2f}" for score in by_kind)
            compare(f"cutouts of {name} with IoU ≥ 0.9", "of the samples", good, "all", len(samples))
            print(f"| {name} | {cells} | {good} | {run.cpu_s / len(samples):.1f} | {run.rss_mb:.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
