"""What a row of decided operations on marks adds up to: the part that the server and every replica share.

Five terms. An operation **stands** until it is undone. It is **held** as long as an undo or redo may still name it.
One that is undone and can never be redone, because its author did something since, is **dead** and dropped at once.
When too much is held the oldest operation that is more than an add is **settled**: it stands for ever. A clear or a
delete is dropped with all that it hides, an edit is **folded** into its add. None of this changes what is visible: a
replica that still holds more shows the same.

A mark is hidden by its add being undone, by a newer clear that stands (of its author or everybody's, of its surface),
and by any delete that stands and named it. What it looks like is its newest edit that stands.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from .notes import Track, Tracked
from .operations import Add, ClearField, ClearOwn, Delete, Edit, Entry, Redo, Undo
from .shapes import Mark

HELD_LIMIT: Final = 30_000
#: 120 bytes a point, with its JSON: 50 MB a room at most.
HELD_POINTS_LIMIT: Final = 400_000


class UnknownTarget(LookupError):
    """An entry names what is not held: the row of entries is not whole."""


@dataclass(slots=True)
class _Drawn:
    """A held add and what acts on it."""

    add: Entry
    edits: dict[int, Mark] = field(default_factory=dict)  # held, ascending: what it looks like by each
    deletes: set[int] = field(default_factory=set)  # held
    track: tuple[Entry, Track] | None = None


class MarkLog:
    """Add entries up, in the order of their numbers."""

    def __init__(self, held_limit: int = HELD_LIMIT, held_points_limit: int = HELD_POINTS_LIMIT) -> None:
        self._held_limit = held_limit
        self._held_points_limit = held_points_limit
        self._held: dict[int, Entry] = {}  # by number, ascending: all but undo, redo and tracks
        self._undone: dict[int, Entry] = {}  # target: the undo that took it
        self._standing: dict[str, list[int]] = {}  # author: numbers held and not undone, ascending
        self._redoable: dict[str, list[int]] = {}  # author: numbers undone, the newest undo last
        self._drawn: dict[int, _Drawn] = {}  # by the add's number, ascending
        self._identifiers: dict[str, int] = {}  # mark: its add's number
        self._acts_on: dict[int, list[int]] = {}  # edit or delete: numbers of the adds
        self._clears: dict[
            tuple[str | None, str], list[int]
        ] = {}  # author or everybody, surface: standing ones
        self._visible: dict[int, Entry] = {}
        self._sorted = True
        self._held_marks = 0  # of edits, beyond the first of each
        self._held_points = 0
        self.visible_points = 0

    @property
    def visible(self) -> dict[int, Entry]:
        """The visible marks as adds of what they look like now, by number, ascending. Not to be changed."""
        if not self._sorted:
            self._visible = dict(sorted(self._visible.items()))
            self._sorted = True
        return self._visible

    @property
    def visible_count(self) -> int:
        """How many marks are visible."""
        return len(self._visible)

    @property
    def held(self) -> int:
        """How many operations are held; an edit counts once for each of its marks."""
        return len(self._held) + self._held_marks

    def has(self, mark: str) -> bool:
        """Tell whether a mark of this identifier is held, visible or not."""
        return mark in self._identifiers

    def find(self, mark: str) -> Entry | None:
        """Find a visible mark: its add, as it looks now."""
        return self._visible.get(self._identifiers.get(mark, 0))

    def track(self, mark: str) -> Track | None:
        """Find the newest track of a mark since it was last moved."""
        drawn = self._drawn.get(self._identifiers.get(mark, 0))
        return None if drawn is None or drawn.track is None else drawn.track[1]

    def pins(self, place: tuple[str, object]) -> set[int]:
        """List the numbers of all pins held there, the hidden ones too: an undo may bring them back."""
        adds = (self._held[number].operation for number in self._drawn)
        marks = (add.mark for add in adds if isinstance(add, Add) and add.mark.number)
        return {mark.number for mark in marks if mark.anchor.place == place}

    def undo_target(self, author: str) -> int | None:
        """Find what the author's undo acts on: not on what another has wiped away, one would see nothing happen."""
        return self._newest_unwiped(self._standing.get(author, ()))

    def redo_target(self, author: str) -> int | None:
        """Find what the author's redo brings back."""
        return self._newest_unwiped(self._redoable.get(author, ()))

    def record(self, entry: Entry) -> None:
        """Add the next entry. Raise UnknownTarget, with nothing changed."""
        operation = entry.operation
        match operation:
            case Undo(target) | Redo(target):
                self._toggle(entry, target, isinstance(operation, Undo))
            case Tracked(tracks):
                for track in tracks:
                    drawn = self._drawn.get(self._identifiers.get(track.mark, 0))
                    if drawn is not None:
                        drawn.track = (entry, track)
                return
            case Add(mark):
                self._hold(entry)
                self._identifiers[mark.mark] = entry.sequence
                self._drawn[entry.sequence] = _Drawn(entry)
                self._held_points += len(mark.points)
                self._look([entry.sequence])
            case Edit(marks):
                numbers = [self._edited_add(entry, mark) for mark in marks]
                before = {number: self._looks(self._drawn[number]) for number in numbers}
                for number, mark in zip(numbers, marks, strict=True):
                    self._drawn[number].edits[entry.sequence] = mark
                self._acts_on[entry.sequence] = numbers
                self._held_points += _points(marks)
                self._held_marks += len(marks) - 1
                self._hold(entry)
                self._edited(before)
            case Delete(marks):
                numbers = [self._identifiers[mark] for mark in marks if mark in self._identifiers]
                self._acts_on[entry.sequence] = numbers
                for number in numbers:
                    self._drawn[number].deletes.add(entry.sequence)
                self._hold(entry)
                self._look(numbers)
            case ClearOwn() | ClearField():
                self._hold(entry)
                self._cleared(entry, operation, stands=True)
        self._bound()

    def entries(self) -> Iterator[Entry]:
        """List the entries from which another log arrives at the same, not in order: what is held, what took it
        back, and of tracks what still holds."""
        yield from self._held.values()
        yield from self._undone.values()
        tracked: dict[int, tuple[Entry, list[Track]]] = {}
        for drawn in self._drawn.values():
            if drawn.track is not None:
                entry, track = drawn.track
                tracked.setdefault(entry.sequence, (entry, []))[1].append(track)
        for entry, tracks in tracked.values():
            assert isinstance(entry.operation, Tracked)
            yield replace(entry, operation=replace(entry.operation, tracks=tuple(tracks)))

    # what is seen

    def _look(self, numbers: Iterable[int]) -> None:
        """See anew which of these marks are visible, and what they look like."""
        for number in numbers:
            before = self._visible.pop(number, None)
            if before is not None:
                self.visible_points -= len(_mark(before).points)
            drawn = self._drawn.get(number)
            if drawn is None or self._is_hidden(number, drawn):
                continue
            now = self._looks(drawn)
            self._sorted = self._sorted and number > next(reversed(self._visible), 0)
            self._visible[number] = (
                before if before is not None and _mark(before) is now else _as(drawn.add, now)
            )
            self.visible_points += len(now.points)

    def _looks(self, drawn: _Drawn) -> Mark:
        for number, mark in reversed(drawn.edits.items()):
            if number not in self._undone:
                return mark
        return _mark(drawn.add)

    def _is_hidden(self, number: int, drawn: _Drawn) -> bool:
        author, surface = drawn.add.author, _mark(drawn.add).anchor.surface
        return (
            number in self._undone
            or number < self._clear_of(None, surface)
            or number < self._clear_of(author, surface)
            or any(delete not in self._undone for delete in drawn.deletes)
        )

    def _clear_of(self, author: str | None, surface: str) -> int:
        clears = self._clears.get((author, surface))
        return clears[-1] if clears else 0

    def _cleared(self, entry: Entry, operation: ClearOwn | ClearField, *, stands: bool) -> None:
        author = entry.author if isinstance(operation, ClearOwn) else None
        clears = self._clears.setdefault((author, operation.of), [])
        if stands:
            insort(clears, entry.sequence)
        else:
            clears.remove(entry.sequence)
        self._look(list(self._covered(entry, operation)))

    def _covered(self, entry: Entry, operation: ClearOwn | ClearField) -> Iterator[int]:
        everybody = isinstance(operation, ClearField)
        for number, drawn in self._drawn.items():
            if number > entry.sequence:
                return
            if (everybody or drawn.add.author == entry.author) and _mark(
                drawn.add
            ).anchor.surface == operation.of:
                yield number

    def _edited_add(self, entry: Entry, mark: Mark) -> int:
        """Find the add that an edit changes. Raise UnknownTarget."""
        number = self._identifiers.get(mark.mark)
        if number is None or (number in self._undone and self._held[number].author == entry.author):
            raise UnknownTarget(f"Entry {entry.sequence} edits a mark that is not held.")
        return number

    def _edited(self, before: dict[int, Mark]) -> None:
        # a track is of where the mark was: what was only restyled or reworded is still there
        for number, mark in before.items():
            drawn = self._drawn[number]
            if self._looks(drawn).tissue != mark.tissue:
                drawn.track = None
        self._look(before)

    # undo and redo

    def _hold(self, entry: Entry) -> None:
        for dead in self._redoable.pop(entry.author, []):
            self._drop(dead)
        self._held[entry.sequence] = entry
        self._standing.setdefault(entry.author, []).append(entry.sequence)

    def _toggle(self, entry: Entry, target: int | None, undo: bool) -> None:
        held = None if target is None else self._held.get(target)
        if held is None or held.author != entry.author:
            raise UnknownTarget(f"Entry {entry.sequence} acts on {target}, which is not held.")
        sequence = held.sequence
        if undo == (sequence in self._undone):
            return  # it is so already
        edited = self._acts_on[sequence] if isinstance(held.operation, Edit) else ()
        before = {number: self._looks(self._drawn[number]) for number in edited}
        redoable = self._redoable.setdefault(entry.author, [])
        standing = self._standing.setdefault(entry.author, [])
        if undo:
            standing.remove(sequence)
            redoable.append(sequence)
            self._undone[sequence] = entry
        else:
            redoable.remove(sequence)
            insort(standing, sequence)
            del self._undone[sequence]
        match held.operation:
            case Add():
                self._look([sequence])
            case Edit():
                self._edited(before)
            case Delete():
                self._look(self._acts_on[sequence])
            case ClearOwn() | ClearField():
                self._cleared(held, held.operation, stands=not undo)

    def _newest_unwiped(self, numbers: Sequence[int]) -> int | None:
        for number in reversed(numbers):
            if not self._is_wiped(self._held[number]):
                return number
        return None

    def _is_wiped(self, entry: Entry) -> bool:
        match entry.operation:
            case ClearOwn(of) | ClearField(of):
                return entry.sequence < self._clear_of(None, of)
            case Add():
                numbers = [entry.sequence]
            case _:
                numbers = self._acts_on[entry.sequence]
        return all(self._is_wiped_mark(self._drawn[number], entry.author) for number in numbers)

    def _is_wiped_mark(self, drawn: _Drawn, author: str) -> bool:
        deletes = (self._held[number] for number in drawn.deletes if number not in self._undone)
        cleared = self._clear_of(None, _mark(drawn.add).anchor.surface)
        return drawn.add.sequence < cleared or any(delete.author != author for delete in deletes)

    # keeping it small

    def _bound(self) -> None:
        if self.held <= self._held_limit and self._held_points <= self._held_points_limit:
            return
        # a twentieth more than needed: each settling looks through what is held
        limit, points = (most - most // 20 for most in (self._held_limit, self._held_points_limit))
        while (self.held > limit or self._held_points > points) and self._settle():
            pass  # else all that is held is visible

    def _settle(self) -> bool:
        for entry in self._held.values():
            if entry.sequence in self._undone:
                self._drop(entry.sequence)
                return True
            # nothing older is undone, an edit, a delete or a clear: these would have been settled first
            match entry.operation:
                case Edit(marks):
                    for number, mark in zip(self._acts_on[entry.sequence], marks, strict=True):
                        self._fold(number, mark)
                    self._drop(entry.sequence)
                    return True
                case Delete():
                    for number in list(self._acts_on[entry.sequence]):
                        self._drop(number)
                    self._drop(entry.sequence)
                    return True
                case (ClearOwn() | ClearField()) as clear:
                    for number in list(self._covered(entry, clear)):
                        self._drop(number)
                    self._drop(entry.sequence)
                    return True
        return False

    def _fold(self, number: int, mark: Mark) -> None:
        drawn = self._drawn[number]
        self._held_points += len(mark.points) - len(_mark(drawn.add).points)
        drawn.add = self._held[number] = _as(drawn.add, mark)

    def _leave_out(self, edit: int, number: int) -> None:
        """Take a mark that is gone for good out of an edit; with its last one the edit goes."""
        entry, numbers = self._held[edit], self._acts_on[edit]
        assert isinstance(entry.operation, Edit)
        if len(numbers) == 1:
            self._drop(edit)
            return
        at = numbers.index(number)
        marks = entry.operation.marks
        del numbers[at]
        self._held[edit] = replace(entry, operation=Edit(marks[:at] + marks[at + 1 :]))
        self._held_marks -= 1
        self._held_points -= len(marks[at].points)

    def _drop(self, sequence: int) -> None:
        entry = self._held.pop(sequence, None)
        if entry is None:
            return  # it went with its mark
        lists = self._standing if self._undone.pop(sequence, None) is None else self._redoable
        if entry.author in lists:
            lists[entry.author].remove(sequence)
        match entry.operation:
            case Add(mark):
                drawn = self._drawn.pop(sequence)
                self._held_points -= len(mark.points)
                if self._identifiers.get(mark.mark) == sequence:
                    del self._identifiers[mark.mark]
                for edit in list(drawn.edits):
                    self._leave_out(edit, sequence)
                for delete in drawn.deletes:
                    self._acts_on[delete].remove(sequence)
                self._look([sequence])
            case Edit(marks):
                self._held_points -= _points(marks)
                self._held_marks -= len(marks) - 1
                for number in self._acts_on.pop(sequence):
                    if number in self._drawn:
                        del self._drawn[number].edits[sequence]
            case Delete():
                for number in self._acts_on.pop(sequence):
                    self._drawn[number].deletes.discard(sequence)
            case ClearOwn() | ClearField():
                author = entry.author if isinstance(entry.operation, ClearOwn) else None
                clears = self._clears.get((author, entry.operation.of), [])
                if sequence in clears:
                    clears.remove(sequence)


def _mark(add: Entry) -> Mark:
    assert isinstance(add.operation, Add)
    return add.operation.mark


def _points(marks: Iterable[Mark]) -> int:
    return sum([len(mark.points) for mark in marks])


def _as(add: Entry, mark: Mark) -> Entry:
    return add if _mark(add) is mark else replace(add, operation=Add(mark))
