"""The outline of an alpha, held against the edges of the picture."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from bg_pipeline.imaging.labels import Flags, Numbers, longest_extent, parts_of

MARGIN = 3
"""Width of the frame, px, in which there is no outline: a subject that the picture cuts off has no edge there."""

_LEAST_STEP = 1.5
"""Smallest step that counts as an edge, in per cent of black to white: JPEG and grain make smaller ones."""

_ABOVE_NOISE = 2.5
"""Number of times by which a step has to exceed the unevenness on the smoother side of the outline."""

_ABOVE_MEAN_NOISE = 2.0
"""The same for one part: its outline is short, so the mean is used, which is higher than what is usual."""

_NEAR, _FAR = 2.0, 4.0
"""Distances from the outline, px, between which a step is looked for: the near one for thin parts."""

_WINDOW = 6
"""Half the stretch of outline, px, over which its pixels are averaged before one counts as without an edge."""

_WIDE = 9.0
"""Distance that shows if a step goes on: then the picture itself is soft."""

_SHARP_PX = 4.0
"""Width of a transition up to which it is sharp, at any size of the picture."""


class Tones(NamedTuple):
    """A picture for comparisons, slightly smoothed."""

    values: Numbers
    """Height x width x 3: lightness, then two differences of colour, in per cent of black to white."""

    @classmethod
    def of(cls, picture: Image.Image) -> "Tones":
        smooth = picture.filter(ImageFilter.BoxBlur(1)).convert("YCbCr")
        # An edge between two colours of the same lightness is as visible as a smaller one in lightness.
        return cls(np.asarray(smooth, np.float32) * (np.array([1.0, 1.3, 1.3], np.float32) / 2.55))

    def slopes(self) -> Numbers:
        """Return the steps from pixel to pixel, height x width."""
        squares = sum(np.square(slope) for channel in range(3) for slope in np.gradient(self.values[..., channel]))
        return np.asarray(np.sqrt(squares))


class Outline:
    """
    The pixels of an alpha's outline, and the step of the picture at each.

    Args:
        alpha: L mode.
        tones: the picture, of the same size.
    """

    def __init__(self, alpha: Image.Image, tones: Tones) -> None:
        self._tones = tones.values
        self._opacity = np.asarray(alpha, np.float32) / 255
        self.solid: Flags = self._opacity >= 0.5
        self.pixels = _inner_border(self.solid)
        self.y, self.x = np.nonzero(self.pixels)
        soft = np.asarray(alpha.filter(ImageFilter.GaussianBlur(2)), np.float32)
        down, across = (-np.gradient(soft, axis=axis)[self.y, self.x] for axis in (0, 1))
        length = np.hypot(down, across) + 1e-6
        self._down, self._across = down / length, across / length
        self._step = np.maximum(self._steps(_NEAR), self._steps(_FAR))
        self._uneven = np.stack([_lengths(self._at(side, 4.0) - self._at(side, -4.0)) for side in (4.0, -3.0)])
        """Difference of two points beside the outline, outside and inside of it."""
        usual = float(np.median(self._uneven, axis=1).min()) if len(self.y) else 0.0
        self.threshold = max(_LEAST_STEP, _ABOVE_NOISE * usual)
        self.has_edge: Flags = self._step > self.threshold

    def __len__(self) -> int:
        return len(self.y)

    def _at(self, outward: float, along: float = 0.0) -> Numbers:
        """Return the tones at this distance from each pixel of the outline."""
        height, width = self.solid.shape
        y = np.rint(self.y + outward * self._down + along * self._across).astype(int)
        x = np.rint(self.x + outward * self._across - along * self._down).astype(int)
        return np.asarray(self._tones[y.clip(0, height - 1), x.clip(0, width - 1)])

    def _steps(self, reach: float) -> Numbers:
        return _lengths(self._at(0.5 + reach) - self._at(0.5 - reach))

    def share_with_edge(self) -> float:
        return float(self.has_edge.mean())

    def longest_stretch(self) -> float:
        """Return the longest stretch without an edge; 1 is the diagonal of the subject."""
        without = np.zeros(self.solid.shape, bool)
        without[self.y[~self.has_edge], self.x[~self.has_edge]] = True
        weak = self.pixels & (_blurred(without) > 0.7 * _blurred(self.pixels))
        rows, columns = (np.flatnonzero(self.solid.any(axis=axis)) for axis in (1, 0))
        diagonal = float(np.hypot(np.ptp(rows) + 1, np.ptp(columns) + 1))
        stretch = longest_extent(parts_of(weak, diagonally=True)) / diagonal
        return min(1.0, stretch)

    def pieces_without_edge(self) -> float:
        """Return the area of islands and holes around which the picture has no edge; 1 is the area of the subject."""
        islands = parts_of(self.solid, diagonally=True)
        apart = islands.sizes.copy()
        apart[apart.argmax()] = 0
        holes = parts_of(~self.solid, diagonally=False)
        enclosed = holes.sizes.copy()
        enclosed[np.unique(holes.labels[frame_of(self.solid.shape)])] = 0
        beside = np.pad(holes.labels, 1)
        around = np.maximum.reduce([beside[:-2, 1:-1], beside[2:, 1:-1], beside[1:-1, :-2], beside[1:-1, 2:]])
        loose = self._without_edge(islands.labels, apart) + self._without_edge(around, enclosed)
        return float(loose / self.solid.sum())

    def _without_edge(self, labels: Numbers, sizes: Numbers) -> float:
        """Return the pixels of all parts along whose outline less than 0.6 has an edge, by the noise beside each."""
        label = labels[self.y, self.x]
        length = np.bincount(label, minlength=len(sizes))
        uneven = [np.bincount(label, side, len(sizes)) / np.maximum(length, 1) for side in self._uneven]
        threshold = np.maximum(self.threshold, _ABOVE_MEAN_NOISE * np.minimum(*uneven))
        with_edge = np.bincount(label, self._step > threshold[label], len(sizes))
        return float(sizes[(length > 0) & (with_edge < 0.6 * length)].sum())

    def transition(self) -> float:
        """
        Return the usual width of the transition from opaque to transparent, px.

        It is 0 where it is sharp, or the picture is as soft: fur, a veil, or what is out of focus.
        """
        sharp = self._steps(_NEAR) > 0.5 * self._steps(_WIDE)
        if np.count_nonzero(sharp & self.has_edge) < 0.3 * len(self):
            return 0.0
        slope = np.hypot(*np.gradient(self._opacity))[self.y, self.x]
        width = float(np.median(1 / np.maximum(slope, 1e-2)))
        return width if width > _SHARP_PX else 0.0


def frame_of(shape: tuple[int, ...], width: int = 1) -> Flags:
    """Return True for the outermost pixels."""
    frame = np.ones(shape, bool)
    frame[width:-width, width:-width] = False
    return frame


def around_frame(values: Numbers, depth: int = 0) -> Numbers:
    """Return the values along the frame in one turn, so many pixels inside it."""
    inner = values[depth : len(values) - depth, depth : values.shape[1] - depth]
    return np.concatenate([inner[0], inner[1:, -1], inner[-1, -2::-1], inner[-2:0:-1, 0]])


def kept_frame(solid: Flags, tones: Tones, threshold: float) -> float:
    """
    Return the share of the frame that was kept although the picture has no edge where that part begins and ends.

    Args:
        solid: the opaque pixels.
        tones: the picture.
        threshold: smallest step that is an edge.
    """
    kept = around_frame(solid, MARGIN)
    ends = np.flatnonzero(kept != np.roll(kept, 1))
    if not len(ends):
        return 0.0
    colours = around_frame(tones.values, MARGIN)
    reach, size = 5, len(kept)
    steps = _lengths(colours[(ends + reach) % size] - colours[(ends - 1 - reach) % size])
    return float(kept.mean()) if np.count_nonzero(steps > threshold) < 0.5 * len(ends) else 0.0


def _inner_border(solid: Flags) -> Flags:
    """Return the opaque pixels beside transparent ones, without the margin."""
    padded = np.pad(solid, 1, constant_values=True)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    border: Flags = solid & ~inside & ~frame_of(solid.shape, MARGIN)
    return border


def _blurred(mask: Flags) -> Numbers:
    whole = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(whole.filter(ImageFilter.BoxBlur(_WINDOW)), np.float32)


def _lengths(vectors: Numbers) -> Numbers:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)))
