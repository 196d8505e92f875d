"""Pictures that are damaged or made to do harm, and keys that are: with real decoders, folders and child processes."""

import io
import os
import random
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from bg_pipeline.core.records import State
from bg_pipeline.imaging.workers import Limits, Workers
from bg_pipeline.stores.file.blobs import FolderStore
from bg_pipeline_tests.fakes import MemorySource
from bg_pipeline_tests.graph import Graph
from bg_pipeline_tests.pictures import encoded, noisy

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
SIZE = (96, 72)
DAMAGED = int(os.environ.get("DAMAGED", "1000"))


def truncated(rng: random.Random, whole: bytes) -> bytes:
    return whole[: rng.randrange(len(whole))]


def flipped(rng: random.Random, whole: bytes) -> bytes:
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 4, 32))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def damaged(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    rng = random.Random(seed)
    for n in range(count):
        kind, way = KINDS[n % len(KINDS)], (truncated, flipped)[n // len(KINDS) % 2]
        yield f"{way.__name__}/{n:05}.{kind.lower()}", way(rng, noisy(kind, SIZE))


def png(width: int, height: int, rows: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def bombs() -> Iterator[tuple[str, bytes]]:
    for side in (9_000, 11_000, 20_000, 60_000):
        yield f"bombs/{side}.png", png(side, side, bytes(3 * side + 1))
    yield "bombs/2147483647.png", png(2**31 - 1, 2**31 - 1, b"")
    yield "bombs/0.png", png(0, 0, b"")
    frames = [Image.new("P", (4_000, 4_000), n) for n in range(40)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    yield "bombs/frames.gif", out.getvalue()
    out = io.BytesIO()
    pages = [Image.new("1", (10_000, 10_000)) for _ in range(12)]
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:], compression="group4")
    yield "bombs/pages.tif", out.getvalue()
    text = b"tEXt" + b"Comment\0" + bytes(1 << 20)
    whole = noisy("PNG", SIZE)
    bomb = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    yield "bombs/text.png", whole[:33] + bomb + whole[33:]


def polyglots() -> Iterator[tuple[str, bytes]]:
    others = {
        "html": b"<html><script>alert(1)</script></html>",
        "zip": b"PK\x03\x04" + bytes(60),
        "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(%pipe%id) (r) file\n",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "elf": b"\x7fELF" + bytes(60),
        "gif": b"GIF89a" + bytes(20),
    }
    for name, head in others.items():
        for kind in KINDS:
            whole = noisy(kind, SIZE)
            yield f"polyglots/{name}-before.{kind.lower()}", head + whole
            yield f"polyglots/{name}-after.{kind.lower()}", whole + head


def can_be_decoded(data: bytes) -> bool:
    """Whether Pillow decodes it to the last byte, as anybody would ask it."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            image.load()
    except Exception:  # noqa: BLE001  Pillow raises many
        return False
    return True


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(2, Limits(max_pixels=50_000_000)) as made:
        yield made


@pytest.mark.pictures
def test_no_damaged_or_hostile_picture_ends_a_run_or_is_charged_unless_it_can_be_decoded(workers: Workers) -> None:
    inputs = dict([*damaged(1, DAMAGED), *bombs(), *polyglots()])
    graph = Graph(source=MemorySource(inputs), call=workers.call)
    done = graph.sync()

    charged = {request.item_key for request in graph.remover.requests}
    assert [key for key in sorted(charged) if not can_be_decoded(inputs[key])] == []
    assert len(charged) > 100  # a flipped bit often changes a colour only
    states = graph.items.states()
    assert states[State.PENDING] == 0
    assert sum(states.values()) == len(inputs)
    assert not [failure for failure in done.summary.failures if "took its decoder more than" in failure.detail]
    assert graph.sync().summary.purchases == 0


NASTY = (
    *("../up.jpg", "../../up.jpg", "a/../../up.jpg", "/etc/up.jpg", "//up.jpg", "a//b.jpg", "a/./b.jpg", "..", ".", ""),
    *("C:\\up.jpg", "C:up.jpg", "..\\up.jpg", "a\\..\\..\\up.jpg", "\\\\host\\share\\up.jpg", "a\0b.jpg", "\0"),
    *("a\nb.jpg", "a\r\nb.jpg", "\x1b[31mred.jpg", "a\tb.jpg", "a\x7fb.jpg", "\u202egpj.exe", "a\u2028b.jpg"),
    *("=cmd|' /C calc'!A0.jpg", "+1.jpg", "-rf.jpg", "@SUM(1).jpg", "<!channel>.jpg", "<script>.jpg", "&amp;.jpg"),
    *("$(id).jpg", "`id`.jpg", "${HOME}.jpg", "%2e%2e/up.jpg", "%00.jpg", "a;rm -rf.jpg", "'; DROP TABLE items;--.jpg"),
    *(
        "CON.jpg",
        "con",
        "NUL.png",
        "aux/x.jpg",
        "COM1",
        "a:b.jpg",
        "a?.jpg",
        "a*.jpg",
        'a"b.jpg',
        "a|b.jpg",
        "a<b>.jpg",
    ),
    *(".trash/x.jpg", ".previous/x.jpg", ".bg-pipeline", ".hidden.jpg", "a/.x/b.jpg", "~/x.jpg", "~root.jpg"),
    *("a .jpg", "a..jpg", "a./b.jpg", "a /b.jpg", " a.jpg", "a.jpg ", "…", "a...b.jpg", "...", "a/.../b.jpg"),
    *("é.jpg", "e\u0301.jpg", "É.jpg", "ß.jpg", "SS.jpg", "ı.jpg", "İ.jpg", "K.jpg", "\u212a.jpg", "ﬁ.jpg", "fi.jpg"),
    *("🩴.jpg", "👩\u200d👩.jpg", "\u200b.jpg", "\ufeff.jpg", "\ufffe.jpg", "a\udcffb.jpg", "\udc80.jpg", "日本.jpg"),
    *("x" * 255 + ".jpg", "é" * 200 + ".jpg", "/".join("d" * 50 for _ in range(30)) + ".jpg", "a/" * 100 + "b.jpg"),
    *("a", "a.jpg/b.jpg", "a.png", "a.jpg", "A.JPG", "a.jpeg", "index.html", "thumbnails/x.jpg", "comparison/x.jpg"),
    *("__NaN__.jpg", "None", "null.jpg", "0", "-1.jpg", "1e9.jpg", "true.jpg", "[a,b].jpg", "{a}.jpg", "{stem}.jpg"),
)


@pytest.mark.pictures
def test_no_key_leads_to_a_file_outside_of_the_output(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "deeper" / "output"
    root.mkdir(parents=True)
    assert len(NASTY) >= 100
    picture = noisy("JPEG", SIZE)
    graph = Graph(source=MemorySource(dict.fromkeys(NASTY, picture)))
    graph.outputs = FolderStore(root)  # type: ignore[assignment]
    done = graph.sync()

    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(root)} == {root.parent, root.parent.parent}
    assert not Path("/etc/up.jpg").exists()
    published = [e for e in graph.items.entries() if e.state is State.PUBLISHED]
    assert len(published) > len(NASTY) / 2
    for entry in published:
        assert entry.published is not None
        assert encoded(Image.open(io.BytesIO(graph.outputs.read(entry.published.output_name) or b"")))
    folded = {e.published.output_name.casefold() for e in published if e.published}
    assert len(folded) == len(published)
    assert done.summary.purchases == 1
