"""The notes of a room, a bounded shelf a kind: what a late comer is told beside the marks.

Every copy of the log keeps the same ones: what a shelf lets go of follows from what stands on it. That is the oldest,
but no instruction that waits for an answer, with what was answered so far: it must not vanish from the surgeon's glass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, get_args

from .anchors import VideoAnchor
from .calibration import holds
from .notes import Answer, Calibrate, Instruct, Note, Page, Say, SharedFile, Withdraw
from .operations import Entry
from .still import Still

Shelf = Literal["instructions", "chat", "stills", "files", "boards", "calibrations"]
SHELVES: Final[tuple[Shelf, ...]] = get_args(Shelf)

#: How many entries each keeps. Instructions count with their answers; of boards and calibrations only the newest of
#: each page and producer is kept.
LIMITS: Final[dict[Shelf, int]] = {
    "instructions": 600,
    "chat": 500,
    "stills": 200,
    "files": 200,
    "boards": 100,
    "calibrations": 64,
}


class Notebook:
    """Keep the newest notes."""

    def __init__(self) -> None:
        self._shelves: dict[Shelf, dict[object, Entry]] = {shelf: {} for shelf in SHELVES}
        self._waiting: set[str] = set()  # instructions that are open

    def __getitem__(self, shelf: Shelf) -> tuple[Entry, ...]:
        """List what is kept on a shelf, the oldest first."""
        return tuple(self._shelves[shelf].values())

    def record(self, entry: Entry, note: Note) -> None:
        """Add the next note."""
        shelf, key = _place(note, entry.sequence)
        entries = self._shelves[shelf]
        entries.pop(key, None)
        if isinstance(note, Calibrate) and note.millimetres is None:
            return
        entries[key] = entry
        match note:
            case Instruct(identifier):
                self._waiting.add(identifier)
            case Answer(identifier, "done" | "no") | Withdraw(identifier):
                self._waiting.discard(identifier)
        if len(entries) > LIMITS[shelf]:
            oldest = (old for old, entry in entries.items() if _instruction(entry) not in self._waiting)
            del entries[next(oldest, next(iter(entries)))]

    def instructions(self, besides: str) -> tuple[Entry, ...]:
        """List the notes of the instructions that are open, and of another one."""
        named = self._waiting | {besides}
        notes = self._shelves["instructions"].values()
        return tuple([entry for entry in notes if _instruction(entry) in named])

    def entries(self) -> Iterator[Entry]:
        """List all that is kept, not in order."""
        for shelf in self._shelves.values():
            yield from shelf.values()

    def calibration(self, anchor: VideoAnchor, time: float) -> Entry | None:
        """Find the calibration that holds for a frame of a live picture; `time` is the frame's, Unix ms."""
        entry = self._shelves["calibrations"].get(anchor.producer)
        return entry if entry is not None and holds(entry, anchor, time) else None

    def still(self, producer: int, rtp_timestamp: int) -> Still | None:
        """Find what was said last of a frozen frame."""
        for entry in reversed(self._shelves["stills"].values()):
            still = entry.operation
            if isinstance(still, Still) and (still.producer, still.rtp_timestamp) == (
                producer,
                rtp_timestamp,
            ):
                return still
        return None

    def is_calibrated(self, anchor: VideoAnchor, time: float) -> bool:
        """Tell whether lengths on this frame are known: on a still by what was known when it was captured."""
        if anchor.still:
            still = self.still(anchor.producer, anchor.rtp_timestamp)
            return still is not None and still.calibration is not None
        return self.calibration(anchor, time) is not None


def _instruction(entry: Entry) -> str | None:
    note = entry.operation
    return note.instruction if isinstance(note, (Instruct, Answer, Withdraw)) else None


def _place(note: Note, sequence: int) -> tuple[Shelf, object]:
    match note:
        case Instruct() | Answer() | Withdraw():
            return "instructions", sequence
        case Say():
            return "chat", sequence
        case Still():
            return "stills", sequence
        case SharedFile():
            return "files", sequence
        case Page(board):
            return "boards", board
        case Calibrate(anchor):
            return "calibrations", anchor.producer
