"""Renditions of one master, read back with Pillow: frame, shadow, background, quality, colours, metadata."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageDraw, ImageFilter

from bg_pipeline.core.formats import Alignment, Format, Metadata
from bg_pipeline.core.recipe import Rendition
from bg_pipeline.core.records import Use
from bg_pipeline.imaging.framing import subject_box
from bg_pipeline.imaging.profiles import srgb_profile
from bg_pipeline.imaging.rendering import render as render_all
from bg_pipeline_tests.pictures import encoded, opened, render

RED = (200, 30, 30)
SIZE = (300, 200)
BOX = (100, 40, 160, 160)
"""Of the subject: 60 px wide, 120 px tall."""

SOURCE = encoded(Image.new("RGB", SIZE, RED))


def alpha_of(box: tuple[int, int, int, int] = BOX, size: tuple[int, int] = SIZE) -> Image.Image:
    alpha = Image.new("L", size, 0)
    alpha.paste(255, box)
    return alpha


def master(alpha: Image.Image | None = None) -> bytes:
    alpha = alpha or alpha_of()
    cutout = Image.new("RGB", alpha.size, RED)
    cutout.putalpha(alpha)
    return encoded(cutout)


def made(alpha: Image.Image | None = None, source: bytes = SOURCE, **fields: Any) -> Image.Image:
    return opened(render(source, master(alpha), Rendition(**fields), Use.ALPHA))


def box_of(image: Image.Image) -> tuple[int, int, int, int]:
    box = image.getchannel("A").point(lambda a: 255 if a > 127 else 0).getbbox()
    assert box is not None
    return box


specks = st.tuples(st.integers(0, SIZE[0] - 1), st.integers(0, SIZE[1] - 1), st.integers(1, 15))


@given(st.lists(specks, max_size=40), st.tuples(st.integers(0, 150), st.integers(0, 90)))
@settings(max_examples=60, deadline=None)
def test_haze_never_moves_the_box_of_the_subject(haze: list[tuple[int, int, int]], at: tuple[int, int]) -> None:
    box = (*at, at[0] + 60, at[1] + 80)
    clean = alpha_of(box)
    alpha = clean.copy()
    for x, y, level in haze:
        alpha.putpixel((x, y), max(level, alpha.getpixel((x, y))))  # type: ignore[call-overload]

    assert subject_box(alpha) == subject_box(clean) == box


def test_one_pixel_of_haze_leaves_the_share_that_the_subject_fills() -> None:
    alpha = alpha_of()
    alpha.putpixel((299, 199), 1)
    left, upper, right, lower = box_of(made(alpha, canvas=(400, 400), padding=0.075))

    assert (right - left, lower - upper) == (170, 340)
    assert (left, upper) == (115, 30)


def test_a_speck_of_dust_in_a_large_picture_moves_nothing_and_a_hair_counts() -> None:
    alpha = alpha_of((1000, 1000, 2000, 2000), (4000, 3000))
    alpha.putpixel((3900, 2900), 255)
    assert subject_box(alpha) == (1000, 1000, 2000, 2000)

    ImageDraw.Draw(alpha).line((1500, 600, 1500, 1000), fill=255, width=1)
    assert subject_box(alpha) == (1000, 600, 2000, 2000)


def test_a_subject_of_a_few_pixels_and_an_empty_frame_have_a_box() -> None:
    assert subject_box(alpha_of((700, 500, 702, 501), (4000, 3000))) == (700, 500, 702, 501)
    assert subject_box(Image.new("L", (40, 30), 0)) == (0, 0, 40, 30)


def test_the_faint_end_of_a_bought_shadow_is_not_cut_off() -> None:
    """It is below the limit of the subject: with a frame cut at the box, it would end in a line."""
    alpha = alpha_of().filter(ImageFilter.GaussianBlur(12))
    levels = np.asarray(made(alpha, canvas=(400, 400), padding=0.2).getchannel("A"), np.int16)

    assert np.abs(np.diff(levels, axis=0)).max() <= 12
    assert np.abs(np.diff(levels, axis=1)).max() <= 12


@pytest.mark.parametrize(("alignment", "lower"), [(Alignment.CENTER, 280), (Alignment.BOTTOM, 360)])
def test_a_subject_stands_in_the_middle_or_on_the_lower_padding(alignment: Alignment, lower: int) -> None:
    wide = made(alpha_of((50, 80, 250, 130)), canvas=(400, 400), padding=0.1, alignment=alignment)
    box = box_of(wide)

    assert (box[0], box[2], box[3]) == (40, 360, lower - 40 * (alignment is Alignment.CENTER))


def test_nothing_is_enlarged_where_that_is_switched_off() -> None:
    small = box_of(made(canvas=(1000, 1000), upscale=False))

    assert (small[2] - small[0], small[3] - small[1]) == (60, 120)
    assert made(longest_side=900, upscale=False).size == SIZE
    assert made(longest_side=900).size == (900, 600)
    assert made(longest_side=150, upscale=False).size == (150, 100)


def test_a_scaled_edge_has_the_colours_of_the_subject() -> None:
    image = np.asarray(made(longest_side=97), np.int16)
    edge = image[(image[..., 3] > 24) & (image[..., 3] < 247)]

    assert len(edge)
    assert np.abs(edge[:, :3] - RED).max() <= 16


def test_a_shadow_falls_below_the_subject_and_leaves_it_as_it_is() -> None:
    plain, shadowed = (np.asarray(made(canvas=(400, 400), padding=0.2, shadow=share), np.int16) for share in (0.0, 0.5))
    solid = plain[..., 3] == 255
    gained = shadowed[..., 3] - plain[..., 3]

    assert (shadowed[solid] == plain[solid]).all()
    assert gained.min() >= 0
    assert 40 < gained.max() <= 128
    assert gained[320:].sum() > 2 * gained[:80].sum()
    assert (shadowed[(plain[..., 3] == 0) & (gained > 0)][:, :3] == 0).all()


def test_a_background_picture_covers_the_frame_and_is_seen_around_the_subject() -> None:
    backdrop = Image.new("RGB", (40, 40), (0, 0, 250))
    backdrop.paste((0, 250, 0), (0, 0, 20, 40))
    image = made(background_image=encoded(backdrop), canvas=(200, 100), padding=0.1)

    assert (image.mode, image.size) == ("RGB", (200, 100))
    assert image.getpixel((5, 50)) == (0, 250, 0)
    assert image.getpixel((195, 50)) == (0, 0, 250)
    assert image.getpixel((100, 50)) == RED


@pytest.mark.parametrize("kind", [Format.WEBP, Format.JPG, Format.AVIF])
def test_a_lower_quality_is_a_smaller_file(kind: Format) -> None:
    grain = encoded(Image.effect_noise(SIZE, 60).convert("RGB"))
    low, own, high = (
        len(render(grain, master(), Rendition(kind, "white", quality=quality), Use.ALPHA)) for quality in (20, 0, 98)
    )

    assert low < own < high


def test_every_format_can_be_read_back() -> None:
    for kind in Format:
        image = made(format=kind, background="" if kind.has_alpha else "white")
        assert (image.format, image.size) == ("JPEG" if kind is Format.JPG else kind.upper(), SIZE)
        assert image.has_transparency_data == kind.has_alpha


def test_all_renditions_are_the_same_alone_and_together() -> None:
    renditions = [
        Rendition(Format.JPG, "white"),
        Rendition(),
        Rendition(Format.WEBP, canvas=(64, 64), shadow=0.4, padding=0.1),
        Rendition(background="#102030"),
    ]
    together = render_all(SOURCE, master(), renditions, Use.ALPHA)

    assert together == [render(SOURCE, master(), each, Use.ALPHA) for each in renditions]


def test_every_output_carries_the_same_profile_which_is_srgb() -> None:
    outputs = [made(format=kind, background="white") for kind in Format]
    assert {image.info["icc_profile"] for image in outputs} == {srgb_profile()}

    assert len(srgb_profile()) < 3000
    profile = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
    ramp = Image.fromarray(np.arange(256 * 3, dtype=np.uint8).reshape(16, 16, 3))
    there = ImageCms.profileToProfile(ramp, profile, ImageCms.createProfile("sRGB"))
    assert there is not None
    assert np.abs(np.asarray(there, np.int16) - np.asarray(ramp, np.int16)).max() <= 1
    assert ImageCms.getProfileDescription(profile).strip() == "sRGB"


PLACE = {1: "N", 2: (48.0, 51.0, 29.0), 3: "E", 4: (2.0, 17.0, 40.0)}


def photographed(kind: str = "JPEG", **options: Any) -> bytes:
    """A picture with all that a camera writes."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 1
    exif[ExifTags.Base.Make] = "Nikon"
    exif[ExifTags.Base.Artist] = "Ana Cruz"
    exif[ExifTags.Base.Copyright] = "© 2026 Müller".encode()
    exif[ExifTags.IFD.Exif] = {33434: 0.008, 36867: "2026:11:27 10:00:00", 37500: b"maker's secret", 40961: 65535}
    exif[ExifTags.IFD.GPSInfo] = PLACE
    return encoded(Image.new("RGB", SIZE, RED), kind, exif=exif, **options)


@pytest.mark.parametrize("kind", list(Format))
def test_all_metadata_but_the_place_is_kept_and_describes_the_output(kind: Format) -> None:
    source = photographed()
    assert Image.open(io.BytesIO(source)).getexif().get_ifd(ExifTags.IFD.GPSInfo)[1] == "N", "the source has a place"
    image = made(source=source, format=kind, background="white", longest_side=150, metadata=Metadata.NO_GPS)
    exif = image.getexif()
    exposure = exif.get_ifd(ExifTags.IFD.Exif)

    assert (exif[ExifTags.Base.Make], exif[ExifTags.Base.Artist]) == ("Nikon", "Ana Cruz")
    assert exif[ExifTags.Base.Copyright].encode("latin-1").decode() == "© 2026 Müller"
    assert (exposure[36867], float(exposure[33434])) == ("2026:11:27 10:00:00", pytest.approx(0.008))
    assert (exposure[40961], exposure[40962], exposure[40963]) == (1, 150, 100)
    assert ExifTags.IFD.GPSInfo not in exif
    assert ExifTags.Base.Orientation not in exif
    assert 37500 not in exposure


@pytest.mark.parametrize("kind", list(Format))
def test_author_and_rights_alone_are_kept(kind: Format) -> None:
    image = made(source=photographed(), format=kind, background="white", metadata=Metadata.COPYRIGHT)

    assert set(image.getexif()) == {ExifTags.Base.Artist, ExifTags.Base.Copyright}


@pytest.mark.parametrize("kind", list(Format))
def test_no_metadata_is_kept_without_being_asked(kind: Format) -> None:
    assert not made(source=photographed(), format=kind, background="white").getexif()


def test_rights_that_only_xmp_or_iptc_state_are_kept() -> None:
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator><rdf:Seq><rdf:li>Ana &amp; Co</rdf:li></rdf:Seq></dc:creator>'
        b'<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">All reserved</rdf:li></rdf:Alt></dc:rights></x:xmpmeta>'
    )
    exif = made(source=encoded(Image.new("RGB", SIZE), "JPEG", xmp=xmp), metadata=Metadata.COPYRIGHT).getexif()

    assert (exif[ExifTags.Base.Artist], exif[ExifTags.Base.Copyright]) == ("Ana & Co", "All reserved")


def test_metadata_that_cannot_be_written_stops_no_picture() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Ana"
    exif[ExifTags.Base.ImageDescription] = "x" * 64_000
    exif[ExifTags.Base.XPComment] = b"\0" * 1000
    source = encoded(Image.new("RGB", SIZE), "PNG", exif=exif)
    image = made(source=source, format=Format.JPG, background="white", metadata=Metadata.NO_GPS)

    assert dict(image.getexif()) == {ExifTags.Base.Artist: "Ana"}
