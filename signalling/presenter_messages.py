"""What a client may say about presenting: who presents, and what is seen (PROTOCOL.md, section 11).

A viewport names what stands in each pane, and the part of the image that is seen in fractions of that image: so it
means the same on every screen. It bears no answer, since the next one comes a moment later.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from .message_fields import INTEGER_LIMIT, TIME_LIMIT, bad, flag, integer, number, text

Action = Literal["start", "stop", "ask", "give"]
ACTIONS: Final = ("start", "stop", "ask", "give")

#: Rows and columns of panes: how many panes a layout has.
LAYOUTS: Final[dict[str, int]] = {"1x1": 1, "1x2": 2, "2x2": 4}
#: A pane shows the stored images in their order, or a cut through the volume that they make.
PLANES: Final = ("stack", "axial", "coronal", "sagittal")

#: What is shown of a cut thicker than its pixels, and how thick it may be, mm.
SLABS: Final = ("mean", "max")
THICKNESSES: Final = (0.01, 1000.0)

#: Pages of the whiteboard.
BOARDS: Final = 100

NAME_LIMIT: Final = 64
FRAMES_LIMIT: Final = 1_000_000
#: Stored values have at most 32 bits, and a slope.
WINDOW_LIMIT: Final = 1e12
#: Beyond these nothing of the image could be seen.
CENTRES: Final = (-100.0, 100.0)
ZOOMS: Final = (0.001, 1000.0)
RATE_LIMIT: Final = 240.0

_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True, slots=True)
class Present:
    """Begin or end presenting, ask for it, or hand it over to a participant."""

    id: int
    action: Action
    to: str | None


@dataclass(frozen=True, slots=True)
class Viewport:
    """What the presenter sees: `sent` in Unix ms by the server's clock, `state` checked and without anything else."""

    n: int
    sent: float
    state: dict[str, Any]


def _present(identifier: int, body: dict[str, Any]) -> Present:
    action = body.get("action")
    if type(action) is not str or action not in ACTIONS:
        raise bad("action", f"must be one of {', '.join(ACTIONS)}")
    to = text(body, "to", 1, NAME_LIMIT) if action == "give" else None
    return Present(identifier, cast(Action, action), to)


def parse_viewport(body: dict[str, Any]) -> Viewport:
    """Read what a presenter sees. Raise MessageError."""
    state = body.get("state")
    if type(state) is not dict:
        raise bad("state", "must be an object")
    layout = state.get("layout")
    if type(layout) is not str or layout not in LAYOUTS:
        raise bad("layout", f"must be one of {', '.join(LAYOUTS)}")
    panes = state.get("panes")
    if type(panes) is not list or len(panes) != LAYOUTS[layout]:
        raise bad("panes", "must be a list of as many as the layout has")
    parsed = {
        "layout": layout,
        "active": integer(state, "active", 0, len(panes) - 1),
        "lines": flag(state, "lines"),
        "panes": [None if pane is None else _pane(pane) for pane in panes],
        # pages of before know nothing of the whiteboard's
        "board": integer(state, "board", 1, BOARDS) if "board" in state else 1,
    }
    return Viewport(
        integer(body, "n", 0, INTEGER_LIMIT), number(body, "sent", -TIME_LIMIT, TIME_LIMIT), parsed
    )


def _pane(pane: object) -> dict[str, Any]:
    if type(pane) is not dict:
        raise bad("panes", "must hold objects and nulls")
    plane = pane.get("plane")
    if type(plane) is not str or plane not in PLANES:
        raise bad("plane", f"must be one of {', '.join(PLANES)}")
    return {
        "study": _uid(pane, "study"),
        "series": _uid(pane, "series"),
        "instance": _uid(pane, "instance"),
        "frame": integer(pane, "frame", 1, FRAMES_LIMIT),
        "plane": plane,
        "slice": integer(pane, "slice", 0, FRAMES_LIMIT),
        "slab": _slab(pane),
        "window": _pair(pane, "window", -WINDOW_LIMIT, WINDOW_LIMIT)
        if pane.get("window") is not None
        else None,
        "invert": flag(pane, "invert"),
        "centre": _pair(pane, "centre", *CENTRES),
        "zoom": number(pane, "zoom", *ZOOMS),
        "rotation": number(pane, "rotation", -360, 360),
        "flip": flag(pane, "flip"),
        "playing": flag(pane, "playing"),
        "rate": number(pane, "rate", 0, RATE_LIMIT),
    }


def _slab(pane: dict[str, Any]) -> dict[str, Any] | None:
    """Read how thick a cut is; pages of before know only thin ones."""
    slab = pane.get("slab")
    if slab is None:
        return None
    if type(slab) is not dict:
        raise bad("slab", "must be an object or null")
    mode = slab.get("mode")
    if type(mode) is not str or mode not in SLABS:
        raise bad("mode", f"must be one of {', '.join(SLABS)}")
    return {"mode": mode, "mm": number(slab, "mm", *THICKNESSES)}


def _uid(pane: dict[str, Any], field: str) -> str:
    value = pane.get(field)
    if type(value) is not str or _UID.fullmatch(value) is None:
        raise bad(field, "must be a UID of the room")
    return value


def _pair(pane: dict[str, Any], field: str, low: float, high: float) -> list[float]:
    value = pane.get(field)
    if type(value) is not list or len(value) != 2:
        raise bad(field, "must be two numbers")
    return [number({field: item}, field, low, high) for item in value]


#: The parsers, by type.
PRESENTER: Final[dict[str, Callable[[int, dict[str, Any]], Present]]] = {"present": _present}
