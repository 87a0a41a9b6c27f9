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
    """The film's parts. `tiles` are empty where nobody but the field is ever seen."""

    width: int
    height: int
    main: Box
    tiles: tuple[Box, ...]
    strip: Box


def layout_of(height: int, *, side: bool) -> Layout:
    """Lay a film of 16 by 9 out."""
    width = height * 16 // 9
    strip = int(height * _STRIP) & ~1
    beside = int(width * _SIDE) & ~1 if side else 0
    gap = max(2, int(height * _GAP))
    main = Box(0, 0, width - beside, height - strip)
    tall = beside * 9 // 16
    count = (height - strip) // tall if tall else 0
    tiles = tuple(
        Box(width - beside + gap, at * tall + gap, beside - 2 * gap, tall - 2 * gap) for at in range(count)
    )
    return Layout(width, height, main, tiles, Box(0, height - strip, width, strip))
