"""Words in a film, in a font that has Chinese letters where the system brings one."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]

#: The first that is there, bold as the page's; else Pillow's own font, which has no Chinese letters.
_FONTS: Final = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Bold.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
)
#: What stands for hidden words is in none of these fonts: its like is.
_ALIKE: Final = str.maketrans("▮", "■")
#: A text is cut where it is longer than any that people may write.
_MOST: Final = 400


@functools.lru_cache(256)
def width_of(words: str, height: float) -> float:
    """Measure a line of words."""
    return float(_font(round(height * 4)).getlength(words[:_MOST].translate(_ALIKE))) / 4


@functools.lru_cache(256)
def written(
    words: str, height: float, colour: str, strokes: tuple[tuple[str, float], ...] = ()
) -> tuple[Pixels, int]:
    """Write a line: an RGBA picture with straight alpha, and by how much it reaches out to the left and the top.

    `strokes` are drawn below it, the widest first: colour, and width of the line round each letter.
    """
    words = words[:_MOST].translate(_ALIKE)
    font = _font(max(4, round(height)))
    edge = round(max((width for _, width in strokes), default=0.0)) + 2
    left, top, right, bottom = font.getbbox(words, anchor="la")
    size = (
        int(right - min(left, 0)) + 2 * edge + 1,
        int(max(bottom, height * 1.3) - min(top, 0)) + 2 * edge + 1,
    )
    picture = Image.new("RGBA", size)
    draw = ImageDraw.Draw(picture)
    for ink, width in strokes:
        draw.text(
            (edge, edge), words, fill=ink, font=font, anchor="la", stroke_width=width / 2, stroke_fill=ink
        )
    draw.text((edge, edge), words, fill=colour, font=font, anchor="la")
    return np.array(picture, np.uint8), edge


@functools.lru_cache(64)
def above_capitals(height: float) -> float:
    """Tell how far above its capitals a line begins: a page's text begins at its capitals."""
    return float(_font(round(height * 4)).getbbox("H", anchor="la")[1]) / 4


@functools.lru_cache(64)
def middle_of_capitals(height: float) -> float:
    """Tell how far above the middle of its capitals a line begins."""
    _, top, _, bottom = _font(round(height * 4)).getbbox("H", anchor="la")
    return float(top + bottom) / 8


def fitted(words: str, height: float, room: float) -> str:
    """Cut words so that they fit, and say so by three dots."""
    words = " ".join(words[:_MOST].split())
    if width_of(words, height) <= room:
        return words
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        if width_of(words[:middle] + "…", height) <= room:
            low = middle
        else:
            high = middle - 1
    return words[:low].rstrip() + "…"


def broken(words: str, height: float, room: float) -> list[str]:
    """Break words into lines that fit: between words, and Chinese ones anywhere."""
    lines = [""]
    for piece in re.findall(r"[\u2e80-\uffff]|[^\s\u2e80-\uffff]+\s*", words):
        if lines[-1] and width_of(lines[-1] + piece, height) > room:
            lines.append("")
        lines[-1] += piece
    return [line.strip() for line in lines]


def has_chinese_letters() -> bool:
    """Tell whether Chinese words can be written."""
    return _face() is not None


@functools.lru_cache(64)
def _font(size: int) -> Any:
    face = _face()
    return ImageFont.load_default(size) if face is None else ImageFont.truetype(face[0], size, face[1])


@functools.cache
def _face() -> tuple[str, int] | None:
    """Find the font's file, and in a collection the face for simplified letters."""
    for name in _FONTS:
        if Path(name).is_file():
            with Path(name).open("rb") as file:
                head = file.read(12)
            count = int.from_bytes(head[8:12], "big") if head[:4] == b"ttcf" else 1
            faces = [str(ImageFont.truetype(name, 10, at).getname()[0]) for at in range(count)]
            return name, next((at for at, face in enumerate(faces) if face.endswith(" SC")), 0)
    return None
