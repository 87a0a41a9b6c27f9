"""Marks painted into a picture, as the page paints them: a white halo, a dark core under the author's colour and dash.

Painted at twice the size and taken down, so that thin lines are smooth. Below the picture, where they cover nothing,
stand the authors with their lines: a colour alone tells two people apart to some eyes only.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..shapes import Point
from .outgoing import DrawnMark, OutgoingError
from .outlines import Graphic, Words, outline

#: Taken down from so many times the size; a large picture has pixels enough of its own.
_SMOOTH: Final = 2
_SMOOTH_LIMIT: Final = 3_000_000
#: In line widths: on, off, on, off; the page's (`web_client/src/annotation/styles.ts`).
PATTERNS: Final[Mapping[str, tuple[float, ...]]] = {
    "solid": (),
    "dashed": (4, 3),
    "dotted": (0.6, 2.3),
    "dash_dot": (5, 2.4, 0.4, 2.4),
    "dash_dot_dot": (5, 2.3, 0.4, 2.3, 0.4, 2.3),
}
#: Fonts with Chinese letters that systems bring, the first that is there; else Pillow's own, which has none.
_FONTS: Final = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
)
_HALO: Final = "#ffffff"
_CORE: Final = "#101418"


def paint(
    picture: NDArray[np.uint8], marks: Sequence[DrawnMark], labels: Mapping[str, str]
) -> NDArray[np.uint8]:
    """Paint marks over a copy of a picture, and their authors below; `labels` by mark: what it measures.

    Raise OutgoingError where there are words for which there is no font.
    """
    rows, columns = picture.shape[:2]
    scale = _SMOOTH if rows * columns <= _SMOOTH_LIMIT else 1
    layer = Image.new("RGBA", (columns * scale, rows * scale))
    draw = ImageDraw.Draw(layer)
    for drawn in marks:
        width = max(2.0, drawn.mark.width * rows) * scale
        for part in outline(drawn.mark, columns, rows, labels.get(drawn.mark.mark, "")):
            if isinstance(part, Words):
                _write(draw, part, drawn.colour, scale)
            else:
                points = [(x * scale, y * scale) for x, y in _path(part)]
                _draw(draw, points, width, drawn.colour, drawn.dash)
    if scale > 1:
        layer = layer.resize((columns, rows), Image.Resampling.BOX)
    below = Image.fromarray(picture).convert("RGBA")
    painted = np.array(Image.alpha_composite(below, layer).convert("RGB"), np.uint8)
    return np.vstack((painted, _legend(marks, rows, columns)))


def _legend(marks: Sequence[DrawnMark], rows: int, columns: int) -> NDArray[np.uint8]:
    """Write who drew, a line each."""
    authors = list({drawn.author: drawn for drawn in marks}.values())
    height = max(20, rows // 30)
    strip = Image.new("RGB", (columns, height * len(authors)), _CORE)
    draw = ImageDraw.Draw(strip)
    for at, drawn in enumerate(authors):
        middle, width = height * (at + 0.5), max(2.0, height / 8)
        _draw(draw, [(height * 0.4, middle), (height * 2.4, middle)], width, drawn.colour, drawn.dash)
        font = _font(height * 0.6, drawn.name)
        draw.text((height * 2.9, middle), drawn.name, fill=drawn.colour, font=font, anchor="lm")
    return np.array(strip, np.uint8)


def _draw(
    draw: ImageDraw.ImageDraw, points: Sequence[Point], width: float, colour: str, dash: str = "solid"
) -> None:
    pattern = [part * width for part in PATTERNS.get(dash, ())]
    for wide, ink, lines in (
        (2.2 * width, _HALO, [points]),
        (1.6 * width, _CORE, [points]),
        (width, colour, dashed(points, pattern)),
    ):
        radius = wide / 2
        for line in lines:
            if len(line) > 1:
                draw.line(line, fill=ink, width=max(1, round(wide)), joint="curve")
            for x, y in line if len(line) < 400 else (line[0], line[-1]):
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)


def dashed(points: Sequence[Point], pattern: Sequence[float]) -> list[Sequence[Point]]:
    """Cut a line into dashes: lengths on and off in turn, along the whole of it; without a pattern it stays whole."""
    if not pattern or len(points) < 2:
        return [points]
    found: list[Sequence[Point]] = []
    lengths = itertools.cycle(pattern)
    left, on, here = next(lengths), True, [points[0]]
    for start, end in itertools.pairwise(points):
        length, at = math.dist(start, end), 0.0
        while length - at > left:
            at += left
            share = at / length
            place = (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)
            if on:
                found.append([*here, place])
            left, on, here = next(lengths), not on, [place]
        left -= length - at
        here.append(end)
    if on:
        found.append(here)
    return found


def _path(part: Graphic) -> Sequence[Point]:
    if part.kind != "ELLIPSE":
        return part.points
    first, second, third, fourth = part.points
    x, y = (first[0] + second[0]) / 2, (first[1] + second[1]) / 2
    along, across = (second[0] - x, second[1] - y), (fourth[0] - x, fourth[1] - y)
    del third
    turns = [2 * math.pi * step / 120 for step in range(121)]
    return [
        (
            x + math.cos(turn) * along[0] + math.sin(turn) * across[0],
            y + math.cos(turn) * along[1] + math.sin(turn) * across[1],
        )
        for turn in turns
    ]


def _write(draw: ImageDraw.ImageDraw, part: Words, colour: str, scale: int) -> None:
    size = max(8.0, part.height) * scale
    draw.text(
        (part.at[0] * scale, part.at[1] * scale),
        part.text,
        fill=colour,
        font=_font(size, part.text),
        stroke_width=max(1, round(size / 12)),
        stroke_fill=_CORE,
    )


def _font(size: float, words: str) -> Any:
    font = _chinese()
    if font is None and any(ord(letter) > 0x2E80 for letter in words):
        raise OutgoingError("The server has no font with Chinese letters, so these words cannot be drawn in.")
    return ImageFont.load_default(size) if font is None else ImageFont.truetype(font[0], size, font[1])


@functools.cache
def _chinese() -> tuple[str, int] | None:
    """Find a font with Chinese letters: its file, and in a collection the face for simplified ones."""
    for name in _FONTS:
        if Path(name).is_file():
            faces = [str(ImageFont.truetype(name, 10, at).getname()[0]) for at in range(_faces(name))]
            return name, next((at for at, face in enumerate(faces) if face.endswith(" SC")), 0)
    return None


def _faces(name: str) -> int:
    """Count a file's faces (the header of an OpenType collection: tag, version, count)."""
    with Path(name).open("rb") as file:
        head = file.read(12)
    return int.from_bytes(head[8:12], "big") if head[:4] == b"ttcf" else 1
