"""A colour of the page as DICOM's CIELab, and back.

DICOM names display colours in the PCS of ICC: CIELab under D50 (PS3.3 C.10.7.1.1). What a page calls #4cc2ff is sRGB
under D65 (IEC 61966-2-1); the matrix below takes linear sRGB to XYZ under D50, by Bradford's adaptation.
"""

from __future__ import annotations

import re
from typing import Final

Lab = tuple[float, float, float]

_WHITE: Final = (0.96422, 1.0, 0.82521)
_TO_XYZ: Final = (
    (0.4360747, 0.3850649, 0.1430804),
    (0.2225045, 0.7168786, 0.0606169),
    (0.0139322, 0.0971045, 0.7141733),
)
_FROM_XYZ: Final = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)
_HEX: Final = re.compile(r"#[0-9a-fA-F]{6}")
#: Below this share of white, CIELab is linear (CIE 15).
_LINEAR: Final = (6 / 29) ** 3
#: What a mark is shown in whose colour cannot be told.
UNKNOWN: Final = "#ffffff"


def lab_from_hex(colour: str) -> Lab:
    """Convert #rrggbb to (L*, a*, b*); anything else is white."""
    if not _HEX.fullmatch(colour):
        colour = UNKNOWN
    linear = [_linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5)]
    x, y, z = (
        _root(sum(a * b for a, b in zip(row, linear, strict=True)) / white)
        for row, white in zip(_TO_XYZ, _WHITE, strict=True)
    )
    return (116 * y - 16, 500 * (x - y), 200 * (y - z))


def hex_from_lab(lab: Lab) -> str:
    """Convert (L*, a*, b*) to the nearest #rrggbb that a screen has."""
    y = (lab[0] + 16) / 116
    xyz = [
        _cube(part) * white
        for part, white in zip((y + lab[1] / 500, y, y - lab[2] / 200), _WHITE, strict=True)
    ]
    parts = (_encoded(sum(a * b for a, b in zip(row, xyz, strict=True))) for row in _FROM_XYZ)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


def lab_from_words(values: tuple[int, int, int]) -> Lab:
    """Read DICOM's three unsigned 16-bit numbers (PS3.3 C.10.7.1.1)."""
    lightness, a, b = values
    return (lightness / 65535 * 100, a / 257 - 128, b / 257 - 128)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _encoded(part: float) -> float:
    part = min(1.0, max(0.0, part))
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


def _root(share: float) -> float:
    return share ** (1 / 3) if share > _LINEAR else share * (29 / 6) ** 2 / 3 + 4 / 29


def _cube(part: float) -> float:
    return part**3 if part > 6 / 29 else 3 * (6 / 29) ** 2 * (part - 4 / 29)
