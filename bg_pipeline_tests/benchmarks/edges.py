"""
Edges, colours and cost of 24 megapixels from an answer of 2,500 px, against a truth that is known exactly.

    uv run --extra local --with pymatting --with scikit-image python -m bg_pipeline_tests.benchmarks.edges [FOLDER]
    uv run --extra local python -m bg_pipeline_tests.benchmarks.edges --cost [FOLDER]

FOLDER has cutouts with a good alpha (RGBA): they are put before other backdrops, shrunk, and held against bicubic
interpolation too. Peers are Pillow's bicubic interpolation with the picture's colours, and pymatting's multi-level
estimation on our alpha. With `--cost`, only cost is measured.

Cost is processor time, user and system, of a process that is a worker in all but the pool: with its limits and its
way with memory. Of several runs after a first one the least counts: other work on the machine only ever adds, by shared
caches and clock rates. Memory is the most of all runs.
"""

import io
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

import numpy as np
from PIL import Image, ImageOps

from bg_pipeline.core.checks import CheckLimits, Measures
from bg_pipeline.core.formats import Format
from bg_pipeline.core.recipe import Rendition
from bg_pipeline.core.records import Use
from bg_pipeline.imaging import compositing, pictures
from bg_pipeline.imaging.encoding import ENCODERS, encode
from bg_pipeline.imaging.foreground import own_colours
from bg_pipeline.imaging.pictures import prepare, validate_answer
from bg_pipeline.imaging.rendering import render
from bg_pipeline.imaging.upsampling import upsample
from bg_pipeline.imaging.workers import Limits, confine, in_worker
from bg_pipeline_tests.benchmarks.measuring import measured
from bg_pipeline_tests.benchmarks.tables import compare, show, verdict

if TYPE_CHECKING:
    from bg_pipeline_tests.benchmarks.truth import Truth

SENT_PX = 2500
USUAL = (2000, 1333)
BAND = {"hair": 8.0, "rods": 4.0, "shadow": 0.6, "glass": 1.7}
"""Most mean error of alpha in the soft band, of 255."""
COLOUR = {"hair": 6.0, "glass": 2.0}
"""Most mean difference of colour on white in the soft band, in ΔE00."""
TURNS = 3
NOT_WORSE = 1.05
"""Most error to that of bicubic interpolation, on real alphas."""


def main(arguments: Sequence[str]) -> bool:
    """Whether every line was met."""
    from bg_pipeline_tests.benchmarks.truth import KINDS, truth  # its OpenCV is no part of a worker's memory

    alphas, colours, costs, met = [], [], [], True
    only_cost, folders = "--cost" in arguments, [Path(each) for each in arguments if each != "--cost"]
    for folder in folders:
        for row, fits in _usual(folder):
            costs.append(row)
            met &= fits
    for kind in KINDS:
        made = truth(kind)
        small = made.alpha.resize(
            (SENT_PX, round(made.alpha.height * SENT_PX / made.alpha.width)), Image.Resampling.BOX
        )
        jpeg = _jpeg(made.picture, 95)
        rows = list(_cost(kind, jpeg, small))
        costs.extend(row[0] for row in rows)
        met &= all(row[1] for row in rows)
        if only_cost:
            continue
        made = made._replace(picture=_opened(jpeg))
        alpha, bicubic = upsample(small, made.picture), small.resize(made.alpha.size, Image.Resampling.BICUBIC)
        ours, plain = _band_errors(made.alpha, alpha, bicubic)
        alphas.append((kind, f"{plain:.2f}", f"{ours:.2f}", f"≤ {BAND[kind]:g}: {verdict(ours <= BAND[kind])}"))
        off = [_off(made, *each) for each in _ways(made, alpha, bicubic)]
        compare(f"alpha of {kind}", "mean error of 255", ours, "bicubic", plain)
        compare(f"colours of {kind}", "ΔE00", off[-1], "pymatting", off[-2])
        line = COLOUR.get(kind, float("inf"))
        colours.append((kind, *(f"{each:.2f}" for each in off), f"≤ {line:g}: {verdict(off[-1] <= line)}"))
        met &= ours <= BAND[kind] and off[-1] <= line
    show(("cost of", *(f"{way.name}: CPU s, MB" for way in WAYS)), costs)
    if only_cost:
        return met
    show(("alpha, of 255", "bicubic", "ours", "line"), alphas)
    show(("ΔE00 on white", "bicubic, as it is", "our alpha, as it is", "pymatting", "ours", "line"), colours)
    cut = made.picture.copy()
    cut.putalpha(made.alpha)
    show(("an output of 24 MP as", "CPU s", "MB beside the picture", "MB of the file"), list(_formats(cut)))
    for folder in folders:
        worst = max(_real(folder))
        print(f"real alphas, error to that of bicubic: worst {worst:.2f}: {verdict(worst <= NOT_WORSE)}")
        met &= worst <= NOT_WORSE
    return met


def _band_errors(known: Image.Image, ours: Image.Image, bicubic: Image.Image) -> tuple[float, float]:
    """Mean errors of both, where the truth or bicubic interpolation is soft."""
    true, mine, plain = (np.asarray(each, np.float32) for each in (known, ours, bicubic))
    band = ((true > 0) & (true < 255)) | ((plain > 0) & (plain < 255))
    return float(np.abs(mine - true)[band].mean()), float(np.abs(plain - true)[band].mean())


def _ways(made: "Truth", alpha: Image.Image, bicubic: Image.Image) -> Iterator[tuple[Image.Image, Image.Image]]:
    """Colours and alpha by each way."""
    yield made.picture, bicubic
    yield made.picture, alpha
    from pymatting import estimate_foreground_ml

    shown = [np.asarray(each, np.float32) / 255 for each in (made.picture, alpha)]
    estimated = (estimate_foreground_ml(*shown).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    yield Image.fromarray(estimated), alpha
    yield own_colours(made.picture.copy(), alpha), alpha


def _off(made: "Truth", colours: Image.Image, alpha: Image.Image) -> float:
    """Mean difference on white, of 200,000 pixels of the soft band."""
    from skimage.color import deltaE_ciede2000

    level = np.asarray(made.alpha)
    soft = np.flatnonzero((level > 0) & (level < 255))
    which = np.random.default_rng(0).choice(soft, min(200_000, len(soft)), replace=False)
    ours, true = (_on_white(*each, which) for each in ((colours, alpha), (made.subject, made.alpha)))
    return float(deltaE_ciede2000(ours, true).mean())


def _on_white(colours: Image.Image, alpha: Image.Image, which: Any) -> Any:
    from skimage.color import rgb2lab

    share = np.asarray(alpha).ravel()[which, None].astype(np.float32) / 255
    return rgb2lab(np.asarray(colours).reshape(-1, 3)[which] / 255 * share + 1 - share)


def _cost(kind: str, jpeg: bytes, small: Image.Image) -> Iterator[tuple[tuple[str, ...], bool]]:
    usual = _jpeg(_opened(jpeg).resize(USUAL), 90)
    yield _ways_of(f"{kind}, 24 MP", jpeg, small, is_usual=False)
    yield _ways_of(f"{kind}, {USUAL[0]}×{USUAL[1]}", usual, small, is_usual=True)


def _usual(folder: Path) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The cost of each cutout, before a light backdrop in a usual frame."""
    for path in sorted(folder.glob("*.png")):
        cutout = ImageOps.pad(Image.open(path).convert("RGBA"), USUAL, color=(0, 0, 0, 0))
        alpha = cutout.getchannel("A")
        if alpha.getextrema() == (0, 255):
            picture = Image.new("RGB", USUAL, (245, 245, 245))
            picture.paste(cutout, mask=alpha)
            yield _ways_of(f"{path.stem}, {USUAL[0]}×{USUAL[1]}", _jpeg(picture, 90), alpha, is_usual=True)


def _ways_of(name: str, source: bytes, alpha: Image.Image, *, is_usual: bool) -> tuple[tuple[str, ...], bool]:
    """The row of one picture, and whether it keeps to its lines."""
    answer = _opened(prepare(source, SENT_PX).image)
    answer.putalpha(alpha.resize(answer.size))
    out = io.BytesIO()
    answer.save(out, "PNG", compress_level=1)
    cells, met = [], True
    for way in WAYS:
        cpu_s, mb = measured(_as_a_worker, way.run, source, out.getvalue()).result
        most_s = way.usual_cpu_s if is_usual else way.cpu_s
        fits = cpu_s <= most_s and mb <= way.mb
        met &= fits
        line = f" (≤ {most_s:g}, {way.mb:g}: {verdict(fits)})" if most_s < float("inf") else ""
        cells.append(f"{cpu_s:.2f}, {mb:.0f}{line}")
    return (name, *cells), met


def _as_a_worker(function: Callable[[bytes, bytes], None], source: bytes, answer: bytes) -> tuple[float, float]:
    """The least processor time of several runs after a first one, and the most memory, MB."""
    confine(Limits())
    spent = []
    for _ in range(1 + TURNS):
        before = time.process_time()
        in_worker(function, source, answer)
        spent.append(time.process_time() - before)
    return min(spent[1:]), _peak_mb()


def _wholly(source: bytes, answer: bytes) -> None:
    """Shrink, check and transfer the answer, and encode, as a worker does."""
    prepared = prepare(source, SENT_PX)
    checked = validate_answer(answer, prepared, CheckLimits())
    render(source, answer, [Rendition()], Use.ALPHA, checked.alpha)


def _without_extras(source: bytes, answer: bytes) -> None:
    """The same, without comparing the answer, following edges, and taking the backdrop's colour out of them."""
    with (
        patch.object(pictures, "measure", lambda *_: Measures()),
        patch.object(compositing, "upsample", lambda alpha, guide: alpha.resize(guide.size, Image.Resampling.BICUBIC)),
        patch.object(compositing, "own_colours", lambda image, _: image),
    ):
        _wholly(source, answer)


def _formats(picture: Image.Image) -> Iterator[tuple[str, ...]]:
    """What each format of an output takes."""
    for kind in Format:
        took = measured(_encoded, picture.tobytes(), picture.size, kind)
        yield kind.value, f"{took.cpu_s:.1f}", f"{took.result[0]:.0f}", f"{took.result[1] / 1e6:.1f}"


def _encoded(pixels: bytes, size: tuple[int, int], kind: Format) -> tuple[float, int]:
    """Memory beside the picture, MB, and the size of the file."""
    picture = Image.frombytes("RGBA", size, pixels)
    before = _peak_mb()
    data = encode(picture if kind.has_alpha else picture.convert("RGB"), **ENCODERS[kind])
    return _peak_mb() - before, len(data)


def _plainly(source: bytes, answer: bytes) -> None:
    """Shrink, enlarge the alpha and encode as anybody would with Pillow."""
    sent = _opened(source)
    sent.thumbnail((SENT_PX, SENT_PX), Image.Resampling.LANCZOS)
    _jpeg(sent, 95)
    picture = _opened(source)
    with Image.open(io.BytesIO(answer)) as opened:
        picture.putalpha(opened.getchannel("A").resize(picture.size, Image.Resampling.BICUBIC))
    picture.save(io.BytesIO(), "PNG", compress_level=1)


class Way(NamedTuple):
    """One way from source and answer to an output, and the most that it may take."""

    name: str
    run: Callable[[bytes, bytes], None]
    cpu_s: float = float("inf")
    usual_cpu_s: float = float("inf")
    mb: float = float("inf")


WAYS = (
    Way("Pillow's plain way", _plainly),
    Way("ours, without checks and edges", _without_extras, 1.5, 0.25, 250),
    Way("ours", _wholly, 3.0, 0.25, 350),
)


def _peak_mb() -> float:
    """Not `ru_maxrss`: that begins with what the parent had."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024


def _real(folder: Path) -> Iterator[float]:
    """Yield our error to that of bicubic interpolation, for each cutout before each backdrop."""
    rng = np.random.default_rng(0)
    for path in sorted(folder.glob("*.png")):
        cutout = Image.open(path).convert("RGBA")
        cutout.thumbnail((2000, 2000), Image.Resampling.LANCZOS)
        known = cutout.getchannel("A")
        if known.getextrema() != (0, 255):
            continue
        noise = Image.fromarray(rng.integers(0, 256, (90, 60, 3)).astype(np.uint8)).resize(cutout.size)
        for backdrop in (Image.new("RGB", cutout.size, (245, 245, 245)), Image.new("RGB", cutout.size, "grey"), noise):
            backdrop.paste(cutout, mask=known)
            small = known.resize((round(known.width / 2.4), round(known.height / 2.4)), Image.Resampling.BOX)
            alpha = upsample(small, _opened(_jpeg(backdrop, 88)))
            ours, plain = _band_errors(known, alpha, small.resize(known.size, Image.Resampling.BICUBIC))
            yield ours / plain


def _jpeg(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()


def _opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as opened:
        return opened.convert("RGB")


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
