"""The marks of a room: the server's one log of operations, and its copy at a client.

The `Document` decides: it numbers operations from 1, finds what an undo acts on, and keeps the newest entries as
they were for those who missed a few. A `Replica` follows: it takes entries in order, notices a gap, and is told
what it lacks as a `Tail`. Both show the same marks at the same number; permissions are judged before.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from .log import HELD_LIMIT, HELD_POINTS_LIMIT, MarkLog, UnknownTarget
from .operations import (
    SEQUENCE_LIMIT,
    Add,
    AnnotationError,
    Entry,
    Mark,
    Operation,
    Redo,
    Undo,
    as_integer,
    as_object,
    bad,
    parse_entry,
)

VISIBLE_LIMIT: Final = 2_000
#: 2 MB of JSON for a late comer.
VISIBLE_POINTS_LIMIT: Final = 100_000
#: 16 people who each do two things a second for 30 s.
RECENT_LIMIT: Final = 1_000
RECENT_POINTS_LIMIT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Tail:
    """All that a client lacks to stand at `sequence`.

    With `after` 0 these are the marks from the beginning, compacted: the client forgets its own first.
    Otherwise they are all entries after that number.
    """

    after: int
    sequence: int
    entries: tuple[Entry, ...]

    def to_json(self) -> dict[str, Any]:
        """Give the object `marks` of a welcome, and the fields of the reply to a `marks` request."""
        return {
            "after": self.after,
            "sequence": self.sequence,
            "operations": [entry.to_json() for entry in self.entries],
        }


def parse_tail(value: object) -> Tail:
    """Parse what `Tail.to_json` wrote. Raise AnnotationError bad_message."""
    body = as_object(value, "marks")
    entries = body.get("operations")
    if type(entries) is not list:
        raise bad("operations", "must be a list")
    return Tail(
        as_integer(body.get("after"), "after", 0, SEQUENCE_LIMIT),
        as_integer(body.get("sequence"), "sequence", 0, SEQUENCE_LIMIT),
        tuple(parse_entry(entry) for entry in entries),
    )


class Document:
    """The server's log of one room. `now` is in Unix seconds."""

    def __init__(
        self,
        *,
        visible_limit: int = VISIBLE_LIMIT,
        visible_points_limit: int = VISIBLE_POINTS_LIMIT,
        recent_limit: int = RECENT_LIMIT,
        recent_points_limit: int = RECENT_POINTS_LIMIT,
        held_limit: int = HELD_LIMIT,
        held_points_limit: int = HELD_POINTS_LIMIT,
    ) -> None:
        self._visible_limit = visible_limit
        self._visible_points_limit = visible_points_limit
        self._recent_limit = recent_limit
        self._recent_points_limit = recent_points_limit
        self._log = MarkLog(held_limit, held_points_limit)
        self._recent: deque[Entry] = deque()
        self._recent_points = 0
        self._sequence = 0

    @property
    def sequence(self) -> int:
        """The number of the newest entry; 0: none yet."""
        return self._sequence

    @property
    def held(self) -> int:
        """How many operations are kept in memory."""
        return self._log.held

    def apply(self, operation: Operation, author: str, name: str, colour: str, now: float) -> Entry:
        """Decide an operation and number it.

        Raise AnnotationError duplicate_mark, too_many_marks, nothing_to_undo or nothing_to_redo; then nothing
        has changed.
        """
        match operation:
            case Add(mark):
                self._check_room_for(mark)
            case Undo():
                target = self._log.undo_target(author)
                if target is None:
                    raise AnnotationError("nothing_to_undo", "There is nothing of yours to undo.")
                operation = Undo(target)
            case Redo():
                target = self._log.redo_target(author)
                if target is None:
                    raise AnnotationError("nothing_to_redo", "There is nothing of yours to redo.")
                operation = Redo(target)
        entry = Entry(self._sequence + 1, round(now * 1000, 3), author, name, colour, operation)
        self._log.record(entry)
        self._sequence = entry.sequence
        self._remember(entry)
        return entry

    def visible(self) -> tuple[Mark, ...]:
        """List the visible marks, the oldest first."""
        return _marks(self._log)

    def visible_entries(self) -> tuple[Entry, ...]:
        """List the adds of the visible marks: whose they are, in which colour, since when."""
        return tuple(self._log.visible.values())

    def after(self, sequence: int) -> Tail:
        """Give what a client that stands at `sequence` lacks.

        It is told from the beginning (`Tail.after` 0) if it asks so, missed too much, or stands where this log
        never was.
        """
        missed = self._sequence - sequence
        if sequence <= 0 or not 0 <= missed <= len(self._recent):
            return Tail(0, self._sequence, tuple(self._log.entries()))
        recent = list(self._recent)
        return Tail(sequence, self._sequence, tuple(recent[len(recent) - missed :]))

    def _check_room_for(self, mark: Mark) -> None:
        if self._log.has(mark.mark):
            raise AnnotationError("duplicate_mark", "A mark of this identifier was added already.")
        if (
            len(self._log.visible) >= self._visible_limit
            or self._log.visible_points + len(mark.points) > self._visible_points_limit
        ):
            raise AnnotationError(
                "too_many_marks", "There are too many marks on the field. Clear some first."
            )

    def _remember(self, entry: Entry) -> None:
        self._recent.append(entry)
        self._recent_points += _points(entry)
        while len(self._recent) > self._recent_limit or self._recent_points > self._recent_points_limit:
            self._recent_points -= _points(self._recent.popleft())


class Replica:
    """A client's copy of the log. After a False from either method, ask for `marks` after `sequence`."""

    def __init__(self, held_limit: int = HELD_LIMIT, held_points_limit: int = HELD_POINTS_LIMIT) -> None:
        self._limits = (held_limit, held_points_limit)
        self._log = MarkLog(*self._limits)
        self._sequence = 0

    @property
    def sequence(self) -> int:
        """The number that this copy stands at, and after which it asks for more."""
        return self._sequence

    def visible(self) -> tuple[Mark, ...]:
        """List the visible marks, the oldest first."""
        return _marks(self._log)

    def visible_entries(self) -> tuple[Entry, ...]:
        """List the adds of the visible marks: whose they are, in which colour, since when."""
        return tuple(self._log.visible.values())

    def receive(self, entry: Entry) -> bool:
        """Take the next entry; one known already changes nothing. Return False at a gap: it is not taken."""
        if entry.sequence <= self._sequence:
            return True
        if entry.sequence != self._sequence + 1:
            return False
        return self._record(entry)

    def load(self, tail: Tail) -> bool:
        """Take what the server says is lacking. Return False if it does not join on: it is not taken."""
        if tail.after == 0:
            self._log = MarkLog(*self._limits)
            self._sequence = 0
            if not all(self._record(entry) for entry in tail.entries):
                return False
        elif tail.after > self._sequence:
            return False
        else:
            for entry in tail.entries:
                if not self.receive(entry):
                    return False
        self._sequence = max(self._sequence, tail.sequence)
        return True

    def _record(self, entry: Entry) -> bool:
        try:
            self._log.record(entry)
        except UnknownTarget:
            # this copy is not whole: show what it has, and ask from the beginning
            self._sequence = 0
            return False
        self._sequence = entry.sequence
        return True


def _marks(log: MarkLog) -> tuple[Mark, ...]:
    return tuple(entry.operation.mark for entry in log.visible.values() if isinstance(entry.operation, Add))


def _points(entry: Entry) -> int:
    return len(entry.operation.mark.points) if isinstance(entry.operation, Add) else 0
