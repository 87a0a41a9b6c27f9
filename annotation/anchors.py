"""What a mark hangs on: a frame of a producer's video, a frame of a DICOM image, a page of the whiteboard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from .values import UINT32, as_flag, as_integer, as_object, bad

#: Pages of the whiteboard.
BOARDS: Final = 100
#: PS3.5 section 9.1: digits and dots, 64 characters. Leading zeros are wrong there, and met.
_UID: Final = re.compile(r"\d+(\.\d+)+")
UID_LIMIT: Final = 64

#: The three things to draw on; `of` of a clear names one.
Surface = Literal["field", "dicom", "board"]


@dataclass(frozen=True, slots=True)
class VideoAnchor:
    """One frame of one producer. `still`: the mark belongs to the frozen picture of it, not to the live one."""

    producer: int
    rtp_timestamp: int
    still: bool = False
    surface: ClassVar[Surface] = "field"

    @property
    def place(self) -> tuple[str, object]:
        """What pins are numbered through on."""
        return "field", self.producer

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        body: dict[str, Any] = {"producer": self.producer, "rtp_timestamp": self.rtp_timestamp}
        return body | {"still": True} if self.still else body


@dataclass(frozen=True, slots=True)
class DicomAnchor:
    """One frame (from 1) of one image. Points are fractions of its columns and rows."""

    sop_instance_uid: str
    frame: int
    surface: ClassVar[Surface] = "dicom"

    @property
    def place(self) -> tuple[str, object]:
        """What pins are numbered through on."""
        return "dicom", self.sop_instance_uid

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"SOPInstanceUID": self.sop_instance_uid, "frame": self.frame}


@dataclass(frozen=True, slots=True)
class BoardAnchor:
    """A page of the whiteboard (from 1). Points are fractions of a 16:9 page."""

    board: int
    surface: ClassVar[Surface] = "board"

    @property
    def place(self) -> tuple[str, object]:
        """What pins are numbered through on."""
        return "board", self.board

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"board": self.board}


Anchor = VideoAnchor | DicomAnchor | BoardAnchor

_KEYS: Final = ("producer", "SOPInstanceUID", "board")


def parse_anchor(value: object) -> Anchor:
    """Parse what a mark hangs on. Raise AnnotationError bad_message."""
    body = as_object(value, "anchor")
    if sum(key in body for key in _KEYS) != 1:
        raise bad("anchor", f"must name one of {', '.join(_KEYS)}")
    if "producer" in body:
        return parse_video_anchor(body)
    if "board" in body:
        return BoardAnchor(as_integer(body["board"], "board", 1, BOARDS))
    return DicomAnchor(
        as_uid(body["SOPInstanceUID"], "SOPInstanceUID"), as_integer(body.get("frame"), "frame", 1, 2**31 - 1)
    )


def parse_video_anchor(value: object) -> VideoAnchor:
    """Parse an anchor that must be a frame of a producer."""
    body = as_object(value, "anchor")
    return VideoAnchor(
        as_integer(body.get("producer"), "producer", 1, UINT32),
        as_integer(body.get("rtp_timestamp"), "rtp_timestamp", 0, UINT32),
        as_flag(body.get("still", False), "still"),
    )


def as_uid(value: object, field: str) -> str:
    """Require a DICOM unique identifier."""
    if type(value) is str and len(value) <= UID_LIMIT and value.isascii() and _UID.fullmatch(value):
        return value
    raise bad(field, f"must be a DICOM unique identifier of at most {UID_LIMIT} characters")
