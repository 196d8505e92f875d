"""Pictures as the input of a neural model, and its output as an alpha."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from bg_pipeline.imaging.alpha import with_alpha

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Normalization:
    """Mean and standard deviation of red, green and blue, of 0 to 1, that a model was trained with."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


def tensor_of(image: bytes, side_px: int, normalization: Normalization) -> "Floats":
    """
    Return a picture as a model's input, as rembg prepares it: squeezed into a square, its brightest value 1.

    Returns:
        Shape 1, 3, side, side.
    """
    import numpy as np  # noqa: PLC0415  an optional dependency

    with Image.open(io.BytesIO(image)) as opened:
        square = opened.convert("RGB").resize((side_px, side_px), Image.Resampling.LANCZOS)
    values = np.asarray(square, np.float64)
    values = values / max(float(values.max()), 1e-6)
    values = (values - normalization.mean) / normalization.deviation
    return np.ascontiguousarray(values.transpose(2, 0, 1)[np.newaxis], np.float32)


def cut_with(image: bytes, output: "Floats") -> bytes:
    """
    Return a PNG of a picture with a model's output as its alpha, stretched to the whole range as rembg does it.

    Args:
        image: the picture that went in.
        output: height, width; from 0 to 1, or of any range before the sigmoid.
    """
    import numpy as np  # noqa: PLC0415

    values = output.astype(np.float64)
    if values.min() < 0 or values.max() > 1:
        values = 1 / (1 + np.exp(-values))
    spread = float(values.max() - values.min())
    # A model that sees nothing gives one value everywhere: that is no subject.
    share = (values - values.min()) / spread if spread > _NOTHING else np.zeros_like(values)
    alpha = Image.fromarray((share * 255).astype(np.uint8))
    with Image.open(io.BytesIO(image)) as opened:
        size = opened.size
    return with_alpha(image, alpha.resize(size, Image.Resampling.LANCZOS))


_NOTHING = 1e-3
"""Range of an output below which the model saw no subject."""
