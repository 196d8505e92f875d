"""The numbers of an answer that `core.checks` decides by."""

import numpy as np
from PIL import Image, ImageFilter

from bg_pipeline.core.checks import SMALLEST_PX, Measures
from bg_pipeline.imaging.labels import Flags, Numbers
from bg_pipeline.imaging.outline import Outline, Tones, frame_of, kept_frame
from bg_pipeline.imaging.paper import areas

_WORK_PX = 384
"""Longer side at which answer and picture are compared. Coarser, thin parts have no inside; finer, it takes longer."""

MARK = 16
"""Difference of the colours, of 255, from which a pixel counts as painted over. Lossy WebP stays below it."""

_RIM_PX = 2

_LEAST_INSIDE = 0.2
"""Share of the opaque part from which its inside stands for all of it."""

_PLACES_PX = 160
"""Longer side at which other places for the outline are tried."""

_SMALLEST_BLOCK_PX = 4

_FEWEST_STEPS = 6
"""Steps along an outline from which their size can be told."""


def measure(sent: Image.Image, answer: Image.Image) -> Measures:
    """
    Measure an answer.

    Args:
        sent: RGB.
        answer: RGBA, of the same shape.
    """
    blocks = _block_px(answer.getchannel("A")) / max(sent.size)
    scale = min(1.0, _WORK_PX / max(sent.size))
    size = max(1, round(sent.width * scale)), max(1, round(sent.height * scale))
    sent, answer = (each if each.size == size else each.resize(size, Image.Resampling.BOX) for each in (sent, answer))
    pixels = np.asarray(answer, np.float32)
    measures = _of_colours(np.asarray(sent, np.float32), pixels)._replace(area=float(pixels[..., 3].mean()) / 255)
    if min(size) < SMALLEST_PX:
        return measures
    measures = _with_outline(measures, sent, answer.getchannel("A"))
    return measures._replace(coarse=max(blocks, measures.coarse))


def _of_colours(sent: Numbers, answer: Numbers) -> Measures:
    """Compare the colours where the answer is as opaque as anywhere, and not at its edges: vendors unmix them there."""
    alpha = answer[..., 3]
    kept = alpha[alpha > 16]
    if not len(kept):
        return Measures(opacity=0.0)
    most = float(np.percentile(kept, 98))
    solid = _without_rim(alpha >= min(0.98 * most, 250))
    colours = answer[solid][:, :3]
    apart = np.abs(colours - sent[solid]).mean(axis=1)
    return Measures(
        opacity=most / 255,
        colours=float(apart.mean()),
        marks=float((apart > MARK).mean()),
        checkerboard=_two_greys(colours[apart > MARK / 2]) / len(colours),
    )


def _without_rim(solid: Flags) -> Flags:
    """
    Return the part that is `_RIM_PX` away from the edge; all of it if it is too thin for that.

    A JPEG, such as the colours in a ZIP of remove.bg, has colours at half the size, which mix across the edge.
    """
    inner = solid
    for _ in ("down", "across"):
        near = inner.copy()
        for n in range(1, _RIM_PX + 1):
            near[n:] &= inner[:-n]
            near[:-n] &= inner[n:]
        inner = near.T
    return inner if inner.sum() >= _LEAST_INSIDE * solid.sum() else solid


def _two_greys(colours: Numbers) -> int:
    """Return the number of these pixels that have one of two tones of grey; 0 if there are other colours or tones."""
    if len(colours) < 64:
        return 0
    grey = colours.mean(axis=1)[np.ptp(colours, axis=1) < 8]
    tones = np.bincount((grey / 8).astype(int), minlength=32)
    pairs = tones[:-1] + tones[1:]  # a tone may lie on the border of two bins
    first = int(pairs.argmax())
    rest = pairs.copy()
    rest[max(0, first - 2) : first + 3] = 0
    smaller, both = int(rest.max()), int(pairs[first] + rest.max())
    return both if both > 0.6 * len(colours) and smaller > 0.2 * len(colours) else 0


def _with_outline(measures: Measures, sent: Image.Image, alpha: Image.Image) -> Measures:
    tones = Tones.of(sent)
    slopes = tones.slopes()
    outline = Outline(alpha, tones)
    solid = outline.solid
    measures = measures._replace(contrast=6 * float(np.percentile(slopes, 99.5)), inverted=_inverted(solid))
    if not len(outline):
        return measures
    opaque = np.asarray(alpha.filter(ImageFilter.BoxBlur(5)))
    backdrop, missing = areas(tones, solid, opaque < 3)
    return measures._replace(
        edges=outline.share_with_edge(),
        stretch=outline.longest_stretch(),
        pieces=outline.pieces_without_edge(),
        frame=kept_frame(solid, tones, outline.threshold),
        plain=_plain(solid),
        place=_place(slopes, np.asarray(alpha, np.float32)),
        backdrop=backdrop,
        missing=missing,
        coarse=outline.transition() / max(sent.size),
    )


def _inverted(solid: Flags) -> float:
    height, width = solid.shape
    down, across = round(0.35 * height), round(0.35 * width)
    return float(solid[frame_of(solid.shape)].mean() - solid[down : height - down, across : width - across].mean())


def _plain(solid: Flags) -> float:
    """Return the overlap with the rectangle, or the ellipse, around the subject, as a share of both together."""
    rows, columns = (np.flatnonzero(solid.any(axis=axis)) for axis in (1, 0))
    inside = solid[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    y, x = (np.linspace(-1, 1, length) for length in inside.shape)
    ellipse = y[:, None] ** 2 + x[None, :] ** 2 <= 1
    overlap = float((inside & ellipse).sum() / (inside | ellipse).sum())
    return max(float(inside.mean()), overlap)


def _place(slopes: Numbers, alpha: Numbers) -> float:
    """Correlate the edges of alpha and picture; return the value in place, as a share of the highest elsewhere."""
    strong = np.minimum(slopes, np.percentile(slopes, 97))
    edge = np.minimum(np.hypot(*np.gradient(alpha / 255)), 0.5)
    of_picture, of_alpha = (_shrunk(each) for each in (strong, edge))
    height, width = of_picture.shape
    # So that the far side is not compared with the near one; by 32, because a transform of a prime length is slow.
    room = [-(-(side + side // 3) // 32) * 32 for side in (height, width)]
    spectrum = np.fft.rfft2(of_picture - of_picture.mean(), room)
    fit = np.fft.irfft2(spectrum * np.conj(np.fft.rfft2(of_alpha - of_alpha.mean(), room)), room)
    near = np.roll(fit, (height // 4, width // 4), (0, 1))[: 2 * (height // 4) + 1, : 2 * (width // 4) + 1]
    here = np.roll(fit, (1, 1), (0, 1))[:3, :3].max()
    best = float(near.max())
    return float(here) / best if best > 1e-6 else 1.0


def _shrunk(values: Numbers) -> Numbers:
    image = Image.fromarray(np.asarray(values, np.float32))
    scale = _PLACES_PX / max(image.size)
    size = max(8, round(image.width * scale)), max(8, round(image.height * scale))
    return np.asarray(image.resize(size, Image.Resampling.BOX))


def _block_px(alpha: Image.Image) -> float:
    """
    Return the size of blocks that the outline consists of, px; 0 if there are none.

    Along the outline of an alpha that was enlarged without smoothing, rows are equal in groups, and so are columns.
    """
    solid = np.asarray(alpha) > 127
    sizes = []
    for changes in ((solid[1:] != solid[:-1]).any(axis=1), (solid[:, 1:] != solid[:, :-1]).any(axis=0)):
        at = np.flatnonzero(changes)
        if len(at) < _FEWEST_STEPS:
            return 0.0
        # An enlargement by 16.4 makes blocks of 16 and 17 px; where the outline is straight, several are as one.
        gaps = np.diff(at)
        smallest = float(gaps.min())
        off = np.abs(gaps / smallest - np.rint(gaps / smallest)) * smallest
        sizes.append(smallest if np.mean(off <= np.maximum(1, 0.05 * gaps)) > 0.9 else 0.0)
    return min(sizes) if min(sizes) >= _SMALLEST_BLOCK_PX else 0.0
