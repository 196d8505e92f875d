"""From source bytes to what is sent, from an answer to a master, from a master to a cutout."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from bg_pipeline.core.checks import CheckLimits
from bg_pipeline.core.formats import Format
from bg_pipeline.core.recipe import Rendition
from bg_pipeline.core.records import Use
from bg_pipeline.demo.products import COLOURS, STYLES, shoot
from bg_pipeline.errors import ItemUnreadable, UnusableAnswer
from bg_pipeline.imaging.pictures import PreparedImage, prepare, thumbnail, validate_answer
from bg_pipeline_tests.pictures import cutout_of, encoded, opened, product, render

RED, BLUE = (200, 30, 30), (30, 30, 200)


def corners(size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Red in the upper left corner, blue elsewhere: shows which way is up."""
    image = Image.new("RGB", size, BLUE)
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 2, size[1] // 2), fill=RED)
    return image


def near(pixel: object, colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= tolerance for a, b in zip(pixel[:3], colour, strict=True))


def sent(source: bytes, max_side_px: int = 2500) -> Image.Image:
    return opened(prepare(source, max_side_px).image)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_sent_upright_whatever_way_it_was_stored(orientation: int) -> None:
    stored = corners()
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    if orientation in undo:
        stored = stored.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = sent(encoded(stored, "JPEG", quality=95, exif=exif))

    assert upright.size == (60, 40)
    assert near(upright.getpixel((5, 5)), RED)
    assert near(upright.getpixel((55, 35)), BLUE)


def test_metadata_is_not_sent() -> None:
    exif = Image.Exif()
    exif[0x010E] = "canary of a customer"
    assert b"canary" not in prepare(encoded(corners(), "JPEG", exif=exif), 2500).image


@pytest.mark.parametrize(("size", "limit", "expected"), [((60, 40), 30, (30, 20)), ((60, 40), 60, (60, 40))])
def test_a_large_picture_is_shrunk_to_the_longest_side(
    size: tuple[int, int], limit: int, expected: tuple[int, int]
) -> None:
    prepared = prepare(encoded(corners(size)), limit)

    assert (prepared.width_px, prepared.height_px) == expected
    assert opened(prepared.image).size == expected


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(encoded(corners().convert("L")), id="grey"),
        pytest.param(encoded(corners().convert("1")), id="one bit"),
        pytest.param(encoded(corners().convert("P")), id="palette"),
        pytest.param(encoded(corners().convert("LA")), id="grey with alpha"),
        pytest.param(encoded(corners().convert("CMYK"), "JPEG"), id="CMYK without a profile"),
        pytest.param(encoded(corners(), "TIFF"), id="TIFF"),
        pytest.param(encoded(corners(), "BMP"), id="BMP"),
        pytest.param(encoded(corners(), "WEBP"), id="WebP"),
        pytest.param(encoded(corners(), "AVIF"), id="AVIF"),
        pytest.param(encoded(corners().convert("P"), "GIF"), id="still GIF"),
        pytest.param(encoded(corners(), "JPEG", icc_profile=b"damaged"), id="damaged profile"),
    ],
)
def test_every_common_kind_of_picture_is_sent_as_rgb(source: bytes) -> None:
    assert (sent(source).mode, sent(source).size) == ("RGB", (60, 40))


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    grey = Image.new("I;16", (8, 8), 32768)

    assert near(sent(encoded(grey)).getpixel((4, 4)), (128, 128, 128), 3)


def test_colours_go_through_their_profile() -> None:
    """Read as sRGB, a wide-gamut picture loses its colour. This profile calls red what sRGB calls blue."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    source = encoded(Image.new("RGB", (8, 8), RED), "PNG", icc_profile=swapped)

    assert near(sent(source).getpixel((5, 5)), (RED[2], RED[1], RED[0]), 6)


def test_the_colours_of_a_palette_go_through_their_profile_too() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    source = encoded(Image.new("RGB", (8, 8), RED).convert("P"), "PNG", icc_profile=swapped)

    assert near(sent(source).getpixel((5, 5)), (RED[2], RED[1], RED[0]), 60)


@pytest.mark.parametrize(("kind", "side_px"), [(Format.WEBP, 16_383), (Format.JPG, 65_500), (Format.AVIF, 32_768)])
def test_a_picture_that_its_output_cannot_hold_is_refused_before_it_is_bought(kind: Format, side_px: int) -> None:
    rendition = Rendition(kind, "white")
    fits, too_long = (encoded(Image.new("RGB", (side_px + more, 40), RED), "PNG") for more in (0, 1))
    small = cutout_of(prepare(too_long, side_px // 4).image)

    assert prepare(fits, 100, 0, (rendition,)).width_px == 100
    for each in (
        lambda: prepare(too_long, 100, 0, (rendition,)),
        lambda: render(too_long, small, rendition, Use.ALPHA),
    ):
        with pytest.raises(ItemUnreadable, match=f"{side_px + 1}×40 px, and a {kind.upper()} has .* BG_FORMAT"):
            each()
    assert prepare(too_long, 100, 0, (Rendition(kind, "white", (50, 50)),)).width_px == 100


def test_transparency_is_sent_on_white() -> None:
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))

    assert sent(encoded(clear)).getpixel((5, 5)) == (255, 255, 255)


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, BLUE)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)


def huge_header() -> bytes:
    """A PNG of 100 bytes that claims a hundred megapixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param(encoded(corners((600, 400)), "JPEG")[:4000], "damaged: Premature end", id="truncated JPEG"),
        pytest.param(encoded(corners())[:-40], "truncated|Truncated", id="truncated PNG"),
        pytest.param(b"<html>", "cannot identify", id="a page"),
        pytest.param(b"", "cannot identify", id="nothing"),
        pytest.param(animated("GIF"), "more than one picture", id="animated GIF"),
        pytest.param(animated("WEBP"), "more than one picture", id="animated WebP"),
        pytest.param(animated("PNG"), "more than one picture", id="animated PNG"),
        pytest.param(huge_header(), "100 megapixels", id="decompression bomb"),
    ],
)
def test_what_is_no_single_sound_picture_says_so(source: bytes, said: str) -> None:
    with pytest.raises(ItemUnreadable, match=said):
        prepare(source, 2500)


def test_whatever_a_decoder_raises_concerns_its_picture_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's plugins raise struct.error, TypeError and RuntimeError on damaged files."""

    def surprise(*_args: object) -> None:
        raise RuntimeError("failed to decode")

    sound = prepared_corners()
    for module in ("decoding", "pictures"):
        monkeypatch.setattr(f"bg_pipeline.imaging.{module}.open_limited", surprise)
    with pytest.raises(ItemUnreadable, match="failed to decode"):
        prepare(encoded(corners()), 2500)
    with pytest.raises(UnusableAnswer, match="failed to decode"):
        validate_answer(encoded(corners()), sound, CheckLimits())


def answered(alpha: Image.Image | int = 128, image: Image.Image | None = None) -> bytes:
    made = (image or corners()).convert("RGBA")
    made.putalpha(alpha)
    return encoded(made)


def prepared_corners() -> PreparedImage:
    return prepare(encoded(corners()), 2500)


def test_a_sound_answer_passes() -> None:
    assert validate_answer(cutout_of(prepared_corners().image), prepared_corners(), CheckLimits()).suspicion == ""


@pytest.mark.parametrize("alpha", [0, 8, 250, 255])
def test_an_empty_or_full_cutout_is_suspicious(alpha: int) -> None:
    assert validate_answer(answered(alpha), prepared_corners(), CheckLimits()).suspicion


def test_an_answer_that_shows_something_else_waits_for_a_person() -> None:
    half = Image.new("L", (60, 40), 0)
    half.paste(255, (0, 0, 30, 40))
    answer = answered(half, Image.new("RGB", (60, 40), (0, 255, 0)))
    why = validate_answer(answer, prepared_corners(), CheckLimits()).suspicion
    assert "not those of the picture that was sent" in why


def test_a_cutout_of_another_product_is_told_apart() -> None:
    """The limit must let every right answer pass, and stop every swapped one."""
    rng = np.random.default_rng(5)
    shots = [
        shoot(family, colour, styles[0], (240, 240), rng)
        for (family, (_, styles)), colour in zip(STYLES.items(), COLOURS, strict=False)
    ]
    sent_ones = [prepare(encoded(picture), 2500) for picture, _ in shots]
    answers = [answered(alpha, picture) for picture, alpha in shots]
    for number, prepared in enumerate(sent_ones):
        assert validate_answer(answers[number], prepared, CheckLimits()).suspicion == ""
        for other in range(len(shots)):
            if other != number:
                assert validate_answer(answers[other], prepared, CheckLimits()).suspicion


def rendered(rendition: Rendition, source: bytes | None = None, master: bytes | None = None) -> Image.Image:
    source = source or encoded(corners())
    master = master or cutout_of(prepare(source, 2500).image)
    return opened(render(source, master, rendition, Use.ALPHA))


def test_a_cutout_is_transparent_and_as_large_as_its_source() -> None:
    image = rendered(Rendition())

    assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (60, 40))
    assert image.getpixel((0, 0)) == (0, 0, 0, 0)
    assert image.getpixel((30, 20))[3] == 255  # type: ignore[index]


def test_a_small_master_lends_its_alpha_to_the_full_resolution() -> None:
    """Shrinking before sending must not shrink what is published."""
    source = encoded(corners((600, 400)))
    image = rendered(Rendition(), source, cutout_of(prepare(source, 60).image))

    assert image.size == (600, 400)
    assert image.getpixel((299, 150))[:3] == RED  # type: ignore[index]
    assert image.getpixel((302, 150))[:3] == BLUE  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "kind", "mode"), [("webp", "WEBP", "RGBA"), ("jpg", "JPEG", "RGB"), ("png", "PNG", "RGB")]
)
def test_a_background_leaves_no_transparency(name: str, kind: str, mode: str) -> None:
    background = "" if mode == "RGBA" else "#00ff00"
    image = rendered(Rendition(format=Format(name), background=background))

    assert (image.format, image.mode) == (kind, mode)
    if background:
        assert near(image.getpixel((0, 0)), (0, 255, 0))


def test_a_canvas_centres_the_subject_with_its_padding() -> None:
    image = rendered(Rendition(canvas=(100, 100), padding=0.1))
    box = image.getchannel("A").point(lambda a: 255 if a > 127 else 0).getbbox()

    assert image.size == (100, 100)
    assert box is not None
    left, upper, right, lower = box
    assert (abs(left - 10) <= 1, abs(right - 90) <= 1) == (True, True)
    assert abs((upper + lower) / 2 - 50) <= 1


def test_rendering_is_the_same_every_time() -> None:
    source = product(3)
    master = cutout_of(prepare(source, 2500).image)

    assert render(source, master, Rendition(), Use.ALPHA) == render(source, master, Rendition(), Use.ALPHA)


def test_a_thumbnail_is_small_and_upright() -> None:
    assert thumbnail(encoded(corners((600, 400))), 60).size == (60, 40)


def test_reading_a_cutout_back_loses_nothing() -> None:
    data = render(encoded(corners()), cutout_of(prepared_corners().image), Rendition(), Use.ALPHA)
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif() == {}
