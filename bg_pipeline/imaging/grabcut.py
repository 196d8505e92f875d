"""A cutout by classical computer vision: no model, no network, correct on plain backdrops only."""

from PIL import Image

from bg_pipeline.errors import ConfigurationError

_WORK_PX = 384
_ROWS_AT_ONCE_PX = 1_000_000


def cut_alpha(image: Image.Image) -> Image.Image:
    """
    Compute the alpha matte of the subject of a product picture.

    The backdrop is the area that is reached from the border without crossing an edge, soft shadows included. GrabCut
    finds the outline on a copy 384 px long, and a guided filter scales it to full size. Deterministic.

    It fails on clutter behind the subject, hair and fur, glass, a subject in the colour of its backdrop, hard shadows,
    a subject cut by the frame. The result is then wrong; no error is raised.

    Args:
        image: any size; read as RGB.

    Returns:
        L mode, the same size; all 0 when nothing stands out, or when the picture is less than 16 px high or wide.

    Raises:
        ConfigurationError: OpenCV or numpy is not installed.
    """
    try:
        import cv2  # noqa: PLC0415  an optional dependency
        import numpy as np  # noqa: PLC0415

        from bg_pipeline.imaging import matting  # noqa: PLC0415  needs both
    except ImportError as error:
        raise ConfigurationError("the local engine needs its extra: pip install 'bg-pipeline[local]'") from error

    picture = image.convert("RGB")
    alpha = Image.new("L", picture.size)
    scale = min(1.0, _WORK_PX / max(picture.size))
    size = round(picture.width * scale), round(picture.height * scale)
    if min(size) < 16:
        return alpha
    pixels = np.array(picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0))
    cv2.setRNGSeed(0)
    mask = matting.subject(pixels)
    if mask is None:
        return alpha
    model = matting.edge_model(mask, pixels)
    step = max(1, _ROWS_AT_ONCE_PX // picture.width)
    for top in range(0, picture.height, step):
        rows = np.asarray(picture.crop((0, top, picture.width, min(top + step, picture.height))))
        alpha.paste(Image.fromarray(matting.apply_edges(model, rows, top, picture.height)), (0, top))
    return alpha
