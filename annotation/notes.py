"""What stands in the log beside marks: instructions and their answers, talk, calibrations, pages, and what only the
server says (stills, files, tracks). Notes are never undone and never cleared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from .anchors import BOARDS, VideoAnchor, parse_video_anchor
from .shapes import Point, parse_points
from .still import Still, parse_still
from .values import (
    NAME_LIMIT,
    SEQUENCE_LIMIT,
    as_flag,
    as_hash,
    as_identifier,
    as_integer,
    as_number,
    as_object,
    as_text,
    bad,
)

INSTRUCTION_LIMIT: Final = 200
SAY_LIMIT: Final = 2_000
FILE_NAME_LIMIT: Final = 200
TRACKS_LIMIT: Final = 500
#: Movements beyond a few pictures are no movements of tissue.
MATRIX_LIMIT: Final = 100.0

Json = dict[str, Any]
Reaction = Literal["seen", "done", "no"]
REACTIONS: Final = ("seen", "done", "no")
TrackState = Literal["good", "lost", "stale"]
TRACK_STATES: Final = ("good", "lost", "stale")


@dataclass(frozen=True, slots=True)
class Instruct:
    """Ask the surgeon to do something, by a mark or without one (None).

    `number` is what people call it, from 1: decided by the server, 0 where it was not (as in older recordings).
    """

    instruction: str
    text: str
    mark: str | None
    spoken: bool
    number: int = 0

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        body: Json = {"kind": "instruct", "instruction": self.instruction, "text": self.text}
        body |= {"mark": self.mark, "spoken": self.spoken}
        return body | {"number": self.number} if self.number else body


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer an instruction: it was seen, is done, or will not be done."""

    instruction: str
    answer: Reaction

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"kind": "answer", "instruction": self.instruction, "answer": self.answer}


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take one's instruction back."""

    instruction: str

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"kind": "withdraw", "instruction": self.instruction}


@dataclass(frozen=True, slots=True)
class Say:
    """Write to everybody."""

    text: str

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"kind": "say", "text": self.text}


@dataclass(frozen=True, slots=True)
class Calibrate:
    """Say how far two points of a producer's picture are apart, in mm; None ends its calibration."""

    anchor: VideoAnchor
    points: tuple[Point, ...]
    millimetres: float | None

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        body = {"kind": "calibrate", "anchor": self.anchor.to_json(), "points": self.points}
        return {**body, "millimetres": self.millimetres}


@dataclass(frozen=True, slots=True)
class Page:
    """Open a page of the whiteboard, or name it anew."""

    board: int
    title: str

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"kind": "page", "board": self.board, "title": self.title}


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file that the server keeps for the room. Server-made."""

    file: str
    name: str
    size: int
    digest: str
    type: str

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        file = {
            "file": self.file,
            "name": self.name,
            "size": self.size,
            "digest": self.digest,
            "type": self.type,
        }
        return {"kind": "file", "file": file}


@dataclass(frozen=True, slots=True)
class Track:
    """Where a mark's tissue is now: `matrix` [a, b, c, d, e, f] takes a point p of the mark's own frame to
    (a·x + c·y + e, b·x + d·y + f), all in units of the picture's height."""

    mark: str
    state: TrackState
    matrix: tuple[float, ...]
    confidence: float

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        body = {"mark": self.mark, "state": self.state}
        return {**body, "matrix": self.matrix, "confidence": self.confidence}


@dataclass(frozen=True, slots=True)
class Tracked:
    """The tracker's news of marks, at a frame of their producer. Server-made."""

    tracks: tuple[Track, ...]
    anchor: VideoAnchor

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        tracks = [track.to_json() for track in self.tracks]
        return {"kind": "track", "tracks": tracks, "anchor": self.anchor.to_json()}


Note = Instruct | Answer | Withdraw | Say | Calibrate | Page | Still | SharedFile


def parse_instruct(body: Json, *, decided: bool = False) -> Instruct:
    """Parse an instruction; its number counts where the server `decided` it. Raise AnnotationError bad_message."""
    mark, number = body.get("mark"), body.get("number")
    return Instruct(
        as_identifier(body.get("instruction"), "instruction"),
        as_text(body.get("text"), "text", 0, INSTRUCTION_LIMIT),
        None if mark is None else as_identifier(mark, "mark"),
        as_flag(body.get("spoken", False), "spoken"),
        as_integer(number, "number", 1, SEQUENCE_LIMIT) if decided and number is not None else 0,
    )


def _answer(body: Json) -> Answer:
    reaction = body.get("answer")
    if type(reaction) is not str or reaction not in REACTIONS:
        raise bad("answer", f"must be one of {', '.join(REACTIONS)}")
    return Answer(as_identifier(body.get("instruction"), "instruction"), cast(Reaction, reaction))


def _withdraw(body: Json) -> Withdraw:
    return Withdraw(as_identifier(body.get("instruction"), "instruction"))


def _say(body: Json) -> Say:
    return Say(as_text(body.get("text"), "text", 1, SAY_LIMIT, lines=True))


def _calibrate(body: Json) -> Calibrate:
    anchor, millimetres = parse_video_anchor(body.get("anchor")), body.get("millimetres")
    if millimetres is None:
        return Calibrate(anchor, (), None)
    points = parse_points(body.get("points"), 2, 2)
    if points[0] == points[1]:
        raise bad("points", "must be two different points")
    return Calibrate(anchor, points, as_number(millimetres, "millimetres", 0.01, 10_000))


def _page(body: Json) -> Page:
    return Page(
        as_integer(body.get("board"), "board", 1, BOARDS), as_text(body.get("title"), "title", 0, NAME_LIMIT)
    )


def _file(body: Json) -> SharedFile:
    file = as_object(body.get("file"), "file")
    return SharedFile(
        as_identifier(file.get("file"), "file"),
        as_text(file.get("name"), "name", 1, FILE_NAME_LIMIT),
        as_integer(file.get("size"), "size", 0, 2**53),
        as_hash(file.get("digest"), "digest"),
        as_text(file.get("type"), "type", 1, 100),
    )


def _track(body: Json) -> Tracked:
    tracks = body.get("tracks")
    if not isinstance(tracks, list | tuple) or not 1 <= len(tracks) <= TRACKS_LIMIT:
        raise bad("tracks", f"must be a list of 1 to {TRACKS_LIMIT}")
    return Tracked(tuple([_one_track(track) for track in tracks]), parse_video_anchor(body.get("anchor")))


def _one_track(value: object) -> Track:
    body = as_object(value, "tracks")
    state, matrix = body.get("state"), body.get("matrix")
    if type(state) is not str or state not in TRACK_STATES:
        raise bad("state", f"must be one of {', '.join(TRACK_STATES)}")
    if not isinstance(matrix, list | tuple) or len(matrix) != 6:
        raise bad("matrix", "must be a list of 6 numbers")
    return Track(
        as_identifier(body.get("mark"), "mark"),
        cast(TrackState, state),
        tuple([as_number(item, "matrix", -MATRIX_LIMIT, MATRIX_LIMIT) for item in matrix]),
        as_number(body.get("confidence"), "confidence", 0, 1),
    )


#: What a client may write.
CLIENT_NOTES: Final[dict[str, Callable[[Json], Note]]] = {
    "instruct": parse_instruct,
    "answer": _answer,
    "withdraw": _withdraw,
    "say": _say,
    "calibrate": _calibrate,
    "page": _page,
}
#: What only the server writes.
SERVER_NOTES: Final[dict[str, Callable[[Json], Note | Tracked]]] = {
    "still": parse_still,
    "file": _file,
    "track": _track,
}
