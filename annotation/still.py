"""A frame that the server keeps as a picture, and what was true of it when it was frozen.

Patient, orientation and calibration change while a room goes on; a frozen frame does not. So it bears its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from .shapes import Point, parse_points
from .values import (
    NAME_LIMIT,
    UINT32,
    as_flag,
    as_hash,
    as_identifier,
    as_integer,
    as_number,
    as_object,
    as_text,
    bad,
)

#: 16K video.
PICTURE_LIMIT: Final = 16_384
#: DICOM's Patient Orientation, PS3.3 C.7.6.1.1.1.
_LETTERS: Final = frozenset("LRAPHF")


@dataclass(frozen=True, slots=True)
class Facing:
    """What the right edge (`row`) and the lower one (`column`) showed of the patient; None: nobody had said."""

    row: str | None
    column: str | None
    mirrored: bool

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"row": self.row, "column": self.column, "mirrored": self.mirrored}


@dataclass(frozen=True, slots=True)
class Scale:
    """How far two points of the frame are apart, in mm: the calibration that held when it was captured."""

    points: tuple[Point, ...]
    millimetres: float

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"points": self.points, "millimetres": self.millimetres}


@dataclass(frozen=True, slots=True)
class Still:
    """A frame that the server keeps as a picture; `sm3` is of its PNG file. Server-made.

    `patient` is the key of the room's patient when it was frozen; None: none was chosen.
    """

    producer: int
    rtp_timestamp: int
    width: int
    height: int
    sm3: str
    taken_by: str
    for_all: bool
    label: str
    patient: str | None = None
    orientation: Facing | None = None
    calibration: Scale | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        still = {
            "producer": self.producer,
            "rtp_timestamp": self.rtp_timestamp,
            "width": self.width,
            "height": self.height,
            "sm3": self.sm3,
            "taken_by": self.taken_by,
            "for_all": self.for_all,
            "label": self.label,
            "patient": self.patient,
            "orientation": None if self.orientation is None else self.orientation.to_json(),
            "calibration": None if self.calibration is None else self.calibration.to_json(),
        }
        return {"kind": "still", "still": still}


def parse_still(body: dict[str, Any]) -> Still:
    """Parse the note. Raise AnnotationError bad_message. What is missing (in an old recording) is not known."""
    still = as_object(body.get("still"), "still")
    patient = still.get("patient")
    return Still(
        as_integer(still.get("producer"), "producer", 1, UINT32),
        as_integer(still.get("rtp_timestamp"), "rtp_timestamp", 0, UINT32),
        as_integer(still.get("width"), "width", 1, PICTURE_LIMIT),
        as_integer(still.get("height"), "height", 1, PICTURE_LIMIT),
        as_hash(still.get("sm3"), "sm3"),
        as_text(still.get("taken_by"), "taken_by", 1, 64),
        as_flag(still.get("for_all"), "for_all"),
        as_text(still.get("label"), "label", 0, NAME_LIMIT),
        None if patient is None else as_identifier(patient, "patient"),
        parse_facing(still.get("orientation")),
        parse_scale(still.get("calibration")),
    )


def parse_facing(value: object) -> Facing | None:
    """Parse an orientation, or null. Raise AnnotationError bad_message."""
    if value is None:
        return None
    body = as_object(value, "orientation")
    for key in ("row", "column"):
        letter = body.get(key)
        if letter is not None and (type(letter) is not str or letter not in _LETTERS):
            raise bad(key, "must be null or one of L R A P H F")
    return Facing(body.get("row"), body.get("column"), as_flag(body.get("mirrored"), "mirrored"))


def parse_scale(value: object) -> Scale | None:
    """Parse a calibration, or null. Raise AnnotationError bad_message."""
    if value is None:
        return None
    body = as_object(value, "calibration")
    points = parse_points(body.get("points"), 2, 2)
    if points[0] == points[1]:
        raise bad("points", "must be two different points")
    return Scale(points, as_number(body.get("millimetres"), "millimetres", 0.01, 10_000))
