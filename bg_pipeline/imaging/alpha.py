"""A picture combined with its alpha."""

import io

from PIL import Image

from bg_pipeline.imaging.encoding import encode


def with_alpha(image: bytes, alpha: Image.Image) -> bytes:
    """Return a PNG of a picture with this alpha, both of the same size."""
    with Image.open(io.BytesIO(image)) as opened:
        cutout = opened.convert("RGB")
    cutout.putalpha(alpha.convert("L"))
    return encode(cutout, format="PNG")
