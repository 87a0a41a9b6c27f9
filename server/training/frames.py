"""One frame of a recording, as its description knows it: where it stands, its size, what a millimetre is there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from annotation.calibration import ticks_between
from annotation.values import AnnotationError

#: A frame may stand a rounding before a recording's beginning or behind its end (seconds).
_ROUNDING = 0.05


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """`at` is seconds after the recording's start; `millimetres` what the picture's width is there, None: not known."""

    producer: int
    rtp_timestamp: int
    at: float
    width: int
    height: int
    millimetres: float | None


def camera_of(description: dict[str, Any], producer: int) -> dict[str, Any] | None:
    """Find a camera of a recording that has a picture."""
    cameras: list[dict[str, Any]] = description["cameras"]
    return next(
        (one for one in cameras if one["producer"] == producer and one["source"] != "microphone"), None
    )


def moment(camera: dict[str, Any], rtp_timestamp: int, near: float) -> float:
    """Tell where a frame stands, in seconds after the recording's start; `near`: about when (timestamps come round)."""
    rate = camera["clock_rate"]
    since = near - camera["offset"]
    ticks = ticks_between(rtp_timestamp, camera["first_rtp_timestamp"], since, rate)
    return float(camera["offset"] + ticks / rate)


def find_frame(description: dict[str, Any], producer: int, rtp_timestamp: int, near: float) -> RecordedFrame:
    """Find a frame of a recording. Raise AnnotationError not_found where it is none of it."""
    camera = camera_of(description, producer)
    at = None if camera is None else moment(camera, rtp_timestamp, near)
    if camera is None or at is None or not -_ROUNDING <= at <= description["seconds"] + _ROUNDING:
        raise AnnotationError("not_found", "This recording has no such frame.")
    width, height = camera["width"], camera["height"]
    return RecordedFrame(
        producer,
        rtp_timestamp,
        at,
        width,
        height,
        _millimetres(description, producer, at, width / height),
    )


def _millimetres(description: dict[str, Any], producer: int, at: float, aspect: float) -> float | None:
    """Tell how many millimetres the picture is wide, by the calibration that held; an interruption ends it."""
    found: dict[str, Any] | None = None
    made = -math.inf
    for entry in description["operations"]:
        operation = entry["operation"]
        if (
            operation["kind"] == "calibrate"
            and operation["anchor"]["producer"] == producer
            and entry["at"] <= at
        ):
            found, made = operation, entry["at"]
    interrupted = any(
        event["kind"] == "producer_resumed" and event.get("producer") == producer and made < event["at"] <= at
        for event in description["events"]
    )
    if found is None or found["millimetres"] is None or interrupted:
        return None
    (x1, y1), (x2, y2) = found["points"]
    known = math.hypot(x2 - x1, (y2 - y1) / aspect)
    return float(found["millimetres"] / known) if known > 0 else None
