"""What a replay shows at each moment of a recording: the twin of `web_client/src/replay/timeline.ts` and what it asks.

Positions are seconds after the recording's start. A mark appears with the frame that it was drawn on, not when its
stroke was finished; everything else counts from when the server decided it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from annotation.anchors import Anchor, BoardAnchor, DicomAnchor, VideoAnchor, parse_anchor
from annotation.calibration import ticks_between
from annotation.notes import Calibrate, Instruct, Say, Track, Tracked
from annotation.operations import Add, ClearField, ClearOwn, Delete, Edit, Entry, Redo, Undo, parse_entry
from annotation.shapes import Mark, Point
from annotation.still import Still
from annotation.values import AnnotationError

#: A mark on a still is shown with its frame, and no longer than one lasts at 25 a second.
_STILL: Final = 0.04
#: Containers round times to a millisecond at worst (Matroska).
ROUNDING: Final = 0.001
_POINTER_SILENCE: Final = 1.0
_TRAIL: Final = 0.35
#: So long after the telling a mark that follows and has no track was believed.
_UNSEEN: Final = 0.2
#: A good mark is told of every 300 ms; 200 ms later a page that was there had greyed it.
_SILENCE: Final = 0.5


@dataclass(slots=True)
class Seen:
    """A visible mark as it looks now. `anchored`: when its anchor was told, Unix ms; `changed`: what last moved it."""

    mark: Mark
    author: str
    name: str
    colour: str
    sequence: int
    anchored: float
    changed: int


@dataclass(frozen=True, slots=True)
class Pointer:
    """A laser pointer: its trail, the newest point last; ages are in seconds."""

    author: str
    trail: tuple[tuple[Point, float], ...]


@dataclass(slots=True)
class _Drawn:
    seen: Seen
    deleted: bool
    looks: list[tuple[int, Mark, float]] = field(default_factory=list)  # sequence, mark, anchored
    undone: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Camera:
    """What of a description's camera names its frames."""

    producer: int
    offset: float
    first_rtp_timestamp: int
    clock_rate: int
    source: str = ""
    participant: str = ""

    def position(self, rtp_timestamp: int, near: float) -> float:
        """Tell where on the time line a frame stands that was spoken of at about `near`."""
        ticks = ticks_between(rtp_timestamp, self.first_rtp_timestamp, near - self.offset, self.clock_rate)
        return self.offset + ticks / self.clock_rate


class Timeline:
    """A recording's description, asked by position. What in it cannot be read is left out."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._started = _number(description.get("started"))
        self.seconds = _number(description.get("seconds"))
        self.entries = list(_entries(description, self._started))
        self.cameras = {camera.producer: camera for camera in _cameras(description)}
        self.events = sorted(_objects(description, "events"), key=lambda event: _number(event.get("at")))
        self._frozen: dict[tuple[int, int], float] = {}
        for entry in self.entries:
            if isinstance(still := entry.operation, Still):
                name = (still.producer, still.rtp_timestamp)
                self._frozen[name] = min(self.at(entry), self._frozen.get(name, float("inf")))
        marks: list[tuple[float, Entry]] = []
        self._tracks: dict[str, list[tuple[float, int, Track]]] = {}
        self._calibrations: list[tuple[float, Entry, Calibrate]] = []
        for entry in self.entries:
            operation, at = entry.operation, self.at(entry)
            match operation:
                case Tracked(tracks):
                    since = self.appearance(operation.anchor, at)
                    for track in tracks:
                        self._tracks.setdefault(track.mark, []).append((since, entry.sequence, track))
                case Add(mark):
                    marks.append((self.appearance(mark.anchor, at), entry))
                case Edit() | Delete() | Undo() | Redo() | ClearOwn() | ClearField():
                    marks.append((at, entry))
                case Calibrate():
                    self._calibrations.append((at, entry, operation))
        for known in self._tracks.values():
            known.sort(key=lambda one: one[1])
        self._operations = sorted(marks, key=lambda one: one[1].sequence)
        #: Where what is shown changes.
        self.turns = sorted({since for since, _ in self._operations})
        self._shown: tuple[int, list[Seen]] = (-1, [])
        #: Who spoke from when on, and from which frames on each picture had come again.
        self._speakers: list[tuple[float, str]] = []
        self._resumed: dict[int, list[tuple[float, tuple[int, float] | None]]] = {}
        for event in self.events:
            self._take_event(_number(event.get("at")), event)
        self._pointers = sorted(_pointers(description), key=lambda pointer: pointer[0])
        self._pointer_times = [at for at, _, _, _ in self._pointers]

    def at(self, entry: Entry) -> float:
        """Tell when an entry was decided."""
        return (entry.time - self._started) / 1000

    def appearance(self, anchor: Anchor, decided: float) -> float:
        """Tell where on the time line the frame of an anchor stands."""
        camera = self.cameras.get(anchor.producer) if isinstance(anchor, VideoAnchor) else None
        if camera is None or not isinstance(anchor, VideoAnchor):
            return decided
        near = self._frozen.get((anchor.producer, anchor.rtp_timestamp)) if anchor.still else None
        since = camera.position(
            anchor.rtp_timestamp, near if near is not None else min(decided, self.seconds)
        )
        # a mark older than the recording is there from the beginning
        return min(decided, max(0.0, since))

    def marks_at(self, position: float) -> list[Seen]:
        """List the marks that are shown at a position, on whatever they are drawn."""
        turn = bisect_right(self.turns, position + ROUNDING)
        if turn != self._shown[0]:
            until = self.turns[turn - 1] if turn else float("-inf")
            self._shown = turn, visible(entry for since, entry in self._operations if since <= until)
        return self._shown[1]

    def marks_on(self, producer: int, position: float) -> list[Seen]:
        """List those of them that lie on a camera's picture at this moment."""
        return [seen for seen in self.marks_at(position) if self._is_on(seen, producer, position)]

    def _is_on(self, seen: Seen, producer: int, position: float) -> bool:
        anchor = seen.mark.anchor
        if not isinstance(anchor, VideoAnchor) or anchor.producer != producer:
            return False
        return not anchor.still or abs(position - self.appearance(anchor, float("inf"))) <= _STILL

    def moved(self, seen: Seen, position: float) -> tuple[Track | None, str]:
        """Tell where a mark was seen to have gone, and what to believe of it: good, lost, stale, pending, or ""."""
        follows, newest = seen.mark.follow, self._newest(seen.mark.mark, position)
        if newest is not None and newest[1] > seen.changed:
            since, _, track = newest
            silent = follows and track.state == "good" and position - since > _SILENCE
            return track, "stale" if silent else track.state
        if seen.changed > seen.sequence and (follows or newest is not None):
            return None, "pending"
        if not follows:
            return None, ""
        decided = (seen.anchored - self._started) / 1000
        return None, "stale" if position - decided > _UNSEEN else "good"

    def _newest(self, mark: str, position: float) -> tuple[float, int, Track] | None:
        known = self._tracks.get(mark, [])
        number = bisect_right(known, position + ROUNDING, key=lambda one: one[0])
        return known[number - 1] if number else None

    def is_outdated(self, seen: Seen, position: float) -> bool:
        """Tell whether its picture was interrupted since: the camera may show something else there now."""
        anchor = seen.mark.anchor
        if not isinstance(anchor, VideoAnchor) or anchor.still:
            return False
        since = self.since(anchor.producer, position)
        return since is not None and _before((anchor.rtp_timestamp, seen.anchored), since)

    def _take_event(self, at: float, event: dict[str, Any]) -> None:
        kind, producer, since = event.get("kind"), event.get("producer"), event.get("since")
        if kind == "speaker":
            self._speakers.append((at, str(event.get("participant") or "")))
        elif kind == "producer_resumed" and type(producer) is int:
            moment = (since, self._started + at * 1000) if type(since) is int else None
            self._resumed.setdefault(producer, []).append((at, moment))

    def since(self, producer: int, position: float) -> tuple[int, float] | None:
        """Tell from which frame on a picture had come since it was interrupted, and when that was, Unix ms."""
        known = self._resumed.get(producer, [])
        number = bisect_right(known, position + ROUNDING, key=lambda one: one[0])
        return known[number - 1][1] if number else None

    def calibration(self, seen: Seen, position: float) -> tuple[tuple[Point, ...], float] | None:
        """Give the line whose length is known, and its millimetres, that hold for a mark; None: none do."""
        anchor = seen.mark.anchor
        if not isinstance(anchor, VideoAnchor):
            return None
        newest = None
        for at, entry, made in self._calibrations:
            if at <= position + ROUNDING and made.anchor.producer == anchor.producer:
                newest = entry, made
        if newest is None or newest[1].millimetres is None:
            return None
        entry, made = newest
        moment = (made.anchor.rtp_timestamp, entry.time)
        since = self.since(anchor.producer, position)
        if _before((anchor.rtp_timestamp, seen.anchored), moment) or (since and _before(moment, since)):
            return None
        return tuple(made.points), float(newest[1].millimetres)

    def pointers_on(self, producer: int, position: float) -> list[Pointer]:
        """List the laser pointers on a camera, with the trail of the last moments."""
        past: dict[str, list[tuple[float, int | None, Point | None]]] = {}
        for number in range(bisect_right(self._pointer_times, position) - 1, -1, -1):
            at, author, on, point = self._pointers[number]
            if position - at > _POINTER_SILENCE:
                break
            past.setdefault(author, []).insert(0, (at, on, point))
        found = []
        for author, points in past.items():
            if points[-1][1] != producer:
                continue
            newest = points[-1][0]
            trail = tuple(
                (point, position - at)
                for at, on, point in points
                if on == producer and point is not None and (position - at <= _TRAIL or at == newest)
            )
            if trail and points[-1][2] is not None:
                found.append(Pointer(author, trail))
        return found

    def speaker(self, position: float) -> str:
        """Name the participant who speaks at a position; empty: nobody."""
        number = bisect_right(self._speakers, position, key=lambda one: one[0])
        return self._speakers[number - 1][1] if number else ""

    def words(self) -> Iterator[tuple[float, Entry, Instruct | Say]]:
        """List what was asked for and written, in its order."""
        for entry in self.entries:
            if isinstance(entry.operation, Instruct | Say):
                yield self.at(entry), entry, entry.operation


def visible(entries: Iterator[Entry]) -> list[Seen]:
    """Add a row of entries up, given in the order of their numbers: the twin of `annotation/sum.ts`."""
    every = list(entries)
    undone: set[int] = set()
    for entry in every:
        if isinstance(entry.operation, Undo) and entry.operation.target is not None:
            undone.add(entry.operation.target)
        elif isinstance(entry.operation, Redo) and entry.operation.target is not None:
            undone.discard(entry.operation.target)
    held = {entry.sequence: entry for entry in every}
    drawn: dict[str, _Drawn] = {}
    clears: dict[tuple[str, str], int] = {}
    for entry in every:
        stands = entry.sequence not in undone
        match entry.operation:
            case Add(mark):
                seen = Seen(
                    mark, entry.author, entry.name, entry.colour, entry.sequence, entry.time, entry.sequence
                )
                drawn[mark.mark] = _Drawn(seen, not stands, [(entry.sequence, mark, entry.time)])
            case Edit(marks):
                for mark in marks:
                    if (one := drawn.get(mark.mark)) is not None:
                        same = one.seen.mark.anchor == mark.anchor
                        one.looks.append((entry.sequence, mark, one.seen.anchored if same else entry.time))
                        _look(one, entry.sequence)
            case Delete(marks=names):
                for name in names if stands else ():
                    if (one := drawn.get(name)) is not None:
                        one.deleted = True
            case ClearField(of) if stands:
                clears[of, ""] = entry.sequence
            case ClearOwn(of) if stands:
                clears[of, entry.author] = entry.sequence
            case Undo(target) | Redo(target):
                acted = held.get(target or 0)
                for mark in acted.operation.marks if acted and isinstance(acted.operation, Edit) else ():
                    if (one := drawn.get(mark.mark)) is not None and target is not None:
                        (one.undone.add if isinstance(entry.operation, Undo) else one.undone.discard)(target)
                        _look(one, entry.sequence)
    return [
        one.seen for one in drawn.values() if not one.deleted and one.seen.sequence > _cleared(one, clears)
    ]


def _cleared(one: _Drawn, clears: dict[tuple[str, str], int]) -> int:
    surface = one.seen.mark.anchor.surface
    return max(clears.get((surface, ""), 0), clears.get((surface, one.seen.author), 0))


def _look(one: _Drawn, sequence: int) -> None:
    for number, mark, anchored in reversed(one.looks):
        if number not in one.undone:
            if mark.tissue != one.seen.mark.tissue:
                one.seen.changed = sequence
            one.seen.mark, one.seen.anchored = mark, anchored
            return


def _before(one: tuple[int, float], other: tuple[int, float]) -> bool:
    return ticks_between(one[0], other[0], (one[1] - other[1]) / 1000) < 0


def _entries(description: dict[str, Any], started: float) -> Iterator[Entry]:
    for fields in _objects(description, "operations"):
        try:
            yield parse_entry({**fields, "time": max(0.0, started + _number(fields.get("at")) * 1000)})
        except AnnotationError:
            continue


def _cameras(description: dict[str, Any]) -> Iterator[Camera]:
    for fields in _objects(description, "cameras"):
        numbers = [fields.get(name) for name in ("producer", "first_rtp_timestamp", "clock_rate")]
        if all(type(number) is int for number in numbers) and numbers[2]:
            producer, first, rate = (int(str(number)) for number in numbers)
            whose = (str(fields.get(name) or "") for name in ("source", "participant"))
            yield Camera(producer, _number(fields.get("offset")), first, rate, *whose)


def _pointers(description: dict[str, Any]) -> Iterator[tuple[float, str, int | None, Point | None]]:
    for fields in _objects(description, "pointers"):
        author, point, on = fields.get("author"), fields.get("point"), None
        try:
            anchor = parse_anchor(fields["anchor"]) if fields.get("anchor") is not None else None
        except AnnotationError:
            continue
        if isinstance(anchor, VideoAnchor) and not anchor.still:
            on = anchor.producer
        elif isinstance(anchor, DicomAnchor | BoardAnchor):
            on = None
        if not isinstance(author, str):
            continue
        whole = isinstance(point, list) and len(point) == 2 and all(type(n) in (int, float) for n in point)
        where = (float(point[0]), float(point[1])) if whole and isinstance(point, list) else None
        yield _number(fields.get("at")), author, on, where


def _objects(description: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = description.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < 1e16 else 0.0
