"""Place the subject and its background."""

import io
import zipfile

from PIL import Image, ImageOps

from bg_pipeline.sandbox.pictures import Box, Colour, File, encode, on_colour
from bg_pipeline.sandbox.removebg.errors import InvalidParameter
from bg_pipeline.sandbox.removebg.parameters import Length, Parameters

_LARGEST_MARGIN_PX = 500


def resolve_region(parameters: Parameters, picture: Image.Image) -> Box | None:
    """
    Return the region of interest in pixels.

    Raises:
        InvalidParameter: it does not lie inside the picture, or is empty.
    """
    if parameters.roi is None:
        return None
    edges = [length.px(whole) for length, whole in zip(parameters.roi, picture.size * 2, strict=True)]
    if max(edges[::2]) > picture.width or max(edges[1::2]) > picture.height:
        raise InvalidParameter("roi_exceeds_bounds")
    left, top, right, bottom = (round(edge) for edge in edges)
    if right <= left or bottom <= top:
        raise InvalidParameter("roi_region_empty")
    return left, top, right, bottom


def with_margins(subject: Box, margins: tuple[Length, Length, Length, Length]) -> Box:
    left, top, right, bottom = subject
    width, height = right - left, bottom - top

    def px(margin: Length, whole_px: int) -> int:
        return round(min(margin.px(whole_px), whole_px / 2, _LARGEST_MARGIN_PX))

    return (
        left - px(margins[3], width),
        top - px(margins[0], height),
        right + px(margins[1], width),
        bottom + px(margins[2], height),
    )


def place_in_frame(image: Image.Image, subject: Box, parameters: Parameters) -> Image.Image:
    """Scale and move the subject; the frame stays."""
    cut = image.crop(subject)
    if parameters.scale is not None:
        factor = parameters.scale * min(image.width / cut.width, image.height / cut.height)
        cut = cut.resize((max(1, round(cut.width * factor)), max(1, round(cut.height * factor))))
    across, down = parameters.position or (0.5, 0.5)
    placed = Image.new("RGBA", image.size)
    placed.paste(cut, (round((image.width - cut.width) * across), round((image.height - cut.height) * down)))
    return placed


def on_background(image: Image.Image, background: Colour | Image.Image | None) -> Image.Image:
    if background is None:
        return image
    if isinstance(background, Image.Image):
        return Image.alpha_composite(ImageOps.fit(background, image.size), image)
    return on_colour(image, background)


def zipped(image: Image.Image) -> File:
    """Make the ZIP with both entries uncompressed; real clients fail on an alpha that is not 8-bit grey."""
    alpha = image if image.mode == "L" else image.convert("RGBA").getchannel("A")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("color.jpg", encode(image.convert("RGB"), "jpg").content)
        archive.writestr("alpha.png", encode(alpha, "png").content)
    return File(buffer.getvalue(), "application/zip")
