"""What a row of decided operations adds up to: the part that the server and every replica share.

Four terms. An operation **stands** until it is undone. It is **held** as long as an undo or redo may still name
it. One that is undone and can never be redone, because its author did something since, is **dead** and dropped at
once. When too much is held the oldest clear is **settled**: it stands for ever, so it and all that it covers are
dropped. Neither changes what is visible: a replica that still holds more shows the same.
"""

from __future__ import annotations

from bisect import insort
from typing import Final

from .operations import Add, ClearField, ClearOwn, Entry, Redo, Undo

HELD_LIMIT: Final = 10_000
#: 100 bytes a point: 30 MB a room at most.
HELD_POINTS_LIMIT: Final = 300_000


class UnknownTarget(LookupError):
    """An undo or redo names what is not held: the row of entries is not whole."""


class MarkLog:
    """Add entries up, in the order of their numbers."""

    def __init__(self, held_limit: int = HELD_LIMIT, held_points_limit: int = HELD_POINTS_LIMIT) -> None:
        self._held_limit = held_limit
        self._held_points_limit = held_points_limit
        self._held: dict[int, Entry] = {}  # by number, ascending: adds and clears
        self._undone: dict[int, Entry] = {}  # target: the undo that took it
        self._standing: dict[str, list[int]] = {}  # author: numbers held and not undone, ascending
        self._redoable: dict[str, list[int]] = {}  # author: numbers undone, the newest undo last
        self._visible: dict[int, Entry] = {}
        self._field_cleared = 0  # number of the newest clear_field that stands
        self._identifiers: set[str] = set()
        self._held_points = 0
        self.visible_points = 0

    @property
    def visible(self) -> dict[int, Entry]:
        """The adds whose marks are visible, by number, ascending. Not to be changed."""
        return self._visible

    @property
    def held(self) -> int:
        """How many operations are held."""
        return len(self._held)

    def has(self, mark: str) -> bool:
        """Tell whether a mark of this identifier is held, visible or not."""
        return mark in self._identifiers

    def undo_target(self, author: str) -> int | None:
        """Find what the author's undo acts on.

        What a standing clear_field wiped away cannot be undone: one would see nothing happen.
        """
        standing = self._standing.get(author)
        return standing[-1] if standing and standing[-1] >= self._field_cleared else None

    def redo_target(self, author: str) -> int | None:
        """Find what the author's redo brings back."""
        redoable = self._redoable.get(author)
        return redoable[-1] if redoable and redoable[-1] >= self._field_cleared else None

    def record(self, entry: Entry) -> None:
        """Add the next entry. Raise UnknownTarget, with nothing changed."""
        operation = entry.operation
        match operation:
            case Undo(target) | Redo(target):
                self._toggle(entry, target, isinstance(operation, Undo))
                self._refresh()
            case Add(mark):
                self._hold(entry)
                self._identifiers.add(mark.mark)
                self._held_points += len(mark.points)
                self.visible_points += len(mark.points)
                self._visible[entry.sequence] = entry
            case ClearOwn() | ClearField():
                self._hold(entry)
                self._refresh()
        while len(self._held) > self._held_limit or self._held_points > self._held_points_limit:
            if not self._settle():
                break  # all that is held is visible

    def entries(self) -> list[Entry]:
        """List the entries from which another log arrives at the same: what is held, and what took it back."""
        return sorted([*self._held.values(), *self._undone.values()], key=lambda entry: entry.sequence)

    # the engine

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

    def _refresh(self) -> None:
        own_cleared: dict[str, int] = {}
        self._field_cleared = 0
        for sequence, entry in self._held.items():
            if sequence not in self._undone:
                if isinstance(entry.operation, ClearField):
                    self._field_cleared = sequence
                elif isinstance(entry.operation, ClearOwn):
                    own_cleared[entry.author] = sequence
        self._visible = {}
        self.visible_points = 0
        for sequence, entry in self._held.items():
            if (
                isinstance(entry.operation, Add)
                and sequence not in self._undone
                and sequence > self._field_cleared
                and sequence > own_cleared.get(entry.author, 0)
            ):
                self._visible[sequence] = entry
                self.visible_points += len(entry.operation.mark.points)

    def _settle(self) -> bool:
        for entry in self._held.values():
            if entry.sequence in self._undone:
                self._redoable[entry.author].remove(entry.sequence)
                self._drop(entry.sequence)
                return True
            if isinstance(entry.operation, ClearField | ClearOwn):
                everybody = isinstance(entry.operation, ClearField)
                # nothing older is undone or a clear: these would have been settled first
                for other in list(self._held.values()):
                    if other.sequence <= entry.sequence and (everybody or other.author == entry.author):
                        self._standing[other.author].remove(other.sequence)
                        self._drop(other.sequence)
                return True
        return False

    def _drop(self, sequence: int) -> None:
        entry = self._held.pop(sequence)
        self._undone.pop(sequence, None)
        if isinstance(entry.operation, Add):
            self._identifiers.discard(entry.operation.mark.mark)
            self._held_points -= len(entry.operation.mark.points)
