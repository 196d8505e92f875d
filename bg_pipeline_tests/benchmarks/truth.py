"""Pictures of 24 megapixels whose colours and alpha are known exactly. Needs OpenCV."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 6000, 4000
Values = NDArray[np.float32]
Made = tuple[Values, Values, Values]
"""Colours of the subject, alpha from 0 to 1, colours of the backdrop."""


class Truth(NamedTuple):
    """A picture, and what it was mixed of."""

    picture: Image.Image
    subject: Image.Image
    alpha: Image.Image


def truth(kind: str) -> Truth:
    rng = np.random.default_rng(1)
    subject, alpha, backdrop = KINDS[kind](rng)
    levels = (alpha * 255 + 0.5).astype(np.uint8)
    share = levels.astype(np.float32)[..., None] / 255
    grain = rng.standard_normal((HEIGHT, WIDTH, 1), dtype=np.float32) * 1.5
    picture = (subject * share + backdrop * (1 - share) + grain + 0.5).clip(0, 255).astype(np.uint8)
    return Truth(Image.fromarray(picture), Image.fromarray(subject.astype(np.uint8)), Image.fromarray(levels))


def _cloud(rng: np.random.Generator, colour: tuple[int, int, int], cells: int, spread: float) -> Values:
    noise = rng.normal(0, 1, (cells, cells * 3 // 2, 3)).astype(np.float32)
    cloud = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) * spread + np.float32(colour)
    return cloud.clip(0, 255)


def _halved(drawn: NDArray[np.uint8]) -> Values:
    return cv2.resize(drawn, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def hair(rng: np.random.Generator) -> Made:
    """Strands of 1 to 3.5 px in their own colours before a green screen."""
    drawn = np.zeros((2 * HEIGHT, 2 * WIDTH), np.uint8)
    colours = np.full((HEIGHT, WIDTH, 3), (70, 45, 30), np.float32)
    along = np.linspace(0, 1, 40)
    for _ in range(1500):
        angle, reach, bend = rng.uniform(0, 2 * np.pi), rng.uniform(400, 1250), rng.normal(0, 0.5)
        course = angle + bend * along**2
        x, y = 3000 + (500 + reach * along) * np.cos(course) * 1.3, 2000 + (500 + reach * along) * np.sin(course)
        points = (np.stack([x, y], 1) * 16).astype(np.int32)[:, None]
        cv2.polylines(drawn, [points * 2], False, 255, int(rng.integers(2, 8)), cv2.LINE_AA, 4)
        own = np.array((70, 45, 30)) * rng.uniform(0.6, 1.8)
        cv2.polylines(colours, [points], False, tuple(map(float, own)), 9, cv2.LINE_8, 4)
    cv2.ellipse(drawn, (6000, 4000), (1500, 1300), 0, 0, 360, 255, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(colours, (0, 0), 1.5), _halved(drawn), _cloud(rng, (0, 177, 64), 6, 6)


def rods(rng: np.random.Generator) -> Made:
    """Rods, and a sheet with holes, before light grey."""
    drawn = np.zeros((2 * HEIGHT, 2 * WIDTH), np.uint8)
    for _ in range(160):
        start, angle = rng.uniform([600, 600], [2 * WIDTH - 600, 2 * HEIGHT - 600]), rng.uniform(0, np.pi)
        end = start + rng.uniform(400, 1500) * np.array([np.cos(angle), np.sin(angle)])
        first, last = (tuple((each * 16).astype(int)) for each in (start, end))
        cv2.line(drawn, first, last, 255, int(rng.integers(3, 24)), cv2.LINE_AA, 4)
    cv2.rectangle(drawn, (4000, 2600), (8000, 5400), 255, -1)
    for _ in range(1200):
        middle = tuple((rng.uniform([4100, 2700], [7900, 5300]) * 16).astype(int))
        cv2.circle(drawn, middle, int(rng.uniform(4, 24) * 16), 0, -1, cv2.LINE_AA, 4)
    return _cloud(rng, (60, 80, 120), 40, 15), _halved(drawn), _cloud(rng, (225, 222, 215), 5, 5)


def shadow(rng: np.random.Generator) -> Made:
    """A ball with a soft black shadow, before light grey."""
    small = np.zeros((HEIGHT // 8, WIDTH // 8), np.float32)
    cv2.ellipse(small, (387, 375), (187, 44), 0, 0, 360, 0.5, -1)
    soft = cv2.resize(cv2.GaussianBlur(small, (0, 0), 12), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(drawn, (3000, 1900), 1200, 255, -1, cv2.LINE_AA)
    ball = drawn.astype(np.float32) / 255
    alpha = ball + (1 - ball) * soft
    own = _cloud(rng, (170, 60, 50), 40, 10) * (ball / np.maximum(alpha, 1e-3))[..., None]
    return own, alpha, _cloud(rng, (235, 235, 235), 4, 2)


def glass(rng: np.random.Generator) -> Made:
    """A bowl that is mostly clear, with a rim and a highlight, before green."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    radius = np.sqrt(((x - 3000) / 1500) ** 2 + ((y - 2000) / 1500) ** 2)
    light, rim = np.zeros((HEIGHT, WIDTH), np.float32), np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(light, (2300, 1400), (90, 420), 25, 0, 360, 0.6, -1, cv2.LINE_AA)
    light = cv2.GaussianBlur(light, (0, 0), 6)
    cv2.circle(rim, (3000, 2000), 700, 200, 5, cv2.LINE_AA)
    body = 0.12 + 0.75 * ((radius - 0.85) / 0.15).clip(0, 1) ** 2
    inside = ((1 - radius) * 1500 + 0.5).clip(0, 1)
    alpha = inside * np.maximum(np.maximum(body, light), rim.astype(np.float32) / 255).clip(0, 1)
    lit = (light / 0.6).clip(0, 1)[..., None]
    own = _cloud(rng, (110, 130, 135), 20, 6) * (1 - lit) + np.float32([245, 248, 250]) * lit
    return own, alpha, _cloud(rng, (150, 190, 120), 5, 5)


KINDS: Mapping[str, Callable[[np.random.Generator], Made]] = {
    each.__name__: each for each in (hair, rods, shadow, glass)
}
