"""Contact sheets: what a person sees of a run."""

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from PIL import Image, ImageFont

from bg_pipeline.imaging import sheet
from bg_pipeline.imaging.page import sheet_html
from bg_pipeline.imaging.sheet import Pair, contact_sheet, sheet_png

RED, BLUE = (200, 30, 30), (30, 30, 200)
BEFORE = Image.new("RGB", (120, 90), RED)
AFTER = Image.new("RGBA", (120, 90), (*BLUE, 0))
AFTER.paste((*BLUE, 255), (30, 20, 90, 70))
DONE = Pair("kitchen/mug.jpg", BEFORE, AFTER, "1 credit")
FAILED = Pair("kitchen/cut-off.jpg", BEFORE, None, "failed: the image file is truncated")


def colours(image: Image.Image) -> set[tuple[int, ...]]:
    found = image.convert("RGB").getcolors(maxcolors=1 << 24)
    assert found
    return {colour for _, colour in found if isinstance(colour, tuple)}


class Tags(HTMLParser):
    """Collects tags; complains about what is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in {"img", "meta"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    return tags


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 9])
@pytest.mark.parametrize("columns", [1, 2, 4])
def test_the_sheet_grows_by_rows(count: int, columns: int) -> None:
    one, two = (contact_sheet([DONE] * n, columns=1, cell_px=60).height for n in (1, 2))
    made = contact_sheet([DONE] * count, columns=columns, cell_px=60)
    rows = max(1, -(-count // columns))
    assert made.mode == "RGB"
    if count:
        assert made.height == one + (rows - 1) * (two - one)


def test_before_and_after_are_both_shown_and_squares_show_through() -> None:
    found = colours(contact_sheet([DONE], cell_px=120))
    assert {RED, BLUE} <= found
    assert {(0xE4, 0xE7, 0xEC), (255, 255, 255)} <= found


def test_a_failure_looks_different_from_a_success() -> None:
    alarm = (0xB4, 0x23, 0x18)
    assert alarm in colours(contact_sheet([FAILED], cell_px=160))
    assert alarm not in colours(contact_sheet([DONE], cell_px=160))


def test_the_reason_of_a_failure_is_drawn() -> None:
    other = Pair(FAILED.label, BEFORE, None, "failed: no foreground found")
    assert contact_sheet([FAILED]).tobytes() != contact_sheet([other]).tobytes()


@pytest.mark.parametrize(
    "label",
    [
        "",
        "a" * 500,
        "日本語の名前.jpg",
        "tasse-bleue-été.jpg",
        "🙂",
        "tab\tnewline\nbell\x07",
        "bad-\udcff-byte",
        "\u202egpj.x",
    ],
    ids=ascii,
)
def test_any_file_name_can_be_shown(label: str) -> None:
    """Names come from other people's disks."""
    for after in (AFTER, None):
        pair = Pair(label, BEFORE, after, label)
        assert contact_sheet([pair], title=f"x{label}").size == contact_sheet([DONE], title="x").size
        sheet_html([pair], title=label, facts=[(label, label)]).encode()


@pytest.mark.parametrize("room", [30, 80, 200])
@pytest.mark.parametrize("tail", [0.0, 0.6])
def test_what_does_not_fit_is_shortened_to_what_does(room: int, tail: float) -> None:
    font = ImageFont.load_default(12)
    name = "fashion/handbags/autumn/satchel-teal-pebbled-0003.jpg"
    short = sheet._fit(name, font, room, tail=tail)
    assert font.getlength(short) <= room
    assert "..." in short


def test_a_shortened_name_keeps_its_end() -> None:
    """Names of one catalogue begin alike."""
    short = sheet._fit("catalogue/autumn/" * 5 + "satchel-0003.jpg", ImageFont.load_default(12), 150, tail=0.6)
    assert short.startswith("cat")
    assert short.endswith("0003.jpg")


def test_without_freetype_the_sheet_is_plain_but_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "_font", lambda size: ImageFont.load_default_imagefont())
    assert {RED, BLUE} <= colours(contact_sheet([DONE, FAILED, Pair("été 日本", None, None)], title="a – b"))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_pictures_of_any_mode_are_shown(mode: str) -> None:
    picture = Image.new(mode, (30, 20))
    pair = Pair("x", picture, picture)
    assert contact_sheet([pair], cell_px=60).mode == "RGB"
    assert len([tag for tag, _ in parsed(sheet_html([pair], title="t", facts=[])).seen if tag == "img"]) == 2


def test_the_png_is_the_sheet() -> None:
    with Image.open(io.BytesIO(sheet_png([DONE, FAILED], columns=2, cell_px=80, title="Night"))) as read:
        assert read.format == "PNG"
        assert read.tobytes() == contact_sheet([DONE, FAILED], columns=2, cell_px=80, title="Night").tobytes()


def test_the_page_needs_nothing_but_itself() -> None:
    """It is opened from a mail, or from a bucket, years later."""
    page = sheet_html([DONE, FAILED], title="Night", facts=[("credits", "2")])
    sources = [attrs["src"] or "" for tag, attrs in parsed(page).seen if tag == "img"]
    assert [source[:15] for source in sources] == ["data:image/jpeg", "data:image/webp", "data:image/jpeg"]
    assert not re.search(r"https?:|<script|<link|url\(", page)


def test_pictures_in_the_page_are_small_and_keep_their_alpha() -> None:
    large = Pair("x", BEFORE.resize((2400, 1800)), AFTER.resize((2400, 1800)))
    sources = [
        attrs["src"] or "" for tag, attrs in parsed(sheet_html([large], title="t", facts=[])).seen if tag == "img"
    ]
    before, after = (Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) for source in sources)
    assert before.size == after.size == (320, 240)
    assert after.getchannel("A").getextrema() == (0, 255)


def test_nothing_in_a_name_becomes_markup() -> None:
    evil = '"><script>alert(1)</script>&amp;'
    tags = parsed(sheet_html([Pair(evil, None, None, evil)], title=evil, facts=[(evil, evil)]))
    assert "script" not in {tag for tag, _ in tags.seen}
    assert tags.words.count(evil) == 6


def test_facts_are_a_table_and_none_make_no_table() -> None:
    with_facts = parsed(sheet_html([], title="t", facts=[("credits", "52"), ("seconds", "9")]))
    assert [tag for tag, _ in with_facts.seen if tag in {"th", "td"}] == ["th", "td", "th", "td"]
    assert "table" not in {tag for tag, _ in parsed(sheet_html([], title="t", facts=[])).seen}
