"""What a room does to its pictures: the server's one log of operations, and its copy at a client.

The `Document` decides: it numbers operations from 1, finds what an undo acts on, and keeps the newest entries as
they were for those who missed a few. A `Replica` follows: it takes entries in order, notices a gap, and is told
what it lacks as a `Tail`. Both show the same marks at the same number; permissions are judged before.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Final

from .anchors import VideoAnchor
from .digest import digest
from .instructions import check as check_instruction
from .instructions import next_number
from .log import HELD_LIMIT, HELD_POINTS_LIMIT, MarkLog, UnknownTarget
from .notebook import Notebook, Shelf
from .notes import Answer, Instruct, Track, Tracked, Withdraw
from .operations import (
    Add,
    ClearField,
    ClearOwn,
    Delete,
    Edit,
    Entry,
    Operation,
    Redo,
    Undo,
    parse_entry,
)
from .shapes import PIN_NUMBERS, Mark
from .still import Still
from .values import SEQUENCE_LIMIT, AnnotationError, as_integer, as_object, bad

VISIBLE_LIMIT: Final = 10_000
#: 4 MB of JSON for a late comer.
VISIBLE_POINTS_LIMIT: Final = 150_000
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

    @property
    def text(self) -> str:
        """Encode `to_json`, of what each entry was encoded to when it was told."""
        operations = ",".join([entry.text for entry in self.entries])
        return f'{{"after":{self.after},"sequence":{self.sequence},"operations":[{operations}]}}'


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


class _Copy:
    """What the server's log and a client's copy have in common: the reading."""

    _log: MarkLog
    _notebook: Notebook
    _sequence: int

    @property
    def sequence(self) -> int:
        """The number of the newest entry; 0: none yet. After it a client asks for more."""
        return self._sequence

    def visible(self) -> tuple[Mark, ...]:
        """List the visible marks as they look now, the oldest first."""
        return tuple(
            [entry.operation.mark for entry in self.visible_entries() if isinstance(entry.operation, Add)]
        )

    def visible_entries(self) -> tuple[Entry, ...]:
        """List the visible marks as adds of what they look like now: whose, in which colour, since when."""
        return tuple(self._log.visible.values())

    def find(self, mark: str) -> Entry | None:
        """Find a visible mark by its identifier, as `visible_entries` gives it."""
        return self._log.find(mark)

    def notes(self, shelf: Shelf) -> tuple[Entry, ...]:
        """List the notes of a kind that are kept, the oldest first: `instructions` with their answers, `chat`,
        `stills`, `files`; the newest of each page (`boards`) and producer (`calibrations`)."""
        return self._notebook[shelf]

    def calibration(self, anchor: VideoAnchor, time: float) -> Entry | None:
        """Find the calibration that holds for a frame of a live picture; `time` is the frame's, Unix ms."""
        return self._notebook.calibration(anchor, time)

    def still(self, producer: int, rtp_timestamp: int) -> Still | None:
        """Find what was said last of a frozen frame."""
        return self._notebook.still(producer, rtp_timestamp)

    def track(self, mark: str) -> Track | None:
        """Find where the tissue of a mark was last seen, since the mark was last moved."""
        return self._log.track(mark)

    def digest(self) -> str:
        """Hash what is visible: equal in every copy at the same number."""
        return digest(self._log, self._notebook)

    def _add_up(self, entry: Entry) -> None:
        operation = entry.operation
        if isinstance(operation, Add | Edit | Delete | Undo | Redo | ClearOwn | ClearField | Tracked):
            self._log.record(entry)
        else:
            self._notebook.record(entry, operation)
        self._sequence = entry.sequence


class Document(_Copy):
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
        self._notebook = Notebook()
        self._recent: deque[Entry] = deque()
        self._recent_points = 0
        self._sequence = 0

    @property
    def held(self) -> int:
        """How many operations on marks are kept in memory."""
        return self._log.held

    def apply(
        self,
        operation: Operation,
        author: str,
        name: str,
        colour: str,
        now: float,
        *,
        over_others: bool = False,
    ) -> Entry:
        """Decide an operation and number it; `over_others`: the author may delete what others drew.

        Raise AnnotationError duplicate_mark, duplicate, too_many_marks, nothing_to_undo, nothing_to_redo,
        not_found, not_permitted, not_calibrated, not_open or too_many_instructions; then nothing has changed.
        """
        decided = self._decide(operation, author, now, over_others)
        entry = Entry(self._sequence + 1, round(now * 1000, 3), author, name, colour, decided)
        self._add_up(entry)
        self._remember(entry)
        return entry

    def after(self, sequence: int) -> Tail:
        """Give what a client that stands at `sequence` lacks.

        It is told from the beginning (`Tail.after` 0) if it asks so, missed too much, or stands where this log
        never was.
        """
        missed = self._sequence - sequence
        if sequence <= 0 or not 0 <= missed <= len(self._recent):
            entries = [*self._log.entries(), *self._notebook.entries()]
            return Tail(0, self._sequence, tuple(sorted(entries, key=lambda entry: entry.sequence)))
        recent = list(self._recent)
        return Tail(sequence, self._sequence, tuple(recent[len(recent) - missed :]))

    # deciding

    def _decide(self, operation: Operation, author: str, now: float, over_others: bool) -> Operation:
        match operation:
            case Add(mark):
                if self._log.has(mark.mark):
                    raise AnnotationError("duplicate_mark", "A mark of this identifier was added already.")
                self._check_calibrated(mark, now)
                self._check_room_for(1, len(mark.points))
                return Add(replace(mark, number=self._pin_number(mark))) if mark.shape == "pin" else operation
            case Edit(marks):
                return self._decide_edit(marks, author, now)
            case Delete(marks):
                return self._decide_delete(marks, author, over_others)
            case Undo():
                target = self._log.undo_target(author)
                if target is None:
                    raise AnnotationError("nothing_to_undo", "There is nothing of yours to undo.")
                return Undo(target)
            case Redo():
                target = self._log.redo_target(author)
                if target is None:
                    raise AnnotationError("nothing_to_redo", "There is nothing of yours to redo.")
                return Redo(target)
            case Instruct():
                self._check_instruction(operation, author)
                return replace(operation, number=next_number(self._notebook["instructions"]))
            case Answer() | Withdraw():
                self._check_instruction(operation, author)
        return operation

    def _decide_edit(self, marks: tuple[Mark, ...], author: str, now: float) -> Edit:
        """Take those that are still there; what must not be done with one of them is done with none."""
        decided, points = [], 0
        for mark in marks:
            found = self._log.find(mark.mark)
            if found is None or not isinstance(found.operation, Add):
                continue
            if found.author != author:
                raise AnnotationError("not_permitted", "This is somebody else's mark.")
            old = found.operation.mark
            if old.shape != mark.shape or old.anchor.surface != mark.anchor.surface:
                raise bad("mark", "must keep its shape and what it is drawn on")
            # what stays on its frame is measured as before, whatever was calibrated since
            if mark.anchor != old.anchor:
                self._check_calibrated(mark, now)
            points += len(mark.points) - len(old.points)
            decided.append(mark if mark.number == old.number else replace(mark, number=old.number))
        if not decided:
            raise AnnotationError("not_found", "This mark is no longer there.")
        self._check_room_for(0, points)
        return Edit(tuple(decided))

    def _decide_delete(self, marks: tuple[str, ...], author: str, over_others: bool) -> Delete:
        found = {mark: entry for mark in marks if (entry := self._log.find(mark)) is not None}
        if not found:
            raise AnnotationError("not_found", "These marks are no longer there.")
        if not over_others and any(entry.author != author for entry in found.values()):
            raise AnnotationError("not_permitted", "These are somebody else's marks.")
        return Delete(tuple(found))

    def _check_room_for(self, marks: int, points: int) -> None:
        if (
            self._log.visible_count + marks > self._visible_limit
            or self._log.visible_points + points > self._visible_points_limit
        ):
            raise AnnotationError("too_many_marks", "There are too many marks. Clear some first.")

    def _check_calibrated(self, mark: Mark, now: float) -> None:
        if mark.shape != "length" or not isinstance(mark.anchor, VideoAnchor):
            return
        if not self._notebook.is_calibrated(mark.anchor, now * 1000):
            raise AnnotationError("not_calibrated", "Lengths on this picture are not calibrated.")

    def _pin_number(self, mark: Mark) -> int:
        """Find the least number that no pin there has or could get back: two are never called the same."""
        taken = self._log.pins(mark.anchor.place)
        number = next((number for number in range(1, PIN_NUMBERS + 1) if number not in taken), None)
        if number is None:
            raise AnnotationError("too_many_marks", "There are 99 pins here. Clear some first.")
        return number

    def _check_instruction(self, note: Instruct | Answer | Withdraw, author: str) -> None:
        check_instruction(self._notebook.instructions(note.instruction), note, author)
        if isinstance(note, Instruct) and note.mark is not None and self._log.find(note.mark) is None:
            raise AnnotationError("not_found", "The mark of this instruction is not there.")

    def _remember(self, entry: Entry) -> None:
        self._recent.append(entry)
        self._recent_points += _points(entry)
        while len(self._recent) > self._recent_limit or self._recent_points > self._recent_points_limit:
            self._recent_points -= _points(self._recent.popleft())


class Replica(_Copy):
    """A client's copy of the log. After a False from either method, ask for `marks` after `sequence`."""

    def __init__(self, held_limit: int = HELD_LIMIT, held_points_limit: int = HELD_POINTS_LIMIT) -> None:
        self._limits = (held_limit, held_points_limit)
        self._forget()

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
            self._forget()
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
            self._add_up(entry)
        except UnknownTarget:
            # this copy is not whole: show what it has, and ask from the beginning
            self._sequence = 0
            return False
        return True

    def _forget(self) -> None:
        self._log = MarkLog(*self._limits)
        self._notebook = Notebook()
        self._sequence = 0


def _points(entry: Entry) -> int:
    match entry.operation:
        case Add(mark):
            return len(mark.points)
        case Edit(marks):
            return sum([len(mark.points) for mark in marks])
    return 0
