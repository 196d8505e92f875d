"""An original and the bought answer as one picture: whose colours, and the alpha at full size."""

from PIL import Image, ImageChops

from bg_pipeline.core.records import Use
from bg_pipeline.imaging.foreground import own_colours
from bg_pipeline.imaging.upsampling import upsample


def compose(answer: Image.Image, original: Image.Image | None, use: Use) -> tuple[Image.Image, Image.Image]:
    """
    Return colours (RGB or RGBA, with an alpha that does not count) and alpha (L), of the same size.

    Args:
        answer: RGBA; or L, its alpha, where only that is used.
        original: RGB or RGBA; altered. None if the answer is used whole.
        use: the part of the answer that is published. An answer of another shape is used whole in any case.
    """
    alpha = answer if answer.mode == "L" else answer.getchannel("A")
    if original is None or not is_same_shape(original.size, answer.size):
        return answer, alpha
    if use is Use.PICTURE or (use is Use.UNDECLARED and original.width <= answer.width):
        if original.width > answer.width:
            answer = answer.resize(original.size, Image.Resampling.BICUBIC)
        return answer, answer.getchannel("A")
    if "A" not in original.getbands():
        alpha = _at_full_size(alpha, original)
        return own_colours(original, alpha), alpha
    # Half transparent pixels of such an original have their own colours already; what was sent lies on white.
    existing = original.getchannel("A")
    sent = Image.new("RGB", original.size, "white")
    sent.paste(original, mask=existing)
    return original, ImageChops.multiply(_at_full_size(alpha, sent), existing)


def _at_full_size(alpha: Image.Image, sent: Image.Image) -> Image.Image:
    if alpha.width < sent.width:
        return upsample(alpha, sent)
    return alpha if alpha.size == sent.size else alpha.resize(sent.size, Image.Resampling.BICUBIC)


def is_same_shape(large: tuple[int, int], small: tuple[int, int]) -> bool:
    return abs(large[0] * small[1] / large[1] - small[0]) <= 2
