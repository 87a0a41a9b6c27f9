"""Sixteen colours for people, and a dash for each: told from each other, and from tissue.

None is red, pink, orange or brown: that is what an operating field looks like. They were chosen in CIE Lab,
where equal distances look equally different: at least 33 from every tissue colour and from each other,
and a contrast of at least 5:1 on the client's dark ground (WCAG 2.2), since names are written in them.
`tests/signalling/test_colours.py` holds these figures. They stand in the order in which they are given away,
each as far from its predecessors as can be. On bright tissue a mark needs a dark edge, whatever its colour.
About one man in twelve sees some of them alike; hence the dash.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

COLOURS: Final[tuple[str, ...]] = (
    "#00c3ff",
    "#ffff00",
    "#c34bff",
    "#00ff87",
    "#78962d",
    "#ffffff",
    "#00ffe1",
    "#e196ff",
    "#78ff00",
    "#c3ff78",
    "#1e9696",
    "#00a500",
    "#3c96ff",
    "#1ea569",
    "#d2b400",
    "#c3c3ff",
)

#: How a line is broken; which of them follows from the colour.
DASHES: Final[tuple[str, ...]] = ("solid", "dashed", "dotted", "dash_dot", "dash_dot_dot")

#: By colour: chosen so that colours of equal dashes stay at least 30 apart in CIE Lab to every kind of eye, also where
#: red, green or blue cones are missing. The first five people have five different ones.
_DASH_OF: Final[tuple[int, ...]] = (0, 1, 2, 3, 4, 0, 1, 3, 2, 4, 1, 2, 4, 3, 0, 2)

#: Who may not draw needs no colour of his own.
NEUTRAL: Final = "#a9b4c0"


def dash(colour: str) -> str:
    """Return the dash of lines of a colour; solid where it is none of the sixteen."""
    return DASHES[_DASH_OF[COLOURS.index(colour)]] if colour in COLOURS else "solid"


def choose(taken: Iterable[str]) -> str:
    """Return the first of the colours that the fewest have: with up to sixteen people, one that nobody has."""
    counts = dict.fromkeys(COLOURS, 0)
    for colour in taken:
        if colour in counts:
            counts[colour] += 1
    return min(COLOURS, key=lambda colour: counts[colour])
