"""The notes of a room, a bounded shelf a kind: what a late comer is told beside the marks.

Every copy of the log keeps the same ones, since each shelf lets its oldest go by the count alone.
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
        if len(entries) > LIMITS[shelf]:
            del entries[next(iter(entries))]

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
