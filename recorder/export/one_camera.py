"""Films of one camera alone: which one it is, and what of it is shown."""

from __future__ import annotations

from .composed.footage import Footage, Reel
from .kinds import ExportError
from .muxing import Plan
from .shown import Camera, Timeline

#: Which camera it is of, if nobody says it.
_SHOWN = ("field", "second", "screen", "camera")


def chosen(timeline: Timeline, reel: Reel, producers: tuple[int, ...]) -> tuple[Camera, Footage]:
    """Find the camera that was named, else the field, else what comes next to it. Raises ExportError."""
    there = {
        producer: timeline.cameras[producer] for producer in reel.pictures if producer in timeline.cameras
    }
    if producers:
        camera = there.get(producers[0])
        if camera is None:
            raise ExportError("The recording has no such camera.", "no_such_camera")
    else:
        ranked = sorted(there.values(), key=lambda one: (_rank(one), one.producer))
        if not ranked:
            raise ExportError("In this range there is neither picture nor sound.", "nothing_in_range")
        camera = ranked[0]
    return camera, reel.pictures[camera.producer]


def plan_of(footage: Footage, begin: float, end: float | None, rate: int) -> Plan:
    """Lay a film over what a camera sent within a range; its last picture counts as one. Raises ExportError."""
    first = max(begin, footage.begin)
    last = footage.end + 1 / rate
    last = last if end is None else min(end, last)
    if last - first < 0.1:
        raise ExportError("In this range this camera sent no picture.", "no_picture")
    return Plan(first, last, rate)


def _rank(camera: Camera) -> int:
    return _SHOWN.index(camera.source) if camera.source in _SHOWN else len(_SHOWN)
