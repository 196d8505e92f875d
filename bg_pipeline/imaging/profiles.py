"""ICC profiles of colour spaces that a file names by numbers."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

Chromaticity = tuple[float, float]
"""CIE 1931 x and y."""

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]
"""Three rows."""

Curve = Callable[[float], float]
"""From a signal of 0 to 1 to light of 0 to 1."""

_STEPS = 4096
"""Points of a curve."""

_D50: Vector = (0.9642, 1.0, 0.8249)
"""White of the connection space: ICC.1, 7.2.16."""

_BRADFORD: Matrix = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
"""From XYZ to the cones of the Bradford transform: ICC.1, annex E."""

_D65: Chromaticity = (0.3127, 0.3290)

_HDR_WHITE_NITS = 203.0
"""White of print and of sRGB in high dynamic range: ITU-R BT.2408."""


@dataclass(frozen=True, slots=True)
class Primaries:
    """The chromaticities of a colour space."""

    red: Chromaticity
    green: Chromaticity
    blue: Chromaticity
    white: Chromaticity = _D65


SRGB = Primaries((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))

ADOBE_RGB = Primaries((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
"""Adobe RGB (1998) Color Image Encoding, 4.3.1."""

ADOBE_GAMMA = 563 / 256
"""The same, 4.3.4.2."""

_NTSC = Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
_BY_CODE = {
    1: SRGB,
    4: Primaries((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316)),
    5: Primaries((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: _NTSC,
    7: _NTSC,
    9: Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: Primaries((0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
"""Colour primaries by their code: ITU-T H.273, table 2."""


def gamma(exponent: float) -> Curve:
    """Return a pure power curve."""
    return lambda v: v**exponent


def _srgb(v: float) -> float:
    return v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4


def _bt709(v: float) -> float:
    return v / 4.5 if v < 0.081 else ((v + 0.099) / 1.099) ** (1 / 0.45)


def _pq(v: float) -> float:
    root: float = v ** (32 / 2523)
    nits: float = 10_000 * (max(root - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * root)) ** (8192 / 1305)
    return nits / _HDR_WHITE_NITS


def _hlg(v: float) -> float:
    light = v**2 / 3 if v <= 0.5 else (2.718281828459045 ** ((v - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return light / 0.2649  # the light of three quarters of the signal, which is white: ITU-R BT.2408


_CURVES: dict[int, Curve] = {
    **dict.fromkeys((1, 6, 14, 15), _bt709),
    4: gamma(2.2),
    5: gamma(2.8),
    8: gamma(1.0),
    13: _srgb,
    16: _pq,
    17: lambda v: v**2.6 * 52.37 / 48,
    18: _hlg,
}
"""Transfer characteristics by their code, as light: ITU-T H.273, table 3."""


@cache
def of_codes(primaries: int, transfer: int, *, full_range: bool = True) -> bytes | None:
    """
    Return the profile of codes of ITU-T H.273, as in cICP and nclx; None for sRGB, and for codes that name no space.

    What is brighter than white is white.
    """
    space, curve = _BY_CODE.get(primaries), _CURVES.get(transfer)
    if space is None or curve is None or (full_range and (primaries, transfer) == (1, 13)):
        return None
    return rgb_profile(space, curve if full_range else lambda v: curve(min(max((255 * v - 16) / 219, 0.0), 1.0)))


@cache
def srgb_profile() -> bytes:
    """Return the profile that every output carries, always the same bytes; sRGB is IEC 61966-2-1."""
    return rgb_profile(SRGB, _srgb, b"sRGB", 1024)


def rgb_profile(primaries: Primaries, curve: Curve, name: bytes = b"", steps: int = _STEPS) -> bytes:
    """
    Return a profile of version 2 for RGB: three primaries, and one curve for all.

    Args:
        primaries: the colour space.
        curve: from signal to light.
        name: its description, in ASCII.
        steps: points of the curve.

    Raises:
        ZeroDivisionError: the chromaticities name no colour space.
    """
    columns = _to_d50(primaries)
    points = [round(65535 * min(max(curve(n / (steps - 1)), 0.0), 1.0)) for n in range(steps)]
    shared = struct.pack(f">4s4xI{steps}H", b"curv", steps, *points)
    tags = {
        b"desc": struct.pack(">4s4xI", b"desc", len(name) + 1) + name + bytes(80),
        b"cprt": b"text\0\0\0\0\0\0\0\0",
        b"wtpt": _xyz(_D50),
        b"rXYZ": _xyz(columns[0]),
        b"gXYZ": _xyz(columns[1]),
        b"bXYZ": _xyz(columns[2]),
        b"rTRC": shared,
        b"gTRC": shared,
        b"bTRC": shared,
    }
    return _file(tags)


def _file(tags: dict[bytes, bytes]) -> bytes:
    at, table, body = 132 + 12 * len(tags), b"", b""
    places: dict[bytes, int] = {}
    for name, content in tags.items():
        if content not in places:  # tags may share their content: ICC.1, 7.3.1
            places[content] = at + len(body)
            body += content + b"\0" * (-len(content) % 4)
        table += struct.pack(">4sII", name, places[content], len(content))
    head = struct.pack(">4xI4s4s4s", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _fixed(_D50)
    rest = head.ljust(124, b"\0") + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(rest) + 4) + rest


def _fixed(values: Vector) -> bytes:
    return struct.pack(">3i", *(round(value * 65536) for value in values))


def _xyz(values: Vector) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values)


def _to_d50(primaries: Primaries) -> Matrix:
    """Return the XYZ of red, green and blue, with the white adapted to D50."""
    white = _of(primaries.white)
    rows = _transposed((_of(primaries.red), _of(primaries.green), _of(primaries.blue)))
    amounts = _times(_inverse(rows), white)
    cones, wanted = _times(_BRADFORD, white), _times(_BRADFORD, _D50)
    r, g, b = (wanted[n] / cones[n] for n in range(3))
    scaled: Matrix = (
        _scaled(_BRADFORD[0], r),
        _scaled(_BRADFORD[1], g),
        _scaled(_BRADFORD[2], b),
    )
    adapt = [_times(_inverse(_BRADFORD), _times(scaled, column)) for column in _transposed(rows)]
    return (_scaled(adapt[0], amounts[0]), _scaled(adapt[1], amounts[1]), _scaled(adapt[2], amounts[2]))


def _of(xy: Chromaticity) -> Vector:
    x, y = xy
    return x / y, 1.0, (1 - x - y) / y


def _scaled(vector: Vector, factor: float) -> Vector:
    return vector[0] * factor, vector[1] * factor, vector[2] * factor


def _times(matrix: Matrix, vector: Vector) -> Vector:
    a, b, c = (sum(x * y for x, y in zip(row, vector, strict=True)) for row in matrix)
    return a, b, c


def _transposed(m: Matrix) -> Matrix:
    return (m[0][0], m[1][0], m[2][0]), (m[0][1], m[1][1], m[2][1]), (m[0][2], m[1][2], m[2][2])


def _inverse(m: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = m
    whole = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return (
        _scaled((e * i - f * h, c * h - b * i, b * f - c * e), 1 / whole),
        _scaled((f * g - d * i, a * i - c * g, c * d - a * f), 1 / whole),
        _scaled((d * h - e * g, b * g - a * h, a * e - b * d), 1 / whole),
    )
