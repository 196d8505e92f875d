"""A folder of small pictures that can be told apart, also after JPEG, and a reader of its cutouts."""

import io
import os
import random
import threading
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw

SIZE = (64, 48)
_BOX = (16, 12, 48, 36)
_LEVELS, _STEP = 26, 8
_NEAR = 4


def picture(number: int) -> bytes:
    """A box in one of 17,576 colours, and a bar on it in one of 26 places."""
    base, bar = number % _LEVELS**3, number // _LEVELS**3
    image = Image.new("RGB", SIZE, (240, 240, 240))
    draw = ImageDraw.Draw(image)
    draw.rectangle(_BOX, fill=_colour(base))
    draw.rectangle((_BOX[0] + bar, _BOX[1], _BOX[0] + bar + 2, _BOX[1] + 4), fill=(30, 30, 30))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def shows(cutout: bytes, number: int) -> bool:
    """
    Whether a cutout shows this picture.

    Raises:
        OSError: it cannot be decoded to its end.
    """
    with Image.open(io.BytesIO(cutout)) as image:
        middle = image.convert("RGBA").getpixel((image.width // 2, image.height // 2))
    assert isinstance(middle, tuple)
    expected = (*_colour(number % _LEVELS**3), 255)
    return all(abs(is_ - wanted) <= _NEAR for is_, wanted in zip(middle, expected, strict=True))


def _colour(base: int) -> tuple[int, int, int]:
    return tuple(base // _LEVELS**n % _LEVELS * _STEP for n in range(3))  # type: ignore[return-value]


@dataclass
class Catalogue:
    """Pictures below `images`, by key the number of each, and cutouts below `cutouts`."""

    home: Path
    numbers: dict[str, int] = field(default_factory=dict)
    _next: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int) -> None:
        with self._lock:
            for _ in range(count):
                self._write(f"c{self._next % 12:02}/{self._next:06}.png")

    def change(self, rng: random.Random) -> None:
        """Replace one picture, as a careful program does: by a rename."""
        with self._lock:
            self._write(rng.choice(list(self.numbers)))

    def _write(self, key: str) -> None:
        path = self.home / "images" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.home / "draft"
        draft.write_bytes(picture(self._next))
        draft.replace(path)
        self.numbers[key] = self._next
        self._next += 1

    def cutouts(self) -> list[Path]:
        """What can be seen; `os.walk` passes over folders that vanish meanwhile."""
        seen = []
        for folder, folders, names in os.walk(self.home / "cutouts"):
            folders[:] = [name for name in folders if not name.startswith(".")]
            seen += [Path(folder, name) for name in names if name.endswith(".png") and not name.startswith(".")]
        return seen

    def wrong(self) -> tuple[list[str], list[str]]:
        """Keys without a cutout, and keys whose cutout shows another picture."""
        lost, wrong = [], []
        for key, number in self.numbers.items():
            path = self.home / "cutouts" / key
            if not path.exists():
                lost.append(key)
            elif not shows(path.read_bytes(), number):
                wrong.append(key)
        return lost, wrong


class Reader(threading.Thread):
    """Decodes what can be seen, over and over, as a shop would."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(daemon=True)
        self.read, self.torn = 0, list[str]()
        self.done = threading.Event()
        self._catalogue = catalogue

    def run(self) -> None:
        while not self.done.is_set():
            for path in self._catalogue.cutouts():
                if self.done.wait(0.005):
                    return
                try:
                    data = path.read_bytes()
                except FileNotFoundError:
                    continue
                try:
                    shows(data, 0)
                except (OSError, SyntaxError):
                    self.torn.append(str(path))
                self.read += 1
