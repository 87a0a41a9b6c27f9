"""Marks painted into a picture, as the page paints them: a white halo, a dark core under the author's colour.

Painted at twice the size and taken down, so that thin lines are smooth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..shapes import Point
from .outgoing import DrawnMark
from .outlines import Graphic, Words, outline

#: Taken down from so many times the size; a large picture has pixels enough of its own.
_SMOOTH: Final = 2
_SMOOTH_LIMIT: Final = 3_000_000
#: Fonts with Chinese letters that systems bring, the first that is there; else Pillow's own, which has none.
_FONTS: Final = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
)
_HALO: Final = "#ffffff"
_CORE: Final = "#101418"


def paint(
    picture: NDArray[np.uint8], marks: Sequence[DrawnMark], labels: Mapping[str, str]
) -> NDArray[np.uint8]:
    """Paint marks over a copy of a picture; `labels` by mark: what it measures."""
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
                _draw(draw, part, width, drawn.colour, scale)
    if scale > 1:
        layer = layer.resize((columns, rows), Image.Resampling.BOX)
    below = Image.fromarray(picture).convert("RGBA")
    return np.array(Image.alpha_composite(below, layer).convert("RGB"), np.uint8)


def _draw(draw: ImageDraw.ImageDraw, part: Graphic, width: float, colour: str, scale: int) -> None:
    points = [(x * scale, y * scale) for x, y in _path(part)]
    for wide, ink in ((2.2 * width, _HALO), (1.6 * width, _CORE), (width, colour)):
        radius = wide / 2
        if len(points) > 1:
            draw.line(points, fill=ink, width=max(1, round(wide)), joint="curve")
        for x, y in points if len(points) < 400 else (points[0], points[-1]):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)


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
        font=_font(size),
        stroke_width=max(1, round(size / 12)),
        stroke_fill=_CORE,
    )


def _font(size: float) -> Any:
    for name in _FONTS:
        if Path(name).is_file():
            return ImageFont.truetype(name, size)
    return ImageFont.load_default(size)
