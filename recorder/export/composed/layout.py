"""Where what stands in a film: the field large, the others small beside it, words below."""

from __future__ import annotations

from dataclasses import dataclass

#: Of the film's width and height.
_SIDE = 0.2
_STRIP = 0.1
_GAP = 0.004


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the film, in pixels."""

    left: int
    top: int
    width: int
    height: int

    def holding(self, width: int, height: int) -> Box:
        """Give the part that a picture of this shape fills; even, as pictures are halved for their colours."""
        scale = min(self.width / max(1, width), self.height / max(1, height))
        wide, high = max(2, int(width * scale) & ~1), max(2, int(height * scale) & ~1)
        return Box(self.left + (self.width - wide) // 2, self.top + (self.height - high) // 2, wide, high)

    def slices(self) -> tuple[slice, slice]:
        """Give its rows and columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


@dataclass(frozen=True, slots=True)
class Layout:
    """The film's parts. `tiles` are empty where nobody but the field is ever seen; `image` is for what is presented."""

    width: int
    height: int
    main: Box
    tiles: tuple[Box, ...]
    strip: Box
    image: Box | None = None


def layout_of(height: int, *, side: bool, images: bool = False) -> Layout:
    """Lay a film of 16 by 9 out."""
    width = height * 16 // 9
    strip = int(height * _STRIP) & ~1
    beside = int(width * _SIDE) & ~1 if side or images else 0
    gap = max(2, int(height * _GAP))
    main = Box(0, 0, width - beside, height - strip)
    tall = beside * 9 // 16
    below = beside if images else 0  # square, as most images are
    count = (height - strip - below) // tall if tall and side else 0
    tiles = tuple(
        Box(width - beside + gap, at * tall + gap, beside - 2 * gap, tall - 2 * gap) for at in range(count)
    )
    image = Box(width - beside + gap, height - strip - below + gap, beside - 2 * gap, below - 2 * gap)
    return Layout(width, height, main, tiles, Box(0, height - strip, width, strip), image if images else None)
